package relay

import (
	"context"
	"sync"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

// gate is the way to one target. After failures in a row it shuts, for longer
// each time, and lets one attempt through after that to see whether the target
// is back. What waits for it counts no attempts.
type gate struct {
	now   func() time.Time
	limit time.Duration // of an attempt
	pause time.Duration // between two attempts

	mu       sync.Mutex
	failures int       // in a row
	shut     time.Time // nothing passes before
	next     time.Time // when the pause is over
	asked    time.Time // when the target asked for time
	until    time.Time // that it asked for; nothing passes before
}

const (
	failuresToShut = 5
	maxShut        = 15 * time.Second // after which one looks whether the target is back
)

func newGate(t Target, now func() time.Time) *gate {
	return &gate{now: now, limit: t.Limit, pause: t.Pause}
}

// pass waits for its turn. It returns after which time to come back when
// another one is sent ahead, or that takes long. What somebody had tried again
// after the target asked for time does not wait for that; zero: nobody did.
func (g *gate) pass(ctx context.Context, retried time.Time) (back time.Duration, ok bool) {
	for waited := time.Duration(0); ; {
		wait, ok := g.try(retried)
		if ok || waited+wait > maxShut {
			return wait, ok
		}
		if !sleep(ctx, wait) {
			return 0, false
		}
		waited += wait
	}
}

// try passes, or returns how long to wait. Whoever passes a gate that was shut
// shuts it until it has told how that went.
func (g *gate) try(retried time.Time) (wait time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if now.Before(g.until) && !retried.Add(time.Second).After(g.asked) { // times of a database may be without fractions
		return g.until.Sub(now), false
	}
	if now.Before(g.shut) {
		return g.shut.Sub(now), false
	}
	if now.Before(g.next) {
		return g.next.Sub(now), false
	}
	g.next = now.Add(g.pause)
	if g.failures >= failuresToShut {
		g.shut = now.Add(g.limit + limitMargin)
	}
	return 0, true
}

// tell notes how an attempt went.
func (g *gate) tell(a delivery.Attempt) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if a.OK() {
		g.failures, g.shut, g.until = 0, time.Time{}, time.Time{}
		return
	}
	g.failures++
	if beyond := g.failures - failuresToShut; beyond >= 0 {
		g.shut = now.Add(min(time.Second<<min(beyond, 10), maxShut))
	}
	if until := now.Add(retryAfter(a, now)); until.After(g.until) {
		g.asked, g.until = now, until
	}
}

// slows reports whether it keeps attempts back.
func (g *gate) slows() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failures >= failuresToShut || g.now().Before(g.shut) || g.now().Before(g.until)
}

// release takes back that one has passed: it made no attempt.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failures >= failuresToShut {
		g.shut = g.now()
	}
}
