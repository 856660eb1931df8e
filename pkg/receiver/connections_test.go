package receiver_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// logged collects the lines of a server.
type logged struct {
	mu    sync.Mutex
	lines []string
}

func (l *logged) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })                 //nolint:errcheck // the test is over
	conn.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // or the test hangs
	return conn
}

// A connection that was accepted is as good as a delivery that is under way.
func TestRequestsOnConnectionsJustAcceptedAreAnswered(t *testing.T) {
	address, stop := start(t, receiver.Server{Handler: receiver.New(receiver.Options{Validator: validator(t, validate.Config{})})})
	conns := []net.Conn{dial(t, address), dial(t, address), dial(t, address)}
	exchange(t, dial(t, address)) // connections are accepted in order
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	for _, conn := range conns {
		time.Sleep(100 * time.Millisecond)
		exchange(t, conn)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// exchange makes a delivery on a connection, and wants a 200.
func exchange(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.WriteString(conn, head(fmt.Sprintf("Content-Length: %d\r\n", len(payload)))+string(payload)); err != nil {
		t.Fatal(err)
	}
	if status, err := bufio.NewReader(conn).ReadString('\n'); !strings.HasPrefix(status, "HTTP/1.1 200 ") {
		t.Errorf("answered %q, %v, want 200", status, err)
	}
}

// A connection that is refused loses the event; a 503 brings the sender back.
func TestConnectionsBeyondTheLimitAreAnswered503(t *testing.T) {
	handler := receiver.New(receiver.Options{Validator: validator(t, validate.Config{})})
	var log logged
	address, stop := start(t, receiver.Server{Handler: handler, MaxConnections: 2, Log: log.add})
	whole := head(fmt.Sprintf("Content-Length: %d\r\n", len(payload))) + string(payload)
	post := func(conn net.Conn) *http.Response {
		t.Helper()
		text(whole)(conn)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	first, second := dial(t, address), dial(t, address)
	post(first)
	post(second)
	third := dial(t, address)
	if response := post(third); response.StatusCode != 503 || response.Header.Get("Retry-After") == "" || !response.Close {
		t.Errorf("a connection too many was answered %v, want 503 with Retry-After and the end of the connection", response)
	}
	third.Close() //nolint:errcheck // it is over
	first.Close() //nolint:errcheck // makes room
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		next := dial(t, address)
		response := post(next)
		if response.StatusCode == 200 {
			break
		}
		next.Close() //nolint:errcheck // it was one too many
		if time.Now().After(deadline) {
			t.Fatalf("with room again a connection was answered %v", response)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if all := strings.Join(log.lines, "\n"); !strings.Contains(all, "a connection too many") {
		t.Errorf("logged %q", all)
	}
}

// Senders that are slow, and one too many, must not have others wait past the
// time at which OWOX gives up.
func TestSlowConnectionsTooManyMakeWay(t *testing.T) {
	handler := receiver.New(receiver.Options{Validator: validator(t, validate.Config{})})
	const limit = 2
	address, stop := start(t, receiver.Server{Handler: handler, MaxConnections: limit, ReadTimeout: time.Minute, HeaderTimeout: time.Minute, ShutdownTimeout: time.Millisecond})
	for _, slowly := range []string{head("Content-Length: 100\r\n") + "{", "POST / HT", ""} {
		for range limit {
			text(slowly)(dial(t, address))
		}
	}
	conn := dial(t, address)
	text(head("Content-Length: 2\r\n") + "{}")(conn)
	conn.SetDeadline(time.Now().Add(8 * time.Second)) //nolint:errcheck // or the test hangs
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("behind slow connections: %v, %v, want 503 soon", response, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// What net/http refuses by itself no handler sees: the lines say so, at most
// one a second.
func TestRequestsRefusedUnreadAreReported(t *testing.T) {
	handler := receiver.New(receiver.Options{Validator: validator(t, validate.Config{})})
	var log logged
	var refused atomic.Int64
	address, stop := start(t, receiver.Server{Handler: handler, Log: log.add, Refused: func() { refused.Add(1) }})
	const bad = 20
	for range bad {
		conn := dial(t, address)
		text("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n")(conn)
		if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
			t.Fatalf("answered %q, %v, want 400", answer, err)
		}
	}
	good := dial(t, address)
	text("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")(good)
	if answer, err := io.ReadAll(good); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 422 ") {
		t.Fatalf("answered %q, %v, want 422", answer, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if len(log.lines) < 2 || len(log.lines) > bad/2 || !strings.Contains(log.lines[0], "from 127.0.0.1:") || !strings.Contains(log.lines[0], "malformed") {
		t.Errorf("%d lines: %q", len(log.lines), log.lines)
	}
	if got := refused.Load(); got != bad {
		t.Errorf("%d requests were counted as refused, want %d", got, bad)
	}
}

func TestTheHandlerAnswersThoseWhoMayNotAsk(t *testing.T) {
	for mayAsk, want := range map[bool]string{true: "HTTP/1.1 200 ", false: "HTTP/1.1 404 "} {
		address, stop := start(t, receiver.Server{Handler: http.NotFoundHandler(), MayAsk: func(*http.Request) bool { return mayAsk }})
		conn := dial(t, address)
		text("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")(conn)
		if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), want) {
			t.Errorf("may ask: %v: answered %q, %v, want %s", mayAsk, answer, err, want)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestPlainHTTPAtATLSPortGetsASentence(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	server.Close()
	handler := receiver.New(receiver.Options{Validator: validator(t, validate.Config{})})
	var log logged
	address, stop := start(t, receiver.Server{Handler: handler, Log: log.add, TLS: &tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}})
	conn := dial(t, address)
	text(head("Content-Length: 0\r\n"))(conn)
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.0 400 ") || !strings.Contains(string(answer), "HTTP request to an HTTPS server") {
		t.Errorf("answered %q, %v, want 400 and a sentence", answer, err)
	}
	client := server.Client()
	response, err := client.Get("https://" + address)
	if err != nil || response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("over TLS: %v, %v", response, err)
	} else {
		response.Body.Close() //nolint:errcheck // only the status counts
	}
	client.CloseIdleConnections()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if all := strings.Join(log.lines, "\n"); !strings.HasPrefix(all, "TLS handshake error from 127.0.0.1:") {
		t.Errorf("logged %q", all)
	}
}

// A sender that has closed its side still gets its answer, and an application
// behind the receiver the delivery.
func TestHalfClosedSenderGetsItsAnswer(t *testing.T) {
	var forwarded atomic.Int64
	handler := receiver.New(receiver.Options{Validator: validator(t, validate.Config{}), Forward: func(ctx context.Context, _ *delivery.Delivery) (receiver.Answer, bool) {
		time.Sleep(100 * time.Millisecond) // so that the server notices the end of the sender's side
		if ctx.Err() == nil {
			forwarded.Add(1)
		}
		return receiver.Answer{Status: 201}, true
	}})
	address, stop := start(t, receiver.Server{Handler: handler})
	got := converse(t, address, head(fmt.Sprintf("Content-Length: %d\r\n", len(payload)))+string(payload), nil)
	if len(got) != 1 || !strings.HasPrefix(got[0], "201 ") || forwarded.Load() != 1 {
		t.Errorf("answered %q, forwarded %d times", got, forwarded.Load())
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A client that pipelines and never reads must not hold a connection.
func TestClientThatNeverReadsIsCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes the time limit of writing")
	}
	handler := receiver.New(receiver.Options{Validator: validator(t, validate.Config{})})
	address, stop := start(t, receiver.Server{Handler: handler})
	conn := dial(t, address)
	conn.SetDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // or the test hangs
	invalid := []byte(strings.Repeat("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", 100))
	begun := time.Now()
	for {
		if _, err := conn.Write(invalid); err != nil {
			break
		}
	}
	if took := time.Since(begun); took > 25*time.Second {
		t.Errorf("cut off after %v", took)
	}
	conn.Close() //nolint:errcheck // the test is over
	if err := stop(); err != nil {
		t.Error(err)
	}
}
