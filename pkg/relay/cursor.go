package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/owoxhook/owoxhook/pkg/journal"
)

const (
	batchSize  = 1000                   // deliveries that become jobs at once
	gather     = 20 * time.Millisecond  // for a batch to grow, so that the journal's own commits come first
	lookAgain  = time.Second            // for what other processes keep
	lookOften  = 200 * time.Millisecond // for jobs whose turn may have come
	holdEvery  = 10 * time.Second       // between two looks at what jobs still need
	holdSoon   = time.Second            // the same, when there are new ones
	repeatSpan = 24 * time.Hour         // in which a repetition is one
	errorPause = 500 * time.Millisecond // after a failure of the database
)

// follow makes jobs of what the journal gets, until the context ends.
func (r *Relay) follow(ctx context.Context) {
	held, more := time.Now(), false
	r.followed.Store(held.UnixNano())
	for ctx.Err() == nil {
		n, err := r.feed(ctx)
		more = more || n > 0
		if since := time.Since(held); err == nil && (since > holdEvery || more && since > holdSoon) {
			held, more = time.Now(), false
			err = r.hold(ctx)
		}
		if ctx.Err() != nil {
			break
		}
		r.complaints.looked(err)
		if err != nil {
			sleep(ctx, errorPause)
			continue
		}
		r.followed.Store(time.Now().UnixNano())
		if n == batchSize {
			continue
		}
		timer := time.NewTimer(lookAgain)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-r.wake:
			sleep(ctx, gather)
		}
		timer.Stop()
	}
}

// feed makes jobs of the next deliveries, and returns how many it looked at.
// Targets that are equally far get them together.
func (r *Relay) feed(ctx context.Context) (looked int, err error) {
	cursors, err := r.cursors(ctx)
	if err != nil {
		return 0, err
	}
	together := map[int64][]string{}
	for name, c := range cursors {
		together[c.at] = append(together[c.at], name)
	}
	for from, names := range together {
		n, err := r.feedFrom(ctx, from, names, cursors)
		if err != nil {
			return 0, err
		}
		looked = max(looked, n)
	}
	return looked, nil
}

// cursors returns how far the targets of this process are.
func (r *Relay) cursors(ctx context.Context) (map[string]cursor, error) {
	all, err := r.queue.cursors(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the cursors of the relay: %w", r.journal.Explain(err))
	}
	maps.DeleteFunc(all, func(name string, _ cursor) bool { return r.targets[name] == nil })
	return all, nil
}

// feedFrom makes jobs for some targets. The transaction that does so comes after
// all reading, and is short: it keeps the journal from writing.
func (r *Relay) feedFrom(ctx context.Context, from int64, names []string, cursors map[string]cursor) (looked int, err error) {
	to := from
	var jobs []job
	for e, err := range r.journal.List(ctx, journal.Filter{After: from, Oldest: true, Limit: batchSize}) {
		if err != nil {
			return 0, err
		}
		if jobs, err = r.plan(ctx, jobs, e, names, cursors); err != nil {
			return 0, err
		}
		to = e.Sequence
		looked++
	}
	if to == from {
		return 0, nil
	}
	if _, err := r.queue.advance(ctx, names, from, to, jobs); err != nil {
		return 0, fmt.Errorf("move the cursors of the relay: %w", err)
	}
	return looked, nil
}

// plan adds the jobs for a delivery.
func (r *Relay) plan(ctx context.Context, jobs []job, e journal.Entry, names []string, cursors map[string]cursor) ([]job, error) {
	earlier, err := r.earlier(ctx, e)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		t := r.targets[name]
		wanted, err := r.want(ctx, t.Conditions, e)
		if err == nil && wanted {
			wanted, err = r.isFirst(ctx, t, earlier, cursors[name].began)
		}
		if err != nil {
			return nil, err
		}
		if !wanted {
			continue
		}
		j := job{target: name, sequence: e.Sequence, group: t.Group}
		if t.Ordered {
			j.key = e.ProjectID + "/" + e.DataMartID
		}
		if t.GroupByMart {
			j.common = martOf(e)
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// martOf is what deliveries of a data mart have in common, and those of none.
func martOf(e journal.Entry) string { return cmp.Or(e.DataMartID, "-") }

// earlier returns the deliveries that one repeats. OWOX sends a run again under a
// new id after a crash of its own.
func (r *Relay) earlier(ctx context.Context, e journal.Entry) ([]journal.Entry, error) {
	if !e.Duplicate && !e.SameRun {
		return nil, nil
	}
	return r.journal.Repeats(ctx, e, e.ReceivedAt.Add(-repeatSpan))
}

// isFirst reports whether a target, whose conditions hold after a delivery, had
// none of the earlier deliveries of an event.
func (r *Relay) isFirst(ctx context.Context, t *target, earlier []journal.Entry, began int64) (bool, error) {
	for _, e := range earlier {
		if had, err := r.want(ctx, t.Conditions, e); err != nil || had && e.Sequence > began {
			return false, err
		}
	}
	return true, nil
}

// hold keeps in the journal what jobs still need, and what there are no jobs for
// yet.
func (r *Relay) hold(ctx context.Context) error {
	cursors, err := r.cursors(ctx)
	if err != nil {
		return err
	}
	oldest, err := r.queue.oldest(ctx)
	if err != nil {
		return err
	}
	spared, err := r.queue.spared(ctx)
	if err != nil {
		return err
	}
	first, last := int64(math.MaxInt64), int64(0)
	for _, c := range cursors {
		first, last = min(first, c.at+1), max(last, c.at)
	}
	if oldest > 0 {
		first, spared = min(first, oldest), append(spared, journal.Range{First: oldest, Last: max(oldest, last)})
	}
	if err := r.journal.Hold(ctx, first, spared); err != nil {
		return err
	}
	for _, s := range spared { // a window that was given up may be tried again
		first = min(first, s.First)
	}
	return r.queue.tidy(ctx, first)
}

var errPruned = errors.New("the journal does not have the delivery any more")

// load reads what a job is about.
func (r *Relay) load(ctx context.Context, t *target, c claim) (b Batch, err error) {
	select {
	case r.reading <- struct{}{}:
		defer func() { <-r.reading }()
	case <-ctx.Done():
		return b, ctx.Err()
	}
	marts := map[string]bool{}
	if c.window {
		return b, r.loadWindow(ctx, t, c, &b, marts)
	}
	for e, err := range r.journal.List(ctx, journal.Filter{Sequence: c.sequence}) {
		if err != nil {
			return b, err
		}
		recovered, err := r.recovered(ctx, e)
		b.add(e.Delivery, recovered, 1, marts)
		return b, err
	}
	return b, errPruned
}

func (r *Relay) loadWindow(ctx context.Context, t *target, c claim, b *Batch, marts map[string]bool) error {
	cursors, err := r.cursors(ctx)
	if err != nil {
		return err
	}
	began := cursors[t.Name].began
	w, err := r.queue.close(ctx, c)
	if err != nil {
		return err
	}
	for e, err := range r.journal.List(ctx, journal.Filter{After: w.first - 1, Before: w.last + 1, Oldest: true}) {
		if err != nil {
			return err
		}
		wanted, err := r.want(ctx, t.Conditions, e)
		if err == nil && wanted {
			var earlier []journal.Entry
			if earlier, err = r.earlier(ctx, e); err == nil {
				wanted, err = r.isFirst(ctx, t, earlier, began)
			}
		}
		if err != nil {
			return err
		}
		if !wanted || w.common != "" && martOf(e) != w.common { // whatever the target groups by now
			continue
		}
		recovered, err := r.recovered(ctx, e)
		if err != nil {
			return err
		}
		b.add(e.Delivery, recovered, t.MaxPerWindow, marts)
	}
	if b.Total == 0 {
		return errPruned
	}
	return nil
}
