// Package sender delivers events to an endpoint as OWOX does: one POST with
// the documented headers, and success only for a 2xx status whose headers
// arrive within the time limit, whatever the body does. Which failures are
// tried again comes from the retry table of package owox; which redirects are
// followed, when that is asked for, was observed of the real sender.
// [Sender.Load] makes many such deliveries and measures them.
//
// A failed delivery is not an error of this package: it is an [delivery.Attempt]
// that says what happened and what to do about it.
package sender

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// Request is what is delivered: one payload to one endpoint.
type Request struct {
	Method  string        // "": POST
	URL     *url.URL      // scheme http or https, with a host
	Headers []owox.Header // names are written as they are spelt here
	Body    []byte        // sent unchanged
	// Private are the names of headers that a redirect takes to no other host.
	// Authorization and Cookie are private, and the documented ones never are.
	Private []string
}

// NewRequest returns the request for a payload: its bytes, the documented
// headers with the payload's own id and event, and what the real sender's
// HTTP client adds.
func NewRequest(endpoint *url.URL, payload []byte) Request {
	identity := owox.Identify(payload)
	headers := owox.Headers(identity.ID, string(identity.Event))
	return Request{URL: endpoint, Headers: append(headers, owox.SenderHeaders()...), Body: payload}
}

// WithHeader returns the request with a header set, in place of any of the
// same name.
func (r Request) WithHeader(h owox.Header) Request {
	r = r.WithoutHeader(h.Name)
	r.Headers = append(r.Headers, h)
	return r
}

// WithoutHeader returns the request without the headers of a name.
func (r Request) WithoutHeader(name string) Request {
	r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h owox.Header) bool { return strings.EqualFold(h.Name, name) })
	return r
}

// HasHeader reports whether the request has a header of the name.
func (r Request) HasHeader(name string) bool {
	return slices.ContainsFunc(r.Headers, func(h owox.Header) bool { return strings.EqualFold(h.Name, name) })
}

// http makes the request. Header names keep their spelling: net/http writes
// the keys of the map as they are. A user name and password in the URL become
// basic authentication.
func (r Request) http(ctx context.Context, target *url.URL) (*http.Request, error) {
	escaped := *target
	escaped.RawQuery = escapeQuery(target.RawQuery)
	request, err := http.NewRequestWithContext(ctx, cmp.Or(r.Method, owox.Method), escaped.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("make a request for %s: %s", Redact(target.String()), innermost(err))
	}
	request.Host = "" // that of the URL, which a redirect changes
	if user := request.URL.User; user != nil && !r.HasHeader("Authorization") {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
	}
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, "Host") {
			request.Host = h.Value
			continue
		}
		request.Header[h.Name] = append(request.Header[h.Name], h.Value)
	}
	if !r.HasHeader(owox.HeaderUserAgent) {
		request.Header[owox.HeaderUserAgent] = nil // or net/http adds its own
	}
	if !r.HasHeader("Accept-Encoding") {
		request.Header["Accept-Encoding"] = nil
	}
	return request, nil
}

// escapeQuery escapes what must not be on the wire as it is. Browsers and OWOX's
// client do the same; net/http would send a space and so break the request line.
func escapeQuery(raw string) string {
	var out strings.Builder
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&out, "%%%02X", c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

// Options configure a [Sender]. The zero value delivers as OWOX does, except
// that it tries once and follows no redirect.
type Options struct {
	Timeout         time.Duration // of one attempt, until the headers of the answer; 0: owox.Timeout
	Attempts        int           // at most; 0: 1
	RetryAll        bool          // after every failure, not only after those that OWOX retries
	FollowRedirects bool          // as the real sender does, up to 5
	// BodyWait is how long the body of an answer is waited for when its headers
	// are there, within Timeout; 0: 100 ms. A load waits for 10 ms at most.
	// Connections whose answer is not whole by then are closed.
	BodyWait time.Duration
	// Relayed: what is delivered was received before. Hints do not say that OWOX
	// would lose it.
	Relayed     bool
	Insecure    bool // accept any certificate
	RootCAs     *x509.CertPool
	Proxy       func(*http.Request) (*url.URL, error) // nil: none
	IdleTimeout time.Duration                         // of connections without a request; 0: 4 s, as the real sender
	Now         func() time.Time                      // nil: time.Now
	Sleep       func(context.Context, time.Duration)  // nil: waits
}

// Sender delivers requests. It may be used by several goroutines at once.
type Sender struct {
	options   Options
	transport *http.Transport
}

// New returns a sender. Close it when it is no longer needed.
func New(options Options) *Sender {
	if options.Timeout == 0 {
		options.Timeout = owox.Timeout
	}
	if options.Attempts == 0 {
		options.Attempts = 1
	}
	if options.BodyWait == 0 {
		options.BodyWait = bodyWait
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Sleep == nil {
		options.Sleep = sleep
	}
	return &Sender{options: options, transport: newTransport(options)}
}

const (
	bodyWait    = 100 * time.Millisecond
	idleTimeout = 4 * time.Second // as the real sender keeps connections
)

// newTransport returns the transport of a sender. It goes on connecting for
// the next request when nobody waits any more, hence the limits.
func newTransport(options Options) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // as the real sender does
	return &http.Transport{
		Proxy:       options.Proxy,
		Protocols:   protocols,
		DialContext: (&net.Dialer{Timeout: options.Timeout}).DialContext,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: options.RootCAs,
			InsecureSkipVerify: options.Insecure, //nolint:gosec // what --insecure asks for
		},
		TLSHandshakeTimeout: options.Timeout,
		DisableCompression:  true,        // or a header of its own is added
		MaxIdleConnsPerHost: math.MaxInt, // as many as were used at once
		IdleConnTimeout:     cmp.Or(options.IdleTimeout, idleTimeout),

		MaxResponseHeaderBytes: 1 << 20,
	}
}

// Close ends idle connections.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Deliver tries to deliver the request, again after a failure that OWOX
// retries, with the same id and body. It calls each, when not nil, after every
// attempt.
func (s *Sender) Deliver(ctx context.Context, r Request, each func(delivery.Attempt)) delivery.Outcome {
	var outcome delivery.Outcome
	delays := owox.RetryDelays()
	for number := 1; ; number++ {
		attempt := s.attempt(ctx, r, number)
		outcome.Attempts = append(outcome.Attempts, attempt)
		if each != nil {
			each(attempt)
		}
		again := !attempt.OK() && (s.options.RetryAll || Retryable(attempt))
		if number >= s.options.Attempts || !again || ctx.Err() != nil {
			return outcome
		}
		s.options.Sleep(ctx, delays[min(number, len(delays))-1])
		if ctx.Err() != nil {
			return outcome
		}
	}
}

// Retryable reports whether OWOX tries a real event again after such an
// attempt, by the retry table.
func Retryable(a delivery.Attempt) bool {
	return a.Outcome != "" && owox.RetryAfter(a.Outcome).Again()
}

// attempt makes one exchange and says how it went and where the time went.
func (s *Sender) attempt(ctx context.Context, r Request, number int) delivery.Attempt {
	identity := owox.Identify(r.Body)
	attempt := delivery.Attempt{ID: identity.ID, Event: identity.Event, URL: Redact(r.URL.String()), Number: number}
	stopwatch := newStopwatch(s.options.Now)
	got := answer{from: r.URL}
	request, err := r.http(httptrace.WithClientTrace(ctx, stopwatch.trace()), r.URL)
	if err == nil {
		got, err = s.exchange(request, r.Private)
	}
	attempt.Duration, attempt.Timing = stopwatch.stop()
	attempt.Duration = max(0, attempt.Duration-got.bodyTook)
	attempt.Status, attempt.Headers = got.status, owox.SortHeaders(got.header)
	attempt.Body, attempt.Cut = decode(got.header.Get("Content-Encoding"), got.body)
	attempt.Cut = attempt.Cut || got.cut
	attempt.Note = got.note()
	if ctx.Err() != nil && err != nil {
		err = errInterrupted
	}
	attempt.Failure = s.explain(got, err)
	attempt.Outcome = outcome(got, attempt.Failure)
	return attempt
}

var errInterrupted = errors.New("interrupted")
