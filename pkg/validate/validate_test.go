package validate_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/sjson"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// say writes findings one a line, as tests compare them.
func say(findings []validate.Finding) []string {
	var lines []string
	for _, f := range findings {
		lines = append(lines, fmt.Sprintf("%d:%d: %s: %s [%s]", f.Line, f.Column, f.Severity, f.Message, f.Rule))
	}
	return lines
}

// place puts the line and column of a text's last occurrence in the payload in
// front of what is said of it: «"1.5"» error: ...
func place(payload string, want []string) []string {
	var lines []string
	for _, line := range want {
		if marker, rest, ok := strings.Cut(strings.TrimPrefix(line, "«"), "» "); ok {
			before := payload[:strings.LastIndex(payload, marker)]
			line = fmt.Sprintf("%d:%d: %s", strings.Count(before, "\n")+1, len(before)-strings.LastIndex(before, "\n"), rest)
		}
		lines = append(lines, line)
	}
	return lines
}

var (
	failed     = string(owox.Documented(owox.RunFailed))
	successful = string(owox.Documented(owox.RunSuccessful))
)

func set(t *testing.T, payload, path, value string) string {
	t.Helper()
	out, err := sjson.SetRaw(payload, path, value)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func unset(t *testing.T, payload, path string) string {
	t.Helper()
	out, err := sjson.Delete(payload, path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPayloadRules(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct {
		name    string
		payload string
		want    []string
	}{
		{"the documented failed event", failed, nil},
		{"the documented successful event", successful, nil},
		{"indented", owox.Indent([]byte(failed)), nil},
		{"members in another order", `{"data":` + strings.TrimPrefix(failed[strings.Index(failed, `"data":`):len(failed)-1], `"data":`) + `,` + failed[1:strings.Index(failed, `,"data":`)] + `}`, nil},
		{"an escaped member name", strings.Replace(failed, `"id"`, `"\u0069d"`, 1), nil},
		{"an escaped event", strings.Replace(failed, `run.failed"`, `run\u002efailed"`, 1), nil},

		{"empty", "", []string{"1:1: error: the payload is empty [json-syntax]"}},
		{"white space", " \n ", []string{"2:2: error: the payload is empty [json-syntax]"}},
		{"a byte order mark", "\ufeff" + failed, []string{"1:1: error: the payload starts with a byte order mark [json-syntax]"}},
		{"cut off", `{"id":"550e8400-e29b-41d4-a716-446655440000",`, []string{"1:46: error: malformed JSON: the payload is cut off [json-syntax]"}},
		{"a comma too many", "{\n  \"version\": \"1\",\n}", []string{"2:17: error: malformed JSON: unexpected ',' [json-syntax]"}},
		{"a misspelt literal", `{"isTest": tru}`, []string{"1:15: error: malformed JSON: invalid character '}' in literal true (expecting 'e') [json-syntax]"}},
		{"single quotes", `{'id':1}`, []string{"1:2: error: malformed JSON: invalid character '\\'' at start of value [json-syntax]"}},
		{"findings before the place where it breaks", `{"version":"2",]`, []string{
			`1:12: error: version is "2", want "1" [version-documented]`,
			"1:15: error: malformed JSON: unexpected ',' [json-syntax]",
		}},
		{"a second value", failed + "\n{}", []string{"2:1: error: something follows the payload [trailing-data]"}},
		{"not an object", `[]`, []string{"1:1: error: the payload is an array, want an object [member-type]"}},
		{"null", `null`, []string{"1:1: error: the payload is null, want an object [member-type]"}},
		{"an empty object", `{}`, []string{
			"1:1: error: id is missing [envelope-member-present]",
			"1:1: error: version is missing [envelope-member-present]",
			"1:1: error: event is missing [envelope-member-present]",
			"1:1: error: timestamp is missing [envelope-member-present]",
			"1:1: error: data is missing [envelope-member-present]",
		}},

		{"the same member twice", `{"id":"a",` + failed[1:], []string{"1:11: error: id occurs more than once [member-unique]"}},
		{"the same object twice: the last one counts", strings.Replace(failed, `"data":`, `"data":{"projectId":1,"run":{"errors":[1]}},"data":`, 1), []string{
			`«"data":{"projectId":"m» error: data occurs more than once [member-unique]`,
		}},
		{"the same unknown member twice", set(t, failed, "data.x", `{"a":1,"b":2,"\u0061":3}`), []string{
			"«\"x\"» info: data.x is not documented [undocumented-member]",
			"«\"\\u0061\"» error: data.x.a occurs more than once [member-unique]",
		}},
		{"invalid UTF-8", strings.Replace(failed, "Sales", "Sa\xff\xfe", 1), []string{"«\xff» error: invalid UTF-8: ff fe [utf-8]"}},
		{"half a pair of escapes", strings.Replace(failed, "Sales", `\ud83d\ude00 \ud83d \\ud83d \ude00`, 1), []string{
			`«\ud83d \\» warning: \ud83d is half of a pair of escapes [lone-surrogate]`,
			`«\ude00» warning: \ude00 is half of a pair of escapes [lone-surrogate]`,
		}},
		{"64 levels", set(t, failed, "data.x", deep(62)), []string{"«\"x\"» info: data.x is not documented [undocumented-member]"}},
		{"65 levels", set(t, failed, "data.x", deep(63)), []string{
			"«\"x\"» info: data.x is not documented [undocumented-member]",
			"1:580: error: nested deeper than 64 levels: not validated from here [nesting-depth]",
		}},
		{"a hundred thousand levels", strings.Repeat("[", 100_000), []string{
			"1:65: error: nested deeper than 64 levels: not validated from here [nesting-depth]",
			"1:10001: error: malformed JSON: exceeded max depth [json-syntax]",
		}},

		{"a wrong type everywhere", `{"id":1,"version":1,"event":null,"timestamp":false,"isTest":"true","data":[]}`, []string{
			"1:7: error: id is a number, want a string [member-type]",
			"1:19: error: version is a number, want a string [member-type]",
			"1:29: error: event is null, want a string [member-type]",
			"1:46: error: timestamp is a boolean, want a string [member-type]",
			"1:61: error: isTest is a string, want a boolean [member-type]",
			"1:75: error: data is an array, want an object [member-type]",
		}},
		{"errors that are not strings", set(t, failed, "data.run.errors", `["a",{"b":1},null]`), []string{
			"«{\"b\"» error: data.run.errors.1 is an object, want a string [member-type]",
			"«null» error: data.run.errors.2 is null, want a string [member-type]",
		}},
		{"errors are not a list", set(t, failed, "data.run.errors", `"boom"`), []string{"«\"boom\"» error: data.run.errors is a string, want an array [member-type]"}},
		{"an id that is no UUID", set(t, failed, "id", `"abc"`), []string{`«"abc"» error: id is "abc", not a UUID [id-is-uuid]`}},
		{"an empty id", set(t, failed, "id", `""`), []string{`1:7: error: id is "", not a UUID [id-is-uuid]`}},
		{"an unknown event", set(t, failed, "event", `"x.y"`), []string{`«"x.y"» error: event is "x.y", not a documented event type [event-documented]`}},
		{"a time in words", set(t, failed, "timestamp", `"yesterday"`), []string{`«"yesterday"» error: timestamp is "yesterday", not an ISO 8601 date and time [time-is-iso-8601]`}},
		{"a time with an offset", set(t, failed, "timestamp", `"2024-01-15T12:30:00+02:00"`), []string{
			`«"2024-01-15T12:30» info: timestamp is "2024-01-15T12:30:00+02:00": OWOX writes UTC with milliseconds and Z [time-as-sent]`,
		}},
		{"isTest false", set(t, failed, "isTest", `false`), []string{"«false» error: isTest is false: it is true in test events and left out of real ones [is-test-is-true]"}},
		{"a status of the other event", set(t, failed, "data.run.status", `"SUCCESSFUL"`), []string{
			`«"SUCCESSFUL"» error: data.run.status is "SUCCESSFUL" but the event is run.failed [status-matches-event]`,
		}},
		{"an unknown status of an unknown event", set(t, set(t, failed, "event", `"x"`), "data.run.status", `"RUNNING"`), []string{
			`«"x"» error: event is "x", not a documented event type [event-documented]`,
			`«"RUNNING"» error: data.run.status is "RUNNING", not the status of a documented event [status-matches-event]`,
		}},
		{"a negative count", set(t, successful, "data.run.rowsProcessed", "-1"), []string{
			"«-1}» error: data.run.rowsProcessed is -1, want a whole number that is not negative [whole-number]",
		}},
		{"a count that readers round", set(t, successful, "data.run.rowsProcessed", "9007199254740993"), []string{
			"«9007» warning: data.run.rowsProcessed is 9007199254740993, more than readers keep exactly: want at most 9007199254740991 [number-is-exact]",
		}},
		{"a count in a string", set(t, successful, "data.run.rowsProcessed", `"1"`), []string{
			"«\"1\"}» error: data.run.rowsProcessed is a string, want a whole number [member-type]",
		}},
		{"a URL with a space", set(t, failed, "data.dataMart.url", `"a b"`), []string{
			`«"a b"» error: data.dataMart.url is "a b", not a URL, absolute or relative [url-syntax]`,
		}},

		{"a relative URL", set(t, failed, "data.dataMart.url", `"/ui/x"`), []string{
			`«"/ui/x"» warning: data.dataMart.url is "/ui/x", not an absolute URL [url-absolute]`,
		}},
		{"empty titles", set(t, set(t, failed, "data.dataMart.title", `""`), "data.run.errors", `[]`), []string{
			"«\"\"» warning: data.dataMart.title is empty [shown-member-not-empty]",
			"«[]» warning: data.run.errors is empty [shown-member-not-empty]",
		}},
		{"members missing that are only shown", unset(t, unset(t, successful, "data.projectTitle"), "data.run.rowsProcessed"), []string{
			"«{\"projectId» warning: data.projectTitle is missing: the documented example has it [shown-member-present]",
			"«{\"id\":\"run» warning: data.run.rowsProcessed is missing: the documented example has it [shown-member-present]",
		}},
		{"an object missing", unset(t, failed, "data.run"), []string{"«{\"projectId» warning: data.run is missing: the documented example has it [shown-member-present]"}},
		{"finished before started", set(t, failed, "data.run.startedAt", `"2024-01-15T10:31:00.000Z"`), []string{
			"«\"2024-01-15T10:30» warning: data.run.finishedAt is 1m0s before data.run.startedAt [finished-after-started]",
		}},
		{"a duration that does not match", set(t, successful, "data.run.durationMs", "59999"), []string{
			"«59999» warning: data.run.durationMs is 59999 but the run took 60000 ms by its times [duration-matches-times]",
		}},

		{"a member known from the field", set(t, failed, "data.run.type", `"CONNECTOR"`), []string{
			"«\"CONNECTOR» info: data.run.type is not documented, but known from real deliveries [undocumented-member]",
		}},
		{"a member of the other event", set(t, failed, "data.run.rowsProcessed", `"many"`), []string{
			"«\"many» info: data.run.rowsProcessed is not documented for run.failed [undocumented-member]",
		}},
		{"an unknown member with a dot", `{"a.b":1,` + failed[1:], []string{`1:2: info: a\.b is not documented [undocumented-member]`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(place(tt.payload, tt.want), say(validate.Payload([]byte(tt.payload)))); diff != "" {
				t.Errorf("findings of %s (-want +got):\n%s", tt.payload[:min(len(tt.payload), 600)], diff)
			}
		})
	}
}

// What was wanted, what was got and where, as programs read it.
func TestFindingsAreData(t *testing.T) {
	type data struct{ Rule, Marked, Want, Got string }
	tests := []struct {
		name, payload string
		want          []data
	}{
		{"a constant", set(t, failed, "version", `"2"`), []data{{validate.VersionDocumented, `"2"`, `"1"`, `"2"`}}},
		{"a type", set(t, failed, "data.run", `[1, 2]`), []data{{validate.MemberType, "[1, 2]", "an object", "an array"}}},
		{"a format", set(t, failed, "id", `"x"`), []data{{validate.IDIsUUID, `"x"`, "a UUID", `"x"`}}},
		{"a long value", set(t, failed, "id", `"`+strings.Repeat("x", 100)+`"`), []data{
			{validate.IDIsUUID, `"` + strings.Repeat("x", 100) + `"`, "a UUID", `"` + strings.Repeat("x", 79) + "..."},
		}},
		{"a status", set(t, failed, "data.run.status", `"SUCCESSFUL"`), []data{
			{validate.StatusMatchesEvent, `"SUCCESSFUL"`, `"FAILED" with run.failed`, `"SUCCESSFUL"`},
		}},
		{"a name", set(t, failed, "x", "[1]"), []data{{validate.UndocumentedMember, `"x"`, "", ""}}},
		{"a missing member", unset(t, failed, "version"), []data{{validate.EnvelopeMember, "", "a string", ""}}},
		{"times", set(t, failed, "data.run.startedAt", `"2024-01-15T10:31:00.000Z"`), []data{
			{validate.FinishedAfterStarted, `"2024-01-15T10:30:00.000Z"`, "no earlier than data.run.startedAt", "1m0s before data.run.startedAt"},
		}},
		{"a duration", set(t, successful, "data.run.durationMs", "59999"), []data{{validate.DurationMatchesTimes, "59999", "60000", "59999"}}},
		{"something behind", failed + " [2] \n", []data{{validate.TrailingData, "[2]", "", "[2]"}}},
		{"too deep", strings.Repeat("[", 65) + strings.Repeat("]", 65), []data{
			{validate.MemberType, strings.Repeat("[", 65) + strings.Repeat("]", 65), "an object", "an array"},
			{validate.NestingDepth, "", "at most 64 levels", ""},
		}},
		{"invalid UTF-8", strings.Replace(failed, "Sales", "\xff\xfe", 1), []data{{validate.UTF8, "\xff\xfe", "", "ff fe"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []data
			for _, f := range validate.Payload([]byte(tt.payload)) {
				got = append(got, data{f.Rule, tt.payload[f.Offset : f.Offset+f.Length], f.Want, f.Got})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings of %s (-want +got):\n%s", tt.payload, diff)
			}
		})
	}
}

func TestFindingsAboutHeadersAreData(t *testing.T) {
	h := header(owox.HeaderUserAgent, "curl/8", owox.HeaderID, "650e8400-e29b-41d4-a716-446655440000")
	h.Del(owox.HeaderContentType)
	var got [][3]string
	for _, f := range validate.Request("PUT", h, []byte(failed)) {
		got = append(got, [3]string{f.Rule, f.Want, f.Got})
	}
	want := [][3]string{
		{validate.MethodIsPost, "POST", "PUT"},
		{validate.ContentTypeHeader, "application/json", ""},
		{validate.UserAgentHeader, "OWOX-DataMarts-Webhook/1.0", `"curl/8"`},
		{validate.IDHeaderMatches, `"550e8400-e29b-41d4-a716-446655440000"`, `"650e8400-e29b-41d4-a716-446655440000"`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHeadersOfRawRequestsAreMarked(t *testing.T) {
	raw := "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n"
	marked := map[string]string{}
	for _, f := range validate.HTTP([]byte(raw)) {
		marked[f.Rule] = raw[f.Offset : f.Offset+f.Length]
	}
	want := map[string]string{
		validate.ContentTypeHeader: "Content-Type: text/plain", validate.UserAgentHeader: "", validate.IDHeaderPresent: "",
		validate.EventHeaderPresent: "", validate.MemberType: "", // chunks are not marked: their bytes stand elsewhere
	}
	if diff := cmp.Diff(want, marked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What was kept before findings had all their members is read as it was.
func TestOlderFindingsAreRead(t *testing.T) {
	older := `{"line":1,"column":2,"offset":1,"path":"id","rule":"id-is-uuid","severity":"error","message":"id is \"x\", not a UUID"}`
	var f validate.Finding
	if err := json.Unmarshal([]byte(older), &f); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(f); string(got) != older {
		t.Errorf("read and written again: %s, %v, want %s", got, err, older)
	}
}

func TestTestEventsHaveNoWarnings(t *testing.T) {
	for _, event := range owox.Events() {
		for _, f := range validate.Payload(owox.Sample{Event: event.Type, Test: true}.JSON()) {
			if f.Severity > validate.Info {
				t.Errorf("%s: %s", event.Type, f.Message)
			}
		}
	}
}

func TestWholeNumbers(t *testing.T) {
	for number, want := range map[string]bool{
		"0": true, "-0": true, "0.0": true, "-0.00e9": true, "1": true, "1.0": true, "1.50e1": true, "15e-1": false, "150e-1": true,
		"100e-2": true, "1e400": true, "1e-400": false, "1e999999999999": true, "1e-999999999999": false, "0e-999999999999": true,
		"-1": false, "1.5": false, "0.5e0": false, "0.5e1": true, "-1.5e1": false,
	} {
		findings := validate.Payload([]byte(set(t, successful, "data.run.rowsProcessed", number)))
		if got := validate.Valid(findings); got != want {
			t.Errorf("%s rows valid: %v, want %v (%v)", number, got, want, say(findings))
		}
	}
}

func TestExactNumbers(t *testing.T) {
	for number, want := range map[string]bool{
		"0": true, "-0": true, "999999999999999": true, "9007199254740991": true, "9007199254740991.0": true, "90071992547409910e-1": true, "1e3": true,
		"0e400": true, "9007199254740992": false, "9007199254740993": false, "9007199254740992.0": false, "1e16": false, "1e400": false, "1e999999999999": false,
		"123456789012345678901234567890": false, "-9007199254740993": true, "9007199254740993.5": true, // these break whole-number
	} {
		findings := validate.Payload([]byte(set(t, successful, "data.run.rowsProcessed", number)))
		got := !slices.ContainsFunc(findings, func(f validate.Finding) bool { return f.Rule == validate.NumberIsExact })
		if got != want {
			t.Errorf("%s rows exact: %v, want %v (%v)", number, got, want, say(findings))
		}
	}
}

func TestBodyOverTheLimit(t *testing.T) {
	v, err := validate.New(validate.Config{MaxBody: 10})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"1:11: error: the body is larger than the limit of 10 bytes [body-size]"}
	if diff := cmp.Diff(want, say(v.Payload([]byte(failed)))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestConfigurationChangesSeverities(t *testing.T) {
	payload := []byte(unset(t, set(t, failed, "data.x", "1"), "data.run.errors"))
	tests := []struct {
		name   string
		config validate.Config
		want   []validate.Severity // of the missing, then of the unknown member
	}{
		{"default", validate.Config{}, []validate.Severity{validate.Warning, validate.Info}},
		{"strict", validate.Config{Strict: true}, []validate.Severity{validate.Error, validate.Info}},
		{"off", validate.Config{Severities: map[string]validate.Severity{validate.ShownMember: validate.Off}}, []validate.Severity{validate.Info}},
		{"a rule wins over strict", validate.Config{Strict: true, Severities: map[string]validate.Severity{
			validate.ShownMember: validate.Info, validate.UndocumentedMember: validate.Error,
		}}, []validate.Severity{validate.Info, validate.Error}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := validate.New(tt.config)
			if err != nil {
				t.Fatal(err)
			}
			findings := v.Payload(payload)
			slices.SortFunc(findings, func(a, b validate.Finding) int { return strings.Compare(a.Rule, b.Rule) })
			var got []validate.Severity
			for _, f := range findings {
				got = append(got, f.Severity)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("severities (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := validate.New(validate.Config{Severities: map[string]validate.Severity{"no-such-rule": validate.Off}}); err == nil {
		t.Error("a rule that does not exist was configured")
	}
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for _, known := range owox.Headers("550e8400-e29b-41d4-a716-446655440000", string(owox.RunFailed)) {
		h.Set(known.Name, known.Value)
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			h.Del(pairs[i])
		} else {
			h.Set(pairs[i], pairs[i+1])
		}
	}
	return h
}

func TestRequestRules(t *testing.T) {
	repeated := header()
	repeated.Add(owox.HeaderID, "550e8400-e29b-41d4-a716-446655440000")
	tests := []struct {
		name, method string
		header       http.Header
		body         string
		want         []string
	}{
		{"as documented", "POST", header(), failed, nil},
		{"more headers", "POST", header("X-Forwarded-For", "203.0.113.7", "Accept", "*/*"), failed, nil},
		{"an id in capitals", "POST", header(owox.HeaderID, "550E8400-E29B-41D4-A716-446655440000"), failed, nil},
		{"another method", "PUT", header(), failed, []string{"0:0: error: the method is PUT, want POST [method-is-post]"}},
		{"no headers", "POST", http.Header{}, failed, []string{
			"0:0: error: Content-Type is missing, want application/json [content-type-header]",
			"0:0: error: User-Agent is missing, want OWOX-DataMarts-Webhook/1.0 [user-agent-header]",
			"0:0: error: X-Webhook-ID is missing [id-header-present]",
			"0:0: error: X-Event-Type is missing [event-header-present]",
		}},
		{"other headers", "POST", header("Content-Type", "text/plain", "User-Agent", "curl/8"), failed, []string{
			`0:0: error: Content-Type is "text/plain", want application/json [content-type-header]`,
			`0:0: error: User-Agent is "curl/8", want OWOX-DataMarts-Webhook/1.0 [user-agent-header]`,
		}},
		{"a charset", "POST", header("Content-Type", "Application/JSON ; charset=utf-8"), failed, []string{
			`0:0: error: Content-Type is "Application/JSON ; charset=utf-8", want application/json: the documentation has exactly that value; ` +
				`to accept others: --rule content-type-header=warning [content-type-header]`,
		}},
		{"a header twice", "POST", repeated, failed, []string{"0:0: error: X-Webhook-ID occurs 2 times [header-once]"}},
		{"headers that disagree", "POST", header(owox.HeaderID, "650e8400-e29b-41d4-a716-446655440000", owox.HeaderEvent, string(owox.RunSuccessful)), failed, []string{
			`1:7: error: X-Webhook-ID is "650e8400-e29b-41d4-a716-446655440000" but id is "550e8400-e29b-41d4-a716-446655440000" [id-header-matches]`,
			`1:68: error: X-Event-Type is "owox.data-marts.webhook.data_mart.run.successful" but event is "owox.data-marts.webhook.data_mart.run.failed" [event-header-matches]`,
		}},
		{"headers of the wrong form", "POST", header(owox.HeaderID, "x", owox.HeaderEvent, "failed"), "{", []string{
			`0:0: error: X-Webhook-ID is "x", not a UUID [id-header-is-uuid]`,
			`0:0: error: X-Event-Type is "failed", not a documented event type [event-header-documented]`,
			"1:2: error: malformed JSON: the payload is cut off [json-syntax]",
		}},
		{"a compressed body", "POST", header("Content-Encoding", "gzip"), "\x1f\x8b", []string{
			"0:0: error: the body is compressed with gzip: not validated [content-encoding]",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, say(validate.Request(tt.method, tt.header, []byte(tt.body)))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRawRequests(t *testing.T) {
	head := "POST /hook HTTP/1.1\nHost: example.com\nContent-Type: application/json\nUser-Agent: OWOX-DataMarts-Webhook/1.0\n" +
		"X-Webhook-ID: 550e8400-e29b-41d4-a716-446655440000\nX-Event-Type: owox.data-marts.webhook.data_mart.run.failed\n"
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\n", n) }
	tests := []struct {
		name, raw string
		want      []string
	}{
		{"LF", head + length(len(failed)) + "\n" + failed, nil},
		{"CRLF", strings.ReplaceAll(head+length(len(failed))+"\n", "\n", "\r\n") + failed, nil},
		{"a newline behind the body", head + length(len(failed)) + "\n" + failed + "\n", nil},
		{"no length", head + "\n" + failed, nil},
		{"chunked", head + "Transfer-Encoding: chunked\n\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(failed), failed), nil},
		{"broken chunks", head + "Transfer-Encoding: chunked\n\nzz\r\n", []string{
			"9:1: error: malformed chunked body: invalid byte in chunk length [http-syntax]",
			"9:1: error: the payload is empty [json-syntax]",
		}},
		{"a body that is too long", head + length(len(failed)) + "\n" + failed + "\nmore", []string{
			fmt.Sprintf("9:%d: error: 5 bytes follow the body, but Content-Length is %d [http-syntax]", len(failed)+1, len(failed)),
		}},
		{"a body that is too short", head + length(len(failed)+9) + "\n" + failed, []string{
			fmt.Sprintf("9:%d: error: the body ends after %d bytes, but Content-Length is %d [http-syntax]", len(failed)+1, len(failed), len(failed)+9),
		}},
		{"places are those of the file", strings.Replace(head, "application/json", "text/html", 1) + "\n" + owox.Indent([]byte(set(t, failed, "version", `"2"`))), []string{
			`3:1: error: Content-Type is "text/html", want application/json [content-type-header]`,
			`10:14: error: version is "2", want "1" [version-documented]`,
		}},
		{"a missing header", strings.Replace(head, "X-Event-Type", "X-Event", 1) + "\n" + failed, []string{"1:1: error: X-Event-Type is missing [event-header-present]"}},
		{"no HTTP", "POST / HTTP/1.1\n\x00", []string{`1:1: error: malformed HTTP request: malformed MIME header: missing colon: "\x00" [http-syntax]`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !validate.IsHTTP([]byte(tt.raw)) {
				t.Error("not taken for a raw request")
			}
			if diff := cmp.Diff(tt.want, say(validate.HTTP([]byte(tt.raw)))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, text := range []string{failed, "", "hello", "POST it\n"} {
		if validate.IsHTTP([]byte(text)) {
			t.Errorf("%.20q was taken for a raw request", text)
		}
	}
}

// Every rule of the table has a row that breaks it in one of the tables above,
// so this test only looks at the words.
func TestRulesAreExplained(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range validate.Rules() {
		if seen[r.ID] {
			t.Errorf("the rule %s is declared twice in rule.go: give one of them another id", r.ID)
		}
		seen[r.ID] = true
		if r.Severity == validate.Off || r.Title == "" || r.Says == "" || r.Fix == "" {
			t.Errorf("%s is not explained: %+v", r.ID, r)
		}
		if found, ok := validate.FindRule(r.ID); !ok || found != r {
			t.Errorf("FindRule(%q) = %+v, %v", r.ID, found, ok)
		}
	}
	if _, ok := validate.FindRule("no-such-rule"); ok {
		t.Error("found a rule that does not exist")
	}
}

func TestSeenBefore(t *testing.T) {
	v, err := validate.New(validate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"0:0: info: x was delivered before: a retry, or sent again [id-seen-before]",
		"0:0: info: x was delivered before as delivery 3: a retry, or sent again [id-seen-before]",
		"0:0: info: run r was delivered before as delivery 3: under another id [run-seen-before]",
	}
	if diff := cmp.Diff(want, say(slices.Concat(v.SeenBefore("x", 0), v.SeenBefore("x", 3), v.RunSeenBefore("r", 3)))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestValidPayloadsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget")
	}
	v, err := validate.New(validate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(successful)
	if got := testing.AllocsPerRun(100, func() { v.Payload(body) }); got != 0 {
		t.Errorf("a valid payload costs %v allocations, want none", got)
	}
}

func BenchmarkPayload(b *testing.B) {
	v, err := validate.New(validate.Config{})
	if err != nil {
		b.Fatal(err)
	}
	for _, event := range owox.Events() {
		for _, test := range []bool{false, true} {
			name := event.Type.Name()
			if test {
				name += "-test"
			}
			body := owox.Sample{Event: event.Type, Test: test}.JSON()
			b.Run(name, func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					v.Payload(body)
				}
			})
		}
	}
}
