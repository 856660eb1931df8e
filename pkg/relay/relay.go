// Package relay delivers what a journal keeps, on and on, until it has arrived
// at its targets: an application, a chat channel, a command.
//
// The journal is the truth, and River carries it out. A cursor in the same
// database says up to which delivery there are jobs; they are added in the
// transaction that moves it. So a delivery that was kept reaches every target
// that wants it at least once, whenever a process is killed: what it was doing
// is done again a minute later, and nothing is passed over. Several processes
// may relay from one database.
//
// A failed attempt is repeated by a schedule until time is up. A
// target that keeps failing is tried less often as a whole, and holds up no
// other.
package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
)

// Options configure a [Relay]. Journal is required.
type Options struct {
	Journal *journal.Journal
	Targets []Target // may be empty to look at jobs and to change them
	// Finish is how long what is under way may take at the end; 0: 10 s. What
	// takes longer is done again later.
	Finish time.Duration
	// Attempted is called after every attempt, from the goroutines that deliver.
	// nil: not called.
	Attempted func(delivery.Attempt)
	Log       func(line string) // what goes wrong beside attempts; nil: nothing does
	Now       func() time.Time  // nil: time.Now, and the time of the database for when jobs are due
	Jitter    func() float64    // from 0 to 1; nil: random
}

// Relay delivers to targets. It may be used by several goroutines at once.
type Relay struct {
	options Options
	journal *journal.Journal
	queue   queue
	targets map[string]*target
	wake    chan struct{}
	reading chan struct{} // a place for each that reads the journal

	complaints *complaints

	followed atomic.Int64 // when the journal was last followed, in Unix nanoseconds
}

// target is a [Target] at work.
type target struct {
	Target
	gate *gate
}

// Open opens the relay of a journal, and makes its tables where there are none:
// it begins with what is kept from then on.
func Open(ctx context.Context, options Options) (*Relay, error) {
	now := options.Now
	options = options.withDefaults()
	r := &Relay{
		options: options, journal: options.Journal, targets: map[string]*target{},
		wake: make(chan struct{}, 1), reading: make(chan struct{}, maxReading), complaints: newComplaints(options),
	}
	var lanes []lane
	conditions := map[string]string{}
	for _, t := range options.Targets {
		t = t.withDefaults()
		if r.targets[t.Name] != nil {
			return nil, fmt.Errorf("two targets are named %s", t.Name)
		}
		r.targets[t.Name] = &target{t, newGate(t, options.Now)}
		poll := lookAgain
		if t.Ordered { // one waits for the other
			poll = lookOften
		}
		lanes = append(lanes, lane{t.Name, t.Concurrency, poll, t.Limit + turnLimit + maxShut + limitMargin})
		text, err := json.Marshal(t.Conditions)
		if err != nil {
			return nil, fmt.Errorf("conditions of %s: %w", t.Name, err)
		}
		conditions[t.Name] = string(text)
	}
	if err := r.open(ctx, queueOptions{lanes, options.Finish, now, slog.New(r.complaints)}, conditions); err != nil {
		return nil, fmt.Errorf("open the relay: %w", err)
	}
	return r, nil
}

func (r *Relay) open(ctx context.Context, options queueOptions, conditions map[string]string) (err error) {
	if r.queue, err = newQueue(ctx, r.journal, options); err != nil {
		return err
	}
	newest, err := r.journal.Last(ctx)
	if err != nil {
		return err
	}
	if len(conditions) == 0 {
		return nil
	}
	if err := r.queue.begin(ctx, newest, conditions); err != nil {
		return err
	}
	cursors, err := r.cursors(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(conditions)) {
		if at := cursors[name].at; at < newest {
			r.options.Log(fmt.Sprintf("going on for %s after delivery %d: newer ones, up to %d, are relayed now", name, at, newest))
		}
	}
	return r.hold(ctx)
}

const (
	maxReading  = 4 // at a time: each connection to the database takes memory
	limitMargin = 5 * time.Second
)

func (o Options) withDefaults() Options {
	if o.Finish == 0 {
		o.Finish = 10 * time.Second
	}
	if o.Attempted == nil {
		o.Attempted = func(delivery.Attempt) {}
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	return o
}

// Run relays until the context ends. Then it finishes what is under way.
func (r *Relay) Run(ctx context.Context) error {
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error {
		return r.queue.work(running, func(ctx context.Context, c claim) verdict { return r.do(ctx, running, c) })
	})
	group.Go(func() error {
		r.follow(running)
		return nil
	})
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// Wake says that the journal has something new. What others add to it is found
// within a second.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// do makes one attempt at a job, if it is its turn. What waits for that ends with
// running.
func (r *Relay) do(ctx, running context.Context, c claim) verdict {
	t := r.targets[c.target]
	if wait, ok := r.wait(ctx, running, t, c); !ok {
		return verdict{fate: later, wait: wait}
	}
	batch, err := r.load(ctx, t, c)
	switch {
	case errors.Is(err, errPruned):
		t.gate.release()
		return verdict{fate: givenUp, reason: err.Error()}
	case err != nil:
		t.gate.release()
		r.complaints.about(err)
		return verdict{fate: later, wait: journalPause}
	}
	if c.window && t.Group == 0 {
		return r.carryEach(ctx, t, c, batch.sequences)
	}
	return r.carry(ctx, t, c, batch)
}

// carryEach makes an attempt at every delivery of a window that its target does
// not group any more, but for those that have arrived.
func (r *Relay) carryEach(ctx context.Context, t *target, c claim, sequences []int64) verdict {
	c.window = false
	passed, all := true, verdict{fate: done}
	defer func() {
		if passed {
			t.gate.release()
		}
	}()
	for _, c.sequence = range sequences {
		arrived, err := r.arrived(ctx, t, c.sequence)
		if err == nil && arrived {
			continue
		}
		var b Batch
		if err == nil {
			b, err = r.load(ctx, t, c)
		}
		if errors.Is(err, errPruned) {
			continue
		}
		if ctx.Err() != nil {
			return verdict{fate: later} // time to end
		}
		if err != nil {
			r.complaints.about(err)
			return verdict{fate: later, wait: journalPause}
		}
		if !passed { // the first one came through
			var wait time.Duration
			if wait, passed = t.gate.pass(ctx, c.retried); !passed {
				return verdict{fate: later, wait: wait}
			}
		}
		passed = false
		switch v := r.carry(ctx, t, c, b); v.fate {
		case done:
		case givenUp: // as the window is, but not before the others were tried
			all = v
		default:
			return v
		}
	}
	return all
}

// arrived reports whether an attempt at a delivery to a target was a success.
func (r *Relay) arrived(ctx context.Context, t *target, sequence int64) (bool, error) {
	attempts, err := r.journal.Attempts(ctx, sequence)
	return slices.ContainsFunc(attempts, func(a journal.Attempt) bool { return a.OK && a.Target == t.Name }), err
}

// carry makes an attempt, and keeps how it went.
func (r *Relay) carry(ctx context.Context, t *target, c claim, batch Batch) verdict {
	at := r.options.Now()
	attempt := t.Carrier.Carry(ctx, batch)
	if ctx.Err() != nil && !attempt.OK() {
		t.gate.release()
		return verdict{fate: later} // time to end
	}
	attempt.Number, attempt.Target = c.attempt, t.Name
	v := t.after(attempt, c, r.options.Now(), r.options.Jitter())
	t.gate.tell(attempt)
	attempt.Note = v.note()
	for _, sequence := range batch.sequences {
		if err := r.journal.KeepAttempt(sequence, at, attempt); err != nil {
			r.complaints.about(err)
		}
	}
	r.options.Attempted(attempt)
	return v
}

// wait waits for the turn of a job and for its target. It returns after which
// time to look again when that takes long.
func (r *Relay) wait(ctx, running context.Context, t *target, c claim) (wait time.Duration, ok bool) {
	waiting, end := context.WithCancel(ctx)
	defer end()
	defer context.AfterFunc(running, end)()
	if wait, ok = r.turn(waiting, c); !ok {
		return wait, false
	}
	return t.gate.pass(waiting, c.retried)
}

const journalPause = 5 * time.Second

// turn waits until no job of the same key is before this one. It returns after
// which time to look again when that takes long. Whoever waits here keeps others
// from being done, maybe the one it waits for.
func (r *Relay) turn(ctx context.Context, c claim) (wait time.Duration, ok bool) {
	if c.key == "" {
		return 0, true
	}
	for waited := time.Duration(0); waited < turnLimit; waited += turnPause {
		first, found, err := r.queue.ahead(ctx, c)
		if err == nil && !found {
			return 0, true
		}
		until := first.next.Sub(r.options.Now())
		if err == nil && !first.atHand && until <= turnPause {
			err = r.queue.forward(ctx, c, first)
		}
		switch {
		case err != nil:
			r.complaints.about(err)
			return journalPause, false
		case !first.atHand:
			return min(max(until, 0), turnMost) + turnPause, false
		case !sleep(ctx, turnPause):
			return 0, false
		}
	}
	return turnLimit, false
}

const (
	turnPause = 50 * time.Millisecond
	turnLimit = time.Second
	turnMost  = 5 * time.Minute // the one before may be dropped meanwhile
)

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Status returns how each target stands that there is or was, by name.
func (r *Relay) Status(ctx context.Context) ([]Status, error) {
	all, err := r.queue.status(ctx)
	for n, s := range all {
		if t := r.targets[s.Target]; t != nil {
			all[n].Slowed = t.gate.slows()
		}
	}
	return all, err
}

// Target returns a target that the relay delivers to.
func (r *Relay) Target(name string) (t Target, ok bool) {
	if found := r.targets[name]; found != nil {
		return found.Target, true
	}
	return t, false
}

// Jobs returns the first of the jobs that are not done.
func (r *Relay) Jobs(ctx context.Context, which Selection, limit int) ([]Job, error) {
	return r.queue.jobs(ctx, which, limit)
}

// Check reports whether the queue can be reached and jobs are made of what the
// journal gets.
func (r *Relay) Check(ctx context.Context) error {
	if _, err := r.cursors(ctx); err != nil {
		return err
	}
	if last := time.Since(time.Unix(0, r.followed.Load())); last > stalledAfter {
		return fmt.Errorf("no jobs were made for %s", words(last))
	}
	return nil
}

// stalledAfter is how long jobs may take to be made.
const stalledAfter = time.Minute

// Retry has jobs tried at once, with all their time and attempts again.
func (r *Relay) Retry(ctx context.Context, which Selection) (int, error) {
	return r.queue.again(ctx, which)
}

// Drop deletes jobs. The deliveries stay in the journal.
func (r *Relay) Drop(ctx context.Context, which Selection) (int, error) {
	return r.queue.drop(ctx, which)
}
