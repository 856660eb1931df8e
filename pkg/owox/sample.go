package owox

import (
	"bytes"
	"encoding/hex"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Sample describes a sample payload.
type Sample struct {
	Event EventType // a documented event type
	Test  bool      // what the Test button sends, instead of a real event
	Mark  bool      // mark a real event as a test all the same
	Brief bool      // leave out what some real events lack
	ID    uuid.UUID
	Now   time.Time // when the event is generated, and when its run finished
}

// documentedID is that of the examples in the documentation.
var documentedID = uuid.MustParse("550e8400-e29b-41d4-a716-446655440000")

// runID is the run of the documented example, of the Test button, or one of the
// sample's own: the same run under several ids would be a repetition, and a load
// of a million would have some if fewer than 62 random bits told them apart.
func (s Sample) runID() string {
	switch {
	case s.Test:
		return "test-run-id"
	case s.ID == documentedID:
		return "run-xyz789"
	default:
		return "run-" + hex.EncodeToString(s.ID[8:])
	}
}

// documented is the sample that equals the example in the documentation.
func documented(t EventType) Sample {
	return Sample{
		Event: t,
		ID:    documentedID,
		Now:   time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC),
	}
}

// Documented returns the example payload of the documentation, compact.
func Documented(t EventType) []byte { return documented(t).JSON() }

// JSON returns the payload as the sender writes it: compact, members in the
// order of the documentation. A real event has the values of the documented
// example; a test event those that the Test button sends. It returns nil for
// an event type that is not documented.
func (s Sample) JSON() []byte {
	event, ok := Lookup(s.Event)
	if !ok {
		return nil
	}
	var out bytes.Buffer
	s.write(jsontext.NewEncoder(&out), Shape(), event)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// write adds the object that m describes. Writing valid tokens into memory
// cannot fail.
func (s Sample) write(enc *jsontext.Encoder, m *Member, event Event) {
	_ = enc.WriteToken(jsontext.BeginObject)
	for _, child := range m.Members {
		value, present := s.value(child.Field, event)
		if !present {
			continue
		}
		_ = enc.WriteToken(jsontext.String(child.Name()))
		if child.Type == Object {
			s.write(enc, child, event)
		} else {
			_ = enc.WriteValue(jsontext.Value(value))
		}
	}
	_ = enc.WriteToken(jsontext.EndObject)
}

// value returns the JSON text of a member, and whether the sample has it.
func (s Sample) value(f Field, event Event) (text string, present bool) {
	switch {
	case !f.In(s.Event), s.Brief && f.Absent,
		f.Presence == TestOnly && !s.Test && !s.Mark, f.Presence == Observed && !s.Test:
		return "", false
	case f.vary != nil:
		return f.vary(s), true
	case s.Test && f.test != "":
		return f.test, true
	default:
		return f.Example(event), true
	}
}

// startedAt is a minute ago, as in the documented example; the Test button
// sends the same moment for start and finish.
func (s Sample) startedAt() time.Time {
	if s.Test {
		return s.Now
	}
	return s.Now.Add(-exampleDuration)
}

// Indent returns JSON text as the documentation shows it: two spaces a level
// and a final newline. Text that is not JSON comes back as it is.
func Indent(payload []byte) string {
	value := jsontext.Value(bytes.Clone(payload))
	err := value.Format(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true),
		jsontext.PreserveRawStrings(true), jsontext.WithIndent("  "))
	if err != nil {
		return string(payload)
	}
	return string(value) + "\n"
}

// JSONValue reads a value as people write it on a command line: JSON as it is,
// anything else as a JSON string.
func JSONValue(text string) []byte {
	if jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true)) {
		return []byte(text)
	}
	quoted, _ := jsontext.AppendQuote(nil, text) // what is not UTF-8 is replaced
	return quoted
}
