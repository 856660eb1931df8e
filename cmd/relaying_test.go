package cmd

import (
	"strings"
	"testing"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/testdata/pgtest"
)

// A server may stop between the moments when the journal and the relay are opened.
func TestARelayThatCannotBeOpenedSaysWhy(t *testing.T) {
	if _, err := pgtest.Find(); err != nil {
		t.Skip(err)
	}
	server, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close() //nolint:errcheck // of no use any more
	where, err := server.Fresh()
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(t.Context(), where, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close() //nolint:errcheck // the server is gone
	if err := server.Crash(); err != nil {
		t.Fatal(err)
	}
	err = (&relaying{}).open(t.Context(), &listening{journal: j})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot open the relay: the database cannot be reached: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want a sentence", err)
	}
}

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
