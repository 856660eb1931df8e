package receiver

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// plain is a request that needs nothing of HTTP but its simplest form: a POST
// with a length, such as the sender makes. It is read anew for each request of
// a connection.
type plain struct {
	limit   int           // of the body
	target  string        // as it came
	headers []owox.Header // as they came
	header  http.Header   // those that are judged, with none for what is missing
	head    int           // bytes up to the body
	size    int           // bytes with the body
}

func newPlain(limit int) *plain { return &plain{limit: limit, header: http.Header{}} }

const maxLengthDigits = 9

// The headers that a plain request may have only in a plain way, or not at
// all, and those that are looked at when it is judged. All others are only
// kept.
const (
	keyHost          = "Host"
	keyContentLength = "Content-Length"
	keyConnection    = "Connection"
	keyForwardedFor  = "X-Forwarded-For"
)

var (
	neverPlain = []string{"Transfer-Encoding", "Content-Encoding", "Expect", "Upgrade", "Trailer"}
	judgedKeys = []string{keyForwardedFor, owox.HeaderContentType, owox.HeaderUserAgent, owox.HeaderID, owox.HeaderEvent}
)

// parse reads the request that text starts with. ok is false when it is not
// plain, or not there to its end.
func (p *plain) parse(text []byte) (ok bool) {
	end := bytes.Index(text, []byte("\r\n\r\n"))
	if end < 0 {
		return false
	}
	p.head = end + len("\r\n\r\n")
	line, rest, _ := strings.Cut(string(text[:end]), "\r\n")
	if !p.requestLine(line) {
		return false
	}
	p.headers = make([]owox.Header, 0, 1+strings.Count(rest, "\n"))
	for key := range p.header {
		p.header[key] = p.header[key][:0]
	}
	hosts, length := 0, -1
	for more := true; more; {
		line, rest, more = strings.Cut(rest, "\r\n")
		name, value, found := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !found || !all(name, tokenBytes) || !all(value, valueBytes) {
			return false
		}
		p.headers = append(p.headers, owox.Header{Name: name, Value: value})
		switch {
		case is(name, keyHost):
			hosts++
			ok = all(value, hostBytes)
		case is(name, keyContentLength):
			ok = length < 0 && len(value) <= maxLengthDigits && all(value, digitBytes)
			length, _ = strconv.Atoi(value)
		case is(name, keyConnection):
			ok = is(value, "keep-alive")
		default:
			ok = p.other(name, value)
		}
		if !ok {
			return false
		}
	}
	p.size = p.head + length
	return hosts == 1 && 0 < length && length <= p.limit && p.size <= len(text)
}

func (p *plain) requestLine(line string) (ok bool) {
	line, isPost := strings.CutPrefix(line, owox.Method+" ")
	target, isHTTP := strings.CutSuffix(line, " HTTP/1.1")
	p.target = target
	return isPost && isHTTP && strings.HasPrefix(target, "/") && all(target, targetBytes) && !strings.Contains(p.path(), "%")
}

// path returns the target without its query.
func (p *plain) path() string {
	path, _, _ := strings.Cut(p.target, "?")
	return path
}

func (p *plain) other(name, value string) (ok bool) {
	for _, key := range judgedKeys {
		if is(name, key) {
			key = http.CanonicalHeaderKey(key)
			p.header[key] = append(p.header[key], value)
			return true
		}
	}
	for _, key := range neverPlain {
		if is(name, key) {
			return false
		}
	}
	return true
}

// is compares names of headers, most of which differ in length.
func is(name, key string) bool { return len(name) == len(key) && strings.EqualFold(name, key) }

// all reports whether a text has at least one byte, and only such ones.
func all(text string, allowed *[256]bool) bool {
	for i := range len(text) {
		if !allowed[text[i]] {
			return false
		}
	}
	return len(text) > 0 || allowed == valueBytes
}

// What the parts of a plain request consist of, after RFC 9110 and 9112.
var (
	digitBytes  = bytesOf(func(c byte) bool { return '0' <= c && c <= '9' })
	letterBytes = bytesOf(func(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || digitBytes[c] })
	tokenBytes  = bytesOf(func(c byte) bool { return letterBytes[c] || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 })
	hostBytes   = bytesOf(func(c byte) bool { return letterBytes[c] || strings.IndexByte(".:-[]", c) >= 0 })
	targetBytes = bytesOf(func(c byte) bool { return '!' <= c && c <= '~' })
	valueBytes  = bytesOf(func(c byte) bool { return c >= ' ' && c != 0x7f || c == '\t' })
)

func bytesOf(is func(byte) bool) *[256]bool {
	var table [256]bool
	for c := range table {
		table[c] = is(byte(c))
	}
	return &table
}
