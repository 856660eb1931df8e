package journal

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// What follows is for those who read the journal as it grows. Sequences rise in
// the order of commits: whoever has read up to one misses none below it.

// Last returns the newest sequence, or 0.
func (j *Journal) Last(ctx context.Context) (int64, error) {
	var last sql.NullInt64
	if err := j.queryRow(ctx, "SELECT MAX(sequence) FROM deliveries").Scan(&last); err != nil {
		return 0, j.failed("read", err)
	}
	return last.Int64, nil
}

// Range is deliveries from one sequence to another.
type Range struct{ First, Last int64 }

// Hold keeps deliveries from being deleted to make room, until the next call:
// from the first one on as long as this process has the journal open, and those
// in the ranges whoever makes room.
func (j *Journal) Hold(ctx context.Context, first int64, ranges []Range) error {
	j.held.Store(first)
	ranges = joined(ranges)
	before, err := j.heldRanges(ctx, j.reader)
	if err != nil || slices.Equal(before, ranges) {
		return err
	}
	return j.submit(func(ctx context.Context) error {
		_, err := j.exec(ctx, "DELETE FROM held")
		for _, r := range ranges {
			if err == nil {
				_, err = j.exec(ctx, "INSERT INTO held (first_sequence, last_sequence) VALUES (?, ?)", r.First, r.Last)
			}
		}
		return err
	})
}

// joined returns ranges in their order, of which no two touch.
func joined(ranges []Range) (out []Range) {
	for _, r := range slices.SortedFunc(slices.Values(ranges), func(a, b Range) int { return cmp.Compare(a.First, b.First) }) {
		if last := len(out) - 1; last >= 0 && r.First <= out[last].Last+1 {
			out[last].Last = max(out[last].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

func (j *Journal) heldRanges(ctx context.Context, from interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
},
) ([]Range, error) {
	return collect(read(j, func() (*sql.Rows, error) {
		return from.QueryContext(ctx, "SELECT first_sequence, last_sequence FROM held ORDER BY first_sequence")
	}, func(rows *sql.Rows) (r Range, err error) {
		err = rows.Scan(&r.First, &r.Last)
		return r, err
	}))
}

// earlierLimit bounds what is read because of one delivery.
const earlierLimit = 100

// Repeats returns valid earlier deliveries of the same event, received since a
// time, newest first: with the same id, or of the same run.
func (j *Journal) Repeats(ctx context.Context, e Entry, since time.Time) ([]Entry, error) {
	const earlier = " AND sequence < ? AND valid = TRUE AND (received_at || '') >= ? ORDER BY sequence DESC LIMIT ?"
	same, err := j.earlier(ctx, "webhook_id = ?"+earlier, e.ID, e.Sequence, owox.FormatTimestamp(since), earlierLimit)
	if err != nil || e.RunID == "" || e.IsTest {
		return same, err
	}
	run, err := j.earlier(ctx, "run_id = ? AND event = ? AND is_test = FALSE"+earlier, e.RunID, string(e.Event), e.Sequence, owox.FormatTimestamp(since), earlierLimit)
	return append(same, run...), err
}

// Previous returns the newest valid delivery before one that is of the same
// data mart but of another run, if there is one. Test events and repetitions do
// not count.
func (j *Journal) Previous(ctx context.Context, e Entry) (previous Entry, ok bool, err error) {
	found, err := j.earlier(ctx, `data_mart_id = ? AND sequence < ? AND valid = TRUE AND is_test = FALSE AND project_id = ? AND run_id <> ?
		AND duplicate_of IS NULL AND same_run_as IS NULL ORDER BY sequence DESC LIMIT 1`,
		e.DataMartID, e.Sequence, e.ProjectID, e.RunID)
	if len(found) == 0 {
		return Entry{}, false, err
	}
	return found[0], true, nil
}

func (j *Journal) earlier(ctx context.Context, conditions string, args ...any) ([]Entry, error) {
	return collect(read(j, func() (*sql.Rows, error) {
		return j.reader.QueryContext(ctx, j.rebind("SELECT "+allColumns+" FROM deliveries WHERE "+conditions), args...)
	}, func(rows *sql.Rows) (Entry, error) { return scanEntry(rows, false) }))
}

// Check reports whether the journal can be written. It writes, and takes it back:
// a full disk takes what changes nothing.
func (j *Journal) Check() error {
	return j.submit(func(ctx context.Context) error {
		_, err := j.exec(ctx, "INSERT INTO held (first_sequence, last_sequence) VALUES (0, 0)")
		if err == nil {
			_, err = j.exec(ctx, "DELETE FROM held WHERE first_sequence = 0")
		}
		return err
	})
}
