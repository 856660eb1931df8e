package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/pkg/report"
)

// relaying is the part of a run of relay that delivers what listening keeps.
type relaying struct {
	*app
	flags    relayOptions
	targets  []relay.Target
	relay    *relay.Relay
	reporter report.Reporter
	admin    *admin // nil: there is none
	hints    hints

	attempts  chan delivery.Attempt // to report
	omitted   atomic.Int64
	delivered atomic.Int64
	failed    atomic.Int64
	stop      context.CancelFunc
	ended     chan error
	closing   chan struct{} // closed when no more attempts will be made
	reported  chan struct{} // closed when no more will be reported
}

// Attempts wait for a reader of the output. What is beyond is left out: nobody's
// terminal holds up deliveries.
const (
	waitingAttempts = 5000
	maxShownAnswer  = 4 << 10
)

// open opens the relay over the journal of a run.
func (r *relaying) open(ctx context.Context, l *listening) (err error) {
	if r == nil {
		return nil
	}
	r.reporter = l.reporter
	r.attempts, r.ended = make(chan delivery.Attempt, waitingAttempts), make(chan error, 1)
	r.closing, r.reported = make(chan struct{}), make(chan struct{})
	r.relay, err = relay.Open(ctx, relay.Options{
		Journal: l.journal, Targets: r.targets, Finish: r.flags.finish, Attempted: r.attempted,
		Log: func(line string) { r.note("relay: %s", line) },
	})
	if err == nil {
		err = r.nameOrphans(ctx)
	}
	if err != nil {
		return journalError(relayError(l.journal, err))
	}
	var names []string
	for _, t := range r.targets {
		names = append(names, t.Name)
	}
	r.note("relaying to %s", strings.Join(names, ", "))
	if r.flags.admin != "" {
		r.admin, err = r.openAdmin(ctx, l)
	}
	return err
}

// relayError has the journal say what its database says to a relay.
func relayError(j *journal.Journal, err error) error {
	if explained := j.Explain(err); !errors.Is(err, explained) {
		return fmt.Errorf("open the relay: %w", explained)
	}
	return err
}

// nameOrphans names what waits for targets that there are not any more.
func (r *relaying) nameOrphans(ctx context.Context) error {
	all, err := r.relay.Status(ctx)
	if err != nil {
		return err
	}
	configured := map[string]bool{}
	for _, t := range r.targets {
		configured[t.Name] = true
	}
	for _, s := range all {
		if n := s.Waiting + s.Delivering; n > 0 && !configured[s.Target] {
			r.note("note: %s for %s, which is not a target any more: see owoxhook relay drop --target %s", plural(n, "delivery waits", "deliveries wait"), s.Target, s.Target)
		}
	}
	return nil
}

// start relays until end. It calls broken when it cannot go on.
func (r *relaying) start(ctx context.Context, broken func()) {
	if r == nil {
		return
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	go r.report(broken)
	go func() {
		err := r.relay.Run(running)
		if err != nil {
			broken()
		}
		r.ended <- err
	}()
	r.admin.start()
}

// finish finishes what is under way, in its own time.
func (r *relaying) finish() error {
	if r == nil {
		return nil
	}
	r.stop()
	err := <-r.ended
	r.admin.end()
	close(r.closing)
	return err
}

// lastAttempts waits until all attempts are reported, if somebody reads them.
func (r *relaying) lastAttempts(ctx context.Context) {
	if r == nil {
		return
	}
	patience := attemptsPatience
	if ctx.Err() != nil {
		patience = interruptedPatience
	}
	select {
	case <-r.reported:
	case <-time.After(patience):
		r.note("relay: nobody reads the output")
	}
}

// The queue of deliveries is as patient with a reader.
const (
	attemptsPatience    = 5 * time.Second
	interruptedPatience = 250 * time.Millisecond
)

// received is called for every request.
func (r *relaying) received(d delivery.Delivery) {
	if r == nil {
		return
	}
	r.relay.Wake()
	r.admin.received(d)
}

// attempted is called by those who deliver.
func (r *relaying) attempted(a delivery.Attempt) {
	if a.OK() {
		r.delivered.Add(1)
	} else {
		r.failed.Add(1)
	}
	r.admin.attempted(a)
	if len(a.Body) > maxShownAnswer {
		a.Body, a.Cut = bytes.Clone(a.Body[:maxShownAnswer]), true
	}
	if !r.hints.isNew(a) {
		failure := *a.Failure
		failure.Hint, a.Failure = "", &failure
	}
	select {
	case r.attempts <- a:
	default:
		r.omitted.Add(1)
	}
}

// hints are those that were given about each target since its last success.
type hints struct {
	mu    sync.Mutex
	given map[string][]string
}

// isNew reports whether the hint of an attempt is worth showing, if it has one.
func (h *hints) isNew(a delivery.Attempt) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case a.OK():
		delete(h.given, a.Target)
	case slices.Contains(h.given[a.Target], a.Failure.Hint):
		return false
	case len(h.given[a.Target]) < maxHints:
		if h.given == nil {
			h.given = map[string][]string{}
		}
		h.given[a.Target] = append(h.given[a.Target], a.Failure.Hint)
	}
	return true
}

const maxHints = 20

func (r *relaying) report(broken func()) {
	defer close(r.reported)
	for {
		var a delivery.Attempt
		select {
		case a = <-r.attempts:
		default:
			select {
			case a = <-r.attempts:
			case <-r.closing:
				return
			}
		}
		err := r.reporter.Report(report.Attempt{Attempt: a})
		if err == nil && len(r.attempts) == 0 {
			err = r.flush()
		}
		if err != nil {
			broken()
			return
		}
	}
}

// counts are added to the summary of a run.
func (r *relaying) counts() report.Summary {
	if r == nil {
		return nil
	}
	counts := report.Summary{
		{N: int(r.delivered.Load()), Name: "relayed", One: "relayed", Many: "relayed"},
		{N: int(r.failed.Load()), Name: "failedAttempts", One: "failed attempt", Many: "failed attempts"},
	}
	if n := int(r.omitted.Load()); n > 0 {
		counts = append(counts, report.Count{N: n, Name: "omittedAttempts", One: "attempt left out", Many: "attempts left out"})
	}
	return counts
}
