package owox

import (
	"net/url"
	"strings"

	"github.com/tidwall/sjson"
)

// Fixture is a payload for people's own tests.
type Fixture struct {
	Name    string // such as "run-failed-test"
	Payload []byte // compact, as on the wire
}

// Fixtures returns payloads of each event: the documented example, what the
// Test button sends, an example without what can be absent, and one with the
// relative URL of a self-hosted install. They are the same every time, and no
// two have the same id, or the same event and run.
func Fixtures() []Fixture {
	var fixtures []Fixture
	var number byte
	add := func(e Event, variant string, s Sample, edits map[string]string) {
		s.ID[len(s.ID)-1] += number
		number++
		payload := s.JSON()
		for path, value := range edits {
			payload, _ = sjson.SetBytes(payload, path, value) // paths are ours: it cannot fail
		}
		name := strings.ReplaceAll(e.Type.Short(), ".", "-") + variant
		fixtures = append(fixtures, Fixture{name, payload})
	}
	for _, e := range events {
		s := documented(e.Type)
		add(e, "", s, nil)
		test := s
		test.Test = true
		add(e, "-test", test, nil)
		brief := s
		brief.Brief = true
		add(e, "-minimal", brief, map[string]string{PathRunID: "run-minimal"})
		add(e, "-relative-url", s, map[string]string{PathRunID: "run-relative-url", PathURL: relativeURL()})
	}
	return fixtures
}

// relativeURL is the documented one without the address of an install.
func relativeURL() string {
	f, _ := Resolve(PathURL)
	absolute, err := url.Parse(strings.Trim(f.example, `"`))
	if err != nil {
		return ""
	}
	return absolute.RequestURI()
}
