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

func newTransport(options Options) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // as the real sender does
	return &http.Transport{
		Proxy:              options.Proxy,
		Protocols:          protocols,
		TLSClientConfig:    options.tlsTo(""), // whatever the URL names
		DisableCompression: true,              // or a header of its own is added
		IdleConnTimeout:    90 * time.Second,
	}
}

// tlsTo returns how TLS is spoken to a host.
func (o Options) tlsTo(host string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs, ServerName: host,
		InsecureSkipVerify: o.Insecure, //nolint:gosec // what --insecure asks for
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

// attempt makes one exchange, its redirects included, within the time limit.
func (s *Sender) attempt(ctx context.Context, r Request, number int) delivery.Attempt {
	identity := owox.Identify(r.Body)
	attempt := delivery.Attempt{ID: identity.ID, Event: identity.Event, URL: r.URL.Redacted(), Number: number}
	limited, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	stopwatch := newStopwatch(s.options.Now)
	err := s.exchange(httptrace.WithClientTrace(limited, stopwatch.trace()), r, &attempt)
	attempt.Duration, attempt.Timing = stopwatch.stop()
	if ctx.Err() != nil && err != nil {
		err = errInterrupted
	}
	attempt.Failure = s.explain(r, attempt, err)
	return attempt
}

const maxHops = 5

// exchange posts the request and reads the answer to its end. An answer that
// comes after the time limit is none: it may be an answer to the hang-up, which
// over TLS the transport says before it stops reading.
func (s *Sender) exchange(ctx context.Context, r Request, attempt *delivery.Attempt) error {
	target := r.URL
	for hop := 0; ; hop++ {
		request, err := r.http(ctx, target)
		if err != nil {
			return err
		}
		response, err := s.transport.RoundTrip(request)
		if err != nil {
			return err
		}
		if late := ctx.Err(); late != nil {
			_ = response.Body.Close() // nobody reads it
			return late
		}
		attempt.Status, attempt.Headers = response.StatusCode, owox.SortHeaders(response.Header)
		attempt.Body, err = readBody(response)
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		location := redirect(target, response)
		if location == nil || !s.options.FollowRedirects {
			return nil
		}
		if hop == maxHops {
			return errTooManyRedirects
		}
		target = location
	}
}

// redirect returns where a response leads to, or nil.
func redirect(from *url.URL, response *http.Response) *url.URL {
	switch response.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		to, err := from.Parse(response.Header.Get("Location"))
		if err != nil || response.Header.Get("Location") == "" || to.Scheme != "http" && to.Scheme != "https" {
			return nil
		}
		return to
	default:
		return nil
	}
}

const maxKept = 64 << 10

// readBody reads the body to its end, because the time limit covers it, and
// keeps its beginning, with gzip undone for reading.
func readBody(response *http.Response) (kept []byte, err error) {
	defer response.Body.Close() //nolint:errcheck // nothing is written
	kept, err = io.ReadAll(io.LimitReader(response.Body, maxKept))
	if err != nil {
		return kept, fmt.Errorf("read the answer: %w", err)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return kept, fmt.Errorf("read the answer: %w", err)
	}
	return decode(response.Header.Get("Content-Encoding"), kept), nil
}

var (
	errInterrupted      = errors.New("interrupted")
	errTooManyRedirects = fmt.Errorf("more than %d redirects", maxHops)
)
