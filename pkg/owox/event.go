package owox

import "strings"

// EventType is the full name of an event type, as it stands in the payload
// and in the X-Event-Type header.
type EventType string

// The documented event types.
const (
	RunFailed     EventType = eventPrefix + "run.failed"
	RunSuccessful EventType = eventPrefix + "run.successful"
)

const eventPrefix = "owox.data-marts.webhook.data_mart."

// Event describes one documented event type.
type Event struct {
	Type   EventType
	Status string // the run status that goes with the event
	Doc    string // when the event is triggered, one sentence
}

var events = []Event{
	{RunFailed, "FAILED", "Triggered when a data mart run fails."},
	{RunSuccessful, "SUCCESSFUL", "Triggered when a data mart run completes successfully."},
}

// Events returns the documented event types in the order of the documentation.
func Events() []Event { return append([]Event(nil), events...) }

// Lookup returns the description of an event type; ok is false for a type
// that is not documented.
func Lookup(t EventType) (e Event, ok bool) {
	for _, e := range events {
		if e.Type == t {
			return e, true
		}
	}
	return Event{}, false
}

// ParseEventType reads an event type as people write it: the full name or its
// last part, "failed" or "successful".
func ParseEventType(word string) (t EventType, ok bool) {
	for _, e := range events {
		if word == string(e.Type) || word == e.Type.Name() {
			return e.Type, true
		}
	}
	return "", false
}

// Name returns the last part of the event type, such as "failed".
func (t EventType) Name() string { return string(t[strings.LastIndexByte(string(t), '.')+1:]) }

// Short returns the event type without what all documented ones share, such
// as "run.failed". A type that is not documented stays as it is.
func (t EventType) Short() string { return strings.TrimPrefix(string(t), eventPrefix) }
