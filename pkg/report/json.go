package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
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
// promise: members are added, never renamed.
type jsonReporter struct {
	out     *lockedWriter
	verbose bool
}

func newJSON(o Options) Reporter { return jsonReporter{&lockedWriter{w: o.Out}, o.Verbose} }

// Lenient, because it repeats what came: the bytes were validated already.
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

// escapeJSON escapes what JSON allows in strings but terminals, or CI systems,
// obey.
func escapeJSON(text []byte) []byte {
	if bytes.Contains(text, []byte("##")) {
		text = anywhere.ReplaceAll(text, []byte(`\u0023#$1`))
	}
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

// Report writes a result as one line. A file has none: findings name it.
func (j jsonReporter) Report(r Result) error {
	object := objectOf(r)
	if object == nil {
		return nil
	}
	if a, ok := object.(attemptJSON); ok && j.verbose {
		a.Answer = answerText(r.(Attempt).Body)
		object = a
	}
	text, err := Line(object)
	if err != nil {
		return err
	}
	_, err = j.out.Write(text)
	return err
}

func (j jsonReporter) Close() error { return nil }

// objectOf returns the JSON object of a result; nil: it has none.
func objectOf(r Result) any {
	switch r := r.(type) {
	case Listening:
		return listeningJSON{"listening", r.URL, r.Path, r.Journal, r.UI, r.Public}
	case Delivery:
		return newDeliveryJSON(r.Delivery)
	case Attempt:
		return newAttemptJSON(r.Attempt)
	case Finding:
		return findingJSON{"finding", r.File, r.Finding}
	case Case:
		return newCaseJSON(r.Result)
	case Load:
		return newLoadJSON(r)
	case Summary:
		return summaryJSON(r)
	default:
		return nil
	}
}

type listeningJSON struct {
	Type    string `json:"type"`
	URL     string `json:"url"`
	Path    string `json:"path"`
	Journal string `json:"journal"`
	UI      string `json:"ui,omitzero"`
	Public  string `json:"public,omitzero"`
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
	SameRunAs   int64              `json:"sameRunAs,omitzero"`   // number of an earlier delivery of the same run under another id
	Reason      delivery.Reason    `json:"reason,omitzero"`      // why it was refused
	Note        string             `json:"note,omitzero"`        // the same in words
	Sequence    int64              `json:"sequence,omitzero"`    // in the journal
}

func newDeliveryJSON(d delivery.Delivery) deliveryJSON {
	object := deliveryJSON{
		Type: "delivery", ID: d.ID, Event: string(d.Event), IsTest: d.IsTest, ReceivedAt: owox.FormatTimestamp(d.ReceivedAt),
		Remote: d.Remote, Method: d.Method, Path: d.Path, Headers: d.Headers, Cut: d.Cut,
		Valid: d.Valid(), Duplicate: d.Duplicate, DuplicateOf: d.DuplicateOf, SameRunAs: d.SameRunAs, Findings: d.Findings, Answered: d.Answered, State: d.State, Reason: d.Reason, Note: note(d), Sequence: d.Sequence,
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
	return object
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
	Answer     string  `json:"answer,omitzero"` // the beginning of its body, of a failure or when asked for
	Note       string  `json:"note,omitzero"`   // what else is worth knowing
	Target     string  `json:"target,omitzero"` // of a relay
	// OWOXRetries is whether OWOX would try again; absent where that is unknown.
	OWOXRetries *bool `json:"owoxRetries,omitzero"`
}

func newAttemptJSON(a delivery.Attempt) attemptJSON {
	object := attemptJSON{
		Type: "attempt", ID: a.ID, Event: string(a.Event), URL: a.URL, Attempt: a.Number, OK: a.OK(), Status: a.Status,
		DurationMS: milliseconds(a.Duration), Note: a.Note, Target: a.Target,
	}
	if a.Outcome != "" {
		again := a.OWOXRetries()
		object.OWOXRetries = &again
	}
	if f := a.Failure; f != nil {
		object.Kind, object.Error, object.Hint = string(f.Kind), f.Error, f.Hint
		object.Answer = answerText(a.Body)
	}
	return object
}

func answerText(body []byte) string { return strings.ToValidUTF8(string(body), "\ufffd") }

type findingJSON struct {
	Type             string `json:"type"`
	File             string `json:"file"`
	validate.Finding `json:",inline"`
}

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

func newCaseJSON(r conformance.Result) caseJSON {
	object := caseJSON{"case", r.ID, r.Title, string(r.Level), nil, r.Seen, r.Advice, milliseconds(r.Duration)}
	if r.Tried {
		object.Met = &r.Met
	}
	return object
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

type summaryJSON Summary

// MarshalJSONTo implements [json.MarshalerTo].
func (s summaryJSON) MarshalJSONTo(enc *jsontext.Encoder) error {
	tokens := []jsontext.Token{jsontext.BeginObject, jsontext.String("type"), jsontext.String("summary")}
	for _, count := range s {
		tokens = append(tokens, jsontext.String(count.Name), jsontext.Int(int64(count.N)))
	}
	return writeTokens(enc, append(tokens, jsontext.EndObject))
}

type loadJSON struct {
	Type        string              `json:"type"`
	URL         string              `json:"url"`
	Connections int                 `json:"connections"`
	Rate        float64             `json:"rate,omitzero"`
	Deliveries  int                 `json:"deliveries"`
	Succeeded   int                 `json:"succeeded"`
	Failed      int                 `json:"failed"`
	DurationMS  float64             `json:"durationMs"`
	PerSecond   float64             `json:"perSecond"`
	Statuses    map[string]int      `json:"statuses"`
	Failures    []loadFailureJSON   `json:"failures"`
	LatencyMS   map[string]*float64 `json:"latencyMs"` // by percentile; null: there is none
	Histogram   []barJSON           `json:"histogram"`
	Timeline    []intervalJSON      `json:"timeline"`
}

type loadFailureJSON struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
	Error string `json:"error"` // of the first one
	Hint  string `json:"hint"`
}

type barJSON struct {
	AboveMS float64 `json:"aboveMs"`
	UpToMS  float64 `json:"upToMs"`
	Count   int64   `json:"count"`
}

type intervalJSON struct {
	StartMS    float64 `json:"startMs"`
	EndMS      float64 `json:"endMs"`
	Deliveries int     `json:"deliveries"`
	Failed     int     `json:"failed"`
	P50MS      float64 `json:"p50Ms"`
	P99MS      float64 `json:"p99Ms"`
	MaxMS      float64 `json:"maxMs"`
}

func newLoadJSON(l Load) loadJSON {
	object := loadJSON{
		Type: "load", URL: l.URL, Connections: l.Connections, Rate: l.Rate,
		Deliveries: l.Deliveries, Succeeded: l.Deliveries - l.Failed, Failed: l.Failed,
		DurationMS: milliseconds(l.Elapsed), PerSecond: math.Round(l.PerSecond()*10) / 10,
		Statuses: map[string]int{}, LatencyMS: map[string]*float64{},
	}
	for status, count := range l.Statuses {
		object.Statuses[strconv.Itoa(status)] = count
	}
	for _, f := range l.Failures {
		object.Failures = append(object.Failures, loadFailureJSON{string(f.Kind), f.Count, f.Error, f.Hint})
	}
	for _, p := range percentiles {
		object.LatencyMS[p.name] = nil
		if l.Latency.TotalCount() > 0 {
			ms := milliseconds(quantile(l.Latency, p.of))
			object.LatencyMS[p.name] = &ms
		}
	}
	for _, b := range bars(l.Latency) {
		object.Histogram = append(object.Histogram, barJSON{milliseconds(b.from), milliseconds(b.to), b.count})
	}
	for _, in := range l.Timeline {
		object.Timeline = append(object.Timeline, intervalJSON{
			milliseconds(in.Start), milliseconds(in.End), in.Deliveries, in.Failed, milliseconds(in.P50), milliseconds(in.P99), milliseconds(in.Max),
		})
	}
	return object
}
