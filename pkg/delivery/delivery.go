// Package delivery holds the records that the rest of the program passes
// around: what was received, what was attempted, and how it ended.
//
// They are plain values. Whoever makes one fills it in whole; whoever gets one
// only reads it.
package delivery

import (
	"time"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// Delivery is one request that was received.
type Delivery struct {
	owox.Identity // of the payload, as far as it could be read

	ReceivedAt time.Time
	Remote     string        // address of the sender, believed proxies passed over
	Method     string        //
	Path       string        // with the query, as it came
	Headers    []owox.Header // canonical names, sorted; Host first
	Body       []byte        // as it came, or its beginning where Cut
	Cut        bool          // Body is only the beginning of what was sent
	Duplicate  bool          // an earlier delivery had the same id
	Findings   []validate.Finding
	Answered   int      // HTTP status; 0: the sender was gone before the answer
	Note       string   // why it was refused, not judged or not kept, or ""
	Forwarded  *Attempt // at delivering it to an application; nil: it was not forwarded
	Sequence   int64    // number in the journal; 0: it was not kept
}

// Valid reports whether the delivery was judged and found to be without
// errors.
func (d Delivery) Valid() bool { return d.Note == "" && validate.Valid(d.Findings) }

// Attempt is one try at delivering an event.
type Attempt struct {
	ID       string // of the event, as in the payload
	Event    owox.EventType
	URL      string // of the endpoint, without a password
	Number   int    // 1 for the first try
	Status   int    // HTTP status; 0: there was no answer
	Duration time.Duration
	Timing   Timing
	Headers  []owox.Header // of the answer, canonical names, sorted
	Body     []byte        // of the answer, at most its first 64 KiB
	Failure  *Failure      // nil: it was a success
}

// OK reports whether the attempt was a success: a 2xx within the time limit.
func (a Attempt) OK() bool { return a.Failure == nil }

// Timing says where the time of an attempt went. A step that did not happen,
// such as TLS over plain HTTP, took no time.
type Timing struct {
	Lookup, Connect, TLS time.Duration
	FirstByte            time.Duration // from the request's start to the answer's first byte
}

// Failure says why an attempt was no success.
type Failure struct {
	Kind  FailureKind
	Error string // what happened
	Hint  string // what to do about it
}

// FailureKind tells failures apart for retries, counts and hints.
type FailureKind string

// The kinds of failure.
const (
	Refused     FailureKind = "refused"      // nothing listens there
	Reset       FailureKind = "reset"        // the connection was cut
	UnknownHost FailureKind = "unknown-host" // the name does not resolve
	Unreachable FailureKind = "unreachable"  // no way to the network or host
	TimedOut    FailureKind = "timeout"      // no complete answer in time
	TLS         FailureKind = "tls"          // no trusted connection
	Redirected  FailureKind = "redirect"     // 3xx
	BadStatus   FailureKind = "status"       // an answer, but not 2xx
	BadAnswer   FailureKind = "answer"       // what came back is not HTTP
	Interrupted FailureKind = "interrupted"  // by the user
	Other       FailureKind = "other"
)

// Outcome is how the delivery of one event ended: its attempts, in order.
type Outcome struct{ Attempts []Attempt }

// Last returns the attempt that decided.
func (o Outcome) Last() Attempt {
	if len(o.Attempts) == 0 {
		return Attempt{}
	}
	return o.Attempts[len(o.Attempts)-1]
}

// OK reports whether the event was delivered.
func (o Outcome) OK() bool { return len(o.Attempts) > 0 && o.Last().OK() }
