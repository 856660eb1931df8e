package validate

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"regexp"
	"slices"
	"sync"
)

// requestLine is compiled when a file is read, not when a program starts.
var requestLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Z]{1,32} [^ \r\n]+ HTTP/[0-9.]+\r?\n`)
})

// IsHTTP reports whether a text starts like a raw HTTP request.
func IsHTTP(text []byte) bool { return requestLine().Match(text) }

// HTTP judges a raw HTTP/1 request, head and body, as Request does. Lines may
// end with CRLF or LF. Places count from the start of the raw request; a
// header that is missing has the place of the request line.
func (v *Validator) HTTP(raw []byte) []Finding {
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return locate(v.add(nil, HTTPSyntax, "", 0, "malformed HTTP request: %v", err), raw)
	}
	headers, start := headOf(raw)
	body := raw[start:]
	var findings []Finding
	if slices.Contains(request.TransferEncoding, "chunked") {
		if body, err = io.ReadAll(request.Body); err != nil {
			findings = v.add(nil, HTTPSyntax, "", start, "malformed chunked body: %v", err)
		}
	} else if length := request.ContentLength; request.Header.Get("Content-Length") != "" {
		body, findings = v.declared(body, length, start)
	}
	for _, f := range v.request(request.Method, request.Header, body, nil) {
		switch {
		case f.Offset < 0:
			f.Offset = headers[http.CanonicalHeaderKey(f.Path)]
		case len(request.TransferEncoding) > 0:
			f.Offset = start
		default:
			f.Offset += start
		}
		findings = append(findings, f)
	}
	return locate(findings, raw)
}

// declared cuts the body to its Content-Length. An editor's newline behind the
// body is no finding.
func (v *Validator) declared(body []byte, length int64, start int) ([]byte, []Finding) {
	if length > int64(len(body)) {
		return body, v.add(nil, HTTPSyntax, "Content-Length", start+len(body),
			"the body ends after %d bytes, but Content-Length is %d", len(body), length)
	}
	if rest := body[length:]; len(bytes.Trim(rest, "\r\n")) > 0 {
		return body[:length], v.add(nil, HTTPSyntax, "Content-Length", start+int(length),
			"%d bytes follow the body: Content-Length is %d", len(rest), length)
	}
	return body[:length], nil
}

// BodyOffset returns where the body of a raw request starts.
func BodyOffset(raw []byte) int {
	_, body := headOf(raw)
	return body
}

// headOf returns where each header line starts, by canonical name, and where
// the body does.
func headOf(raw []byte) (headers map[string]int, body int) {
	headers = make(map[string]int)
	for at := 0; at < len(raw); {
		line, _, found := bytes.Cut(raw[at:], []byte("\n"))
		next := at + len(line)
		if found {
			next++
		}
		if at > 0 && len(bytes.TrimRight(line, "\r")) == 0 {
			return headers, next
		}
		if name, _, ok := bytes.Cut(line, []byte(":")); ok && at > 0 {
			headers[http.CanonicalHeaderKey(string(name))] = at
		}
		at = next
	}
	return headers, len(raw)
}
