package owox

import (
	"slices"
	"strings"
	"time"
)

// What every delivery carries, as documented under "Request Format".
const (
	Method      = "POST"
	ContentType = "application/json"
	UserAgent   = "OWOX-DataMarts-Webhook/1.0"

	HeaderContentType = "Content-Type"
	HeaderUserAgent   = "User-Agent"
	HeaderID          = "X-Webhook-ID"
	HeaderEvent       = "X-Event-Type"
)

// SourceAddress is the fixed address that all deliveries come from, as
// documented under "IP Allowlist".
const SourceAddress = "34.38.103.182"

// Timeout is how long an endpoint has to answer with a 2xx status, as
// documented under "Responding to Webhooks". It is over when the headers of the
// answer are there: the sender reads no body.
const Timeout = 10 * time.Second

// RetryDelays are the pauses between the attempts at a real event, as seen in
// the field: three attempts in all. Test events are attempted once.
func RetryDelays() []time.Duration { return []time.Duration{time.Second, 3 * time.Second} }

// Header is one request header. The spelling of Name is kept on the wire.
type Header struct{ Name, Value string }

// Headers returns the four documented headers of a delivery in documented
// order. An empty id or event leaves its header out.
func Headers(id, event string) []Header {
	headers := []Header{{HeaderContentType, ContentType}, {HeaderUserAgent, UserAgent}}
	if id != "" {
		headers = append(headers, Header{HeaderID, id})
	}
	if event != "" {
		headers = append(headers, Header{HeaderEvent, event})
	}
	return headers
}

// HeaderValue returns the value of the first header of a name, in whatever
// spelling, or "".
func HeaderValue(headers []Header, name string) string {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// SortHeaders returns the headers of a map, such as an http.Header, by name.
// The documented ones are spelt as documented.
func SortHeaders(header map[string][]string) []Header {
	headers := make([]Header, 0, len(header)+1)
	for name, values := range header {
		for _, documented := range []string{HeaderID, HeaderEvent} {
			if strings.EqualFold(name, documented) {
				name = documented
			}
		}
		for _, value := range values {
			headers = append(headers, Header{name, value})
		}
	}
	slices.SortStableFunc(headers, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	return headers
}

// SenderHeaders returns the headers that the real sender's HTTP client adds to
// the documented ones, as seen in the field.
func SenderHeaders() []Header {
	return []Header{
		{"connection", "keep-alive"},
		{"accept", "*/*"},
		{"accept-language", "*"},
		{"sec-fetch-mode", "cors"},
		{"accept-encoding", "gzip, deflate"},
	}
}
