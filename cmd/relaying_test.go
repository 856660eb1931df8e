package cmd

import (
	"testing"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

func TestAHintIsGivenOnceUntilTheTargetIsBack(t *testing.T) {
	var given hints
	failed := func(target, hint string) delivery.Attempt {
		return delivery.Attempt{Target: target, Failure: &delivery.Failure{Hint: hint}}
	}
	for n, step := range []struct {
		attempt delivery.Attempt
		want    bool
	}{
		{failed("app", "start it"), true},
		{failed("app", "start it"), false},
		{failed("chat", "start it"), true},
		{failed("app", "check the certificate"), true},
		{failed("app", "start it"), false},
		{delivery.Attempt{Target: "app"}, true},
		{failed("app", "start it"), true},
		{failed("chat", "start it"), false},
	} {
		if got := given.isNew(step.attempt); got != step.want {
			t.Errorf("step %d: new is %v, want %v", n, got, step.want)
		}
	}
}
