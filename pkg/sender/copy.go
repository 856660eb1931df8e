package sender

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/tidwall/gjson"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// loadCopy makes copies of a request, each with an id, a timestamp and, in real
// events, a run of its own: the same run under several ids would be a
// repetition, which endpoints handle once.
type loadCopy struct {
	origin        Request
	request       *http.Request
	headers       []string // that have the id
	id, timestamp place    // in the body
	run           place    // the end of the run's id
}

// place is a part of a body; of no length: the body has none.
type place struct{ start, end int }

const (
	uuidLength = 36
	runDigits  = 12 // the last group of a UUID
)

const idempotencyKey = "Idempotency-Key"

// newLoadCopy makes one. An idempotency key without a value is not sent, but
// lets net/http send a request once more, over a new connection, when the
// endpoint closes a used one instead of answering: a load uses connections again
// so soon that it meets those of an endpoint that closes after each answer.
func newLoadCopy(ctx context.Context, r Request) (loadCopy, error) {
	request, err := r.http(ctx, r.URL)
	if err != nil {
		return loadCopy{}, err
	}
	if _, set := request.Header[idempotencyKey]; !set {
		request.Header[idempotencyKey] = nil
	}
	c := loadCopy{
		origin: r, request: request,
		id:        textIn(r.Body, owox.PathID, uuidLength),
		timestamp: textIn(r.Body, owox.PathTimestamp, len(owox.FormatTimestamp(time.Time{}))),
	}
	who := owox.Identify(r.Body)
	if run := textIn(r.Body, owox.PathRunID, len(who.RunID)); !who.IsTest {
		c.run = place{max(run.start, run.end-runDigits), run.end}
	}
	for name, values := range request.Header {
		if strings.EqualFold(name, owox.HeaderID) && len(who.ID) == uuidLength && slices.Equal(values, []string{who.ID}) {
			c.headers = append(c.headers, name)
		}
	}
	return c, nil
}

// textIn returns where the text of a member stands in a payload, if it has the
// length.
func textIn(body []byte, path string, length int) place {
	value := gjson.GetBytes(body, path)
	start := value.Index + len(`"`)
	if value.Type != gjson.String || value.Index == 0 || len(value.Raw) != length+len(`""`) {
		return place{}
	}
	return place{start, start + length}
}

// fresh returns the request with an id and a timestamp. The transport may still
// be reading the one before, so that they have nothing in common that changes.
func (c loadCopy) fresh(id uuid.UUID, now time.Time) *http.Request {
	request := c.request.WithContext(c.request.Context())
	text := id.String()
	if len(c.headers) > 0 {
		request.Header = maps.Clone(c.request.Header)
		for _, name := range c.headers {
			request.Header[name] = []string{text}
		}
	}
	body := bytes.Clone(c.origin.Body)
	copy(body[c.id.start:c.id.end], text)
	copy(body[c.run.start:c.run.end], text[uuidLength-runDigits:])
	if at := c.timestamp; at.end > 0 {
		var room [64]byte // AppendTimestamp writes beyond the end before it cuts
		copy(body[at.start:at.end], owox.AppendTimestamp(room[:0], now))
	}
	if len(body) > 0 {
		request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		request.Body, _ = request.GetBody() // it never fails
	}
	return request
}
