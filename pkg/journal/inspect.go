package journal

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// sameRun is how far apart, in sequences, deliveries about one run may be.
const sameRun = 10_000

// Ends returns the first and the last sequence, or 0 where there is none.
func (j *Journal) Ends(ctx context.Context) (oldest, newest int64, err error) {
	var from, to sql.NullInt64
	err = j.queryRow(ctx, "SELECT (SELECT MIN(sequence) FROM deliveries), (SELECT MAX(sequence) FROM deliveries)").Scan(&from, &to)
	if err != nil {
		return 0, 0, j.failed("read", err)
	}
	return from.Int64, to.Int64, nil
}

// Related returns other entries with the id of an entry, or about the same run
// and received near it, newest first and brief: at most limit of each.
func (j *Journal) Related(ctx context.Context, e Entry, limit int) ([]Entry, error) {
	related := func(conditions string, args ...any) ([]Entry, error) {
		query := "SELECT " + briefColumns + " FROM deliveries WHERE " + conditions + " ORDER BY sequence DESC LIMIT ?"
		return collect(read(j, func() (*sql.Rows, error) {
			return j.reader.QueryContext(ctx, j.rebind(query), append(args, limit)...)
		}, func(rows *sql.Rows) (Entry, error) { return scanEntry(rows, true) }))
	}
	var found []Entry
	if e.ID != "" {
		same, err := related("webhook_id = ? AND sequence <> ?", e.ID, e.Sequence)
		if err != nil {
			return nil, err
		}
		found = same
	}
	if e.RunID == "" {
		return found, nil
	}
	same, err := related("data_mart_id = ? AND sequence BETWEEN ? AND ? AND sequence <> ? AND run_id = ? AND webhook_id <> ?",
		e.DataMartID, e.Sequence-sameRun, e.Sequence+sameRun, e.Sequence, e.RunID, e.ID)
	return append(found, same...), err
}

// Undelivered returns those of some entries that attempts were made at, none of
// which was a success.
func (j *Journal) Undelivered(ctx context.Context, sequences []int64) ([]int64, error) {
	if len(sequences) == 0 {
		return nil, nil
	}
	args := make([]any, len(sequences))
	for n, sequence := range sequences {
		args[n] = sequence
	}
	query := "SELECT sequence FROM deliveries WHERE delivered = FALSE AND sequence IN (?" + strings.Repeat(", ?", len(args)-1) + ")" +
		" AND EXISTS (SELECT 1 FROM attempts WHERE delivery = deliveries.sequence)"
	return collect(read(j, func() (*sql.Rows, error) {
		return j.reader.QueryContext(ctx, j.rebind(query), args...)
	}, func(rows *sql.Rows) (sequence int64, err error) { return sequence, rows.Scan(&sequence) }))
}

// Count is how many deliveries of one kind were received in a part of time.
type Count struct {
	From       time.Time
	Event      owox.EventType
	Valid      bool
	Deliveries int
}

// CountsPerMinute returns how many deliveries were received in each minute
// since a time, by event and validity. Minutes without any are left out.
func (j *Journal) CountsPerMinute(ctx context.Context, since time.Time) ([]Count, error) {
	return j.counts(ctx, since, len("2026-01-02T03:04"), ":00.000Z")
}

// CountsPerHour is CountsPerMinute for hours.
func (j *Journal) CountsPerHour(ctx context.Context, since time.Time) ([]Count, error) {
	return j.counts(ctx, since, len("2026-01-02T03"), ":00:00.000Z")
}

// counts groups by the beginning of the time; rest makes it a time again.
func (j *Journal) counts(ctx context.Context, since time.Time, length int, rest string) ([]Count, error) {
	query := fmt.Sprintf(`SELECT SUBSTR(received_at, 1, %d) AS part, event, valid, COUNT(*) FROM deliveries
		WHERE received_at >= ? GROUP BY part, event, valid ORDER BY part, event, valid`, length)
	return collect(read(j, func() (*sql.Rows, error) {
		return j.reader.QueryContext(ctx, j.rebind(query), owox.FormatTimestamp(since))
	}, func(rows *sql.Rows) (c Count, err error) {
		var part string
		err = rows.Scan(&part, &c.Event, &c.Valid, &c.Deliveries)
		c.From, _ = owox.ParseTimestamp([]byte(part + rest)) // we wrote it
		return c, err
	}))
}

// Delete deletes an entry with the attempts at it.
func (j *Journal) Delete(sequence int64) error {
	return j.submit(func(ctx context.Context) error {
		j.dense = false
		if _, err := j.exec(ctx, "DELETE FROM attempts WHERE delivery = ?", sequence); err != nil {
			return err
		}
		_, err := j.exec(ctx, "DELETE FROM deliveries WHERE sequence = ?", sequence)
		return err
	})
}

// Writable reports whether entries can be deleted and attempts kept.
func (j *Journal) Writable() bool { return j.writer != nil }
