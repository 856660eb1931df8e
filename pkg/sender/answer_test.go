package sender

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

var plainAnswers = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n",
	"HTTP/1.1 204 No Content\r\nDate: Tue, 24 Nov 2026 20:16:43 GMT\r\n\r\n",
	"HTTP/1.1 200\r\ncontent-length:   0\r\nconnection: Keep-Alive\r\nKeep-Alive: timeout=5\r\n\r\n",
	"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: 2\r\nX-Empty:\r\n\r\nno",
	"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
}

// likeNetHTTP holds a plain answer against what net/http makes of it.
func likeNetHTTP(t *testing.T, text []byte) (isPlain bool) {
	t.Helper()
	plain, ok := parsePlainAnswer(text)
	if !ok {
		return false
	}
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), nil)
	if err != nil {
		t.Fatalf("%q is plain, but net/http says %v", text, err)
	}
	if response.StatusCode != plain.status || response.ContentLength != int64(plain.body) || response.Close || len(response.TransferEncoding) > 0 {
		t.Errorf("%q is plain: %+v, but net/http has %+v", text, plain, response)
	}
	body, _ := io.ReadAll(response.Body) // what is there of it
	there := text[plain.head:]
	if want := there[:min(plain.body, len(there))]; !bytes.Equal(body, want) {
		t.Errorf("%q is plain with the body %q, but net/http has %q", text, want, body)
	}
	return true
}

func TestPlainAnswersAreThoseOfNetHTTP(t *testing.T) {
	for _, text := range plainAnswers {
		if !likeNetHTTP(t, []byte(text)) {
			t.Errorf("not plain: %q", text)
		}
	}
}

func FuzzPlainAnswer(f *testing.F) {
	for _, text := range plainAnswers {
		f.Add([]byte(text))
	}
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) { likeNetHTTP(t, text) })
}

// raw serves connections: it reads requests and gives each the answer. With
// hangUp it closes the connection after it.
func raw(t *testing.T, answer string, hangUp bool) (at *url.URL, connections *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	connections = new(atomic.Int64)
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			serving.Go(func() {
				defer conn.Close() //nolint:errcheck // the test is over
				for in := bufio.NewReader(conn); ; {
					request, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, request.Body)
					if _, err := io.WriteString(conn, answer); err != nil || hangUp {
						return
					}
				}
			})
		}
	})
	return &url.URL{Scheme: "http", Host: listener.Addr().String(), Path: "/"}, connections
}

func TestAnswersOfALoad(t *testing.T) {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	tests := []struct {
		name        string
		answer      string
		hangUp      bool
		status      int // 0: want a failure
		kind        delivery.FailureKind
		connections int64 // for 3 deliveries, one after the other
	}{
		{"with a length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", false, 200, "", 1},
		{"in chunks", chunked + "2\r\nok\r\n0\r\n\r\n", false, 200, "", 1},
		{"without body", "HTTP/1.1 204 No Content\r\n\r\n", false, 204, "", 1},
		{"after early hints", "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", false, 201, "", 1},
		{"that says close", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", true, 200, "", 3},
		{"until the end", "HTTP/1.1 200 OK\r\n\r\nok", true, 200, "", 3},
		{"of HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", true, 200, "", 3},
		{"twice", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", false, 200, "", 3},
		{"of another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", false, 101, delivery.BadStatus, 3},
		{"cut off in the body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", true, 0, delivery.Reset, 3},
		{"cut off in the head", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", true, 0, delivery.Reset, 3},
		{"cut off in a chunk", chunked + "5\r\nok", true, 0, delivery.Reset, 3},
		{"none", "", true, 0, delivery.Reset, 3},
		{"no HTTP", "SSH-2.0-OpenSSH_9.9\r\n", false, 0, delivery.BadAnswer, 3},
		{"with a broken header", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", false, 0, delivery.BadAnswer, 3},
		{"with a long head", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxHead+1) + "\r\n\r\n", true, 0, delivery.BadAnswer, 3},
		{"with a long body", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", 2*maxAnswer, strings.Repeat("x", 2*maxAnswer)), true, 0, delivery.BadAnswer, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at, connections := raw(t, tt.answer, tt.hangUp)
			s := New(Options{Timeout: 5 * time.Second})
			defer s.Close()
			request := NewRequest(at, owox.Documented(owox.RunFailed))
			got, err := s.Load(t.Context(), Load{Requests: []Request{request}, Count: 3, NewID: uuid.New})
			if err != nil || got.Deliveries != 3 || connections.Load() != tt.connections {
				t.Errorf("%d deliveries over %d connections, %v, want 3 over %d", got.Deliveries, connections.Load(), err, tt.connections)
			}
			if got.Statuses[tt.status] != 3 && tt.status != 0 {
				t.Errorf("statuses %v", got.Statuses)
			}
			if failed := len(got.Failures) > 0; failed != (tt.kind != "") || failed && (got.Failures[0].Kind != tt.kind || got.Failures[0].Count != 3) {
				t.Errorf("failures %+v, want 3 of kind %q", got.Failures, tt.kind)
			}
		})
	}
}
