package journal

import (
	"context"
	"database/sql"
	"iter"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// Requests that were refused cost nothing to send: little of them is kept.
const (
	maxRefused     = 1000
	maxRefusedBody = 4 << 10
)

const insertRefused = `INSERT INTO refused (received_at, method, path, remote, headers, answered, reason, detail, cut, body)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING sequence`

func refusedRow(d delivery.Delivery) []any {
	body := notNull(d.Body)
	cut := d.Cut || len(body) > maxRefusedBody
	return []any{
		owox.FormatTimestamp(d.ReceivedAt), d.Method, d.Path, d.Remote, headersJSON(d.Headers), d.Answered, string(d.Reason), d.Detail,
		cut, body[:min(len(body), maxRefusedBody)],
	}
}

func (j *Journal) insertRefused(ctx context.Context, values []any) error {
	var sequence int64
	if err := j.conn.QueryRowContext(ctx, j.rebind(insertRefused), j.args(values)...).Scan(&sequence); err != nil {
		return err
	}
	_, err := j.exec(ctx, "DELETE FROM refused WHERE sequence <= ?", sequence-maxRefused)
	return err
}

// Refused returns the newest requests that were refused since a time, which
// may be zero, newest first, and at most so many, or with 0 all that are kept.
func (j *Journal) Refused(ctx context.Context, since time.Time, limit int) iter.Seq2[Entry, error] {
	if limit <= 0 {
		limit = maxRefused
	}
	return read(j, func() (*sql.Rows, error) {
		return j.reader.QueryContext(ctx, j.rebind(`SELECT received_at, method, path, remote, headers, answered, reason, detail, cut, body FROM refused
			WHERE received_at >= ? ORDER BY sequence DESC LIMIT ?`), owox.FormatTimestamp(since), limit)
	}, func(rows *sql.Rows) (Entry, error) {
		var receivedAt, headers sql.RawBytes
		d := delivery.Delivery{State: delivery.StateRefused, Findings: []validate.Finding{}}
		err := rows.Scan(&receivedAt, &d.Method, &d.Path, &d.Remote, &headers, &d.Answered, &d.Reason, &d.Detail, &d.Cut, &d.Body)
		if err == nil {
			d.ReceivedAt, _ = owox.ParseTimestamp(receivedAt) // we wrote it
			d.Headers, err = parseHeaders(headers)
		}
		return Entry{d}, err
	})
}
