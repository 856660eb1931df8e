package sender_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // where net/http reports what endpoints say too much
	goleak.VerifyTestMain(m)
}

var payload = owox.Documented(owox.RunFailed)

func requestTo(t *testing.T, raw string) sender.Request {
	t.Helper()
	endpoint, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return sender.NewRequest(endpoint, payload)
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// serveTLS answers 200 with a certificate that nobody trusts, and keeps quiet
// about clients that say so.
func serveTLS(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(status(200))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// raw answers every connection with the bytes, then closes it.
func raw(t *testing.T, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				io.WriteString(conn, answer) //nolint:errcheck // the client may be gone
			}
			conn.Close() //nolint:errcheck // nothing to lose
		}
	}()
	t.Cleanup(func() {
		listener.Close() //nolint:errcheck // ends the goroutine
		<-done
	})
	return "http://" + listener.Addr().String()
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestAttemptSaysWhatHappened(t *testing.T) {
	selfSigned := serveTLS(t)
	hang := make(chan struct{})
	defer close(hang)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close() //nolint:errcheck // we want the port closed

	tests := []struct {
		name   string
		url    string
		status int
		kind   delivery.FailureKind
		error  string // a part of it
	}{
		{"200", serve(t, status(200)), 200, "", ""},
		{"204", serve(t, status(204)), 204, "", ""},
		{"500", serve(t, status(500)), 500, delivery.BadStatus, "status 500 Internal Server Error"},
		{"404", serve(t, status(404)), 404, delivery.BadStatus, "status 404 Not Found"},
		{"302", serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/there", 302) }), 302, delivery.Redirected, "status 302 Found to /there"},
		{"refused", "http://" + closed.Addr().String(), 0, delivery.Refused, "connection refused"},
		{"unknown host", "http://no-such-host.invalid/", 0, delivery.UnknownHost, "no-such-host.invalid"},
		{"not trusted", selfSigned.URL, 0, delivery.TLS, "is not trusted"},
		{"plain HTTP behind https", strings.Replace(serve(t, status(200)), "http:", "https:", 1), 0, delivery.TLS, "does not speak TLS"},
		{"no answer", serve(t, func(http.ResponseWriter, *http.Request) { <-hang }), 0, delivery.TimedOut, "no answer within 300ms"},
		{"a body that does not end", serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			<-hang
		}), 200, "", ""},
		{"closed", raw(t, ""), 0, delivery.Reset, "closed the connection"},
		{"a body that is cut off", raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), 200, "", ""},
		{"headers that are cut off", raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n"), 0, delivery.Reset, "closed the connection"},
		{"a status that is none", raw(t, "HTTP/1.1 099 Eh\r\nContent-Length: 0\r\n\r\n"), 0, delivery.BadAnswer, "malformed HTTP status code"},
		{"not HTTP", raw(t, "SSH-2.0-OpenSSH_9.2\r\n"), 0, delivery.BadAnswer, "did not answer with HTTP"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sender.New(sender.Options{Timeout: 300 * time.Millisecond})
			defer s.Close()
			attempt := s.Deliver(t.Context(), requestTo(t, tt.url), nil).Last()
			if attempt.Status != tt.status || attempt.OK() != (tt.kind == "") {
				t.Fatalf("status %d, failure %+v, want %d, %q", attempt.Status, attempt.Failure, tt.status, tt.kind)
			}
			if attempt.OK() {
				return
			}
			if attempt.Failure.Kind != tt.kind || !strings.Contains(attempt.Failure.Error, tt.error) || attempt.Failure.Hint == "" {
				t.Errorf("failure %+v, want %q with %q and a hint", attempt.Failure, tt.kind, tt.error)
			}
		})
	}
}

func TestRequestOnTheWireIsWhatWireSays(t *testing.T) {
	received := make(chan []byte, 1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // the test is over
	request := requestTo(t, "http://"+listener.Addr().String()+"/hook?a=b").WithHeader(owox.Header{Name: "X-Extra", Value: "1"})
	want, err := request.Wire()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close() //nolint:errcheck // the test is over
		got := make([]byte, len(want))
		n, _ := io.ReadFull(conn, got)
		received <- got[:n]
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") //nolint:errcheck // read by the sender
	}()
	s := sender.New(sender.Options{})
	defer s.Close()
	if outcome := s.Deliver(t.Context(), request, nil); !outcome.OK() {
		t.Fatalf("%+v", outcome.Last().Failure)
	}
	if diff := cmp.Diff(string(want), string(<-received)); diff != "" {
		t.Errorf("on the wire (-Wire +received):\n%s", diff)
	}
	for _, line := range []string{
		"POST /hook?a=b HTTP/1.1\r\n", "Content-Type: application/json\r\n", "User-Agent: OWOX-DataMarts-Webhook/1.0\r\n",
		"X-Webhook-ID: 550e8400-e29b-41d4-a716-446655440000\r\n", "X-Event-Type: owox.data-marts.webhook.data_mart.run.failed\r\n",
		"accept: */*\r\n", "accept-language: *\r\n", "sec-fetch-mode: cors\r\n", "accept-encoding: gzip, deflate\r\n",
		fmt.Sprintf("Content-Length: %d\r\n", len(payload)), "X-Extra: 1\r\n", "\r\n\r\n" + string(payload),
	} {
		if !strings.Contains(string(want), line) {
			t.Errorf("%q is not on the wire:\n%s", line, want)
		}
	}
}

func TestOmittedHeadersAreNotSent(t *testing.T) {
	request := requestTo(t, "http://localhost/")
	for _, name := range []string{"user-agent", "Accept-Encoding", "X-WEBHOOK-ID", "content-type"} {
		request = request.WithoutHeader(name)
	}
	wire, err := request.Wire()
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(wire), "\r\n\r\n")
	want := []string{
		"POST / HTTP/1.1", "Host: localhost", fmt.Sprintf("Content-Length: %d", len(payload)),
		"X-Event-Type: owox.data-marts.webhook.data_mart.run.failed", "accept: */*", "accept-language: *", "connection: keep-alive", "sec-fetch-mode: cors",
	}
	if diff := cmp.Diff(want, strings.Split(head, "\r\n")); diff != "" {
		t.Errorf("head (-want +got):\n%s", diff)
	}
}

func TestRetriesAreThoseOfOWOX(t *testing.T) {
	tests := []struct {
		name    string
		answers []int
		waits   []time.Duration
	}{
		{"success", []int{200}, nil},
		{"one failure", []int{503, 200}, []time.Duration{time.Second}},
		{"failures to the end", []int{500, 429, 599}, []time.Duration{time.Second, 3 * time.Second}},
		{"client errors are final", []int{400}, nil},
		{"redirects are final", []int{301}, nil},
		{"a final status after a retry", []int{500, 404}, []time.Duration{time.Second}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var ids []string
			endpoint := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(tt.answers[len(ids)])
				ids = append(ids, r.Header.Get(owox.HeaderID))
			})
			var waits []time.Duration
			s := sender.New(sender.Options{Attempts: 3, Sleep: func(_ context.Context, d time.Duration) { waits = append(waits, d) }})
			defer s.Close()
			numbers := 0
			outcome := s.Deliver(t.Context(), requestTo(t, endpoint), func(delivery.Attempt) { numbers++ })
			if len(outcome.Attempts) != len(tt.answers) || numbers != len(tt.answers) {
				t.Errorf("%d attempts, %d told, want %d", len(outcome.Attempts), numbers, len(tt.answers))
			}
			if diff := cmp.Diff(tt.waits, waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
			for i, id := range ids {
				if id != "550e8400-e29b-41d4-a716-446655440000" {
					t.Errorf("attempt %d has the id %s", i+1, id)
				}
			}
		})
	}
}

func TestRedirectsAreFollowedWithTheSamePost(t *testing.T) {
	var bodies []string
	var endpoint string
	endpoint = serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, r.Method+" "+r.URL.Path+" "+string(body))
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", 307)
		case "/1":
			http.Redirect(w, r, endpoint+"/2", 303)
			io.WriteString(w, "moved") //nolint:errcheck // read below
		}
	})
	s := sender.New(sender.Options{FollowRedirects: true})
	defer s.Close()
	if got := s.Deliver(t.Context(), requestTo(t, endpoint+"/1"), nil).Last(); !got.OK() || len(got.Body) > 0 {
		t.Errorf("%+v, body %q, want a success and no body", got.Failure, got.Body)
	}
	want := []string{"POST /1 " + string(payload), "POST /2 " + string(payload)}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	bodies = nil
	last := s.Deliver(t.Context(), requestTo(t, endpoint+"/loop"), nil).Last()
	if last.OK() || last.Failure.Kind != delivery.Redirected || len(bodies) != 6 {
		t.Errorf("a loop: %d requests, failure %+v, want 6 and a redirect", len(bodies), last.Failure)
	}
}

func TestCertificates(t *testing.T) {
	server := serveTLS(t)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	for name, options := range map[string]sender.Options{"insecure": {Insecure: true}, "trusted": {RootCAs: pool}} {
		s := sender.New(options)
		if outcome := s.Deliver(t.Context(), requestTo(t, server.URL), nil); !outcome.OK() {
			t.Errorf("%s: %+v", name, outcome.Last().Failure)
		}
		if timing := s.Deliver(t.Context(), requestTo(t, server.URL), nil).Last().Timing; timing.FirstByte == 0 {
			t.Errorf("%s: no timing: %+v", name, timing)
		}
		s.Close()
	}
	s := sender.New(sender.Options{RootCAs: pool})
	defer s.Close()
	other := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	if last := s.Deliver(t.Context(), requestTo(t, other), nil).Last(); last.OK() || last.Failure.Kind != delivery.TLS {
		t.Errorf("certificate of another name accepted: %+v", last.Failure)
	}
}

func TestAnswersAreDecodedForReading(t *testing.T) {
	endpoint := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(500)
		zip := gzip.NewWriter(w)
		io.WriteString(zip, "out of memory") //nolint:errcheck // read below
		zip.Close()                          //nolint:errcheck // read below
	})
	s := sender.New(sender.Options{})
	defer s.Close()
	if got := string(s.Deliver(t.Context(), requestTo(t, endpoint), nil).Last().Body); got != "out of memory" {
		t.Errorf("body %q", got)
	}
}

func TestInterruptEndsDelivery(t *testing.T) {
	arrived, hang := make(chan struct{}), make(chan struct{})
	endpoint := serve(t, func(http.ResponseWriter, *http.Request) { close(arrived); <-hang })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	s := sender.New(sender.Options{Attempts: 3})
	defer s.Close()
	outcome := s.Deliver(ctx, requestTo(t, endpoint), nil)
	close(hang)
	if len(outcome.Attempts) != 1 || outcome.Last().Failure.Kind != delivery.Interrupted {
		t.Errorf("%+v", outcome.Attempts)
	}
}
