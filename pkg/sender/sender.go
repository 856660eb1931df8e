// Package sender delivers events to an endpoint as OWOX does: one POST with
// the documented headers, a time limit over the whole exchange, and success
// only for a 2xx status. How real events are retried, and which redirects are
// followed when that is asked for, was observed of the real sender. [Sender.Load]
// makes many such deliveries and measures them.
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
	"io"
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
// the keys of the map as they are.
func (r Request) http(ctx context.Context, target *url.URL) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, cmp.Or(r.Method, owox.Method), target.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("make a request for %s: %w", target.Redacted(), err)
	}
	request.Host = "" // that of the URL, which a redirect changes
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

// Options configure a [Sender]. The zero value delivers as OWOX does, except
// that it tries once and follows no redirect.
type Options struct {
	Timeout         time.Duration // of one attempt, the whole exchange; 0: owox.Timeout
	Attempts        int           // at most; 0: 1
	FollowRedirects bool          // as the real sender does, up to 5
	Insecure        bool          // accept any certificate
	RootCAs         *x509.CertPool
	Proxy           func(*http.Request) (*url.URL, error) // nil: none
	IdleTimeout     time.Duration                         // of connections without a request; 0: 90 s
	Now             func() time.Time                      // nil: time.Now
	Sleep           func(context.Context, time.Duration)  // nil: waits
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
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Sleep == nil {
		options.Sleep = sleep
	}
	return &Sender{options: options, transport: newTransport(options)}
}

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
		IdleConnTimeout:     cmp.Or(options.IdleTimeout, 90*time.Second),

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
		if number >= s.options.Attempts || !Retryable(attempt) || ctx.Err() != nil {
			return outcome
		}
		s.options.Sleep(ctx, delays[min(number, len(delays))-1])
		if ctx.Err() != nil {
			return outcome
		}
	}
}

// Retryable reports whether OWOX tries again after such an attempt: after
// time-outs, connections refused or reset, unresolved names, 5xx and 429.
func Retryable(a delivery.Attempt) bool {
	if a.OK() {
		return false
	}
	switch a.Failure.Kind {
	case delivery.TimedOut, delivery.Refused, delivery.Reset, delivery.UnknownHost:
		return true
	case delivery.BadStatus:
		return a.Status >= 500 || a.Status == http.StatusTooManyRequests
	default:
		return false
	}
}

// attempt makes one exchange and says how it went and where the time went.
func (s *Sender) attempt(ctx context.Context, r Request, number int) delivery.Attempt {
	identity := owox.Identify(r.Body)
	attempt := delivery.Attempt{ID: identity.ID, Event: identity.Event, URL: r.URL.Redacted(), Number: number}
	stopwatch := newStopwatch(s.options.Now)
	var got answer
	request, err := r.http(httptrace.WithClientTrace(ctx, stopwatch.trace()), r.URL)
	if err == nil {
		got, err = s.exchange(request)
	}
	attempt.Duration, attempt.Timing = stopwatch.stop()
	attempt.Status, attempt.Headers = got.status, owox.SortHeaders(got.header)
	attempt.Body = decode(got.header.Get("Content-Encoding"), got.body)
	if ctx.Err() != nil && err != nil {
		err = errInterrupted
	}
	attempt.Failure = s.explain(r, got, err)
	return attempt
}

// answer is what came back of an exchange, as far as it got.
type answer struct {
	connected bool // the request had a connection
	status    int  // 0: there was no answer
	header    http.Header
	body      []byte // its beginning
}

const maxHops = 5

// exchange posts the request, follows redirects when asked to, and reads the
// answer to its end. All that is sent goes through here, and the time limit
// covers all of it.
func (s *Sender) exchange(request *http.Request) (got answer, err error) {
	ctx, cancel := context.WithTimeout(request.Context(), s.options.Timeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { got.connected = true }})
	request = request.WithContext(ctx)
	for hop := 0; ; hop++ {
		if err := s.roundTrip(request, &got); err != nil {
			return got, err
		}
		location := redirect(request.URL, got)
		if location == nil || !s.options.FollowRedirects {
			return got, nil
		}
		if hop == maxHops {
			return got, errTooManyRedirects
		}
		request = request.WithContext(ctx)
		request.URL = location
		if request.Body, err = request.GetBody(); err != nil {
			return got, err
		}
	}
}

// roundTrip makes one request of an exchange. An answer that comes after the
// time limit is none: it may be an answer to the hang-up, which over TLS the
// transport says before it stops reading.
func (s *Sender) roundTrip(request *http.Request, got *answer) error {
	ctx := request.Context()
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // nothing is written
	if late := ctx.Err(); late != nil {
		return late
	}
	got.status, got.header, got.body = response.StatusCode, response.Header, nil
	if response.StatusCode == http.StatusSwitchingProtocols || response.Body == http.NoBody {
		return nil // what follows a switch is no body, and the context does not end it
	}
	got.body, err = readBody(response.Body)
	return cmp.Or(err, ctx.Err())
}

// redirect returns where an answer leads to, or nil.
func redirect(from *url.URL, got answer) *url.URL {
	switch got.status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		to, err := from.Parse(got.header.Get("Location"))
		if err != nil || got.header.Get("Location") == "" || to.Scheme != "http" && to.Scheme != "https" {
			return nil
		}
		return to
	default:
		return nil
	}
}

const maxKept = 64 << 10

// readBody reads a body to its end, because the time limit covers it, and
// keeps its beginning.
func readBody(body io.Reader) (kept []byte, err error) {
	kept, err = io.ReadAll(io.LimitReader(body, maxKept))
	if err == nil {
		_, err = io.Copy(io.Discard, body)
	}
	if err != nil {
		err = fmt.Errorf("read the answer: %w", err)
	}
	return kept, err
}

var (
	errInterrupted      = errors.New("interrupted")
	errTooManyRedirects = fmt.Errorf("more than %d redirects", maxHops)
)
