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

// The keys under which an http.Header has the documented headers.
var (
	keyContentType = http.CanonicalHeaderKey(owox.HeaderContentType)
	keyUserAgent   = http.CanonicalHeaderKey(owox.HeaderUserAgent)
	keyID          = http.CanonicalHeaderKey(owox.HeaderID)
	keyEvent       = http.CanonicalHeaderKey(owox.HeaderEvent)
)

// request judges a request, and notes what identifies its event unless who is
// nil.
func (v *Validator) request(method string, header http.Header, body []byte, who *owox.Identity) []Finding {
	var findings []Finding
	add := func(rule, path, format string, args ...any) {
		findings = v.add(findings, rule, path, -1, format, args...)
	}
	if method != owox.Method {
		add(MethodIsPost, "", "the method is %s, want %s", method, owox.Method)
	}
	first := func(name, key string) (value string, present bool) {
		values := header[key]
		if len(values) == 0 {
			return "", false
		}
		if len(values) > 1 {
			add(HeaderOnce, name, "%s occurs %d times", name, len(values))
		}
		return values[0], true
	}
	exact := func(rule, name, key, want string) {
		if got, present := first(name, key); !present {
			add(rule, name, "%s is missing, want %s", name, want)
		} else if got != want {
			add(rule, name, "%s is %q, want %s", name, clip([]byte(got)), want)
		}
	}
	exact(ContentTypeHeader, owox.HeaderContentType, keyContentType, owox.ContentType)
	exact(UserAgentHeader, owox.HeaderUserAgent, keyUserAgent, owox.UserAgent)

	var headers identity
	headers.id, _ = first(owox.HeaderID, keyID)
	if headers.id == "" {
		add(IDHeaderPresent, owox.HeaderID, "%s is missing", owox.HeaderID)
	} else if short := [40]byte{}; !owox.UUID.Match(append(short[:0], headers.id...)) {
		add(IDHeaderIsUUID, owox.HeaderID, "%s is %q, not a UUID", owox.HeaderID, clip([]byte(headers.id)))
	}
	headers.event, _ = first(owox.HeaderEvent, keyEvent)
	if headers.event == "" {
		add(EventHeaderPresent, owox.HeaderEvent, "%s is missing", owox.HeaderEvent)
	} else if _, ok := owox.Lookup(owox.EventType(headers.event)); !ok {
		add(EventHeaderDocumented, owox.HeaderEvent, "%s is %q, not a documented event type", owox.HeaderEvent, clip([]byte(headers.event)))
	}
	if encoding, compressed := Compressed(header); compressed {
		add(ContentEncoding, "Content-Encoding", "the body is compressed with %s: not judged", encoding)
		if who != nil {
			*who = owox.Identify(body)
		}
		return findings
	}
	return append(findings, v.payload(body, &headers, who)...)
}

// Compressed reports whether the headers announce a content encoding, and
// which.
func Compressed(header http.Header) (encoding string, compressed bool) {
	if len(header["Content-Encoding"]) == 0 {
		return "", false
	}
	encoding = strings.Join(header.Values("Content-Encoding"), ", ")
	return encoding, encoding != "" && !strings.EqualFold(encoding, "identity")
}

// agree holds the headers against the payload. Only strings are compared:
// anything else has a finding of its own.
func (p *pass) agree(headers identity) {
	l := p.layout
	if s := p.spans[l.id]; s.kind == '"' && headers.id != "" && !p.isText(l.id, headers.id) && !bytes.EqualFold(p.text(l.id), []byte(headers.id)) {
		p.add(IDHeaderMatches, owox.HeaderID, s.start, "%s is %q but %s is %s", owox.HeaderID, clip([]byte(headers.id)), owox.PathID, p.show(s))
	}
	if s := p.spans[l.event]; s.kind == '"' && headers.event != "" && !p.isText(l.event, headers.event) {
		p.add(EventHeaderMatches, owox.HeaderEvent, s.start, "%s is %q but %s is %s", owox.HeaderEvent, clip([]byte(headers.event)), owox.PathEvent, p.show(s))
	}
}

func (p *pass) isText(row int, want string) bool { return string(p.text(row)) == want }
