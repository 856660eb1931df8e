package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// Filter chooses entries. Its zero value chooses all.
type Filter struct {
	Event       owox.EventType // "": any
	Invalid     bool           // those with errors only
	Test        bool           // test events only
	DataMart    string         // id, or title where none has that id; "": any
	Since       time.Time      // received then or later
	ID          string         // the webhook id; "": any
	Sequence    int64          // this one; 0: any
	Undelivered bool           // no attempt at it was a success
	Before      int64          // a sequence that is not reached; 0: any
	After       int64          // the same from below

	Limit  int  // at most; 0: no limit
	Oldest bool // oldest first, instead of newest
	Brief  bool // what a line of a list shows, and nothing else: much faster
}

// where returns the conditions of a filter. An index begins with each column
// of them and goes on with the sequence, so that nothing is sorted.
func (j *Journal) where(ctx context.Context, f Filter) (conditions string, args []any, err error) {
	parts := []string{"1 = 1"}
	add := func(part string, values ...any) { parts, args = append(parts, part), append(args, values...) }
	if f.Event != "" {
		add("event = ?", key(f.Event))
	}
	if f.Invalid {
		add("valid = FALSE")
	}
	if f.Test {
		add("is_test = TRUE")
	}
	if f.DataMart != "" {
		column, err := j.dataMartColumn(ctx, f.DataMart)
		if err != nil {
			return "", nil, err
		}
		add(column+" = ?", key(f.DataMart))
	}
	if !f.Since.IsZero() {
		first, err := j.firstSince(ctx, f.Since)
		if err != nil {
			return "", nil, err
		}
		// Not by the index of received_at, which has another order.
		add("sequence >= ? AND (received_at || '') >= ?", first, owox.FormatTimestamp(f.Since))
	}
	if f.Sequence != 0 {
		add("sequence = ?", f.Sequence)
	}
	if f.Before != 0 {
		add("sequence < ?", f.Before)
	}
	if f.After != 0 {
		add("sequence > ?", f.After)
	}
	if f.Undelivered {
		add("delivered = FALSE")
	}
	if f.ID != "" {
		add("webhook_id = ?", key(f.ID))
	}
	return strings.Join(parts, " AND "), args, nil
}

// dataMartColumn tells an id of a data mart from a title.
func (j *Journal) dataMartColumn(ctx context.Context, word string) (string, error) {
	var found int
	err := j.queryRow(ctx, "SELECT 1 FROM deliveries WHERE data_mart_id = ? LIMIT 1", key(word)).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return "data_mart_title", nil
	}
	return "data_mart_id", err
}

// recent is how many entries firstSince looks at.
const recent = 50_000

// firstSince returns a sequence that nothing received since a time is before.
// Times rise with sequences, but not strictly: so it looks at all of them,
// unless there are so many that whoever wants the newest has them soon anyway.
func (j *Journal) firstSince(ctx context.Context, since time.Time) (int64, error) {
	var n int
	var first sql.NullInt64
	err := j.queryRow(ctx, `SELECT COUNT(*), MIN(sequence) FROM
		(SELECT sequence FROM deliveries WHERE received_at >= ? ORDER BY received_at DESC LIMIT ?) AS newest`, owox.FormatTimestamp(since), recent).Scan(&n, &first)
	switch {
	case err != nil || n == recent:
		return 0, err
	case n == 0:
		return math.MaxInt64, nil
	default:
		return first.Int64, nil
	}
}

func (f Filter) order() (clause string, args []any) {
	clause = " ORDER BY sequence DESC"
	if f.Oldest {
		clause = " ORDER BY sequence"
	}
	if f.Limit > 0 {
		return clause + " LIMIT ?", []any{f.Limit}
	}
	return clause, nil
}

func (j *Journal) query(ctx context.Context, what string, f Filter) (*sql.Rows, error) {
	conditions, args, err := j.where(ctx, f)
	if err != nil {
		return nil, err
	}
	order, limit := f.order()
	return j.reader.QueryContext(ctx, j.rebind("SELECT "+what+" FROM deliveries WHERE "+conditions+order), j.args(append(args, limit...))...)
}

func (j *Journal) queryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return j.reader.QueryRowContext(ctx, j.rebind(query), j.args(args)...)
}

// List returns the entries that a filter chooses, one after the other as they
// are read. It sees the journal as it was when the first one was read.
func (j *Journal) List(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	columns := allColumns
	if f.Brief {
		columns = briefColumns
	}
	return read(j, func() (*sql.Rows, error) { return j.query(ctx, columns, f) },
		func(rows *sql.Rows) (Entry, error) { return scanEntry(rows, f.Brief) })
}

// Bodies returns the bodies of the entries that a filter chooses. Each is good
// until the next one is read.
func (j *Journal) Bodies(ctx context.Context, f Filter) iter.Seq2[sql.RawBytes, error] {
	return read(j, func() (*sql.Rows, error) { return j.query(ctx, "body", f) },
		func(rows *sql.Rows) (body sql.RawBytes, err error) {
			err = rows.Scan(&body)
			return body, err
		})
}

// Sequences returns the numbers of the entries that a filter chooses.
func (j *Journal) Sequences(ctx context.Context, f Filter) ([]int64, error) {
	return collect(read(j, func() (*sql.Rows, error) { return j.query(ctx, "sequence", f) },
		func(rows *sql.Rows) (sequence int64, err error) {
			err = rows.Scan(&sequence)
			return sequence, err
		}))
}

// Get returns the entry with a number.
func (j *Journal) Get(ctx context.Context, sequence int64) (Entry, error) {
	for entry, err := range j.List(ctx, Filter{Sequence: sequence}) {
		return entry, err
	}
	return Entry{}, fmt.Errorf("read journal %s: there is no delivery %d", j.name(), sequence)
}

// IDs returns the first n different webhook ids that begin with a prefix.
func (j *Journal) IDs(ctx context.Context, prefix string, n int) (ids []string, err error) {
	const first = "SELECT MIN(webhook_id) FROM deliveries WHERE webhook_id >= ? AND webhook_id < ?"
	const next = "SELECT MIN(webhook_id) FROM deliveries WHERE webhook_id > ? AND webhook_id < ?"
	query, from := first, prefix
	for len(ids) < n {
		var id sql.NullString
		if err := j.queryRow(ctx, query, from, prefix+string(utf8.MaxRune)).Scan(&id); err != nil {
			return nil, j.failed("read", err)
		}
		if !id.Valid {
			break
		}
		ids, query, from = append(ids, id.String), next, id.String
	}
	return ids, nil
}

// Attempts returns the attempts at an entry, oldest first.
func (j *Journal) Attempts(ctx context.Context, sequence int64) ([]Attempt, error) {
	return collect(read(j, func() (*sql.Rows, error) {
		return j.reader.QueryContext(ctx, j.rebind(`SELECT attempted_at, url, ok, status, duration_ms, error, target FROM attempts
			WHERE delivery = ? ORDER BY sequence`), sequence)
	}, func(rows *sql.Rows) (a Attempt, err error) {
		var at string
		var ms float64
		err = rows.Scan(&at, &a.URL, &a.OK, &a.Status, &ms, &a.Error, &a.Target)
		a.At, _ = owox.ParseTimestamp([]byte(at)) // we wrote it
		a.Duration = time.Duration(ms * float64(time.Millisecond))
		return a, err
	}))
}

// read yields what is scanned of rows. The first error ends it.
func read[T any](j *Journal, query func() (*sql.Rows, error), scan func(*sql.Rows) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		rows, err := query()
		if err != nil {
			yield(none, j.failed("read", err))
			return
		}
		defer rows.Close() //nolint:errcheck // Err tells
		for rows.Next() {
			row, err := scan(rows)
			if err != nil {
				yield(none, j.failed("read", err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(none, j.failed("read", err))
		}
	}
}

func collect[T any](all iter.Seq2[T, error]) (collected []T, err error) {
	for one, err := range all {
		if err != nil {
			return nil, err
		}
		collected = append(collected, one)
	}
	return collected, nil
}
