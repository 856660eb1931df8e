package validate

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
)

// requestLine is compiled when a file is read, not when a program starts.
var requestLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Z]{1,32} [^ \r\n]+ HTTP/[0-9.]+\r?\n`)
})

// IsHTTP reports whether a text starts like a raw HTTP request.
func IsHTTP(text []byte) bool { return requestLine().Match(text) }

// HTTP validates a raw HTTP/1 request, head and body, as Request does. Lines may
// end with CRLF or LF. Places count from the start of the raw request; a
// header that is missing has the place of the request line.
func (v *Validator) HTTP(raw []byte) []Finding {
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return v.finish(v.add(nil, Finding{Rule: HTTPSyntax, Got: "malformed HTTP request: " + err.Error()}), raw)
	}
	headers, start := headOf(raw)
	body := raw[start:]
	var findings []Finding
	if slices.Contains(request.TransferEncoding, "chunked") {
		if body, err = io.ReadAll(request.Body); err != nil {
			findings = v.add(nil, Finding{Rule: HTTPSyntax, Offset: start, Got: "malformed chunked body: " + err.Error()})
		}
	} else if length := request.ContentLength; request.Header.Get("Content-Length") != "" {
		body, findings = v.declared(body, length, start)
	}
	for _, f := range v.request(request.Method, request.Header, body, nil) {
		switch {
		case f.Offset < 0:
			line := headers[http.CanonicalHeaderKey(f.Path)]
			f.Offset, f.Length = line.start, line.end-line.start
		case len(request.TransferEncoding) > 0:
			f.Offset, f.Length = start, 0
		default:
			f.Offset += start
		}
		findings = append(findings, f)
	}
	return v.finish(findings, raw)
}

// declared cuts the body to its Content-Length. An editor's newline behind the
// body is no finding.
func (v *Validator) declared(body []byte, length int64, start int) ([]byte, []Finding) {
	if length > int64(len(body)) {
		return body, v.lengthFinding(start+len(body), length, fmt.Sprintf("the body ends after %d bytes", len(body)))
	}
	if rest := body[length:]; len(bytes.Trim(rest, "\r\n")) > 0 {
		return body[:length], v.lengthFinding(start+int(length), length, fmt.Sprintf("%d bytes follow the body", len(rest)))
	}
	return body[:length], nil
}

func (v *Validator) lengthFinding(offset int, length int64, got string) []Finding {
	return v.add(nil, Finding{Rule: HTTPSyntax, Path: "Content-Length", Offset: offset, Want: strconv.FormatInt(length, 10), Got: got})
}

// BodyOffset returns where the body of a raw request starts.
func BodyOffset(raw []byte) int {
	_, body := headOf(raw)
	return body
}

// headOf returns where each header line is, by canonical name, and where the
// body starts.
func headOf(raw []byte) (headers map[string]span, body int) {
	headers = make(map[string]span)
	for at := 0; at < len(raw); {
		line, _, found := bytes.Cut(raw[at:], []byte("\n"))
		next := at + len(line)
		if found {
			next++
		}
		if line = bytes.TrimRight(line, "\r"); at > 0 && len(line) == 0 {
			return headers, next
		}
		if name, _, ok := bytes.Cut(line, []byte(":")); ok && at > 0 {
			headers[http.CanonicalHeaderKey(string(name))] = span{start: at, end: at + len(line)}
		}
		at = next
	}
	return headers, len(raw)
}
