package sender_test

import (
	"bufio"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// serveRaw serves connections: it reads requests and has each answered, and
// goes on until an answer is an error.
func serveRaw(t *testing.T, answer func(net.Conn) error) (endpoint string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { _ = listener.Close() }) // ends the loop
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close() //nolint:errcheck // nothing to lose
				for in := bufio.NewReader(conn); ; {
					request, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, request.Body) // an error shows at the next request
					if answer(conn) != nil {
						return
					}
				}
			})
		}
	})
	return "http://" + listener.Addr().String()
}

// says answers with the text and goes on.
func says(text string) func(net.Conn) error {
	return func(conn net.Conn) error {
		_, err := io.WriteString(conn, text)
		return err
	}
}

// hangsUp answers with the text and closes the connection.
func hangsUp(text string) func(net.Conn) error {
	return func(conn net.Conn) error {
		_, _ = io.WriteString(conn, text) // the client may be gone
		return net.ErrClosed
	}
}

// drips answers with the head and then with a part of the body every so often,
// so many times.
func drips(head, part string, every time.Duration, times int) func(net.Conn) error {
	return func(conn net.Conn) error {
		_, err := io.WriteString(conn, head)
		for n := 0; err == nil && n < times; n++ {
			time.Sleep(every)
			_, err = io.WriteString(conn, part)
		}
		return err
	}
}

const (
	empty   = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
)

// An answer means the same for a single delivery and for one of a load.
func TestLoadAndDeliveryAgreeAboutAnswers(t *testing.T) {
	const endless = 1 << 30
	tests := []struct {
		name   string
		answer func(net.Conn) error
		status int
		kind   delivery.FailureKind // "": want a success
	}{
		{"200", says("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"), 200, ""},
		{"204", says("HTTP/1.1 204 No Content\r\n\r\n"), 204, ""},
		{"500", says("HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno"), 500, delivery.BadStatus},
		{"301", says("HTTP/1.1 301 Moved\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"), 301, delivery.Redirected},
		{"in chunks", says(chunked + "2\r\nok\r\n0\r\n\r\n"), 200, ""},
		{"after others that inform", says("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + empty), 200, ""},
		{"then close, as it says", hangsUp("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"), 200, ""},
		{"then close, unannounced", hangsUp(empty), 200, ""},
		{"with a body, then close, unannounced", hangsUp("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 200, ""},
		{"until the connection ends", hangsUp("HTTP/1.1 200 OK\r\n\r\nok"), 200, ""},
		{"of HTTP/1.0", hangsUp("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), 200, ""},
		{"two at once", says(empty + empty), 200, ""},
		{"dripped, in time", drips("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "x", time.Millisecond, 3), 200, ""},
		{"dripped, too slowly", drips("HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n", "x", 20*time.Millisecond, 300), 200, ""},
		{"endless", drips("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 1<<16), time.Millisecond, endless), 200, ""},
		{"endless in the head", drips("HTTP/1.1 200 OK\r\n", "X: "+strings.Repeat("x", 1<<17)+"\r\n", 0, endless), 0, delivery.BadAnswer},
		{"of another protocol", says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), 101, delivery.BadStatus},
		{"cut off in the body", hangsUp("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok"), 200, ""},
		{"cut off in a chunk", hangsUp(chunked + "5\r\nok"), 200, ""},
		{"cut off in the head", hangsUp("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"), 0, delivery.Reset},
		{"none, then close", hangsUp(""), 0, delivery.Reset},
		{"none", says(""), 0, delivery.TimedOut},
		{"not HTTP", says("SSH-2.0-OpenSSH_9.9\r\n"), 0, delivery.BadAnswer},
		{"with a broken header", says("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), 0, delivery.BadAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			request := requestTo(t, serveRaw(t, tt.answer))
			count, timeout := 50, 10*time.Second
			if tt.kind != "" {
				count = 8
			}
			if tt.kind == delivery.TimedOut {
				timeout = time.Second
			}
			s := sender.New(sender.Options{Timeout: timeout})
			defer s.Close()
			single := s.Deliver(t.Context(), request, nil).Last()
			if kind := kindOf(single.Failure); single.Status != tt.status || kind != tt.kind {
				t.Errorf("delivery: status %d, %+v, want %d, %q", single.Status, single.Failure, tt.status, tt.kind)
			}
			got, err := s.Load(t.Context(), sender.Load{Requests: []sender.Request{request}, Count: count, Concurrency: 4, NewID: uuid.New})
			statuses, kinds := map[int]int{}, map[delivery.FailureKind]int{}
			if tt.status != 0 {
				statuses[tt.status] = count
			}
			if tt.kind != "" {
				kinds[tt.kind] = count
			}
			if err != nil || got.Deliveries != count || !maps.Equal(got.Statuses, statuses) || !maps.Equal(kindsOf(got), kinds) {
				t.Errorf("load: %d deliveries, statuses %v, failures %+v, %v, want %d, %v, %v",
					got.Deliveries, got.Statuses, got.Failures, err, count, statuses, kinds)
			}
		})
	}
}

// What is on its way when the endpoint closes a used connection goes out again,
// once, over a new one, with the same id.
func TestClosedConnectionOfALoadIsReplaced(t *testing.T) {
	var requests, made atomic.Int64
	request := requestTo(t, serveRaw(t, func(conn net.Conn) error {
		if requests.Add(1) == 2 {
			return net.ErrClosed
		}
		return says(empty)(conn)
	}))
	got := load(t, sender.Load{
		Requests: []sender.Request{request}, Count: 2,
		NewID: func() uuid.UUID { made.Add(1); return uuid.New() },
	}, sender.Options{})
	if got.Deliveries != 2 || got.Failed != 0 || requests.Load() != 3 || made.Load() != 2 {
		t.Errorf("%d of %d failed, %d requests with %d ids, want 0 of 2, 3 with 2", got.Failed, got.Deliveries, requests.Load(), made.Load())
	}
}

// kindOf returns the kind of a failure, "" when there was none.
func kindOf(f *delivery.Failure) delivery.FailureKind {
	if f == nil {
		return ""
	}
	return f.Kind
}

// kindsOf returns how often a load failed by kind.
func kindsOf(r sender.LoadResult) map[delivery.FailureKind]int {
	kinds := map[delivery.FailureKind]int{}
	for _, f := range r.Failures {
		kinds[f.Kind] = f.Count
	}
	return kinds
}
