package receiver_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a server until stop is called.
func start(t *testing.T, server receiver.Server) (address string, stop func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listener) }()
	return listener.Addr().String(), func() error {
		cancel()
		return <-ended
	}
}

func head(extra string) string {
	var out strings.Builder
	out.WriteString("POST / HTTP/1.1\r\nHost: a\r\n")
	for _, h := range owox.Headers("550e8400-e29b-41d4-a716-446655440000", string(owox.RunFailed)) {
		fmt.Fprintf(&out, "%s: %s\r\n", h.Name, h.Value)
	}
	return out.String() + extra + "\r\n"
}

func TestHostileClients(t *testing.T) {
	whole := head(fmt.Sprintf("Content-Length: %d\r\n", len(payload))) + string(payload)
	tests := []struct {
		name string
		send func(io.Writer)
		want string // status lines, or "" where the connection is just closed
	}{
		{"as documented", text(whole), "200"},
		{"HTTP/1.0", text(strings.Replace(whole, "HTTP/1.1", "HTTP/1.0", 1)), "200"},
		{"pipelined", text(whole + whole + whole), "200 200 200"},
		{"chunked", text(head("Transfer-Encoding: chunked\r\n") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(payload), payload)), "200"},
		{"chunks without end", func(w io.Writer) {
			io.WriteString(w, head("Transfer-Encoding: chunked\r\n")) //nolint:errcheck // the server may hang up
			for range 1 << 16 {
				if _, err := io.WriteString(w, "400\r\n"+strings.Repeat("x", 1024)+"\r\n"); err != nil {
					return
				}
			}
		}, "413"},
		{"broken chunks", text(head("Transfer-Encoding: chunked\r\n") + "zz\r\n"), "400"},
		{"a length without a body", text(head("Content-Length: 99999999999\r\n")), "408"},
		{"a slow head", text("POST / HTTP/1.1\r\nHost: a\r\n"), ""},
		{"a slow body", text(head("Content-Length: 500\r\n") + `{"id":`), "408"},
		{"a head without end", func(w io.Writer) {
			io.WriteString(w, "POST / HTTP/1.1\r\nHost: a\r\n") //nolint:errcheck // the server may hang up
			for i := range 100 {
				if _, err := fmt.Fprintf(w, "X-%d: %s\r\n", i, strings.Repeat("y", 60_000)); err != nil {
					return
				}
			}
		}, "431"},
		{"no HTTP", text("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n"), "400"},
		{"no host", text("POST / HTTP/1.1\r\n\r\n"), "400"},
		{"nothing", text(""), ""},
	}
	handler := receiver.New(receiver.Options{Validator: validator(t, validate.Config{MaxBody: 100_000})})
	address, stop := start(t, receiver.Server{Handler: handler, HeaderTimeout: 200 * time.Millisecond, ReadTimeout: 400 * time.Millisecond})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()                                 //nolint:errcheck // the test is over
			conn.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // or the test hangs
			sent := make(chan struct{})
			go func() { tt.send(conn); close(sent) }()
			if got := statuses(conn, max(1, len(strings.Fields(tt.want)))); got != tt.want {
				t.Errorf("answered %q, want %q", got, tt.want)
			}
			conn.Close() //nolint:errcheck // ends a sender that still writes
			<-sent
		})
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func text(s string) func(io.Writer) {
	return func(w io.Writer) { io.WriteString(w, s) } //nolint:errcheck // the answer tells
}

func statuses(conn net.Conn, n int) string {
	var got []string
	reader := bufio.NewReader(conn)
	for range n {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			break
		}
		io.Copy(io.Discard, response.Body) //nolint:errcheck // only the status counts
		response.Body.Close()              //nolint:errcheck // only the status counts
		got = append(got, fmt.Sprint(response.StatusCode))
	}
	return strings.Join(got, " ")
}

func TestRunningRequestsEndBeforeTheServer(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	address, stop := start(t, receiver.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		w.WriteHeader(201)
	})})
	answered := make(chan int, 1)
	go func() {
		response, err := http.Post("http://"+address, "application/json", bytes.NewReader(payload))
		if err != nil {
			answered <- 0
			return
		}
		response.Body.Close() //nolint:errcheck // only the status counts
		answered <- response.StatusCode
	}()
	<-arrived
	time.AfterFunc(50*time.Millisecond, func() { close(release) })
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := <-answered; got != 201 {
		t.Errorf("the running request was answered %d, want 201", got)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestServerEndsThoughARequestDoesNot(t *testing.T) {
	arrived := make(chan struct{})
	address, stop := start(t, receiver.Server{ShutdownTimeout: 50 * time.Millisecond, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the test is over
	text("GET / HTTP/1.1\r\nHost: a\r\n\r\n")(conn)
	<-arrived
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Each request has its own headers, also when requests follow each other on a
// connection, with or without waiting: Host first, then by name, the documented
// ones spelt as documented, the others canonical.
func TestHeadersAreThoseOfTheirRequest(t *testing.T) {
	var mu sync.Mutex
	var got []string
	handler := receiver.New(receiver.Options{Validator: validator(t, validate.Config{}), Received: func(d delivery.Delivery) {
		mu.Lock()
		defer mu.Unlock()
		var names []string
		for _, h := range d.Headers {
			names = append(names, h.Name+"="+h.Value)
		}
		got = append(got, fmt.Sprintf("%s %d %s", strings.Join(names, " "), len(d.Body), d.Path))
	}})
	address, stop := start(t, receiver.Server{Handler: handler})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()                                 //nolint:errcheck // the test is over
	conn.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // or the test hangs
	reader := bufio.NewReader(conn)
	long := strings.Repeat("x", 100_000)
	for _, sent := range []struct {
		text    string
		answers int
	}{
		{"POST /?1 HTTP/1.1\r\nx-b: 1\r\nHost: h\r\nX-A:  2 \r\nx-B: 3\r\nx-webhook-id: 4\r\nContent-Length: 2\r\n\r\n{}", 1},
		{"POST /?2 HTTP/1.1\r\nHost: h\r\nZ: 1\r\nContent-Length: 1\r\n\r\n{POST /?3 HTTP/1.1\r\nY: 1\r\nHost: h\r\n\r\n", 2},
		{"POST /?4 HTTP/1.1\r\nZ: 1\r\nContent-Length: 100000\r\nHost: h\r\n\r\n" + long, 1},
		{"POST /?5 HTTP/1.1\r\nZ: 1\r\nHost: h\r\nA: 1\r\n\r\n", 1},
		{"POST /?6 HTTP/1.1\r\nZ: 1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nA: 1\r\n\r\n0\r\n\r\n", 1},
		{"POST /?7 HTTP/1.1\r\nZ: 1\r\nHost: h\r\nA: 1\r\n\r\n", 1},
	} {
		if _, err := io.WriteString(conn, sent.text); err != nil {
			t.Fatal(err)
		}
		for range sent.answers {
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, response.Body) //nolint:errcheck // only that it came counts
			response.Body.Close()              //nolint:errcheck // only that it came counts
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	want := []string{
		"Host=h Content-Length=2 X-A=2 X-B=1 X-B=3 X-Webhook-ID=4 2 /?1",
		"Host=h Content-Length=1 Z=1 1 /?2",
		"Host=h Y=1 0 /?3",
		"Host=h Content-Length=100000 Z=1 100000 /?4",
		"Host=h A=1 Z=1 0 /?5",
		"Host=h A=1 Z=1 0 /?6",
		"Host=h A=1 Z=1 0 /?7",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRunningDeliveriesEndBeforeTheServer(t *testing.T) {
	kept, release := make(chan struct{}), make(chan struct{})
	handler := receiver.New(receiver.Options{Validator: validator(t, validate.Config{}), Keep: func(*delivery.Delivery, func()) error {
		close(kept)
		<-release
		return nil
	}})
	address, stop := start(t, receiver.Server{Handler: handler})
	idle, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close() //nolint:errcheck // the test is over
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()                                                                              //nolint:errcheck // the test is over
	io.WriteString(conn, head(fmt.Sprintf("Content-Length: %d\r\n", len(payload)))+string(payload)) //nolint:errcheck // the answer tells
	<-kept
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	if _, err := idle.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a connection without a request got %v, want its end", err)
	}
	close(release)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusOK || !response.Close {
		t.Errorf("answered %+v, %v, want 200 and the end of the connection", response, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestServerEndsThoughADeliveryIsStuck(t *testing.T) {
	kept, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	handler := receiver.New(receiver.Options{Validator: validator(t, validate.Config{}), Keep: func(*delivery.Delivery, func()) error {
		close(kept)
		<-release
		return nil
	}})
	address, stop := start(t, receiver.Server{Handler: handler, ShutdownTimeout: 50 * time.Millisecond})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()                                                                              //nolint:errcheck // the test is over
	io.WriteString(conn, head(fmt.Sprintf("Content-Length: %d\r\n", len(payload)))+string(payload)) //nolint:errcheck // the answer tells
	<-kept
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
}

// BenchmarkServer measures deliveries over a loopback socket beside a bare
// handler of net/http, on 64 connections.
func BenchmarkServer(b *testing.B) {
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // a benchmark
		w.WriteHeader(http.StatusOK)
	})
	v, err := validate.New(validate.Config{})
	if err != nil {
		b.Fatal(err)
	}
	request := []byte(head(fmt.Sprintf("Content-Length: %d\r\n", len(payload))) + string(payload))
	servers := map[string]func(context.Context, net.Listener) error{
		"receiver": receiver.Server{Handler: receiver.New(receiver.Options{Validator: v})}.Serve,
		"bare-net-http": func(ctx context.Context, listener net.Listener) error {
			server := &http.Server{Handler: bare}
			context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // a benchmark
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
	for name, serve := range servers {
		b.Run(name, func(b *testing.B) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- serve(ctx, listener) }()
			b.SetParallelism(32)
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				conn, err := net.Dial("tcp", listener.Addr().String())
				if err != nil {
					b.Error(err)
					return
				}
				defer conn.Close() //nolint:errcheck // the benchmark is over
				answer := make([]byte, 4096)
				for pb.Next() {
					if _, err := conn.Write(request); err != nil {
						b.Error(err)
						return
					}
					if n, err := conn.Read(answer); err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 200 OK\r\n") {
						b.Errorf("answered %q, %v", answer[:n], err)
						return
					}
				}
			})
			b.StopTimer()
			cancel()
			if err := <-ended; err != nil {
				b.Error(err)
			}
		})
	}
}

// Connections on which nothing has come must not hold up the end.
func TestSilentConnectionsDoNotDelayTheEnd(t *testing.T) {
	for name, options := range map[string]receiver.Options{
		"answered at once": {},
		"answered later":   {Delay: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			options.Validator = validator(t, validate.Config{})
			address, stop := start(t, receiver.Server{Handler: receiver.New(options), ShutdownTimeout: time.Minute})
			silent, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close() //nolint:errcheck // the test is over
			begun := time.Now()
			if err := stop(); err != nil {
				t.Error(err)
			}
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("the end took %v with a silent connection", took)
			}
		})
	}
}
