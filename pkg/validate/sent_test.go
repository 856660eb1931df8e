package validate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// The short way and the long way must note the same.
func sameNotes(t *testing.T, body []byte) (asSent bool) {
	t.Helper()
	v, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	short, long := newPass(v), newPass(v)
	short.reset(body)
	asSent = short.asSent()
	if !asSent {
		if diff := cmp.Diff(make([]span, len(short.spans)), short.spans, cmp.AllowUnexported(span{})); diff != "" {
			t.Errorf("%q: given up, but noted (-want +got):\n%s", body, diff)
		}
		return false
	}
	long.reset(body)
	long.read()
	if diff := cmp.Diff(long.spans, short.spans, cmp.AllowUnexported(span{})); diff != "" {
		t.Errorf("%q (-long +short):\n%s", body, diff)
	}
	if short.root != long.root || len(long.elements) > 0 || len(long.findings) > 0 {
		t.Errorf("%q: the long way has root %v, elements %v, findings %v", body, long.root, long.elements, long.findings)
	}
	if diff := cmp.Diff(owox.Identify(body), short.identity()); diff != "" {
		t.Errorf("%q: identity (-long +short):\n%s", body, diff)
	}
	return true
}

func asSentSamples() []string {
	var samples []string
	for _, event := range owox.Events() {
		for _, sample := range []owox.Sample{{Event: event.Type}, {Event: event.Type, Test: true}, {Event: event.Type, Brief: true}} {
			samples = append(samples, string(sample.JSON()))
		}
	}
	return samples
}

func TestPayloadsAsSentTakeTheShortWay(t *testing.T) {
	for _, body := range asSentSamples() {
		bodies := []string{
			body,
			strings.Replace(body, "My Project", `Ünïcode \"quoted\" \\ \n`, 1),
			strings.Replace(body, `"isTest":true`, `"isTest":1`, 1),
			strings.Replace(body, `"event":"owox`, `"event":"\"x`, 1),
			strings.Replace(body, "Sales", strings.Repeat(`\b\f\/é`, 100), 1),
			strings.Replace(body, `"errors":["`, `"errors":["x","","`, 1),
		}
		for _, body := range bodies {
			if !sameNotes(t, []byte(body)) {
				t.Errorf("takes the long way: %s", body)
			}
		}
	}
}

func TestWhatIsOutOfTheOrdinaryTakesTheLongWay(t *testing.T) {
	body := asSentSamples()[0]
	bodies := map[string]string{
		"empty":                "",
		"empty object":         "{}",
		"white space":          strings.Replace(body, `,"`, `, "`, 1),
		"white space behind":   body + " ",
		"something behind":     body + "{}",
		"cut off":              body[:len(body)-1],
		"cut off in a string":  body[:20],
		"cut off in a name":    body[:3],
		"cut off at a value":   body[:len(`{"id":`)],
		"unknown member":       strings.Replace(body, `"version"`, `"wersion"`, 1),
		"member twice":         strings.Replace(body, `"version"`, `"id":"","version"`, 1),
		"comma behind":         strings.Replace(body, "}}", "},}", 1),
		"no comma":             strings.Replace(body, `,"version"`, `"version"`, 1),
		"escape of a unit":     strings.Replace(body, "My", `\u004d`, 1),
		"no such escape":       strings.Replace(body, "My", `\x`, 1),
		"control character":    strings.Replace(body, "My", "\t", 1),
		"not UTF-8":            strings.Replace(body, "My", "\xff", 1),
		"null":                 strings.Replace(body, `"1"`, "null", 1),
		"fraction":             strings.Replace(body, `"1"`, "1.5", 1),
		"exponent":             strings.Replace(body, `"1"`, "1e3", 1),
		"zero in front":        strings.Replace(body, `"1"`, "01", 1),
		"negative":             strings.Replace(body, `"1"`, "-1", 1),
		"false":                strings.Replace(body, `"1"`, "false", 1),
		"object for a string":  strings.Replace(body, `"1"`, "{}", 1),
		"array for a string":   strings.Replace(body, `"1"`, "[]", 1),
		"empty array":          strings.Replace(body, `["Query execution failed: table not found"]`, "[]", 1),
		"array of numbers":     strings.Replace(body, `["Query execution failed: table not found"]`, `["x",1]`, 1),
		"array without an end": strings.Replace(body, `["Query execution failed: table not found"]`, `["x"}`, 1),
		"string for an object": strings.Replace(body, `"data":{`, `"data":"`, 1),
	}
	for name, changed := range bodies {
		if changed == body {
			t.Errorf("%s: nothing was changed", name)
		}
		if sameNotes(t, []byte(changed)) {
			t.Errorf("%s: takes the short way: %s", name, changed)
		}
	}
}

// A member whose constant or format had no rule would pass with any value.
func TestEveryDemandOfTheFieldTableHasARule(t *testing.T) {
	var look func(n *node)
	look = func(n *node) {
		if _, ok := FindRule(n.rule); !ok && (n.constants != nil || n.field.Format != "") {
			t.Errorf("%s has a constant or the format %q but no rule for it: add a row to constantRules or formatRules in shape.go", n.field.Path, n.field.Format)
		}
		for _, child := range n.members {
			look(child)
		}
	}
	look(theLayout().envelope)
}

func TestPlainBytes(t *testing.T) {
	for at := range 20 {
		for c := range 256 {
			text := []byte(strings.Repeat("a", at) + string([]byte{byte(c)}) + "\"\"\"\"\"\"\"\"")
			want := at
			if c >= ' ' && c != '"' && c != '\\' {
				want++
			}
			if got := plainBytes(text); got != want {
				t.Errorf("plainBytes(%q) = %d, want %d", text, got, want)
			}
		}
	}
}

func FuzzAsSent(f *testing.F) {
	for _, body := range asSentSamples() {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { sameNotes(t, body) })
}
