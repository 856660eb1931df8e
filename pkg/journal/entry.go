package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// Entry is a delivery in the journal.
type Entry struct{ delivery.Delivery }

// note writes the state of a delivery with what it is about, unless findings
// tell it.
func note(d delivery.Delivery) string {
	if d.State == delivery.StateValid || d.State == delivery.StateInvalid {
		return ""
	}
	return strings.Join([]string{string(d.State), string(d.Reason), d.Detail}, " ")
}

func setState(d *delivery.Delivery, note string) {
	state, rest, noted := strings.Cut(note, " ")
	reason, detail, _ := strings.Cut(rest, " ")
	switch {
	case noted:
		d.State, d.Reason, d.Detail = delivery.State(state), delivery.Reason(reason), detail
	case validate.Valid(d.Findings):
		d.State = delivery.StateValid
	default:
		d.State = delivery.StateInvalid
	}
}

// Attempt is an attempt to deliver an entry again, or to forward it.
type Attempt struct {
	At       time.Time
	URL      string
	OK       bool
	Status   int // 0: there was no answer
	Duration time.Duration
	Error    string
}

// Queries use ? for arguments and nothing that only one database knows.
const (
	columns = `sequence, webhook_id, received_at, method, path, remote, headers, body, cut, event, is_test, project_id,
		data_mart_id, data_mart_title, run_id, run_status, findings, answered, note, duplicate_of`
	insertedColumns = `sequence, duplicate_of, webhook_id, received_at, path, remote, headers, body, event, is_test, project_id,
		data_mart_id, data_mart_title, run_id, run_status, method, cut, findings, answered, note, valid`
	insertDelivery = "INSERT INTO deliveries (" + insertedColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	// Nearly all deliveries have the same in the last columns. Fewer arguments
	// are a noticeable part of what it takes to insert one.
	insertUsual   = "INSERT INTO deliveries (" + insertedColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'POST', FALSE, '[]', 200, '', TRUE)"
	insertAttempt = `INSERT INTO attempts (delivery, attempted_at, url, ok, status, duration_ms, error)
		SELECT sequence, ?, ?, ?, ?, ?, ? FROM deliveries WHERE sequence = ?`
)

// Lenient, because findings quote what came.
var jsonOptions = json.JoinOptions(jsontext.AllowInvalidUTF8(true))

// row is what is inserted for a delivery. The writer fills in the two first
// columns.
type row struct {
	id     string
	key    idKey
	usual  bool  // insertUsual inserts it
	values []any // its arguments, or those of insertDelivery
}

// usual reports whether insertUsual has the last columns of a delivery.
func usual(d delivery.Delivery) bool {
	return d.Method == http.MethodPost && !d.Cut && len(d.Findings) == 0 && d.Answered == http.StatusOK && d.State == delivery.StateValid
}

func newRow(d delivery.Delivery) (row, error) {
	body := d.Body
	if body == nil {
		body = []byte{} // an empty body is not NULL
	}
	r := row{d.ID, keyOf(d.ID), usual(d), []any{
		nil, nil, d.ID, owox.FormatTimestamp(d.ReceivedAt), d.Path, d.Remote, headersJSON(d.Headers), body, string(d.Event), d.IsTest,
		d.ProjectID, d.DataMartID, d.Title, d.RunID, d.RunStatus,
	}}
	if r.usual {
		return r, nil
	}
	findings, err := json.Marshal(d.Findings, jsonOptions)
	if err != nil {
		return r, fmt.Errorf("write findings: %w", err)
	}
	r.values = append(r.values, d.Method, d.Cut, string(findings), d.Answered, note(d), d.Valid())
	return r, nil
}

// headersJSON writes headers as pairs of name and value. What is no UTF-8 is
// replaced.
func headersJSON(headers []owox.Header) string {
	out := append(make([]byte, 0, 1024), '[')
	for i, h := range headers {
		if i > 0 {
			out = append(out, ',')
		}
		out, _ = jsontext.AppendQuote(append(out, '['), h.Name)
		out, _ = jsontext.AppendQuote(append(out, ','), h.Value)
		out = append(out, ']')
	}
	return string(append(out, ']'))
}

func attemptRow(sequence int64, at time.Time, a delivery.Attempt) []any {
	reason := ""
	if a.Failure != nil {
		reason = a.Failure.Error
	}
	return []any{owox.FormatTimestamp(at), a.URL, a.OK(), a.Status, float64(a.Duration.Microseconds()) / 1000, reason, sequence}
}

func scanEntry(rows *sql.Rows) (Entry, error) {
	var e Entry
	var receivedAt, headers, findings, noted string
	var duplicateOf sql.NullInt64
	d := &e.Delivery
	err := rows.Scan(&e.Sequence, &d.ID, &receivedAt, &d.Method, &d.Path, &d.Remote, &headers, &d.Body, &d.Cut, &d.Event, &d.IsTest, &d.ProjectID,
		&d.DataMartID, &d.Title, &d.RunID, &d.RunStatus, &findings, &d.Answered, &noted, &duplicateOf)
	if err != nil {
		return e, err
	}
	d.DuplicateOf, d.Duplicate = duplicateOf.Int64, duplicateOf.Valid
	if at, ok := owox.ParseTimestamp([]byte(receivedAt)); ok {
		d.ReceivedAt = at
	}
	var pairs [][2]string
	var judged []validate.Finding
	if err := errors.Join(json.Unmarshal([]byte(headers), &pairs, jsonOptions), json.Unmarshal([]byte(findings), &judged, jsonOptions)); err != nil {
		return e, fmt.Errorf("entry %d: %w", e.Sequence, err)
	}
	for _, pair := range pairs {
		d.Headers = append(d.Headers, owox.Header{Name: pair[0], Value: pair[1]})
	}
	d.Findings = judged
	setState(d, noted)
	return e, nil
}

// Filter chooses entries. Its zero value chooses all.
type Filter struct {
	Event    owox.EventType // "": any
	Invalid  bool           // invalid ones only
	Test     bool           // test events only
	DataMart string         // id or title; "": any
	Since    time.Time      // received then or later
	ID       string         // beginning of the webhook id
	Limit    int            // at most; 0: no limit
	Oldest   bool           // oldest first, instead of newest

	Sequence    int64 // this one; 0: any
	Undelivered bool  // no attempt at it was a success
}

func (f Filter) where() (conditions string, args []any) {
	parts := []string{"1 = 1"}
	add := func(part string, values ...any) { parts, args = append(parts, part), append(args, values...) }
	if f.Event != "" {
		add("event = ?", string(f.Event))
	}
	if f.Invalid {
		add("NOT valid")
	}
	if f.Test {
		add("is_test")
	}
	if f.DataMart != "" {
		add("(data_mart_id = ? OR data_mart_title = ?)", f.DataMart, f.DataMart)
	}
	if !f.Since.IsZero() {
		add("received_at >= ?", owox.FormatTimestamp(f.Since))
	}
	if f.Sequence != 0 {
		add("sequence = ?", f.Sequence)
	}
	if f.Undelivered {
		add("NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.delivery = deliveries.sequence AND attempts.ok)")
	}
	if f.ID != "" {
		add("SUBSTR(webhook_id, 1, ?) = ?", len(f.ID), f.ID)
	}
	return strings.Join(parts, " AND "), args
}

// List returns the entries that a filter chooses, one after the other as they
// are read. It sees the journal as it was when the first one was read.
func (j *Journal) List(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		conditions, args := f.where()
		order := " ORDER BY sequence DESC"
		if f.Oldest {
			order = " ORDER BY sequence"
		}
		limit := ""
		if f.Limit > 0 {
			limit, args = " LIMIT ?", append(args, f.Limit)
		}
		rows, err := j.reader.QueryContext(ctx, "SELECT "+columns+" FROM deliveries WHERE "+conditions+order+limit, args...) //nolint:gosec // conditions are ours
		if err != nil {
			yield(Entry{}, failed("read", j.file, explain(err)))
			return
		}
		defer rows.Close() //nolint:errcheck // Err tells
		for rows.Next() {
			entry, err := scanEntry(rows)
			if !yield(entry, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Entry{}, failed("read", j.file, explain(err)))
		}
	}
}

// Sequences returns the numbers of the entries that a filter chooses.
func (j *Journal) Sequences(ctx context.Context, f Filter) ([]int64, error) {
	conditions, args := f.where()
	rows, err := j.reader.QueryContext(ctx, "SELECT sequence FROM deliveries WHERE "+conditions+" ORDER BY sequence", args...) //nolint:gosec // conditions are ours
	if err != nil {
		return nil, failed("read", j.file, explain(err))
	}
	defer rows.Close() //nolint:errcheck // Err tells
	var sequences []int64
	for rows.Next() {
		var sequence int64
		if err := rows.Scan(&sequence); err != nil {
			return nil, failed("read", j.file, explain(err))
		}
		sequences = append(sequences, sequence)
	}
	return sequences, rows.Err()
}

// Get returns the entry with a number.
func (j *Journal) Get(ctx context.Context, sequence int64) (Entry, error) {
	for entry, err := range j.List(ctx, Filter{Sequence: sequence}) {
		return entry, err
	}
	return Entry{}, fmt.Errorf("read journal %s: there is no delivery %d", j.file, sequence)
}

// Attempts returns the attempts at an entry, oldest first.
func (j *Journal) Attempts(ctx context.Context, sequence int64) ([]Attempt, error) {
	rows, err := j.reader.QueryContext(ctx, "SELECT attempted_at, url, ok, status, duration_ms, error FROM attempts WHERE delivery = ? ORDER BY sequence", sequence)
	if err != nil {
		return nil, failed("read", j.file, explain(err))
	}
	defer rows.Close() //nolint:errcheck // Err tells
	var attempts []Attempt
	for rows.Next() {
		var a Attempt
		var at string
		var ms float64
		if err := rows.Scan(&at, &a.URL, &a.OK, &a.Status, &ms, &a.Error); err != nil {
			return nil, failed("read", j.file, explain(err))
		}
		a.At, _ = owox.ParseTimestamp([]byte(at)) // we wrote it
		a.Duration = time.Duration(ms * float64(time.Millisecond))
		attempts = append(attempts, a)
	}
	return attempts, rows.Err()
}

// Pruning goes in steps, so that deliveries wait no longer than for one.
const (
	pruneStep  = 500
	pruneEvery = 500 // deliveries kept between two looks at their number
)

// pruneStep deletes some of the oldest entries: those beyond the number to
// keep, or with a time those received before it. It reports whether there are
// more. Only the goroutine that writes may call it.
func (j *Journal) pruneStep(ctx context.Context, keep int, before time.Time) (deleted int64, more bool, err error) {
	if err := j.refresh(ctx); err != nil {
		return 0, false, err
	}
	if !before.IsZero() {
		var last sql.NullInt64
		received := owox.FormatTimestamp(before)
		if err := j.conn.QueryRowContext(ctx, selectLastOlder, received, pruneStep).Scan(&last); err != nil || !last.Valid {
			return 0, false, err
		}
		deleted, err = j.remove(ctx, older, last.Int64, received)
		return deleted, true, err
	}
	var oldest sql.NullInt64
	if err := j.conn.QueryRowContext(ctx, "SELECT MIN(sequence) FROM deliveries").Scan(&oldest); err != nil {
		return 0, false, err
	}
	beyond := j.newest.given - int64(keep)
	last := min(beyond, oldest.Int64+pruneStep-1)
	if !oldest.Valid || last < oldest.Int64 {
		return 0, false, nil
	}
	deleted, err = j.remove(ctx, upTo, last)
	return deleted, last < beyond, err
}

// selectLastOlder finds the last one of the next entries that were received
// before a time.
const selectLastOlder = "SELECT MAX(sequence) FROM (SELECT sequence FROM deliveries WHERE received_at < ? ORDER BY sequence LIMIT ?)"

// Which entries a step of pruning deletes, by a column with their sequences. A
// range costs half of what a list does.
func upTo(column string) string { return column + " <= ?" }

func older(column string) string {
	return column + " IN (SELECT sequence FROM deliveries WHERE sequence <= ? AND received_at < ?)"
}

// remove deletes entries with what belongs to them. The database would do so
// itself if it was told to look after references, but at a higher price for
// each.
func (j *Journal) remove(ctx context.Context, which func(column string) string, args ...any) (deleted int64, err error) {
	if _, err := j.conn.ExecContext(ctx, "UPDATE numbers SET given = ?", j.newest.given); err != nil {
		return 0, err
	}
	from := []string{"attempts WHERE " + which("delivery")}
	if j.newest.indexed {
		from = append(from, "ids WHERE (webhook_id, delivery) IN (SELECT SUBSTR(webhook_id, 1, 64), sequence FROM deliveries WHERE "+which("sequence")+")")
	}
	for _, what := range append(from, "deliveries WHERE "+which("sequence")) {
		result, err := j.conn.ExecContext(ctx, "DELETE FROM "+what, args...) //nolint:gosec // what is ours
		if err != nil {
			return 0, err
		}
		if deleted, err = result.RowsAffected(); err != nil {
			return 0, err
		}
	}
	return deleted, j.conn.QueryRowContext(ctx, selectIndexed).Scan(&j.newest.indexed)
}

// Prune deletes all but the newest entries, or with a time those received
// before it, and returns how many. It goes in small steps, beside other
// writers.
func (j *Journal) Prune(ctx context.Context, keep int, before time.Time) (deleted int64, err error) {
	for {
		var step int64
		var more bool
		err := j.submit(func(context.Context) (err error) {
			step, more, err = j.pruneStep(ctx, keep, before)
			return err
		})
		if err != nil {
			return deleted, err
		}
		if deleted += step; !more {
			return deleted, nil
		}
	}
}
