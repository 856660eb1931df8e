package owox

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Type is the JSON type of a member.
type Type string

// The JSON types that occur in payloads, by their JSON Schema names.
const (
	Object  Type = "object"
	Array   Type = "array"
	String  Type = "string"
	Boolean Type = "boolean"
	Integer Type = "integer" // a whole number, not negative
)

// Presence says when a payload has a member.
type Presence string

// The kinds of presence.
const (
	// Required members are documented in the table of the envelope.
	Required Presence = "required"
	// Shown members are only shown in the examples of the documentation: they
	// may be missing from a real delivery.
	Shown Presence = "shown"
	// TestOnly members are in test events and only there.
	TestOnly Presence = "test only"
	// Observed members are not documented but known from the field.
	Observed Presence = "observed"
)

// Paths of members, with dots between the names, for code that speaks of one
// member in particular.
const (
	PathID         = "id"
	PathVersion    = "version"
	PathEvent      = "event"
	PathTimestamp  = "timestamp"
	PathIsTest     = "isTest"
	PathData       = "data"
	PathProjectID  = PathData + ".projectId"
	PathDataMart   = PathData + ".dataMart"
	PathDataMartID = PathDataMart + ".id"
	PathTitle      = PathDataMart + ".title"
	PathURL        = PathDataMart + ".url"
	PathRun        = PathData + ".run"
	PathRunID      = PathRun + ".id"
	PathRunType    = PathRun + ".type"
	PathRunStatus  = PathRun + ".status"
	PathStartedAt  = PathRun + ".startedAt"
	PathFinishedAt = PathRun + ".finishedAt"
	PathErrors     = PathRun + ".errors"
	PathDurationMS = PathRun + ".durationMs"
	PathProject    = PathData + ".projectTitle"
	PathRows       = PathRun + ".rowsProcessed"
)

// Field is one row of the field table: one member of the payload.
type Field struct {
	Path     string      // names with dots between them, such as "data.run.status"
	Type     Type        // JSON type of the value
	Items    Type        // of an array: JSON type of its elements
	Format   Format      // of a string: its format, or ""
	Presence Presence    // when a payload has the member
	Events   []EventType // the events that document the member; nil: all of them
	Doc      string      // what the documentation says of it, a sentence
	Seen     string      // what was seen in the field beyond it, or ""
	Absent   bool        // some real events lack it

	example  string             // JSON text of the documented example
	test     string             // JSON text in a test event; "": as in a real one
	constant func(Event) string // JSON text of the only value allowed, by event
	vary     func(Sample) string
}

// The documented example's run: one minute long.
const exampleDuration = time.Minute

var fields = []Field{
	{
		Path: PathID, Type: String, Format: UUID, Presence: Required,
		Doc:  "Unique event ID (UUID). Use for deduplication.",
		Seen: "A random version 4 UUID; every retry of one event carries the same.",
		vary: func(s Sample) string { return strconv.Quote(s.ID.String()) },
	},
	{
		Path: PathVersion, Type: String, Presence: Required,
		Doc:      `Payload schema version. Currently "1".`,
		constant: func(Event) string { return `"1"` },
	},
	{
		Path: PathEvent, Type: String, Presence: Required,
		Doc:      "Event type identifier.",
		constant: func(e Event) string { return strconv.Quote(string(e.Type)) },
	},
	{
		Path: PathTimestamp, Type: String, Format: Timestamp, Presence: Required,
		Doc:  "ISO 8601 timestamp of when the event was generated.",
		Seen: "The moment of sending, which can be a day after the run. Always UTC with milliseconds and Z.",
		vary: func(s Sample) string { return quoteTime(s.Now) },
	},
	{
		Path: PathIsTest, Type: Boolean, Presence: TestOnly,
		Doc:      "Present and true only for test events sent via the Test button. Omitted for real events.",
		constant: func(Event) string { return "true" },
	},
	{
		Path: PathData, Type: Object, Presence: Required,
		Doc: "Event-specific payload.",
	},
	{
		Path: PathProjectID, Type: String, Presence: Shown,
		Doc:     "ID of the project that the data mart belongs to.",
		example: `"my-project-id"`,
	},
	{
		Path: PathProject, Type: String, Presence: Shown,
		Doc:     "Title of the project.",
		Seen:    "Can be absent in real events.",
		Absent:  true,
		example: `"My Project"`, test: `"Test Project"`,
	},
	{
		Path: PathDataMart, Type: Object, Presence: Shown,
		Doc: "The data mart that ran.",
	},
	{
		Path: PathDataMartID, Type: String, Presence: Shown,
		Doc:     "ID of the data mart.",
		Seen:    "Can be an empty string.",
		example: `"dm-abc123"`, test: `"test-data-mart-id"`,
	},
	{
		Path: PathTitle, Type: String, Presence: Shown,
		Doc:     "Title of the data mart.",
		Seen:    "Can be an empty string.",
		example: `"Sales Report"`, test: `"Test Data Mart"`,
	},
	{
		Path: PathURL, Type: String, Format: URL, Presence: Shown,
		Doc:     "Absolute URL of the data mart in OWOX.",
		Seen:    "Real events end in /run-history. A self-hosted install without a public address sends a relative URL.",
		example: `"https://app.owox.com/ui/my-project-id/data-marts/dm-abc123"`,
		test:    `"https://app.owox.com/ui/my-project-id/data-marts/test-data-mart-id"`,
	},
	{
		Path: PathRun, Type: Object, Presence: Shown,
		Doc: "The run that the event is about.",
	},
	{
		Path: PathRunID, Type: String, Presence: Shown,
		Doc:  "ID of the run.",
		Seen: "Can be an empty string. With the event type it tells a run that comes again under a new id.",
		vary: func(s Sample) string { return strconv.Quote(s.runID()) },
	},
	{
		Path: PathRunStatus, Type: String, Presence: Shown,
		Doc:      "Status of the run: it goes with the event.",
		Seen:     "A run that was restricted is reported as a failed one.",
		constant: func(e Event) string { return strconv.Quote(e.Status) },
	},
	{
		Path: PathRunType, Type: String, Presence: Observed,
		Doc:  "Not documented.",
		Seen: "What kind of run it was, such as CONNECTOR or GOOGLE_SHEETS_EXPORT; new values appear over time.",
		test: `"CONNECTOR"`,
	},
	{
		Path: PathStartedAt, Type: String, Format: Timestamp, Presence: Shown,
		Doc:    "When the run started.",
		Seen:   "Can be absent.",
		Absent: true,
		vary:   func(s Sample) string { return quoteTime(s.startedAt()) },
	},
	{
		Path: PathFinishedAt, Type: String, Format: Timestamp, Presence: Shown,
		Doc:    "When the run finished.",
		Seen:   "Can be absent.",
		Absent: true,
		vary:   func(s Sample) string { return quoteTime(s.Now) },
	},
	{
		Path: PathErrors, Type: Array, Items: String, Presence: Shown,
		Events:  []EventType{RunFailed},
		Doc:     "The error messages of a failed run.",
		Seen:    "Can be absent. An element is often a JSON document in a string, and can be many kilobytes long.",
		Absent:  true,
		example: `["Query execution failed: table not found"]`, test: `["Test error: connection timeout"]`,
	},
	{
		Path: PathDurationMS, Type: Integer, Presence: Shown,
		Events:  []EventType{RunSuccessful},
		Doc:     "How long the run took, in milliseconds.",
		Seen:    "Can be absent. Equals the time from start to finish, except in test events.",
		Absent:  true,
		example: strconv.FormatInt(exampleDuration.Milliseconds(), 10), test: "12345",
	},
	{
		Path: PathRows, Type: Integer, Presence: Shown,
		Events:  []EventType{RunSuccessful},
		Doc:     "How many rows the run processed.",
		Seen:    "Absent in nearly every real event, present in test events.",
		Absent:  true,
		example: "15000", test: "1000",
	},
}

// Fields returns the field table: every member of the payload, in the order
// in which the sender writes them, an object before its members.
func Fields() []Field { return slices.Clone(fields) }

// FieldsOf returns the rows of the field table that an event has, tests and
// observations included.
func FieldsOf(t EventType) []Field {
	return slices.DeleteFunc(Fields(), func(f Field) bool { return !f.In(t) })
}

// In reports whether the field is documented for the event type. For a type
// that is not documented, every field is.
func (f Field) In(t EventType) bool {
	if f.Events == nil || slices.Contains(f.Events, t) {
		return true
	}
	_, documented := Lookup(t)
	return !documented
}

// Name returns the last part of the field's path: the name of the member.
func (f Field) Name() string { return f.Path[strings.LastIndexByte(f.Path, '.')+1:] }

// Constant returns, as JSON text, the only value that the field may have in
// the event, or "" when it may have several.
func (f Field) Constant(e Event) string {
	if f.constant == nil {
		return ""
	}
	return f.constant(e)
}

// Example returns, as JSON text, the value that the documentation shows for
// the event, or "" when it shows none. An object has none of its own.
func (f Field) Example(e Event) string {
	switch {
	case f.constant != nil:
		return f.constant(e)
	case f.vary != nil:
		return f.vary(documented(e.Type))
	default:
		return f.example
	}
}

// Member is a node of the payload's shape: a row of the field table with the
// members of the object that it describes.
type Member struct {
	Field
	Index   int // the row in Fields
	Members []*Member
}

// Shape returns the payload's shape: the envelope as a member without a name.
// It is built once and shared: it must not be changed.
func Shape() *Member { return shape() }

var shape = sync.OnceValue(func() *Member {
	root := &Member{Field: Field{Type: Object}, Index: -1}
	objects := map[string]*Member{"": root}
	for i, f := range fields {
		m := &Member{Field: f, Index: i}
		parent := objects[strings.TrimSuffix(strings.TrimSuffix(f.Path, f.Name()), ".")]
		parent.Members = append(parent.Members, m)
		if f.Type == Object {
			objects[f.Path] = m
		}
	}
	return root
})

// Resolve finds the row that a dotted path leads to; an array index after an
// array leads to the array's row. ok is false when the contract knows no such
// member.
func Resolve(path string) (f Field, ok bool) {
	for _, f := range fields {
		if path == f.Path {
			return f, true
		}
		index, isElement := strings.CutPrefix(path, f.Path+".")
		if _, err := strconv.Atoi(index); isElement && f.Type == Array && err == nil {
			return f, true
		}
	}
	return Field{}, false
}
