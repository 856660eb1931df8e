package sender

import (
	"bytes"
	"encoding/hex"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/tidwall/gjson"
	"github.com/valyala/fasthttp"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// loadCopy is a request that is made again and again, with a fresh id and
// timestamp written over the old ones in place.
type loadCopy struct {
	origin        Request
	host          string
	request       *fasthttp.Request
	response      *fasthttp.Response
	body          []byte
	id, timestamp []byte // where they stand in body; nil: it has none of their length
	idHeader      string // as it is spelt; "": the request has none
}

const uuidLength = 36

func newLoadCopy(r Request) *loadCopy {
	c := &loadCopy{origin: r, host: r.URL.Host, request: fasthttp.AcquireRequest(), response: fasthttp.AcquireResponse(), body: bytes.Clone(r.Body)}
	c.id = textIn(c.body, owox.PathID, uuidLength)
	c.timestamp = textIn(c.body, owox.PathTimestamp, len(owox.FormatTimestamp(time.Time{})))
	target := *r.URL
	target.User = nil // as in a single delivery
	c.request.Header.DisableNormalizing()
	c.request.SetRequestURI(target.String())
	c.request.URI().DisablePathNormalizing = true
	c.request.Header.SetMethod(owox.Method)
	c.request.SetBodyRaw(c.body)
	for _, h := range r.Headers {
		switch {
		case strings.EqualFold(h.Name, owox.HeaderID) && h.Value == owox.Identify(r.Body).ID:
			c.idHeader = h.Name
		case strings.EqualFold(h.Name, "Host"):
			c.request.UseHostHeader = true
		}
		c.request.Header.Add(h.Name, h.Value)
	}
	return c
}

// textIn returns the text of a member where it stands in a payload, if it has
// the length.
func textIn(body []byte, path string, length int) []byte {
	value := gjson.GetBytes(body, path)
	start := value.Index + len(`"`)
	if value.Type != gjson.String || value.Index == 0 || len(value.Raw) != length+len(`""`) {
		return nil
	}
	return body[start : start+length]
}

// renew gives the request an id and a timestamp.
func (c *loadCopy) renew(id uuid.UUID, now time.Time) {
	var text [uuidLength]byte
	putUUID(&text, id)
	copy(c.id, text[:])
	if c.idHeader != "" {
		c.request.Header.SetBytesV(c.idHeader, text[:])
	}
	if c.timestamp != nil {
		copy(c.timestamp, owox.FormatTimestamp(now))
	}
}

func putUUID(text *[uuidLength]byte, id uuid.UUID) {
	at := 0
	for _, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if at > 0 {
			text[at] = '-'
			at++
		}
		at += hex.Encode(text[at:], part)
	}
}

// status returns the answer's status; 0: there was no answer.
func (c *loadCopy) status(err error) int {
	if err != nil {
		return 0
	}
	return c.response.StatusCode()
}

func (c *loadCopy) release() {
	fasthttp.ReleaseRequest(c.request)
	fasthttp.ReleaseResponse(c.response)
}

// hostPort returns the address of an endpoint.
func hostPort(target *url.URL) string {
	port := target.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[target.Scheme]
	}
	return net.JoinHostPort(target.Hostname(), port)
}
