package sender_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/sender"
	"github.com/owoxhook/owoxhook/testdata/hostile"
)

// Whatever an endpoint does, a delivery and a load end in time, agree about how
// it went, and say what to do.
func TestNoEndpointHoldsUpTheSender(t *testing.T) {
	const limit = 3 * time.Second // a flood takes a second on a busy machine
	for _, endpoint := range hostile.Endpoints() {
		t.Run(endpoint.Name, func(t *testing.T) {
			t.Parallel()
			address, end, err := endpoint.Serve(nil)
			if err != nil {
				t.Fatal(err)
			}
			defer end()
			s := sender.New(sender.Options{Timeout: limit})
			defer s.Close()
			start := time.Now()
			got := s.Deliver(t.Context(), requestTo(t, address), nil).Last()
			if took := time.Since(start); took > 2*limit {
				t.Errorf("a delivery took %v, want at most %v", took, 2*limit)
			}
			for tries := 1; tries < 3 && endpoint.Delivered && kindOf(got.Failure) == delivery.TimedOut; tries++ { // it may have been the machine
				got = s.Deliver(t.Context(), requestTo(t, address), nil).Last()
			}
			if got.OK() != endpoint.Delivered || !got.OK() && (got.Failure.Error == "" || got.Failure.Hint == "" || got.Failure.Kind == delivery.Other) {
				t.Errorf("a delivery: %+v, want delivered %v, or words about why not", got.Failure, endpoint.Delivered)
			}
			start = time.Now()
			result, err := s.Load(t.Context(), sender.Load{Requests: []sender.Request{requestTo(t, address)}, Count: 4, Concurrency: 4, NewID: uuid.New})
			if took := time.Since(start); err != nil || took > 2*limit {
				t.Errorf("a load took %v, %v, want at most %v", took, err, 2*limit)
			}
			kinds := kindsOf(result)
			delete(kinds, kindOf(got.Failure))
			delete(kinds, delivery.TimedOut) // or more than that
			differ := len(kinds) > 0 && kindOf(got.Failure) != delivery.TimedOut
			if result.Deliveries != 4 || !endpoint.Delivered && result.Failed == 0 || differ {
				t.Errorf("a load: %d of %d failed, %+v, but the delivery: %+v", result.Failed, result.Deliveries, result.Failures, got.Failure)
			}
		})
	}
}

func TestAnInterruptEndsDeliveriesToAnyEndpoint(t *testing.T) {
	for _, endpoint := range hostile.Endpoints() {
		t.Run(endpoint.Name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			address, end, err := endpoint.Serve(func() { time.AfterFunc(50*time.Millisecond, cancel) })
			if err != nil {
				t.Fatal(err)
			}
			defer end()
			s := sender.New(sender.Options{Timeout: time.Minute})
			defer s.Close()
			start := time.Now()
			s.Deliver(ctx, requestTo(t, address), nil)
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %v after an interrupt", took)
			}
		})
	}
}

// What is wrong with TLS is said as what it is.
func TestTLSFailuresAreExplained(t *testing.T) {
	want := map[string]string{
		"a TLS handshake that stalls":    "no end of the TLS handshake with HOST within 200ms",
		"a TLS alert":                    "HOST refused the TLS handshake: handshake failure",
		"a TLS handshake that is closed": "HOST closed the connection during the TLS handshake",
		"junk instead of TLS":            "HOST does not speak TLS",
		"plain HTTP at https":            "HOST does not speak TLS",
	}
	for _, endpoint := range hostile.Endpoints() {
		if endpoint.Scheme != "https" {
			continue
		}
		address, end, err := endpoint.Serve(nil)
		if err != nil {
			t.Fatal(err)
		}
		s := sender.New(sender.Options{Timeout: 200 * time.Millisecond})
		request := requestTo(t, address)
		got := s.Deliver(t.Context(), request, nil).Last().Failure
		s.Close()
		end()
		if got == nil || got.Error != strings.ReplaceAll(want[endpoint.Name], "HOST", request.URL.Host) {
			t.Errorf("%s: %+v, want %q", endpoint.Name, got, want[endpoint.Name])
		}
	}
}
