package receiver

import (
	"context"
	"net/http"
	"time"
)

// Plan is how deliveries are answered whatever they are, to rehearse failures.
// It may be changed while a receiver runs.
type Plan struct {
	Respond []int         // statuses, in turn; nil: what is right
	Delay   time.Duration // before every answer to a delivery
	Paused  bool          // answer 503 until it is not: deliveries are kept all the same
}

// Plan returns the present plan, which must not be changed.
func (rc *Receiver) Plan() Plan { return *rc.plan.Load() }

// SetPlan changes the plan for deliveries that are yet to come. Statuses start
// with the first.
func (rc *Receiver) SetPlan(p Plan) {
	rc.turn.Store(0)
	rc.plan.Store(&p)
}

// nextStatus returns the next status of a rehearsal, or 0.
func (rc *Receiver) nextStatus(p Plan) int {
	switch {
	case p.Paused:
		return http.StatusServiceUnavailable
	case len(p.Respond) == 0:
		return 0
	default:
		return p.Respond[(rc.turn.Add(1)-1)%uint64(len(p.Respond))]
	}
}

// wait delays the answer; it reports whether the sender waited for it.
func wait(ctx context.Context, delay time.Duration) bool {
	if delay == 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
