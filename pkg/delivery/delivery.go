// Package delivery holds the records that the rest of the program passes
// around: what was received, what was attempted, and how it ended.
//
// They are plain values. The maker of one fills it in whole; everyone else
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

	ReceivedAt  time.Time
	Remote      string        // address of the sender, trusted proxies passed over
	Peer        string        // address at the other end of the connection; "" once it is read from a journal
	Method      string        //
	Path        string        // with the query, as it came
	Headers     []owox.Header // Host first, then by name; documented names as documented, others canonical
	Body        []byte        // as it came, or its beginning where Cut
	Cut         bool          // Body is only the beginning of what was sent
	State       State
	Reason      Reason // why it was refused; "": it was not
	Detail      string // of the reason or state: see there
	Duplicate   bool   // an earlier delivery had the same id
	DuplicateOf int64  // its number in the journal; 0: unknown, or not a duplicate
	SameRun     bool   // an earlier delivery was of the same event type and run, under another id
	SameRunAs   int64  // its number in the journal; 0: unknown, or there was none
	Findings    []validate.Finding
	Answered    int           // HTTP status; 0: the sender was gone before the answer
	Took        time.Duration // from ReceivedAt until the answer was written; 0: unknown, as once it is read from a journal
	Forwarded   *Attempt      // at delivering it to an application; nil: it was not forwarded
	Sequence    int64         // number in the journal; 0: it was not kept
}

// Valid reports whether the delivery was kept, if it was to be, and has no
// finding of severity error.
func (d Delivery) Valid() bool { return d.State == StateValid }

// State is what became of a request.
type State string

// The states of a request.
const (
	StateValid   State = "valid"    // validated, without errors
	StateInvalid State = "invalid"  // validated, with errors
	StateRefused State = "refused"  // not validated, and so not a delivery: Reason says why
	StateNotKept State = "not-kept" // the journal could not keep it: Detail is its error
	StateGone    State = "gone"     // the sender hung up before the answer
)

// Reason is why a request was refused.
type Reason string

// The reasons to refuse a request.
const (
	WrongAddress Reason = "address"    // Remote is not allowed
	WrongPath    Reason = "path"       // Detail is the right one
	WrongMethod  Reason = "method"     //
	Compressed   Reason = "compressed" // Detail is the content encoding
	TooLarge     Reason = "size"       // the body; Detail is the limit in bytes
	TooSlow      Reason = "slow"       // the body did not arrive in time
	Incomplete   Reason = "incomplete" // the body did not arrive whole; Detail is the error
)

// AboutBody reports whether the request would have been a delivery but for its
// body.
func (r Reason) AboutBody() bool {
	switch r {
	case Compressed, TooLarge, TooSlow, Incomplete:
		return true
	default:
		return false
	}
}

// Attempt is one try at delivering an event.
type Attempt struct {
	ID       string // of the event, as in the payload
	Event    owox.EventType
	URL      string        // of the endpoint, its secrets shortened
	Target   string        // of a relay; "": it was for none
	Number   int           // 1 for the first try
	Status   int           // HTTP status; 0: there was no answer
	Duration time.Duration // until the headers of the answer were there
	Timing   Timing
	Headers  []owox.Header // of the answer, canonical names, sorted
	Body     []byte        // of the answer, at most its first 64 KiB
	Cut      bool          // Body is only the beginning of what was sent
	Note     string        // what else is worth knowing, such as headers that a redirect left behind
	Failure  *Failure      // nil: it was a success
	Outcome  owox.Outcome  // what it is to OWOX; "": unknown, as after an interrupt
}

// OK reports whether the attempt was a success: a 2xx whose headers came within
// the time limit.
func (a Attempt) OK() bool { return a.Failure == nil }

// OWOXRetries reports whether OWOX would try a real event again after this
// attempt.
func (a Attempt) OWOXRetries() bool {
	return a.Outcome != "" && a.Number < owox.RetryAfter(a.Outcome).Attempts
}

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
	// Untrusted says that it is the certificate, which no other try makes better.
	Untrusted bool
}

// FailureKind tells failures apart for retries, counts and hints.
type FailureKind string

// The kinds of failure.
const (
	Refused     FailureKind = "refused"      // nothing listens there
	Reset       FailureKind = "reset"        // the connection was cut
	UnknownHost FailureKind = "unknown-host" // the name does not resolve
	Unreachable FailureKind = "unreachable"  // no way to the network or host
	TimedOut    FailureKind = "timeout"      // no headers of an answer in time
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
