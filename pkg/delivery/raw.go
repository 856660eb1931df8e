package delivery

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// HTTP returns the request as it came, as far as it is known: what was chunked
// has a length.
func (d Delivery) HTTP() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s %s HTTP/1.1\r\n", d.Method, d.Path)
	for _, h := range d.Headers {
		if !strings.EqualFold(h.Name, "Content-Length") && !strings.EqualFold(h.Name, "Transfer-Encoding") {
			fmt.Fprintf(&out, "%s: %s\r\n", h.Name, h.Value)
		}
	}
	fmt.Fprintf(&out, "Content-Length: %d\r\n\r\n", len(d.Body))
	out.Write(d.Body)
	out.WriteString("\r\n")
	return out.Bytes()
}

// PayloadLine returns the payload on a line of its own: its bytes, unless it
// has line breaks between its tokens; nil for what is not JSON.
func (d Delivery) PayloadLine() []byte {
	if !jsontext.Value(d.Body).IsValid(lenient...) {
		return nil
	}
	line := bytes.Clone(bytes.TrimSpace(d.Body))
	if bytes.ContainsAny(line, "\r\n") {
		_ = (*jsontext.Value)(&line).Compact(append(lenient, jsontext.PreserveRawStrings(true))...) // it is valid
	}
	return append(line, '\n')
}

// lenient takes JSON whose members repeat or whose strings are not UTF-8.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
