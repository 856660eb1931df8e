package expect_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/expect"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

func arrived(event owox.EventType, change func(*delivery.Delivery)) delivery.Delivery {
	body := owox.Documented(event)
	d := delivery.Delivery{Identity: owox.Identify(body), Body: body, State: delivery.StateValid}
	if change != nil {
		change(&d)
	}
	return d
}

func as(state delivery.State, reason delivery.Reason) func(*delivery.Delivery) {
	return func(d *delivery.Delivery) { d.State, d.Reason, d.Detail = state, reason, "the disk is full" }
}

func TestWatch(t *testing.T) {
	failed, successful := arrived(owox.RunFailed, nil), arrived(owox.RunSuccessful, nil)
	invalid := arrived(owox.RunFailed, as(delivery.StateInvalid, ""))
	notKept := arrived(owox.RunFailed, as(delivery.StateNotKept, ""))
	gone := arrived(owox.RunFailed, as(delivery.StateGone, ""))
	notTaken := failed
	notTaken.Forwarded = &delivery.Attempt{Failure: &delivery.Failure{Kind: delivery.Refused}}
	taken := failed
	taken.Forwarded = &delivery.Attempt{Status: 204}
	elsewhere := arrived(owox.RunFailed, as(delivery.StateRefused, delivery.WrongPath))
	large := arrived(owox.RunFailed, as(delivery.StateRefused, delivery.TooLarge))
	tests := []struct {
		name     string
		expected expect.Deliveries
		arrives  []delivery.Delivery
		want     string // the error; "": none
		decided  bool
	}{
		{"nothing expected, nothing arrives", expect.Deliveries{}, nil, "", false},
		{"nothing expected", expect.Deliveries{}, []delivery.Delivery{failed}, "", false},
		{"nothing expected, something invalid", expect.Deliveries{}, []delivery.Delivery{invalid}, "1 invalid delivery arrived", false},
		{"nothing expected, a body over the limit", expect.Deliveries{}, []delivery.Delivery{large}, "1 invalid delivery arrived", false},
		{"nothing expected, something elsewhere", expect.Deliveries{}, []delivery.Delivery{elsewhere}, "", false},
		{"nothing expected, something not kept", expect.Deliveries{}, []delivery.Delivery{notKept}, "1 delivery could not be kept: the disk is full", false},
		{"enough", expect.Deliveries{Count: 2}, []delivery.Delivery{failed, successful}, "", true},
		{"more than enough", expect.Deliveries{Count: 1}, []delivery.Delivery{failed, successful}, "", true},
		{"too few", expect.Deliveries{Count: 2}, []delivery.Delivery{failed}, "1 expected delivery arrived: missing 1 more", false},
		{"the other event", expect.Deliveries{Count: 1, Events: []owox.EventType{owox.RunSuccessful}}, []delivery.Delivery{failed}, "1 expected delivery arrived: missing one of run.successful", false},
		{"both events", expect.Deliveries{Events: []owox.EventType{owox.RunSuccessful, owox.RunFailed}}, []delivery.Delivery{failed, successful}, "", true},
		{"invalid", expect.Deliveries{Count: 1}, []delivery.Delivery{invalid}, "1 invalid delivery arrived", true},
		{"invalid, all accepted", expect.Deliveries{Count: 1, AcceptAll: true}, []delivery.Delivery{invalid}, "0 expected deliveries arrived: missing 1 more", false},
		{"not kept does not count", expect.Deliveries{Count: 2}, []delivery.Delivery{notKept, notKept}, "0 expected deliveries arrived: missing 2 more: 2 deliveries could not be kept: the disk is full", false},
		{"not kept, and sent again", expect.Deliveries{Count: 1}, []delivery.Delivery{notKept, failed}, "", true},
		{"not taken does not count", expect.Deliveries{Count: 1}, []delivery.Delivery{notTaken}, "0 expected deliveries arrived: missing 1 more: the application did not take 1 delivery", false},
		{"not taken, and sent again", expect.Deliveries{Count: 1}, []delivery.Delivery{notTaken, taken}, "", true},
		{"nothing expected, something not taken", expect.Deliveries{}, []delivery.Delivery{notTaken}, "the application did not take 1 delivery", false},
		{"a sender that is gone does not count", expect.Deliveries{Count: 1}, []delivery.Delivery{gone}, "0 expected deliveries arrived: missing 1 more", false},
		{"refused does not count", expect.Deliveries{Count: 1}, []delivery.Delivery{elsewhere}, "0 expected deliveries arrived: missing 1 more", false},
		{"a match", expect.Deliveries{Count: 1, Matches: []expect.Match{{Path: owox.PathRunID, Value: "run-xyz789"}}}, []delivery.Delivery{failed}, "", true},
		{"no match", expect.Deliveries{Count: 1, Matches: []expect.Match{{Path: owox.PathRunID, Value: "r7"}}}, []delivery.Delivery{failed}, "0 expected deliveries arrived: missing 1 more", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			watch := expect.New(tt.expected)
			for _, d := range tt.arrives {
				watch.Add(d)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			got := ""
			if err := watch.Wait(ended); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			select {
			case <-watch.Decided():
				if !tt.decided {
					t.Error("it is decided too early")
				}
			default:
				if tt.decided {
					t.Error("it is not decided yet")
				}
			}
		})
	}
}

func TestMatchComparesValues(t *testing.T) {
	payload := bytes.Replace(owox.Documented(owox.RunSuccessful), []byte("60000"), []byte("6e4"), 1)
	tests := []struct {
		match expect.Match
		want  bool
	}{
		{expect.Match{Path: owox.PathDurationMS, Value: "60000"}, true},
		{expect.Match{Path: owox.PathDurationMS, Value: `"60000"`}, false},
		{expect.Match{Path: owox.PathVersion, Value: "1"}, true},
		{expect.Match{Path: owox.PathVersion, Value: `"1"`}, true},
		{expect.Match{Path: owox.PathIsTest, Value: "null"}, false},
		{expect.Match{Path: owox.PathRunStatus, Value: "SUCCESSFUL"}, true},
	}
	for _, tt := range tests {
		if got := tt.match.In(payload); got != tt.want {
			t.Errorf("%s=%s matches: %v, want %v", tt.match.Path, tt.match.Value, got, tt.want)
		}
	}
}
