package owox_test

import (
	"testing"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

func TestOutcomeOf(t *testing.T) {
	for _, tt := range []struct {
		status int
		phrase string
		want   owox.Outcome
		again  bool
	}{
		{200, "OK", owox.Delivered, false},
		{299, "", owox.Delivered, false},
		{429, "Too Many Requests", owox.ServerFailed, true},
		{500, "", owox.ServerFailed, true},
		{599, "", owox.ServerFailed, true},
		{408, "Request Timeout", owox.RequestTimeout, true},
		{408, "Zeit", owox.OtherStatus, false},
		{101, "Switching Protocols", owox.OtherStatus, false},
		{301, "", owox.OtherStatus, false},
		{304, "", owox.OtherStatus, false},
		{400, "", owox.OtherStatus, false},
		{410, "", owox.OtherStatus, false},
		{425, "", owox.OtherStatus, false},
		{999, "", owox.OtherStatus, false},
	} {
		got := owox.OutcomeOf(tt.status, tt.phrase)
		if again := owox.RetryAfter(got).Again(); got != tt.want || again != tt.again {
			t.Errorf("%d %s is %s, tried again %v, want %s, %v", tt.status, tt.phrase, got, again, tt.want, tt.again)
		}
	}
}

func TestRetryTableIsWhole(t *testing.T) {
	seen := map[owox.Outcome]bool{}
	for _, r := range owox.Retries() {
		if seen[r.Outcome] || r.Seen == "" || r.Fate() == "" {
			t.Errorf("row %+v is there twice, or says nothing", r)
		}
		if delays := len(owox.RetryDelays()); r.Again() && r.Attempts != delays+1 {
			t.Errorf("row %+v has %d attempts, but there are %d delays between them", r, r.Attempts, delays)
		}
		seen[r.Outcome] = true
	}
}
