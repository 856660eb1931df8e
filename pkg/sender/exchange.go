package sender

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// answer is what came back of an exchange, as far as it got.
type answer struct {
	from      *url.URL // who was asked last
	connected bool     // a request had a connection
	hops      int      // redirects that were followed
	shaking   bool     // the TLS handshake had begun and not ended well
	status    int      // 0: there was no answer
	phrase    string   // the reason phrase of the status
	header    http.Header
	body      []byte // its beginning
	cut       bool   // there was more of the body, or it did not come in time
	bodyTook  time.Duration
	withheld  []string // headers that a redirect to another host left behind
}

// note says what went differently from what one would think.
func (a answer) note() string {
	if len(a.withheld) == 0 {
		return ""
	}
	return fmt.Sprintf("redirected to another host, %s, which did not get %s", a.from.Host, strings.Join(a.withheld, ", "))
}

const maxHops = 5

var errTooManyRedirects = fmt.Errorf("more than %d redirects", maxHops)

// exchange posts the request, follows redirects when asked to, and returns the
// answer. All that is sent goes through here, and the time limit covers all of
// it.
func (s *Sender) exchange(request *http.Request, private []string) (got answer, err error) {
	ctx, cancel := context.WithTimeout(request.Context(), s.options.Timeout)
	defer cancel()
	var shaking atomic.Bool // the transport goes on shaking hands when nobody waits any more
	defer func() { got.shaking = shaking.Load() }()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:           func(httptrace.GotConnInfo) { got.connected = true },
		TLSHandshakeStart: func() { shaking.Store(true) },
		TLSHandshakeDone:  func(_ tls.ConnectionState, err error) { shaking.Store(err != nil) },
	})
	request = request.WithContext(ctx)
	for {
		if err := s.roundTrip(request, &got); err != nil {
			return got, err
		}
		location := redirect(request.URL, got)
		if location == nil || !s.options.FollowRedirects {
			return got, nil
		}
		if got.hops == maxHops {
			return got, errTooManyRedirects
		}
		got.hops++
		request = request.WithContext(ctx)
		if location.Scheme != request.URL.Scheme || location.Host != request.URL.Host {
			got.withheld = append(got.withheld, withhold(request, private)...)
		}
		request.URL = location
		if request.Body, err = request.GetBody(); err != nil {
			return got, err
		}
	}
}

// withhold removes the headers that are for the first host alone, as curl does,
// and returns their names.
func withhold(request *http.Request, private []string) (names []string) {
	documented := []string{owox.HeaderContentType, owox.HeaderUserAgent, owox.HeaderID, owox.HeaderEvent}
	has := func(names []string, name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	header := request.Header.Clone()
	for name := range header {
		if has([]string{"Authorization", "Cookie"}, name) || has(private, name) && !has(documented, name) {
			delete(header, name)
			names = append(names, name)
		}
	}
	if request.Host != "" {
		request.Host = ""
		names = append(names, "Host")
	}
	request.Header = header
	slices.Sort(names)
	return names
}

// roundTrip makes one request of an exchange. The answer counts when its headers
// are there. One that comes after the time limit is none: it may be an answer to
// the hang-up, which over TLS the transport says before it stops reading.
func (s *Sender) roundTrip(request *http.Request, got *answer) error {
	got.from = request.URL
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // nothing is written
	if late := request.Context().Err(); late != nil {
		return late
	}
	if response.StatusCode < 100 {
		return fmt.Errorf("malformed HTTP status code %q", response.Status)
	}
	got.status, got.header, got.body = response.StatusCode, response.Header, nil
	_, got.phrase, _ = strings.Cut(response.Status, " ")
	if response.StatusCode == http.StatusSwitchingProtocols || response.Body == http.NoBody {
		return nil // what follows a switch is no body, and the context does not end it
	}
	s.readBody(response.Body, got)
	return nil
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
		to.RawQuery = escapeQuery(to.RawQuery)
		return to
	default:
		return nil
	}
}

const (
	maxKept    = 64 << 10
	maxSkipped = 1 << 20 // after that, so that the connection can be used again
)

// readBody keeps the beginning of a body. It decides nothing, because OWOX reads
// none, and so it gets little time: closing the body ends the reading of one
// that stalls or never ends, and its connection.
func (s *Sender) readBody(body io.ReadCloser, got *answer) {
	start := time.Now()
	timer := time.AfterFunc(s.options.BodyWait, func() { _ = body.Close() }) // the read tells
	defer timer.Stop()
	var err error
	got.body, err = io.ReadAll(io.LimitReader(body, maxKept))
	skipped := int64(0)
	if err == nil {
		skipped, err = io.CopyN(io.Discard, body, maxSkipped)
	}
	got.cut = skipped > 0 || !errors.Is(err, io.EOF)
	got.bodyTook = time.Since(start)
}
