// Package expect decides whether the deliveries that must arrive have arrived:
// so many, of these event types, with these values. It works in a program that
// waits for them, and in Go tests, where [Watch.Add] is what a receiver calls
// for each request:
//
//	watch := expect.New(expect.Deliveries{Count: 1})
//	server := httptest.NewServer(receiver.New(receiver.Options{Validator: v, Received: watch.Add}))
//	...
//	err := watch.Wait(ctx)
package expect

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// Deliveries are what must arrive. The zero value expects nothing in
// particular, only that nothing invalid arrives.
type Deliveries struct {
	Count     int              // at least so many that match
	Events    []owox.EventType // at least one of each that matches
	Matches   []Match          // a delivery counts when its payload has all of them
	AcceptAll bool             // an invalid delivery is not a failure; it counts as little as before
}

// Any reports whether anything must arrive.
func (d Deliveries) Any() bool { return d.Count > 0 || len(d.Events) > 0 }

// Match is a value that a payload must have.
type Match struct {
	Path  string // dotted, such as "data.run.errors.0"
	Value string // JSON, or the text of a string
}

// In reports whether a payload has the value. Numbers are equal when they are
// the same number, objects whatever the order of their members.
func (m Match) In(payload []byte) bool {
	got := gjson.GetBytes(payload, m.Path)
	if !got.Exists() {
		return false
	}
	return canonical([]byte(got.Raw)) == canonical(owox.JSONValue(m.Value)) || got.Type == gjson.String && got.Str == m.Value
}

// canonical writes JSON so that equal values are equal texts.
func canonical(text []byte) string {
	value := jsontext.Value(text)
	if err := value.Canonicalize(); err != nil {
		return string(text)
	}
	return string(value)
}

// Watch counts what arrives towards what is expected. It may be used by
// several goroutines at once.
type Watch struct {
	expected Deliveries
	decided  chan struct{}

	mu  sync.Mutex
	sum Unmet // as it would be now
}

// New returns a watch that has seen nothing.
func New(expected Deliveries) *Watch {
	w := &Watch{expected: expected, decided: make(chan struct{})}
	w.sum.Missing = expected.Count
	w.sum.MissingEvents = append(w.sum.MissingEvents, expected.Events...)
	return w
}

// Add counts a request. Only a valid delivery that matches counts towards what
// is expected, and not when the application behind did not take it.
func (w *Watch) Add(d delivery.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch d.State {
	case delivery.StateInvalid:
		w.sum.Invalid++
	case delivery.StateNotKept:
		w.sum.NotKept++
		w.sum.Detail = d.Detail
	case delivery.StateRefused:
		if d.Reason.AboutBody() {
			w.sum.Invalid++
		}
	case delivery.StateValid:
		if d.Forwarded != nil && !d.Forwarded.OK() {
			w.sum.NotTaken++
			break
		}
		w.arrived(d)
	}
	if w.expected.Any() && (w.met() || w.failed()) {
		select {
		case <-w.decided:
		default:
			close(w.decided)
		}
	}
}

func (w *Watch) arrived(d delivery.Delivery) {
	for _, m := range w.expected.Matches {
		if !m.In(d.Body) {
			return
		}
	}
	w.sum.Arrived++
	w.sum.Missing = max(0, w.sum.Missing-1)
	for i, event := range w.sum.MissingEvents {
		if event == d.Event {
			w.sum.MissingEvents = append(w.sum.MissingEvents[:i:i], w.sum.MissingEvents[i+1:]...)
			return
		}
	}
}

func (w *Watch) met() bool    { return w.sum.Missing == 0 && len(w.sum.MissingEvents) == 0 }
func (w *Watch) failed() bool { return w.sum.Invalid > 0 && !w.expected.AcceptAll }

// Decided is closed as soon as all that is expected has arrived, or something
// that must not. Where nothing is expected it stays open.
func (w *Watch) Decided() <-chan struct{} { return w.decided }

// Wait waits until it is decided or the context ends, and returns [Watch.Err].
func (w *Watch) Wait(ctx context.Context) error {
	select {
	case <-w.decided:
	case <-ctx.Done():
	}
	return w.Err()
}

// Err returns nil when everything is as expected by now, otherwise an [*Unmet].
// A delivery that could not be kept, or that the application did not take, is a
// failure unless everything expected has arrived: its sender may have tried again.
func (w *Watch) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	unmet := w.sum
	if w.expected.AcceptAll {
		unmet.Invalid = 0
	}
	if unmet.Invalid == 0 && w.met() && (unmet.NotKept+unmet.NotTaken == 0 || w.expected.Any()) {
		return nil
	}
	return &unmet
}

// Unmet says what is not as expected.
type Unmet struct {
	Arrived       int              // that counted
	Missing       int              // how many more
	MissingEvents []owox.EventType // one of each
	Invalid       int              // arrived, and must not; whatever else is missing
	NotKept       int              // were answered with 503
	Detail        string           // why the last one was not kept
	NotTaken      int              // were forwarded, without success
	Within        time.Duration    // how long was waited; 0: not said
}

// Error puts it into a sentence.
func (u *Unmet) Error() string {
	if u.Invalid > 0 {
		return plural(u.Invalid, "invalid delivery", "invalid deliveries") + " arrived"
	}
	var parts []string
	if u.Missing > 0 || len(u.MissingEvents) > 0 {
		within := ""
		if u.Within > 0 {
			within = fmt.Sprintf(" within %v", u.Within)
		}
		parts = append(parts, plural(u.Arrived, "expected delivery", "expected deliveries")+" arrived"+within, "missing "+strings.Join(u.missing(), " and "))
	}
	if u.NotKept > 0 {
		parts = append(parts, plural(u.NotKept, "delivery", "deliveries")+" could not be kept: "+u.Detail)
	}
	if u.NotTaken > 0 {
		parts = append(parts, "the application did not take "+plural(u.NotTaken, "delivery", "deliveries"))
	}
	return strings.Join(parts, ": ")
}

func (u *Unmet) missing() []string {
	var words []string
	if u.Missing > 0 {
		words = append(words, fmt.Sprintf("%d more", u.Missing))
	}
	for _, event := range u.MissingEvents {
		words = append(words, "one of "+event.Short())
	}
	return words
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
