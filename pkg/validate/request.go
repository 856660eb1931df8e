package validate

import (
	"bytes"
	"net/http"
	"strconv"
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

// request validates a request, and notes what identifies its event unless who is
// nil.
func (v *Validator) request(method string, header http.Header, body []byte, who *owox.Identity) []Finding {
	var findings []Finding
	add := func(rule, path, want, got string) {
		findings = v.add(findings, Finding{Rule: rule, Path: path, Offset: -1, Want: want, Got: got})
	}
	if method != owox.Method {
		add(MethodIsPost, "", owox.Method, clip(method))
	}
	first := func(name, key string) (value string, present bool) {
		values := header[key]
		if len(values) == 0 {
			return "", false
		}
		if len(values) > 1 {
			add(HeaderOnce, name, "once", strconv.Itoa(len(values))+" times")
		}
		return values[0], true
	}
	exact := func(rule, name, key, want string) {
		if got, present := first(name, key); !present {
			add(rule, name, want, "")
		} else if got != want {
			add(rule, name, want, quote(got))
		}
	}
	exact(ContentTypeHeader, owox.HeaderContentType, keyContentType, owox.ContentType)
	exact(UserAgentHeader, owox.HeaderUserAgent, keyUserAgent, owox.UserAgent)

	var headers identity
	headers.id, _ = first(owox.HeaderID, keyID)
	if headers.id == "" {
		add(IDHeaderPresent, owox.HeaderID, owox.UUID.Doc(), "")
	} else if short := [40]byte{}; !owox.UUID.Match(append(short[:0], headers.id...)) {
		add(IDHeaderIsUUID, owox.HeaderID, owox.UUID.Doc(), quote(headers.id))
	}
	headers.event, _ = first(owox.HeaderEvent, keyEvent)
	if headers.event == "" {
		add(EventHeaderPresent, owox.HeaderEvent, anEventType, "")
	} else if _, ok := owox.Lookup(owox.EventType(headers.event)); !ok {
		add(EventHeaderDocumented, owox.HeaderEvent, anEventType, quote(headers.event))
	}
	if encoding, compressed := Compressed(header); compressed {
		add(ContentEncoding, "Content-Encoding", "", clip(encoding))
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
		p.add(IDHeaderMatches, owox.HeaderID, s, p.show(s), quote(headers.id))
	}
	if s := p.spans[l.event]; s.kind == '"' && headers.event != "" && !p.isText(l.event, headers.event) {
		p.add(EventHeaderMatches, owox.HeaderEvent, s, p.show(s), quote(headers.event))
	}
}

// quote returns a header's value as findings quote it.
func quote(value string) string { return strconv.Quote(clip(value)) }

func (p *pass) isText(row int, want string) bool { return string(p.text(row)) == want }
