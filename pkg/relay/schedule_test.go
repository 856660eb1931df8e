package relay

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

func answered(status int, headers ...owox.Header) delivery.Attempt {
	a := delivery.Attempt{Status: status, Headers: headers}
	if status/100 != 2 {
		a.Failure = &delivery.Failure{Kind: delivery.BadStatus, Error: "status"}
	}
	return a
}

func retryAfterHeader(value string) owox.Header {
	return owox.Header{Name: "Retry-After", Value: value}
}

func TestHelpSaysWhenAttemptsAreRepeated(t *testing.T) {
	units := strings.NewReplacer("h", " h", "m", " min", "s", " s")
	var said []string
	for _, d := range delays {
		said = append(said, units.Replace(words(d)))
	}
	last := len(said) - 1
	want := strings.Join(said[:last], ", ") + ", then every " + said[last]
	for _, file := range []string{"../../cmd/relay.go", "../../cmd/topics/relaying.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.Join(strings.Fields(string(text)), " "), want) {
			t.Errorf("%s does not say %q", file, want)
		}
	}
}

func TestWhatBecomesOfADelivery(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		name   string
		a      delivery.Attempt
		number int
		age    time.Duration
		want   verdict
	}{
		{"success", answered(204), 1, 0, verdict{fate: done}},
		{"first failure", answered(500), 1, 0, verdict{fate: failed, wait: 5 * time.Second}},
		{"no answer", answered(0), 2, 0, verdict{fate: failed, wait: 30 * time.Second}},
		{"tenth failure", answered(500), 10, 0, verdict{fate: failed, wait: 12 * time.Hour}},
		{"hundredth failure", answered(500), 100, 0, verdict{fate: failed, wait: 12 * time.Hour}},
		{"time is up", answered(500), 10, 61 * time.Hour, verdict{fate: givenUp}},
		{"time is nearly up", answered(500), 10, 59 * time.Hour, verdict{fate: failed, wait: 12 * time.Hour}},
		{"gone", answered(410), 1, 0, verdict{fate: givenUp}},
		{"not found, twice", answered(404), 2, 0, verdict{fate: failed, wait: 30 * time.Second}},
		{"not found, three times", answered(404), 3, 0, verdict{fate: givenUp}},
		{"invalid, three times", answered(422), 3, 0, verdict{fate: givenUp}},
		{"other 4xx", answered(409), 9, 0, verdict{fate: failed, wait: 10 * time.Hour}},
		{"retry after seconds", answered(429, retryAfterHeader("60")), 1, 0, verdict{fate: failed, wait: time.Minute}},
		{"retry after a fraction", answered(429, retryAfterHeader("7.5")), 1, 0, verdict{fate: failed, wait: 7500 * time.Millisecond}},
		{"retry after less than the schedule", answered(503, retryAfterHeader("1")), 2, 0, verdict{fate: failed, wait: 30 * time.Second}},
		{"retry at a time", answered(503, retryAfterHeader(now.Add(time.Hour).Format(http.TimeFormat))), 1, 0, verdict{fate: failed, wait: time.Hour}},
		{"retry after a year", answered(503, retryAfterHeader("31536000")), 1, 0, verdict{fate: failed, wait: 24 * time.Hour}},
		{"retry after nonsense", answered(503, retryAfterHeader("NaN")), 1, 0, verdict{fate: failed, wait: 5 * time.Second}},
		{"retry before now", answered(503, retryAfterHeader("-5")), 1, 0, verdict{fate: failed, wait: 5 * time.Second}},
	} {
		got := Target{}.withDefaults().after(c.a, claim{attempt: c.number, since: now.Add(-c.age)}, now, 0.5)
		if got.fate != c.want.fate || got.fate == failed && got.wait != c.want.wait || (got.fate != done) != (got.reason != "") {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestEveryDeliveryEnds(t *testing.T) {
	now := time.Now()
	for _, jitter := range []float64{0, 0.5, 1} {
		c, attempts := claim{since: now}, 0
		for at := now; ; attempts++ {
			c.attempt++
			v := Target{}.withDefaults().after(answered(500), c, at, jitter)
			if v.fate == givenUp {
				if !strings.Contains(v.reason, "not delivered within 72h") || at.Sub(now) > 72*time.Hour || at.Sub(now) < 55*time.Hour {
					t.Errorf("given up after %v: %s", at.Sub(now), v.reason)
				}
				break
			}
			at = at.Add(v.wait)
		}
		if attempts < 11 || attempts > 14 {
			t.Errorf("jitter %v: %d attempts, want about a dozen", jitter, attempts)
		}
	}
}

// stopped is a clock that tests set.
type stopped struct{ at time.Time }

func (c *stopped) now() time.Time { return c.at }

func TestAFailingTargetIsTriedLessOften(t *testing.T) {
	clock := &stopped{time.Now()}
	g := newGate(Target{Limit: 10 * time.Second}, clock.now)
	for range failuresToShut {
		if wait, ok := g.try(time.Time{}); !ok {
			t.Fatalf("shut for %v before there were %d failures", wait, failuresToShut)
		}
		g.tell(answered(500))
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 15, 15} {
		if wait, ok := g.try(time.Time{}); ok || wait != want*time.Second {
			t.Errorf("waits %v, passes %v, want %d s", wait, ok, want)
		}
		clock.at = clock.at.Add(want * time.Second)
		if _, ok := g.try(time.Time{}); !ok {
			t.Error("the one that looks whether the target is back does not pass")
		}
		if wait, ok := g.try(time.Time{}); ok || wait < 10*time.Second {
			t.Errorf("a second one passes, or waits %v only, while one looks", wait)
		}
		g.tell(answered(0))
	}
	if !g.slows() {
		t.Error("it does not say that it slows attempts down")
	}
	clock.at = clock.at.Add(time.Minute)
	_, _ = g.try(time.Time{})
	g.tell(answered(200))
	if _, ok := g.try(time.Time{}); !ok || g.slows() {
		t.Error("the target is back, and the gate is shut")
	}
}

func TestRetryAfterHoldsForTheWholeTarget(t *testing.T) {
	clock := &stopped{time.Now()}
	g := newGate(Target{Limit: time.Second}, clock.now)
	_, _ = g.try(time.Time{})
	g.tell(answered(429, retryAfterHeader("30")))
	if wait, ok := g.try(time.Time{}); ok || wait != 30*time.Second {
		t.Errorf("waits %v, passes %v, want 30 s", wait, ok)
	}
	g.tell(answered(429, retryAfterHeader("1")))
	if wait, ok := g.try(time.Time{}); ok || wait != 30*time.Second {
		t.Errorf("waits %v, passes %v, want the longer time, 30 s", wait, ok)
	}
	if _, ok := g.try(clock.at.Add(-time.Minute)); ok {
		t.Error("what was tried again before the target asked for time passes")
	}
	clock.at = clock.at.Add(5 * time.Second)
	if _, ok := g.try(clock.at.Truncate(time.Second)); !ok {
		t.Error("what was tried again since does not pass")
	}
}

func TestMessagesKeepTheirDistance(t *testing.T) {
	clock := &stopped{time.Now()}
	g := newGate(Target{Pause: Teams.Pause()}, clock.now)
	passed := 0
	for range 2000 {
		if _, ok := g.try(time.Time{}); ok {
			passed++
		}
		clock.at = clock.at.Add(time.Millisecond)
	}
	if passed != 8 {
		t.Errorf("%d messages in two seconds, want 4 a second", passed)
	}
}
