package receiver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

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

// What net/http refuses by itself no handler sees: the lines say so, at most
// one a second.
func TestRequestsRefusedUnreadAreReported(t *testing.T) {
	handler := receiver.New(receiver.Options{Validator: validator(t, validate.Config{})})
	var log logged
	address, stop := start(t, receiver.Server{Handler: handler, Log: log.add})
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
}
