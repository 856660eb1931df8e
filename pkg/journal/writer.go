package journal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

// job is something to write, in the same commit as what waits beside it.
type job struct {
	do   func(context.Context) error
	done chan error
}

// Limits of a group: what is beyond waits for the next one.
const (
	maxGroup = 512
	maxWait  = 4 * maxGroup // jobs that wait before Keep itself waits

	maxPatience = 2 * time.Millisecond // of a group with those who may be back
)

// Keep writes a delivery and returns once it has been committed and synced; it
// sets its Sequence. Where the journal has an earlier delivery with the same
// id, or of the same run, it sets Duplicate and DuplicateOf, or SameRun and
// SameRunAs, and calls again before it commits: that may change findings, state and answer.
// After an error the delivery is not in the journal, and as it came.
//
// A request that was refused is no delivery: it is kept apart from them, has no
// Sequence, and is never a duplicate.
func (j *Journal) Keep(d *delivery.Delivery, again func()) error {
	if d.State == delivery.StateRefused {
		values := refusedRow(*d)
		return j.submit(func(ctx context.Context) error { return j.insertRefused(ctx, values) })
	}
	values, err := newRow(*d)
	if err != nil {
		return err
	}
	came := *d
	r := &row{Delivery: d, values: values, again: again}
	if err = j.submit(func(ctx context.Context) error { return j.insertDelivery(ctx, r) }); err != nil {
		*d = came
	}
	return err
}

// KeepGone writes that the sender of a delivery hung up before the answer.
func (j *Journal) KeepGone(sequence int64) error {
	return j.submit(func(ctx context.Context) error {
		_, err := j.exec(ctx, "UPDATE deliveries SET state = ?, answered = 0 WHERE sequence = ?", string(delivery.StateGone), sequence)
		return err
	})
}

// KeepAttempt writes an attempt to deliver an entry again.
func (j *Journal) KeepAttempt(sequence int64, at time.Time, a delivery.Attempt) error {
	return j.keepAttempt(sequence, at, a, "UPDATE deliveries SET delivered = (delivered OR ?) WHERE sequence = ?", a.OK(), sequence)
}

// KeepForward writes an attempt to forward an entry, and what the entry is
// answered with because of it.
func (j *Journal) KeepForward(sequence int64, at time.Time, a delivery.Attempt, answered int) error {
	return j.keepAttempt(sequence, at, a, "UPDATE deliveries SET answered = ?, delivered = (delivered OR ?) WHERE sequence = ?", answered, a.OK(), sequence)
}

// keepAttempt writes an attempt at an entry with an update of that. That the
// entry is not there any more is no error of the database's: that would be one
// for the whole group.
func (j *Journal) keepAttempt(sequence int64, at time.Time, a delivery.Attempt, update string, args ...any) error {
	there := int64(0)
	err := j.submit(func(ctx context.Context) (err error) {
		if there, err = j.exec(ctx, update, args...); err == nil && there > 0 {
			_, err = j.attempt.ExecContext(ctx, j.args(attemptRow(sequence, at, a))...)
		}
		return err
	})
	if err == nil && there == 0 {
		err = fmt.Errorf("write journal %s: there is no delivery %d any more", j.name(), sequence)
	}
	return err
}

// exec is for the goroutine that writes.
func (j *Journal) exec(ctx context.Context, statement string, args ...any) (rows int64, err error) {
	result, err := j.conn.ExecContext(ctx, j.rebind(statement), j.args(args)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// submit queues something to write and waits for its commit. It does not
// return before: a caller that gave up could not know whether it was kept.
func (j *Journal) submit(do func(context.Context) error) error {
	if j.writer == nil {
		return j.failed("write", ErrReadOnly)
	}
	w := &job{do: do, done: make(chan error, 1)}
	j.mu.RLock()
	if j.closed {
		j.mu.RUnlock()
		return ErrClosed
	}
	j.queue <- w
	j.mu.RUnlock()
	return <-w.done
}

// write commits what waits, group by group.
func (j *Journal) write(ctx context.Context) {
	defer close(j.ended)
	group := make([]*job, 0, maxGroup)
	for first := range j.queue {
		group = append(group[:0], first)
		group = j.commit(ctx, group)
	}
}

// commit writes a group, and what comes while it does, in one transaction and
// reports the outcome to every waiter.
func (j *Journal) commit(ctx context.Context, group []*job) []*job {
	j.patience.Reset(maxPatience)
	defer j.patience.Stop()
	if j.server != nil {
		for n := 0; n < len(group); { // none of the other processes has to wait for that
			n = len(group)
			group = j.more(group)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, groupTimeout)
		defer cancel()
	}
	j.rows = j.rows[:0]
	err := j.beginGroup(ctx)
	for i := 0; i < len(group); i++ {
		if err == nil {
			err = group[i].do(ctx)
		}
		if i == len(group)-1 && j.server == nil {
			group = j.more(group)
		}
	}
	if err == nil {
		err = j.insertGroup(ctx)
	}
	if err == nil {
		err = j.shrink(ctx)
	}
	if err == nil {
		err = j.end(ctx, j.conn)
	}
	if err != nil {
		_, _ = j.conn.ExecContext(ctx, "ROLLBACK") // the first error tells
		j.dense = false
		err = j.failed("write", err)
	}
	if isAny(err, ErrBusy, ErrUnreachable) {
		group = j.waiting(group) // they have waited too
	}
	j.crowd = len(group) + len(j.queue)
	for _, w := range group {
		w.done <- err
	}
	return group
}

// beginGroup begins a transaction, on a new connection if the last one was lost
// since.
func (j *Journal) beginGroup(ctx context.Context) error {
	err := j.begin(ctx, j.conn)
	if j.server == nil || !errors.Is(j.explain(err), ErrUnreachable) {
		return err
	}
	_ = j.closeConn() // it is lost
	if err = j.prepare(ctx); err == nil {
		err = j.begin(ctx, j.conn)
	}
	return err
}

// more adds what waits to a group, if anything does. Whoever has a delivery at
// hand gets a chance to add it, and those who were told of the last commit get a
// moment to be back: the larger the groups, the less a delivery costs.
func (j *Journal) more(group []*job) []*job {
	for tries := 0; tries < 2 && len(group) < maxGroup; tries++ {
		select {
		case w, open := <-j.queue:
			return grow(group, w, open)
		default:
			runtime.Gosched()
		}
	}
	if len(group) < min(j.crowd, maxGroup) {
		select {
		case w, open := <-j.queue:
			return grow(group, w, open)
		case <-j.patience.C: // they are not coming
		}
	}
	return group
}

// waiting adds all that waits to a group.
func (j *Journal) waiting(group []*job) []*job {
	for {
		select {
		case w, open := <-j.queue:
			if !open {
				return group
			}
			group = append(group, w)
		default:
			return group
		}
	}
}

func grow(group []*job, w *job, open bool) []*job {
	if !open {
		return group
	}
	return append(group, w)
}
