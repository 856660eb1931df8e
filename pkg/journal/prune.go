package journal

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// Pruning goes in steps, so that deliveries wait no longer than for one.
const (
	pruneStep  = 500
	pruneEvery = 500     // deliveries kept between two looks at what is beyond
	pruneBytes = 4 << 20 // or bytes
)

// growth is what was written since the last look at what is beyond.
type growth struct{ deliveries, bytes int }

func (g *growth) add(bytes int) { g.deliveries, g.bytes = g.deliveries+1, g.bytes+bytes }

// shrink deletes a step of what is beyond the options from time to time, and
// then gives back space.
func (j *Journal) shrink(ctx context.Context) error {
	if j.options == (Options{}) || j.growth.deliveries < pruneEvery && j.growth.bytes < pruneBytes {
		return nil
	}
	_, more, err := j.pruneBeyond(ctx, j.options)
	if err == nil && !more {
		more, err = j.giveBack(ctx, j.conn)
	}
	if !more {
		j.growth = growth{}
	}
	return err
}

// pruneBeyond deletes some of the oldest entries that are beyond the options.
// Only the goroutine that writes may call it, as all of the following.
func (j *Journal) pruneBeyond(ctx context.Context, o Options) (deleted int64, more bool, err error) {
	oldest, newest, err := j.ends(ctx)
	if err != nil || oldest == 0 {
		return 0, false, err
	}
	last := int64(0)
	if o.Keep > 0 && newest-oldest >= int64(o.Keep) {
		if last, err = j.beyond(ctx, newest, o.Keep); err != nil {
			return 0, false, err
		}
	}
	if o.KeepBytes > 0 {
		used, err := j.used(ctx, j.conn, o.KeepBytes)
		if err != nil {
			return 0, false, err
		}
		if over := used - o.KeepBytes; over > 0 { // as if all were of one size: the next look knows better
			share := float64(over) / float64(used)
			last = max(last, min(oldest+int64(share*float64(newest-oldest)), newest-1))
		}
	}
	deleted, more, err = j.removeUpTo(ctx, oldest, last)
	return deleted, more || deleted > 0 && o.KeepBytes > 0, err
}

// ends returns the first and last sequence, or 0.
func (j *Journal) ends(ctx context.Context) (oldest, newest int64, err error) {
	var from, to sql.NullInt64
	err = j.conn.QueryRowContext(ctx, j.rebind("SELECT (SELECT MIN(sequence) FROM deliveries), (SELECT MAX(sequence) FROM deliveries)")).Scan(&from, &to)
	return from.Int64, to.Int64, err
}

// beyond returns the last entry that is not among the newest. Sequences tell
// it, unless they have gaps.
func (j *Journal) beyond(ctx context.Context, newest int64, keep int) (last int64, err error) {
	last = newest - int64(keep)
	if j.dense {
		return last, nil
	}
	var exact int64
	err = j.conn.QueryRowContext(ctx, j.rebind("SELECT sequence FROM deliveries ORDER BY sequence DESC LIMIT 1 OFFSET ?"), keep).Scan(&exact)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	j.dense = exact == last && j.server == nil // where other processes make gaps when they fail
	return exact, err
}

// removeUpTo deletes the next entries up to one, with the attempts at them, and
// passes over what is held.
func (j *Journal) removeUpTo(ctx context.Context, oldest, last int64) (deleted int64, more bool, err error) {
	if held := j.held.Load(); held > 0 {
		last = min(last, held-1)
	}
	if last < oldest {
		return 0, false, nil
	}
	held, err := j.heldRanges(ctx, j.conn)
	if err != nil {
		return 0, false, err
	}
	step := last
	for _, r := range held {
		if r.First > oldest {
			step = min(step, r.First-1)
			break
		}
		if r.Last < oldest {
			continue
		}
		var next sql.NullInt64
		if err := j.conn.QueryRowContext(ctx, j.rebind("SELECT MIN(sequence) FROM deliveries WHERE sequence > ?"), r.Last).Scan(&next); err != nil {
			return 0, false, err
		}
		if oldest = next.Int64; !next.Valid || oldest > last {
			return 0, false, nil
		}
	}
	step = min(step, oldest+pruneStep-1)
	if _, err := j.exec(ctx, "DELETE FROM attempts WHERE delivery BETWEEN ? AND ?", oldest, step); err != nil {
		return 0, false, err
	}
	deleted, err = j.exec(ctx, "DELETE FROM deliveries WHERE sequence BETWEEN ? AND ?", oldest, step)
	return deleted, step < last, err
}

// removeOlder deletes the next entries that were received before a time.
func (j *Journal) removeOlder(ctx context.Context, before time.Time) (deleted int64, err error) {
	const older = `(SELECT sequence FROM deliveries WHERE received_at < ?
		AND NOT EXISTS (SELECT 1 FROM held WHERE sequence BETWEEN first_sequence AND last_sequence) ORDER BY received_at, sequence LIMIT ?)`
	at := owox.FormatTimestamp(before)
	if _, err := j.exec(ctx, "DELETE FROM attempts WHERE delivery IN "+older, at, pruneStep); err != nil {
		return 0, err
	}
	return j.exec(ctx, "DELETE FROM deliveries WHERE sequence IN "+older, at, pruneStep)
}

// Prune deletes all but the newest entries and returns how many. It goes in
// small steps, beside other writers, and gives back the space at the end.
func (j *Journal) Prune(ctx context.Context, keep int) (deleted int64, err error) {
	return j.prune(ctx, func(ctx context.Context) (deleted int64, more bool, err error) {
		oldest, newest, err := j.ends(ctx)
		if err != nil || oldest == 0 {
			return 0, false, err
		}
		last, err := j.beyond(ctx, newest, keep)
		if err != nil || last < oldest {
			return 0, false, err
		}
		return j.removeUpTo(ctx, oldest, last)
	})
}

// PruneOlder is the same for what was received before a time, requests that
// were refused included, which are not counted.
func (j *Journal) PruneOlder(ctx context.Context, before time.Time) (deleted int64, err error) {
	return j.prune(ctx, func(ctx context.Context) (deleted int64, more bool, err error) {
		if _, err := j.exec(ctx, "DELETE FROM refused WHERE received_at < ?", owox.FormatTimestamp(before)); err != nil {
			return 0, false, err
		}
		deleted, err = j.removeOlder(ctx, before)
		return deleted, deleted > 0, err
	})
}

func (j *Journal) prune(ctx context.Context, step func(context.Context) (deleted int64, more bool, err error)) (total int64, err error) {
	for more := true; more; {
		if ctx.Err() != nil {
			return total, ctx.Err()
		}
		var deleted int64
		err := j.submit(func(ctx context.Context) (err error) {
			deleted, more, err = step(ctx)
			return err
		})
		if err != nil {
			return total, err
		}
		total += deleted
	}
	if err := j.tidy(ctx); err != nil {
		return total, j.failed("shrink", err)
	}
	return total, nil
}
