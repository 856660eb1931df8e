package delivery

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// HTTP returns the request as it came, as far as it is known: what was chunked
// has a length.
func (d Delivery) HTTP() []byte {
	var out bytes.Buffer
	out.Grow(len(d.Body) + 1024)
	write := func(parts ...string) {
		for _, part := range parts {
			out.WriteString(part)
		}
	}
	write(d.Method, " ", d.Path, " HTTP/1.1\r\n")
	for _, h := range d.Headers {
		if !strings.EqualFold(h.Name, "Content-Length") && !strings.EqualFold(h.Name, "Transfer-Encoding") {
			write(h.Name, ": ", h.Value, "\r\n")
		}
	}
	write("Content-Length: ", strconv.Itoa(len(d.Body)), "\r\n\r\n")
	out.Write(d.Body)
	write("\r\n")
	return out.Bytes()
}

// PayloadLine returns a body as a payload on a line of its own: its bytes,
// unless it has line breaks between its tokens; nil for what is not JSON.
func PayloadLine(body []byte) []byte {
	if !jsontext.Value(body).IsValid(lenient...) {
		return nil
	}
	line := bytes.Clone(bytes.TrimSpace(body))
	if bytes.ContainsAny(line, "\r\n") {
		_ = (*jsontext.Value)(&line).Compact(append(lenient, jsontext.PreserveRawStrings(true))...) // it is valid
	}
	return append(line, '\n')
}

// lenient takes JSON whose members repeat or whose strings are not UTF-8.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
