package cmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// expectFlags say what deliveries listen must see to end well.
type expectFlags struct {
	count   int
	events  []string
	matches []string
	timeout time.Duration
}

func (e *expectFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&e.count, "expect", 0, "end with 0 as soon as `N` valid deliveries have arrived, with 1 when an invalid one has")
	flags.StringArrayVar(&e.events, "expect-event", nil, "expect at least one delivery of this `EVENT`")
	flags.StringArrayVar(&e.matches, "match", nil, "count a delivery only when its payload has this value: `PATH=VALUE`")
	flags.DurationVar(&e.timeout, "timeout", 0, "end with 1 when what is expected has not arrived by then")
	_ = flags.SetAnnotation("timeout", notConfigured, []string{"the key means the time limit of an attempt"}) // the flag was just added
	completeLater(cmd, "expect-event", eventNames)
	completeLater(cmd, "match", fieldPaths)
}

// match is a value that a payload must have.
type match struct{ path, value string }

// expectations count what has arrived towards what is expected.
type expectations struct {
	count     int
	events    []owox.EventType
	matches   []match
	acceptAll bool

	expired time.Duration // after which time was up; 0: it was not
	arrived int           // valid and matching
	byEvent map[owox.EventType]int
	invalid int
}

func (a *app) newExpectations(flags expectFlags, acceptAll bool) (*expectations, error) {
	e := &expectations{count: flags.count, acceptAll: acceptAll, byEvent: map[owox.EventType]int{}}
	if flags.count < 0 {
		return nil, usagef("--expect %d: want 0 or more", flags.count)
	}
	for _, word := range flags.events {
		event, err := parseEvent(word)
		if err != nil {
			return nil, err
		}
		e.events = append(e.events, event)
	}
	for _, text := range flags.matches {
		path, value, ok := strings.Cut(text, "=")
		if !ok || path == "" {
			return nil, usagef("--match %q: want PATH=VALUE", text)
		}
		if _, known := owox.Resolve(path); !known {
			a.note("note: %s is not a member of the contract%s", path, didYouMean(path, fieldPaths()))
		}
		e.matches = append(e.matches, match{path, value})
	}
	switch {
	case len(e.matches) > 0 && !e.any():
		return nil, usagef("--match counts towards what is expected: pass --expect or --expect-event too")
	case flags.timeout < 0:
		return nil, usagef("--timeout %v: want more than 0", flags.timeout)
	default:
		return e, nil
	}
}

// any reports whether anything is expected at all.
func (e *expectations) any() bool { return e.count > 0 || len(e.events) > 0 }

// add counts a delivery. What was refused, could not be kept, or had no sender
// to answer any more does not count.
func (e *expectations) add(d delivery.Delivery) {
	switch {
	case d.State == delivery.StateInvalid:
		e.invalid++
	case d.State == delivery.StateValid && e.matched(d.Body):
		e.arrived++
		e.byEvent[d.Event]++
	}
}

func (e *expectations) matched(body []byte) bool {
	for _, m := range e.matches {
		if !m.in(body) {
			return false
		}
	}
	return true
}

// in compares a value as --set would write it: as JSON, otherwise as a string.
func (m match) in(body []byte) bool {
	got := gjson.GetBytes(body, m.path)
	if !got.Exists() {
		return false
	}
	return canonical([]byte(got.Raw)) == canonical(rawValue(m.value)) || got.Type == gjson.String && got.Str == m.value
}

// canonical writes JSON so that equal values are equal texts.
func canonical(text []byte) string {
	value := jsontext.Value(text)
	if err := value.Canonicalize(); err != nil {
		return string(text)
	}
	return string(value)
}

// met reports whether all that is expected has arrived.
func (e *expectations) met() bool { return len(e.missing()) == 0 }

// failed reports whether something arrived that must not.
func (e *expectations) failed() bool { return e.invalid > 0 && !e.acceptAll }

func (e *expectations) missing() []string {
	var words []string
	if e.arrived < e.count {
		words = append(words, fmt.Sprintf("%d more", e.count-e.arrived))
	}
	for _, event := range e.events {
		if e.byEvent[event] == 0 {
			words = append(words, "one of "+event.Short())
		}
	}
	return words
}

// verdict says what is wrong in the end, or nil.
func (e *expectations) verdict() error {
	switch {
	case e.failed():
		return judgedf("%s arrived", plural(e.invalid, "invalid delivery", "invalid deliveries"))
	case !e.met():
		within := ""
		if e.expired > 0 {
			within = fmt.Sprintf(" within %v", e.expired)
		}
		return judgedf("%s arrived%s: missing %s", plural(e.arrived, "expected delivery", "expected deliveries"), within, strings.Join(e.missing(), " and "))
	default:
		return nil
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
