package validate_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// checkPlaces holds what every finding promises, whatever the input.
func checkPlaces(t *testing.T, findings []validate.Finding, text []byte) {
	t.Helper()
	last := -1
	for _, f := range findings {
		if f.Offset < last || f.Offset > len(text) {
			t.Errorf("finding at offset %d of %d after one at %d: %+v", f.Offset, len(text), last, f)
		}
		last = f.Offset
		if end := max(f.Offset, 0) + f.Length; f.Length < 0 || end > len(text) {
			t.Errorf("finding of %d bytes ends at %d of %d: %+v", f.Length, end, len(text), f)
		}
		if f.Offset < 0 {
			continue
		}
		before := text[:f.Offset]
		line := bytes.Count(before, []byte("\n")) + 1
		column := f.Offset - bytes.LastIndexByte(before, '\n')
		if f.Line != line || f.Column != column {
			t.Errorf("offset %d is %d:%d, want %d:%d", f.Offset, f.Line, f.Column, line, column)
		}
		if _, ok := validate.FindRule(f.Rule); !ok || f.Severity == validate.Off || f.Message == "" {
			t.Errorf("finding without a rule, a severity or a message: %+v", f)
		}
	}
}

func FuzzPayload(f *testing.F) {
	for _, event := range owox.Events() {
		f.Add(owox.Documented(event.Type))
		f.Add([]byte(owox.Indent(owox.Sample{Event: event.Type, Test: true}.JSON())))
	}
	for _, seed := range []string{
		"", "{", `{"id":`, `{"a":{"b":[1,{"c":null}]},"a":1}`, "[[[[", `{"id":"\ud800"}`, "{\"id\":\"\xff\"}", "\xef\xbb\xbf{}", "{} {}", `{"\u0069d":1,"id":2}`,
	} {
		f.Add([]byte(seed))
	}
	schema := compile(f)
	lenient, err := validate.New(validate.Config{Severities: beyondSchema})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		original := bytes.Clone(body)
		findings := validate.Payload(body)
		if !bytes.Equal(body, original) {
			t.Fatal("the body was changed")
		}
		checkPlaces(t, findings, body)
		again := validate.Payload(body)
		if len(again) != len(findings) {
			t.Errorf("judged twice: %d findings, then %d", len(findings), len(again))
		}
		// Where another parser understands the bytes, the schema must agree.
		if !utf8.Valid(body) || !json.Valid(body) || hugeExponent.Match(body) {
			return
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		if err != nil || hasDuplicates(findings) {
			return
		}
		schemaErr := schema.Validate(value)
		if findings := lenient.Payload(body); validate.Valid(findings) != (schemaErr == nil) {
			t.Errorf("validator %q, schema %v", say(findings), schemaErr)
		}
	})
}

// hugeExponent is a number that takes the schema's exact arithmetic minutes.
var hugeExponent = regexp.MustCompile(`[eE][+-]?[0-9]{4}`)

// hasDuplicates: of members with the same name the two may look at different
// ones.
func hasDuplicates(findings []validate.Finding) bool {
	for _, f := range findings {
		if f.Rule == validate.MemberUnique || f.Rule == validate.NestingDepth || f.Rule == validate.LoneSurrogate {
			return true
		}
	}
	return false
}

func FuzzHTTP(f *testing.F) {
	head := "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
	f.Add([]byte(head + "\r\n{}"))
	f.Add([]byte(head + "Content-Length: 2\r\n\r\n{}\n"))
	f.Add([]byte(head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.1\nX-Webhook-ID: a\nX-Webhook-ID: b\nContent-Encoding: gzip\n\n"))
	f.Add([]byte("GET / HTTP/1.0\n\n"))
	f.Add([]byte("\n\n\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkPlaces(t, validate.HTTP(raw), raw)
	})
}
