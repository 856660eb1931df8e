package owox

import (
	"net/http"
	"slices"
)

// Outcome is what an attempt at a real event comes to, as far as it decides
// whether OWOX tries again.
type Outcome string

// The outcomes, in the order of the retry table.
const (
	Delivered      Outcome = "delivered"
	TimedOut       Outcome = "timed-out"
	ServerFailed   Outcome = "server-failed"
	RequestTimeout Outcome = "request-timeout"
	OtherStatus    Outcome = "other-status"
	Disconnected   Outcome = "disconnected"
	Untrusted      Outcome = "untrusted"
	Unresolved     Outcome = "unresolved"
	PrivateAddress Outcome = "private-address"
	Credentials    Outcome = "credentials"
)

// Retry is a row of the retry table.
type Retry struct {
	Outcome  Outcome
	Seen     string // what the endpoint did, in words
	Attempts int    // that OWOX makes at most; 0: it sends nothing at all
}

// retries is what the sender's own code does under Node 20 and Node 22, measured
// on 2026-11-25.
var retries = []Retry{
	{Delivered, "a 2xx status whose headers arrive within 10 s, whatever its body does", 1},
	{TimedOut, "no headers within 10 s", maxAttempts},
	{ServerFailed, "429, or any 5xx", maxAttempts},
	{RequestTimeout, "408 Request Timeout", maxAttempts},
	{OtherStatus, "any other status, such as 304, 400, 401, 404, 409, 410 or 425", 1},
	{Disconnected, "a connection that is refused, reset, or closed before the answer", 1},
	{Untrusted, "a certificate that is not trusted", 1},
	{Unresolved, "a host name that does not resolve", 0},
	{PrivateAddress, "a private, loopback or reserved address", 0},
	{Credentials, "a URL with a user name or password", 0},
}

const maxAttempts = 3

// Retries returns the retry table: what OWOX does after each outcome.
func Retries() []Retry { return slices.Clone(retries) }

// RetryAfter returns the row of an outcome.
func RetryAfter(o Outcome) Retry {
	return retries[slices.IndexFunc(retries, func(r Retry) bool { return r.Outcome == o })]
}

// Again reports whether OWOX tries again.
func (r Retry) Again() bool { return r.Attempts > 1 }

// Fate says what becomes of the event.
func (r Retry) Fate() string {
	switch {
	case r.Outcome == Delivered:
		return "delivered"
	case r.Again():
		return "tried again after 1 s and 3 s, then lost"
	case r.Attempts == 0:
		return "lost: OWOX sends nothing"
	default:
		return "lost: OWOX does not try again"
	}
}

// OutcomeOf returns the outcome of a status with its reason phrase, such as 408
// with "Request Timeout". The sender reads that phrase, not the number.
func OutcomeOf(status int, phrase string) Outcome {
	switch {
	case status >= 200 && status <= 299:
		return Delivered
	case status >= 500 && status <= 599, status == http.StatusTooManyRequests:
		return ServerFailed
	case status == http.StatusRequestTimeout && phrase == http.StatusText(http.StatusRequestTimeout):
		return RequestTimeout
	default:
		return OtherStatus
	}
}
