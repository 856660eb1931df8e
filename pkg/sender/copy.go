package sender

import (
	"bytes"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/tidwall/gjson"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// loadCopy is a request that is made again and again: its bytes on the wire,
// with a fresh id and timestamp written over the old ones in place.
type loadCopy struct {
	origin    Request
	wire      []byte
	ids       []place // in the header and in the body
	timestamp place   // of no length: the body has none
}

// place is a part of what goes on the wire.
type place struct{ start, end int }

const uuidLength = 36

func newLoadCopy(r Request) (loadCopy, error) {
	wire, err := r.Wire()
	if err != nil {
		return loadCopy{}, err
	}
	c := loadCopy{origin: r, wire: wire}
	head := wire[:len(wire)-len(r.Body)]
	id := owox.Identify(r.Body).ID
	for _, h := range r.Headers {
		line := "\r\n" + h.Name + ": " + h.Value + "\r\n"
		at := bytes.Index(head, []byte(line))
		if at >= 0 && len(id) == uuidLength && h.Value == id && strings.EqualFold(h.Name, owox.HeaderID) {
			end := at + len(line) - len("\r\n")
			c.ids = append(c.ids, place{end - uuidLength, end})
		}
	}
	if in := textIn(r.Body, owox.PathID, uuidLength); in.end > 0 {
		c.ids = append(c.ids, place{len(head) + in.start, len(head) + in.end})
	}
	if in := textIn(r.Body, owox.PathTimestamp, len(owox.FormatTimestamp(time.Time{}))); in.end > 0 {
		c.timestamp = place{len(head) + in.start, len(head) + in.end}
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

// clone returns a copy for another goroutine.
func (c loadCopy) clone() loadCopy {
	c.wire = bytes.Clone(c.wire)
	return c
}

// renew gives the request an id and a timestamp.
func (c loadCopy) renew(id uuid.UUID, now time.Time) {
	text := id.String()
	for _, at := range c.ids {
		copy(c.wire[at.start:at.end], text)
	}
	if at := c.timestamp; at.end > 0 {
		var room [64]byte // AppendTimestamp writes beyond the end before it cuts
		copy(c.wire[at.start:at.end], owox.AppendTimestamp(room[:0], now))
	}
}
