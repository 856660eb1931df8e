package validate

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// identity is what the headers say that the payload must agree with. A header
// that is missing is empty.
type identity struct{ id, event string }

func (v *Validator) request(method string, header http.Header, body []byte) []Finding {
	var findings []Finding
	add := func(rule, path, format string, args ...any) {
		findings = v.add(findings, rule, path, -1, format, args...)
	}
	if method != owox.Method {
		add(MethodIsPost, "", "the method is %s, want %s", method, owox.Method)
	}
	for _, h := range owox.Headers("id", "event") {
		if values := header.Values(h.Name); len(values) > 1 {
			add(HeaderOnce, h.Name, "%s occurs %d times", h.Name, len(values))
		}
	}
	exact := func(rule, name, want string) {
		if len(header.Values(name)) == 0 {
			add(rule, name, "%s is missing, want %s", name, want)
		} else if got := header.Get(name); got != want {
			add(rule, name, "%s is %q, want %s", name, clip([]byte(got)), want)
		}
	}
	exact(ContentTypeHeader, owox.HeaderContentType, owox.ContentType)
	exact(UserAgentHeader, owox.HeaderUserAgent, owox.UserAgent)

	headers := identity{header.Get(owox.HeaderID), header.Get(owox.HeaderEvent)}
	if headers.id == "" {
		add(IDHeaderPresent, owox.HeaderID, "%s is missing", owox.HeaderID)
	} else if !owox.UUID.Match([]byte(headers.id)) {
		add(IDHeaderIsUUID, owox.HeaderID, "%s is %q, not a UUID", owox.HeaderID, clip([]byte(headers.id)))
	}
	if headers.event == "" {
		add(EventHeaderPresent, owox.HeaderEvent, "%s is missing", owox.HeaderEvent)
	} else if _, ok := owox.Lookup(owox.EventType(headers.event)); !ok {
		add(EventHeaderDocumented, owox.HeaderEvent, "%s is %q, not a documented event type", owox.HeaderEvent, clip([]byte(headers.event)))
	}
	if encoding, compressed := Compressed(header); compressed {
		add(ContentEncoding, "Content-Encoding", "the body is compressed with %s: not judged", encoding)
		return findings
	}
	return append(findings, v.payload(body, &headers)...)
}

// Compressed reports whether the headers announce a content encoding, and
// which.
func Compressed(header http.Header) (encoding string, compressed bool) {
	encoding = strings.Join(header.Values("Content-Encoding"), ", ")
	return encoding, encoding != "" && !strings.EqualFold(encoding, "identity")
}

// agree holds the headers against the payload. Only strings are compared:
// anything else has a finding of its own.
func (p *pass) agree(headers identity) {
	l := p.layout
	if s := p.spans[l.id]; s.kind == '"' && headers.id != "" && !bytes.EqualFold(p.text(l.id), []byte(headers.id)) {
		p.add(IDHeaderMatches, owox.HeaderID, s.start, "%s is %q but %s is %s", owox.HeaderID, clip([]byte(headers.id)), owox.PathID, p.show(s))
	}
	if s := p.spans[l.event]; s.kind == '"' && headers.event != "" && string(p.text(l.event)) != headers.event {
		p.add(EventHeaderMatches, owox.HeaderEvent, s.start, "%s is %q but %s is %s", owox.HeaderEvent, clip([]byte(headers.event)), owox.PathEvent, p.show(s))
	}
}
