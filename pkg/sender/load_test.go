package sender_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/tidwall/gjson"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// endpointOf serves a handler until the test ends, and counts connections.
func endpointOf(t testing.TB, handler http.HandlerFunc) (at *url.URL, connections *atomic.Int64) {
	t.Helper()
	connections = new(atomic.Int64)
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL + "/hook?key=%20x")
	if err != nil {
		t.Fatal(err)
	}
	return at, connections
}

// requests returns one for each event type.
func requests(at *url.URL) []sender.Request {
	var requests []sender.Request
	for _, event := range owox.Events() {
		requests = append(requests, sender.NewRequest(at, owox.Sample{Event: event.Type, ID: uuid.New(), Now: time.Unix(0, 0)}.JSON()))
	}
	return requests
}

func load(t *testing.T, l sender.Load, o sender.Options) sender.LoadResult {
	t.Helper()
	if l.NewID == nil {
		l.NewID = uuid.New
	}
	s := sender.New(o)
	defer s.Close()
	result, err := s.Load(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestEveryDeliveryOfALoadIsAnEventOfItsOwn(t *testing.T) {
	var mu sync.Mutex
	ids, events := map[string]int{}, map[owox.EventType]int{}
	at, connections := endpointOf(t, func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		findings := validate.Request(r.Method, r.Header, body)
		who := owox.Identify(body)
		mu.Lock()
		defer mu.Unlock()
		if err != nil || len(findings) > 0 || r.RequestURI != "/hook?key=%20x" {
			t.Errorf("%s %s: %v, %v", r.Method, r.RequestURI, err, findings)
		}
		ids[who.ID]++
		events[who.Event]++
	})
	started := time.Now()
	got := load(t, sender.Load{Requests: requests(at), Count: 501, Concurrency: 8, NewID: uuid.New}, sender.Options{})
	if got.Deliveries != 501 || got.Failed != 0 || got.Statuses[200] != 501 || got.Latency.TotalCount() != 501 {
		t.Errorf("%d deliveries, %d failed, statuses %v, %d latencies", got.Deliveries, got.Failed, got.Statuses, got.Latency.TotalCount())
	}
	if len(ids) != 501 || events[owox.RunFailed] != 251 || events[owox.RunSuccessful] != 250 {
		t.Errorf("%d ids, events %v", len(ids), events)
	}
	// On a machine that is busy net/http replaces a connection now and then.
	if n := connections.Load(); n > 16 {
		t.Errorf("%d connections for deliveries 8 at a time", n)
	}
	if got.Elapsed <= 0 || got.Elapsed > time.Since(started) || got.PerSecond() <= 0 {
		t.Errorf("took %v, %v a second", got.Elapsed, got.PerSecond())
	}
	sum := 0
	for _, in := range got.Timeline {
		sum += in.Deliveries
	}
	if sum != 501 {
		t.Errorf("%d deliveries on the timeline", sum)
	}
}

func TestTimestampsOfALoadAreFresh(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	at, _ := endpointOf(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // the length tells
		stamp, ok := owox.ParseTimestamp([]byte(gjson.GetBytes(body, owox.PathTimestamp).Str))
		if late := stamp.Sub(now); !ok || late < 0 || late > time.Minute {
			t.Errorf("body %s", body)
		}
	})
	load(t, sender.Load{Requests: requests(at), Count: 4}, sender.Options{Now: func() time.Time { return now }})
}

func TestFailuresOfALoadAreCountedByKind(t *testing.T) {
	var n atomic.Int64
	at, _ := endpointOf(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the hang-up is not noticed
		switch n.Add(1) % 5 {
		case 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 1:
			w.WriteHeader(http.StatusFound)
		case 2:
			<-r.Context().Done()
		case 3:
			panic(http.ErrAbortHandler)
		}
	})
	got := load(t, sender.Load{Requests: requests(at), Count: 50}, sender.Options{Timeout: 50 * time.Millisecond})
	for _, f := range got.Failures {
		if f.Error == "" || f.Hint == "" {
			t.Errorf("%s has no words: %+v", f.Kind, f)
		}
	}
	want := map[delivery.FailureKind]int{delivery.BadStatus: 10, delivery.Redirected: 10, delivery.TimedOut: 10, delivery.Reset: 10}
	if diff := cmp.Diff(want, kindsOf(got)); diff != "" || got.Failed != 40 || got.Latency.TotalCount() != 40 {
		t.Errorf("%d failed, %d latencies (-want +got):\n%s", got.Failed, got.Latency.TotalCount(), diff)
	}
	if diff := cmp.Diff(map[int]int{200: 10, 302: 10, 503: 10}, got.Statuses); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestLoadOfAnEndpointThatIsNotThere(t *testing.T) {
	at, err := url.Parse("http://127.0.0.1:1/")
	if err != nil {
		t.Fatal(err)
	}
	got := load(t, sender.Load{Requests: requests(at), Count: 7, Concurrency: 3}, sender.Options{})
	if got.Failed != 7 || len(got.Failures) != 1 || got.Failures[0].Kind != delivery.Refused || got.Latency.TotalCount() != 0 {
		t.Errorf("%+v", got)
	}
}

// An endpoint that stalls once for 300 ms holds up those that are due then: at
// 100 a second about 30 deliveries took longer than they should, not one.
func TestAnEndpointThatStallsCannotHide(t *testing.T) {
	var n atomic.Int64
	at, _ := endpointOf(t, func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 10 {
			time.Sleep(300 * time.Millisecond)
		}
	})
	got := load(t, sender.Load{Requests: requests(at), Count: 100, Rate: 100}, sender.Options{})
	if p80 := sender.Quantile(got.Latency, 85); p80 < 100*time.Millisecond {
		t.Errorf("15%% took %v or more, want 100ms or more", p80)
	}
	if got.Elapsed < 980*time.Millisecond {
		t.Errorf("100 deliveries at 100 a second took %v", got.Elapsed)
	}
}

func TestLoadForATime(t *testing.T) {
	at, _ := endpointOf(t, func(http.ResponseWriter, *http.Request) {})
	for _, rate := range []float64{0, 200} {
		told := 0
		got := load(t, sender.Load{Requests: requests(at), Duration: 500 * time.Millisecond, Rate: rate, Concurrency: 2, Progress: func(p sender.Progress) {
			if told++; p.Deliveries <= 0 || p.Elapsed <= 0 {
				t.Errorf("told of %+v", p)
			}
		}}, sender.Options{})
		if got.Elapsed < 490*time.Millisecond || got.Deliveries == 0 || told == 0 || rate > 0 && got.Deliveries != 100 {
			t.Errorf("at %v a second: %d deliveries in %v, told %d times", rate, got.Deliveries, got.Elapsed, told)
		}
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	arrived := make(chan struct{})
	at, _ := endpointOf(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		_, _ = io.Copy(io.Discard, r.Body) // or the hang-up is not noticed
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	s := sender.New(sender.Options{Timeout: time.Minute})
	defer s.Close()
	got, err := s.Load(ctx, sender.Load{Requests: requests(at), Count: 10, NewID: uuid.New})
	if err != nil || got.Deliveries != 0 || got.Elapsed > 30*time.Second {
		t.Errorf("%d deliveries in %v, want none: nobody knows how it went", got.Deliveries, got.Elapsed)
	}
}

// BenchmarkLoad measures a load beside net/http with one fixed body, both with
// 64 connections to the same endpoint.
func BenchmarkLoad(b *testing.B) {
	at, _ := endpointOf(b, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a benchmark
	})
	b.Run("load", func(b *testing.B) {
		s := sender.New(sender.Options{})
		defer s.Close()
		b.ReportAllocs()
		got, err := s.Load(b.Context(), sender.Load{Requests: requests(at), Count: b.N, Concurrency: 64, NewID: uuid.New})
		if err != nil || got.Failed > 0 || got.Deliveries != b.N {
			b.Errorf("%+v", got)
		}
	})
	b.Run("net-http", func(b *testing.B) {
		transport := &http.Transport{MaxIdleConnsPerHost: 64}
		defer transport.CloseIdleConnections()
		body := requests(at)[0].Body
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				request, err := http.NewRequest(http.MethodPost, at.String(), bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				response, err := transport.RoundTrip(request)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body) // a benchmark
				_ = response.Body.Close()                 // it was read
			}
		})
	})
}

func TestLoadOverTLS(t *testing.T) {
	server := serveTLS(t)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	for _, tt := range []struct {
		options sender.Options
		failed  int
	}{{sender.Options{RootCAs: trusted}, 0}, {sender.Options{Insecure: true}, 0}, {sender.Options{}, 5}} {
		got := load(t, sender.Load{Requests: requests(at), Count: 5, Concurrency: 2}, tt.options)
		if got.Failed != tt.failed || got.Statuses[200] != 5-tt.failed || tt.failed > 0 && got.Failures[0].Kind != delivery.TLS {
			t.Errorf("%+v: %d failed, statuses %v, %+v", tt.options, got.Failed, got.Statuses, got.Failures)
		}
	}
}

// A load sends the same bytes as a single delivery, but for id, timestamp
// and run.
func TestLoadIsWrittenAsWireSays(t *testing.T) {
	var got []byte
	at, _ := endpointOf(t, func(_ http.ResponseWriter, r *http.Request) { got, _ = httputil.DumpRequest(r, true) })
	request := sender.NewRequest(at, payload).WithHeader(owox.Header{Name: "Host", Value: "hook.example.com"}).WithHeader(owox.Header{Name: "X-Key", Value: "1"})
	id := uuid.New()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	load(t, sender.Load{Requests: []sender.Request{request}, Count: 1, NewID: func() uuid.UUID { return id }}, sender.Options{Now: func() time.Time { return now }})
	wire, err := request.Wire()
	if err != nil {
		t.Fatal(err)
	}
	read, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
	if err != nil {
		t.Fatal(err)
	}
	want, err := httputil.DumpRequest(read, true)
	if err != nil {
		t.Fatal(err)
	}
	want = bytes.ReplaceAll(want, []byte(owox.Identify(payload).ID), []byte(id.String()))
	run := owox.Identify(payload).RunID // all of it is shorter than what is renewed
	want = bytes.Replace(want, []byte(run), []byte(id.String()[36-12:][:len(run)]), 1)
	stamp := gjson.GetBytes(payload, owox.PathTimestamp).Str
	want = bytes.Replace(want, []byte(stamp), []byte(gjson.GetBytes(got[bytes.Index(got, []byte("\r\n\r\n"))+4:], owox.PathTimestamp).Str), 1)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
