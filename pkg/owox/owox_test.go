package owox_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// The files in testdata/documented are the examples of the documentation.
func TestSamplesAreTheDocumentedExamples(t *testing.T) {
	for _, event := range owox.Events() {
		want, err := os.ReadFile(filepath.Join("..", "..", "testdata", "documented", event.Type.Name()+".json"))
		if err != nil {
			t.Fatal(err)
		}
		sample := owox.Sample{
			Event: event.Type,
			ID:    uuid.MustParse("550e8400-e29b-41d4-a716-446655440000"),
			Now:   time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC),
		}
		if diff := cmp.Diff(string(want), owox.Indent(sample.JSON())); diff != "" {
			t.Errorf("%s (-documented +sample):\n%s", event.Type, diff)
		}
	}
}

func TestTestSamplesAreWhatTheButtonSends(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 8_000_000, time.UTC)
	want := map[owox.EventType]string{
		owox.RunFailed: `{"id":"00000000-0000-0000-0000-000000000000","version":"1","event":"owox.data-marts.webhook.data_mart.run.failed",` +
			`"timestamp":"2026-03-04T05:06:07.008Z","isTest":true,"data":{"projectId":"my-project-id","projectTitle":"Test Project",` +
			`"dataMart":{"id":"test-data-mart-id","title":"Test Data Mart","url":"https://app.owox.com/ui/my-project-id/data-marts/test-data-mart-id"},` +
			`"run":{"id":"test-run-id","status":"FAILED","type":"CONNECTOR","startedAt":"2026-03-04T05:06:07.008Z","finishedAt":"2026-03-04T05:06:07.008Z",` +
			`"errors":["Test error: connection timeout"]}}}`,
		owox.RunSuccessful: `{"id":"00000000-0000-0000-0000-000000000000","version":"1","event":"owox.data-marts.webhook.data_mart.run.successful",` +
			`"timestamp":"2026-03-04T05:06:07.008Z","isTest":true,"data":{"projectId":"my-project-id","projectTitle":"Test Project",` +
			`"dataMart":{"id":"test-data-mart-id","title":"Test Data Mart","url":"https://app.owox.com/ui/my-project-id/data-marts/test-data-mart-id"},` +
			`"run":{"id":"test-run-id","status":"SUCCESSFUL","type":"CONNECTOR","startedAt":"2026-03-04T05:06:07.008Z","finishedAt":"2026-03-04T05:06:07.008Z",` +
			`"durationMs":12345,"rowsProcessed":1000}}}`,
	}
	for event, payload := range want {
		if diff := cmp.Diff(payload, string(owox.Sample{Event: event, Test: true, Now: now}.JSON())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", event, diff)
		}
	}
	if got := (owox.Sample{Event: "no.such.event"}).JSON(); got != nil {
		t.Errorf("sample of an undocumented event is %s, want none", got)
	}
}

// An endpoint that drops repetitions must handle each fixture.
func TestFixturesAreNoRepetitions(t *testing.T) {
	seen := map[string]string{}
	for _, fixture := range owox.Fixtures() {
		what := owox.Identify(fixture.Payload)
		for _, key := range []string{what.ID, string(what.Event) + " " + what.RunID} {
			if earlier, ok := seen[key]; ok {
				t.Errorf("%s and %s are both %s", earlier, fixture.Name, key)
			}
			seen[key] = fixture.Name
		}
	}
	if got, want := len(seen), 2*4*len(owox.Events()); got != want {
		t.Errorf("%d ids and runs in fixtures, want %d", got, want)
	}
}

func TestSamplesWhoseIDsBeginAlikeAreOfDifferentRuns(t *testing.T) {
	runs := map[string]string{}
	for _, id := range []string{"27c3b1aa-0000-4000-8000-000000000001", "27c3b1ff-0000-4000-8000-000000000002"} {
		identity := owox.Identify(owox.Sample{Event: owox.RunFailed, ID: uuid.MustParse(id)}.JSON())
		if other := runs[identity.RunID]; other != "" || identity.RunID == "" {
			t.Errorf("%s and %s are both of run %q", other, id, identity.RunID)
		}
		runs[identity.RunID] = id
	}
}

func TestParseEventType(t *testing.T) {
	tests := []struct {
		word string
		want owox.EventType
		ok   bool
	}{
		{"failed", owox.RunFailed, true},
		{"successful", owox.RunSuccessful, true},
		{string(owox.RunFailed), owox.RunFailed, true},
		{"run.failed", "", false},
		{"Failed", "", false},
		{"", "", false},
	}
	for _, tt := range tests {
		if got, ok := owox.ParseEventType(tt.word); got != tt.want || ok != tt.ok {
			t.Errorf("ParseEventType(%q) = %q, %v, want %q, %v", tt.word, got, ok, tt.want, tt.ok)
		}
	}
}

func TestPayloadTypeReadsSamples(t *testing.T) {
	var payload owox.Payload
	if err := json.Unmarshal(owox.Documented(owox.RunSuccessful), &payload); err != nil {
		t.Fatal(err)
	}
	rows, duration := int64(15000), int64(60000)
	want := owox.Run{
		ID: "run-xyz789", Status: "SUCCESSFUL",
		StartedAt:  time.Date(2024, 1, 15, 10, 29, 0, 0, time.UTC),
		FinishedAt: time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC),
		DurationMS: &duration, RowsProcessed: &rows,
	}
	if diff := cmp.Diff(want, payload.Data.Run); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
}

func TestIdentify(t *testing.T) {
	tests := []struct {
		name, payload string
		want          owox.Identity
	}{
		{"a documented payload", string(owox.Documented(owox.RunFailed)), owox.Identity{
			ID: "550e8400-e29b-41d4-a716-446655440000", Event: owox.RunFailed, ProjectID: "my-project-id",
			DataMartID: "dm-abc123", Title: "Sales Report", RunID: "run-xyz789", RunStatus: "FAILED",
		}},
		{"a test event", `{"isTest":true}`, owox.Identity{IsTest: true}},
		{"other types", `{"id":5,"event":[],"isTest":"true","data":7}`, owox.Identity{}},
		{"cut off", `{"id":"abc","event":"x`, owox.Identity{ID: "abc"}},
		{"rubbish", "\x00\xff{{{", owox.Identity{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, owox.Identify([]byte(tt.payload))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	for path, want := range map[string]bool{
		"id": true, "data": true, "data.run.status": true, "data.run.errors": true, "data.run.errors.12": true,
		"": false, "Data": false, "data.run.errors.x": false, "data.run.status.0": false, "data.nothing": false,
	} {
		if _, ok := owox.Resolve(path); ok != want {
			t.Errorf("Resolve(%q) found: %v, want %v", path, ok, want)
		}
	}
}

func TestParseTimestamp(t *testing.T) {
	tests := []struct {
		text string
		want string // RFC 3339, or "" where the text is refused
	}{
		{"2024-01-15T10:30:00.000Z", "2024-01-15T10:30:00Z"},
		{"2024-01-15T10:30:00.123456789Z", "2024-01-15T10:30:00.123456789Z"},
		{"2024-01-15T10:30:00.1234567891234Z", "2024-01-15T10:30:00.123456789Z"},
		{"2024-01-15T10:30:00,5Z", "2024-01-15T10:30:00.5Z"},
		{"2024-01-15T10:30:00Z", "2024-01-15T10:30:00Z"},
		{"2024-01-15T10:30Z", "2024-01-15T10:30:00Z"},
		{"2024-01-15T10:30:00", "2024-01-15T10:30:00Z"},
		{"2024-01-15T10:30", "2024-01-15T10:30:00Z"},
		{"2024-01-15T10:30:00+02:00", "2024-01-15T08:30:00Z"},
		{"2024-01-15T10:30:00-0530", ""},
		{"2024-01-15T10:30:00+02", "2024-01-15T08:30:00Z"},
		{"20240115T103000Z", "2024-01-15T10:30:00Z"},
		{"20240115T103000.250-0530", "2024-01-15T16:00:00.25Z"},
		{"20240115T1030", "2024-01-15T10:30:00Z"},
		{"20240115T1030:00Z", ""},
		{"2024-01-15T103000Z", ""},
		{"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
		{"2023-02-29T00:00:00Z", ""},
		{"1900-02-29T00:00:00Z", ""},
		{"2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"},
		{"2024-04-31T00:00:00Z", ""},
		{"2024-13-01T00:00:00Z", ""},
		{"2024-00-01T00:00:00Z", ""},
		{"2024-01-00T00:00:00Z", ""},
		{"2024-01-15T24:00:00Z", ""},
		{"2024-01-15T10:60:00Z", ""},
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
		{"2024-01-15T10:30:61Z", ""},
		{"2024-01-15T10:30:00.Z", ""},
		{"2024-01-15T10:30:Z", ""},
		{"2024-01-15T10:30:00+24:00", ""},
		{"2024-01-15T10:30:00+02:", ""},
		{"2024-01-15T10:30:00ZZ", ""},
		{"2024-01-15 10:30:00Z", ""},
		{"2024-01-15t10:30:00z", ""},
		{"2024-01-15", ""},
		{"15.01.2024 10:30", ""},
		{"1705314600", ""},
		{"", ""},
	}
	for _, tt := range tests {
		got, ok := owox.ParseTimestamp([]byte(tt.text))
		if formatted := got.Format(time.RFC3339Nano); ok != (tt.want != "") || ok && formatted != tt.want {
			t.Errorf("ParseTimestamp(%q) = %s, %v, want %q", tt.text, formatted, ok, tt.want)
		}
	}
}

func TestIsAbsoluteURL(t *testing.T) {
	for text, want := range map[string]bool{
		"https://app.owox.com/ui": true, "http://a": true, "HTTPS://A/": true,
		"/ui/p/data-marts/d": false, "app.owox.com": false, "https://": false, "https:///x": false, "ftp://a/b": false, "": false,
	} {
		if got := owox.IsAbsoluteURL([]byte(text)); got != want {
			t.Errorf("IsAbsoluteURL(%q) = %v, want %v", text, got, want)
		}
	}
}

// FuzzFormatsMatchTheirPatterns holds each check against the pattern that the
// schema has for it.
func FuzzFormatsMatchTheirPatterns(f *testing.F) {
	for _, seed := range []string{
		"550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-44665544000g", "2024-02-29T10:30:00.000Z",
		"1900-02-29T10:30Z", "20240115T103000,5+0200", "2024-01-15T10:30:00+02", "/ui/%41?a=b#c", "https://ä.example/<x>", "%4", "\x7f", "a\nb", "",
	} {
		f.Add(seed)
	}
	formats := map[owox.Format]*regexp.Regexp{}
	defs := schemaOf(f)["$defs"].(map[string]any)
	for _, format := range []owox.Format{owox.UUID, owox.Timestamp, owox.URL} {
		pattern := defs[string(format)].(map[string]any)["pattern"].(string)
		formats[format] = regexp.MustCompile(pattern)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ToValidUTF8(text, "") != text {
			t.Skip("a schema sees only valid UTF-8")
		}
		for format, pattern := range formats {
			if got, want := format.Match([]byte(text)), pattern.MatchString(text); got != want {
				t.Errorf("%s.Match(%q) = %v, its pattern says %v", format, text, got, want)
			}
		}
	})
}

func schemaOf(t testing.TB) map[string]any {
	t.Helper()
	var schema map[string]any
	if err := json.Unmarshal(owox.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestSchemasAcceptDocumentedExamples(t *testing.T) {
	for _, event := range owox.Events() {
		for name, source := range map[string][]byte{"any": owox.Schema(), "own": owox.EventSchema(event.Type)} {
			doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(source)))
			if err != nil {
				t.Fatal(err)
			}
			compiler := jsonschema.NewCompiler()
			if err := compiler.AddResource("schema.json", doc); err != nil {
				t.Fatal(err)
			}
			schema, err := compiler.Compile("schema.json")
			if err != nil {
				t.Fatalf("%s schema of %s: %v", name, event.Type, err)
			}
			payload, err := jsonschema.UnmarshalJSON(strings.NewReader(string(owox.Documented(event.Type))))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(payload); err != nil {
				t.Errorf("%s schema refuses the documented %s: %v", name, event.Type, err)
			}
		}
	}
	if got := owox.EventSchema("no.such.event"); got != nil {
		t.Errorf("schema of an undocumented event: %s", got)
	}
}

func TestFieldTableIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range owox.Fields() {
		if seen[f.Path] {
			t.Errorf("%s is in the table twice", f.Path)
		}
		seen[f.Path] = true
		if f.Doc == "" || f.Type == "" || f.Presence == "" {
			t.Errorf("%s lacks a type, a presence or a sentence: %+v", f.Path, f)
		}
		if f.Format != "" && f.Format.Doc() == "" {
			t.Errorf("%s has the format %q, which the table formats lacks: add a row to format.go", f.Path, f.Format)
		}
		if parent, _, nested := cutLast(f.Path); nested && !seen[parent] {
			t.Errorf("%s comes before its object", f.Path)
		}
	}
	if got := reflect.TypeFor[owox.Payload]().NumField(); got != len(owox.Shape().Members) {
		t.Errorf("Payload has %d fields, the envelope %d members", got, len(owox.Shape().Members))
	}
}

// The last part of an event type names it on the command line and in schemas.
func TestEventTypesHaveNamesOfTheirOwn(t *testing.T) {
	named := map[string]owox.EventType{}
	for _, e := range owox.Events() {
		if other, taken := named[e.Type.Name()]; taken {
			t.Errorf("%s and %s both end in %q: let EventType.Name return more of the type, so that each event has a name of its own", other, e.Type, e.Type.Name())
		}
		named[e.Type.Name()] = e.Type
		if e.Status == "" || e.Doc == "" {
			t.Errorf("%s lacks a status or a sentence: %+v", e.Type, e)
		}
	}
}

func cutLast(path string) (parent, name string, nested bool) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}
