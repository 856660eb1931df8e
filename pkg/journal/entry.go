package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// Entry is a delivery in the journal.
type Entry struct{ delivery.Delivery }

// Attempt is an attempt to deliver an entry again, to forward or to relay it.
type Attempt struct {
	At       time.Time
	URL      string
	OK       bool
	Status   int // 0: there was no answer
	Duration time.Duration
	Error    string
	Target   string // of a relay; "": it was another command's
}

const (
	insertDelivery = `INSERT INTO deliveries (webhook_id, received_at, method, path, remote, headers, event, is_test, project_id, data_mart_id,
		data_mart_title, run_id, run_status, valid, state, answered, delivered, findings, cut, body, duplicate_of, same_run_as)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, FALSE, ?, ?, ?, (SELECT MIN(sequence) FROM deliveries WHERE webhook_id = ?),
			(SELECT CASE WHEN webhook_id <> ? THEN sequence END FROM deliveries WHERE run_id = ? AND event = ? ORDER BY sequence LIMIT 1))
		RETURNING sequence, duplicate_of, same_run_as`
	updateAgain   = "UPDATE deliveries SET valid = ?, state = ?, answered = ?, findings = ? WHERE sequence = ?"
	insertAttempt = "INSERT INTO attempts (delivery, attempted_at, url, ok, status, duration_ms, error, target) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"

	// The first delivery with an id, or of a run, may have been deleted since.
	briefColumns = `sequence, webhook_id, received_at, event, is_test, data_mart_title, state, answered, duplicate_of IS NOT NULL,
		(SELECT first.sequence FROM deliveries AS first WHERE first.sequence = deliveries.duplicate_of) AS earlier, same_run_as IS NOT NULL,
		(SELECT first.sequence FROM deliveries AS first WHERE first.sequence = deliveries.same_run_as) AS same_run`
	allColumns = briefColumns + ", method, path, remote, project_id, data_mart_id, run_id, run_status, cut, headers, findings, body"
)

// Lenient, because findings quote what came.
var jsonOptions = json.JoinOptions(jsontext.AllowInvalidUTF8(true))

// newRow returns the arguments of insertDelivery.
func newRow(d delivery.Delivery) ([]any, error) {
	findings, err := findingsJSON(d.Findings)
	if err != nil {
		return nil, err
	}
	// Without an id, or without a run, nothing has the same. The runs of all test
	// events have one id.
	var id, run any
	if d.ID != "" {
		id = key(d.ID)
	}
	if d.RunID != "" && !d.IsTest {
		run = key(d.RunID)
	}
	return []any{
		key(d.ID), owox.FormatTimestamp(d.ReceivedAt), d.Method, d.Path, d.Remote, headersJSON(d.Headers), key(d.Event), d.IsTest, d.ProjectID,
		key(d.DataMartID), key(d.Title), key(d.RunID), d.RunStatus, validate.Valid(d.Findings), string(d.State), d.Answered, findings, d.Cut,
		notNull(d.Body), id, key(d.ID), run, key(d.Event),
	}, nil
}

// notNull returns an empty body that is not NULL.
func notNull(body []byte) []byte {
	if body == nil {
		return []byte{}
	}
	return body
}

func findingsJSON(findings []validate.Finding) (jsonText, error) {
	if len(findings) == 0 {
		return "[]", nil
	}
	text, err := json.Marshal(findings, jsonOptions)
	if err != nil {
		return "", fmt.Errorf("write findings: %w", err)
	}
	return jsonText(text), nil
}

// headersJSON writes headers as pairs of name and value. What is no UTF-8 is
// replaced.
func headersJSON(headers []owox.Header) jsonText {
	out := append(make([]byte, 0, 1024), '[')
	for i, h := range headers {
		if i > 0 {
			out = append(out, ',')
		}
		out, _ = jsontext.AppendQuote(append(out, '['), h.Name)
		out, _ = jsontext.AppendQuote(append(out, ','), h.Value)
		out = append(out, ']')
	}
	return jsonText(append(out, ']'))
}

// row is a delivery that is being written.
type row struct {
	*delivery.Delivery
	values         []any // of insertDelivery
	again          func()
	first, sameRun sql.NullInt64
}

func (r *row) scan(from interface{ Scan(into ...any) error }) error {
	return from.Scan(&r.Sequence, &r.first, &r.sameRun)
}

// insertDelivery writes a delivery and sets its sequence, at once or with all
// others of its group.
func (j *Journal) insertDelivery(ctx context.Context, r *row) error {
	if j.server != nil {
		j.rows = append(j.rows, r)
		return nil
	}
	if err := r.scan(j.insert.QueryRowContext(ctx, r.values...)); err != nil {
		return err
	}
	return j.inserted(ctx, r)
}

// insertGroup writes what insertDelivery left.
func (j *Journal) insertGroup(ctx context.Context) error {
	if len(j.rows) == 0 {
		return nil
	}
	err := j.server.insertAll(ctx, j.conn, j.rows)
	for _, r := range j.rows {
		if err == nil {
			err = j.inserted(ctx, r)
		}
	}
	return err
}

// inserted looks whether a delivery was the first. For the few that were not
// the row is decided about and written again.
func (j *Journal) inserted(ctx context.Context, r *row) error {
	j.growth.add(len(r.Body))
	if !r.first.Valid && !r.sameRun.Valid {
		return nil
	}
	r.Duplicate, r.DuplicateOf = r.first.Valid, r.first.Int64
	r.SameRun, r.SameRunAs = r.sameRun.Valid, r.sameRun.Int64
	r.again()
	findings, err := findingsJSON(r.Findings)
	if err == nil {
		_, err = j.exec(ctx, updateAgain, validate.Valid(r.Findings), string(r.State), r.Answered, findings, r.Sequence)
	}
	return err
}

func attemptRow(sequence int64, at time.Time, a delivery.Attempt) []any {
	reason := ""
	if a.Failure != nil {
		reason = a.Failure.Error
	}
	return []any{sequence, owox.FormatTimestamp(at), a.URL, a.OK(), a.Status, float64(a.Duration.Microseconds()) / 1000, reason, a.Target}
}

// scanEntry reads briefColumns, or allColumns.
func scanEntry(rows *sql.Rows, brief bool) (e Entry, err error) {
	var receivedAt, headers, findings sql.RawBytes
	var duplicateOf, sameRunAs sql.NullInt64
	d := &e.Delivery
	into := []any{
		&d.Sequence, &d.ID, &receivedAt, &d.Event, &d.IsTest, &d.Title, &d.State, &d.Answered, &d.Duplicate, &duplicateOf, &d.SameRun, &sameRunAs,
	}
	if !brief {
		into = append(into, &d.Method, &d.Path, &d.Remote, &d.ProjectID, &d.DataMartID, &d.RunID, &d.RunStatus, &d.Cut, &headers, &findings, &d.Body)
	}
	if err := rows.Scan(into...); err != nil {
		return e, err
	}
	d.DuplicateOf, d.SameRunAs = duplicateOf.Int64, sameRunAs.Int64
	d.ReceivedAt, _ = owox.ParseTimestamp(receivedAt) // we wrote it
	if brief {
		return e, nil
	}
	if len(d.Body) == 0 {
		d.Body = nil // in every database
	}
	d.Findings = []validate.Finding{}
	if string(findings) != "[]" {
		err = json.Unmarshal(findings, &d.Findings, jsonOptions)
	}
	var headersErr error
	if d.Headers, headersErr = parseHeaders(headers); err != nil || headersErr != nil {
		return e, fmt.Errorf("entry %d: %w", d.Sequence, errors.Join(err, headersErr))
	}
	return e, nil
}

// parseHeaders reads what headersJSON wrote. Reading it takes most of the time
// of an export, so nothing general does it.
func parseHeaders(text []byte) ([]owox.Header, error) {
	if !gjson.ValidBytes(text) {
		return nil, errors.New("its headers are not JSON")
	}
	var headers []owox.Header
	gjson.ParseBytes(text).ForEach(func(_, pair gjson.Result) bool {
		var h owox.Header
		pair.ForEach(func(i, text gjson.Result) bool {
			if i.Num == 0 {
				h.Name = text.Str
			} else {
				h.Value = text.Str
			}
			return true
		})
		headers = append(headers, h)
		return true
	})
	return headers, nil
}
