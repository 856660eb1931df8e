package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/owoxhook/owoxhook/pkg/conformance"
	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// jsonReporter writes one object a line, each with a type. The members are a
// promise: some may be added, none is renamed.
type jsonReporter struct{ out *lockedWriter }

func newJSON(o Options) Reporter { return jsonReporter{&lockedWriter{w: o.Out}} }

// Lenient, because it repeats what came: the bytes were judged already.
var jsonOptions = json.JoinOptions(
	jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true), jsontext.PreserveRawStrings(true),
	json.Deterministic(true), jsontext.Multiline(false),
)

// Line returns one JSON object as a line that is safe for a terminal.
func Line(object any) ([]byte, error) {
	text, err := json.Marshal(object, jsonOptions)
	if err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return append(escapeJSON(text), '\n'), nil
}

// escapeJSON escapes what JSON allows in strings but terminals obey.
func escapeJSON(text []byte) []byte {
	if !bytes.ContainsFunc(text, isUnsafe) {
		return text
	}
	var out bytes.Buffer
	for _, r := range string(text) {
		if isUnsafe(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}

func (j jsonReporter) line(object any) error {
	text, err := Line(object)
	if err != nil {
		return err
	}
	_, err = j.out.Write(text)
	return err
}

func (j jsonReporter) Listening(l Listening) error {
	return j.line(struct {
		Type    string `json:"type"`
		URL     string `json:"url"`
		Path    string `json:"path"`
		Journal string `json:"journal"`
	}{"listening", l.URL, l.Path, l.Journal})
}

type deliveryJSON struct {
	Type        string             `json:"type"`
	ID          string             `json:"id"`
	Event       string             `json:"event"`
	IsTest      bool               `json:"isTest"`
	ReceivedAt  string             `json:"receivedAt"`
	Remote      string             `json:"remote"`
	Method      string             `json:"method"`
	Path        string             `json:"path"`
	Headers     orderedHeaders     `json:"headers"`
	Body        jsontext.Value     `json:"body,omitzero"`
	BodyText    *string            `json:"bodyText,omitzero"`
	BodyBase64  string             `json:"bodyBase64,omitzero"` // where BodyText cannot hold the bytes
	Cut         bool               `json:"cut,omitzero"`
	State       delivery.State     `json:"state"`
	Valid       bool               `json:"valid"`
	Duplicate   bool               `json:"duplicate"`
	Findings    []validate.Finding `json:"findings"`
	Answered    int                `json:"answered"`
	Forwarded   *forwardedJSON     `json:"forwarded,omitzero"`
	DuplicateOf int64              `json:"duplicateOf,omitzero"` // its number in the journal
	Reason      delivery.Reason    `json:"reason,omitzero"`      // why it was refused
	Note        string             `json:"note,omitzero"`        // the same in words
	Sequence    int64              `json:"sequence,omitzero"`    // in the journal
}

func (j jsonReporter) Delivery(d delivery.Delivery) error {
	object := deliveryJSON{
		Type: "delivery", ID: d.ID, Event: string(d.Event), IsTest: d.IsTest, ReceivedAt: owox.FormatTimestamp(d.ReceivedAt),
		Remote: d.Remote, Method: d.Method, Path: d.Path, Headers: d.Headers, Cut: d.Cut,
		Valid: d.Valid(), Duplicate: d.Duplicate, DuplicateOf: d.DuplicateOf, Findings: d.Findings, Answered: d.Answered, State: d.State, Reason: d.Reason, Note: note(d), Sequence: d.Sequence,
	}
	if f := d.Forwarded; f != nil {
		object.Forwarded = &forwardedJSON{URL: f.URL, OK: f.OK(), Status: f.Status, DurationMS: milliseconds(f.Duration)}
		if f.Failure != nil {
			object.Forwarded.Error, object.Forwarded.Hint = f.Failure.Error, f.Failure.Hint
		}
	}
	body := jsontext.Value(d.Body)
	switch {
	case utf8.Valid(body) && body.IsValid(jsontext.AllowDuplicateNames(true)):
		object.Body = body
	default:
		text := strings.ToValidUTF8(string(d.Body), "\ufffd")
		object.BodyText = &text
		if !utf8.Valid(d.Body) {
			object.BodyBase64 = base64.StdEncoding.EncodeToString(d.Body)
		}
	}
	return j.line(object)
}

type forwardedJSON struct {
	URL        string  `json:"url"`
	OK         bool    `json:"ok"`
	Status     int     `json:"status,omitzero"`
	DurationMS float64 `json:"durationMs"`
	Error      string  `json:"error,omitzero"`
	Hint       string  `json:"hint,omitzero"`
}

// orderedHeaders is an object in the order of the list. Values of the same
// name, in whatever spelling, are joined at the first one, as HTTP allows.
type orderedHeaders []owox.Header

// MarshalJSONTo implements [json.MarshalerTo].
func (headers orderedHeaders) MarshalJSONTo(enc *jsontext.Encoder) error {
	tokens := []jsontext.Token{jsontext.BeginObject}
	values := map[string]int{} // where the value of a name is among the tokens
	for _, h := range headers {
		if at, seen := values[strings.ToLower(h.Name)]; seen {
			tokens[at] = jsontext.String(tokens[at].String() + ", " + h.Value)
			continue
		}
		values[strings.ToLower(h.Name)] = len(tokens) + 1
		tokens = append(tokens, jsontext.String(h.Name), jsontext.String(h.Value))
	}
	return writeTokens(enc, append(tokens, jsontext.EndObject))
}

func writeTokens(enc *jsontext.Encoder, tokens []jsontext.Token) error {
	for _, token := range tokens {
		if err := enc.WriteToken(token); err != nil {
			return err
		}
	}
	return nil
}

type attemptJSON struct {
	Type       string  `json:"type"`
	ID         string  `json:"id"`
	Event      string  `json:"event"`
	URL        string  `json:"url"`
	Attempt    int     `json:"attempt"`
	OK         bool    `json:"ok"`
	Status     int     `json:"status,omitzero"`
	DurationMS float64 `json:"durationMs"`
	Kind       string  `json:"kind,omitzero"`
	Error      string  `json:"error,omitzero"`
	Hint       string  `json:"hint,omitzero"`
	Answer     string  `json:"answer,omitzero"` // the beginning of the body of a failure
}

func (j jsonReporter) Attempt(a delivery.Attempt) error {
	object := attemptJSON{
		Type: "attempt", ID: a.ID, Event: string(a.Event), URL: a.URL, Attempt: a.Number, OK: a.OK(), Status: a.Status,
		DurationMS: milliseconds(a.Duration),
	}
	if f := a.Failure; f != nil {
		object.Kind, object.Error, object.Hint = string(f.Kind), f.Error, f.Hint
		object.Answer = strings.ToValidUTF8(string(a.Body), "\ufffd")
	}
	return j.line(object)
}

func (j jsonReporter) Finding(file string, f validate.Finding) error {
	return j.line(struct {
		Type             string `json:"type"`
		File             string `json:"file"`
		validate.Finding `json:",inline"`
	}{"finding", file, f})
}

func (j jsonReporter) File(File) error { return nil }

func (j jsonReporter) Close() error { return nil }

type caseJSON struct {
	Type       string  `json:"type"`
	ID         string  `json:"id"`
	Title      string  `json:"title"`
	Level      string  `json:"level"`
	Met        *bool   `json:"met,omitzero"`
	Seen       string  `json:"seen"`
	Advice     string  `json:"advice,omitzero"`
	DurationMS float64 `json:"durationMs"`
}

func (j jsonReporter) Case(r conformance.Result) error {
	object := caseJSON{"case", r.ID, r.Title, string(r.Level), nil, r.Seen, r.Advice, milliseconds(r.Duration)}
	if r.Tried {
		object.Met = &r.Met
	}
	return j.line(object)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (j jsonReporter) Summary(s Summary) error {
	return j.line(summaryJSON(s))
}

type summaryJSON Summary

// MarshalJSONTo implements [json.MarshalerTo].
func (s summaryJSON) MarshalJSONTo(enc *jsontext.Encoder) error {
	tokens := []jsontext.Token{jsontext.BeginObject, jsontext.String("type"), jsontext.String("summary")}
	for _, count := range s {
		tokens = append(tokens, jsontext.String(count.Name), jsontext.Int(int64(count.N)))
	}
	return writeTokens(enc, append(tokens, jsontext.EndObject))
}
