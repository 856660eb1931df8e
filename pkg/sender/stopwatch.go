package sender

import (
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

// stopwatch notes where the time of one attempt goes. The transport dials
// several addresses at once and may go on dialling after the attempt has
// ended, so every hook takes the lock.
type stopwatch struct {
	now   func() time.Time
	begin time.Time

	mu                         sync.Mutex
	timing                     delivery.Timing
	lookup, connect, handshake time.Time
}

func newStopwatch(now func() time.Time) *stopwatch { return &stopwatch{now: now, begin: now()} }

func (s *stopwatch) stop() (total time.Duration, timing delivery.Timing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now().Sub(s.begin), s.timing
}

func (s *stopwatch) trace() *httptrace.ClientTrace {
	start := func(at *time.Time) {
		s.mu.Lock()
		defer s.mu.Unlock()
		*at = s.now()
	}
	done := func(took *time.Duration, since *time.Time) {
		s.mu.Lock()
		defer s.mu.Unlock()
		*took = s.now().Sub(*since)
	}
	return &httptrace.ClientTrace{
		DNSStart:             func(httptrace.DNSStartInfo) { start(&s.lookup) },
		DNSDone:              func(httptrace.DNSDoneInfo) { done(&s.timing.Lookup, &s.lookup) },
		ConnectStart:         func(string, string) { start(&s.connect) },
		ConnectDone:          func(string, string, error) { done(&s.timing.Connect, &s.connect) },
		TLSHandshakeStart:    func() { start(&s.handshake) },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { done(&s.timing.TLS, &s.handshake) },
		GotFirstResponseByte: func() { done(&s.timing.FirstByte, &s.begin) },
	}
}
