package sender_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// resets answers with a TCP reset.
func resets(conn net.Conn) error {
	return errors.Join(net.ErrClosed, conn.(*net.TCPConn).SetLinger(0))
}

// stalls answers with the text and then says nothing until the client is gone.
func stalls(text string) func(net.Conn) error {
	return func(conn net.Conn) error {
		_, err := io.WriteString(conn, text)
		_, _ = io.Copy(io.Discard, conn) // ends with the client
		return errors.Join(net.ErrClosed, err)
	}
}

// answers is an answer without a body, with a whole status line.
func answers(status string) func(net.Conn) error {
	return says("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n")
}

// retryRow is an endpoint for a row of the retry table.
type retryRow struct {
	name     string
	endpoint string
	want     owox.Outcome
	attempts int
	hint     string // a part of it
}

const lost = "the event would be lost"

func retryRows(t *testing.T) []retryRow {
	t.Helper()
	return []retryRow{
		{"2xx", serveRaw(t, answers("204 No Content")), owox.Delivered, 1, ""},
		{"200, then a body that stalls", serveRaw(t, stalls("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")), owox.Delivered, 1, ""},
		{"200, then a body that never ends", serveRaw(t, drips("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 1<<16), 0, 1<<30)), owox.Delivered, 1, ""},
		{"200, then a cut", serveRaw(t, hangsUp("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")), owox.Delivered, 1, ""},
		{"no headers in time", serveRaw(t, stalls("HTTP/1.1 200 OK\r\n")), owox.TimedOut, 3, "OWOX waits 10 seconds for the headers"},
		{"429", serveRaw(t, answers("429 Too Many Requests")), owox.ServerFailed, 3, "rate limit"},
		{"500", serveRaw(t, answers("500 Internal Server Error")), owox.ServerFailed, 3, "log"},
		{"503", serveRaw(t, answers("503 Service Unavailable")), owox.ServerFailed, 3, "log"},
		{"599", serveRaw(t, answers("599 ")), owox.ServerFailed, 3, "log"},
		{"503, then a body that stalls", serveRaw(t, stalls("HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nok")), owox.ServerFailed, 3, "log"},
		{"408 with its phrase", serveRaw(t, answers("408 Request Timeout")), owox.RequestTimeout, 3, "2xx"},
		{"408 with another phrase", serveRaw(t, answers("408 Zeit abgelaufen")), owox.OtherStatus, 1, "answer 503 instead"},
		{"408 without a phrase", serveRaw(t, answers("408")), owox.OtherStatus, 1, "answer 503 instead"},
		{"301", serveRaw(t, says("HTTP/1.1 301 Moved\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n")), owox.OtherStatus, 1, lost},
		{"304", serveRaw(t, says("HTTP/1.1 304 Not Modified\r\n\r\n")), owox.OtherStatus, 1, lost},
		{"400", serveRaw(t, answers("400 Bad Request")), owox.OtherStatus, 1, lost},
		{"401", serveRaw(t, answers("401 Unauthorized")), owox.OtherStatus, 1, lost},
		{"404", serveRaw(t, answers("404 Not Found")), owox.OtherStatus, 1, lost},
		{"409", serveRaw(t, answers("409 Conflict")), owox.OtherStatus, 1, lost},
		{"410", serveRaw(t, answers("410 Gone")), owox.OtherStatus, 1, lost},
		{"425", serveRaw(t, answers("425 Too Early")), owox.OtherStatus, 1, lost},
		{"101", serveRaw(t, stalls("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")), owox.OtherStatus, 1, lost},
		{"refused", "http://127.0.0.1:1/", owox.Disconnected, 1, "answer 503 while the endpoint restarts, run two instances"},
		{"reset", serveRaw(t, resets), owox.Disconnected, 1, "answer 503 while the endpoint restarts"},
		{"closed while waiting", serveRaw(t, hangsUp("")), owox.Disconnected, 1, "answer 503 while the endpoint restarts"},
		{"closed in the headers", serveRaw(t, hangsUp("HTTP/1.1 200 OK\r\n")), owox.Disconnected, 1, lost},
		{"not HTTP", serveRaw(t, says("SSH-2.0-OpenSSH_9.9\r\n")), owox.Disconnected, 1, lost},
		{"not trusted", serveTLS(t).URL, owox.Untrusted, 1, lost},
		{"no TLS there", strings.Replace(serveRaw(t, answers("200 OK")), "http:", "https:", 1), owox.Untrusted, 1, lost},
		{"unknown host", "http://no-such-host.invalid/", owox.Unresolved, 1, lost},
	}
}

// Every row of the retry table, at an endpoint that does it. Rows that OWOX
// never gets to, because it sends nothing, are rules about URLs.
func TestAttemptsFollowTheRetryTable(t *testing.T) {
	rows := retryRows(t)
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, all := range map[string]bool{"as OWOX does": false, "all": true} {
				want := tt.attempts
				if all && tt.want != owox.Delivered {
					want = 3
				}
				s := sender.New(sender.Options{Timeout: 300 * time.Millisecond, Attempts: 3, RetryAll: all, Sleep: func(context.Context, time.Duration) {}})
				defer s.Close()
				attempts := s.Deliver(t.Context(), requestTo(t, tt.endpoint), nil).Attempts
				if len(attempts) != want {
					t.Errorf("retrying %s: %d attempts, want %d", name, len(attempts), want)
				}
				for i, a := range attempts {
					if a.Outcome != tt.want || a.OK() != (tt.want == owox.Delivered) || a.OWOXRetries() != (i+1 < tt.attempts) {
						t.Errorf("retrying %s: attempt %d is %q, failure %+v, OWOX retries %v, want %q, %v", name, i+1, a.Outcome, a.Failure, a.OWOXRetries(), tt.want, i+1 < tt.attempts)
					}
					if a.Failure == nil {
						continue
					}
					if !strings.Contains(a.Failure.Hint, tt.hint) || strings.Contains(a.Failure.Hint, lost) != (tt.attempts == 1) {
						t.Errorf("retrying %s: hint %q, want %q in it, and what is lost only where OWOX does not retry", name, a.Failure.Hint, tt.hint)
					}
				}
			}
		})
	}
	unreachable := []owox.Outcome{owox.PrivateAddress, owox.Credentials}
	for _, row := range owox.Retries() {
		if !slices.Contains(unreachable, row.Outcome) && !slices.ContainsFunc(rows, func(r retryRow) bool { return r.want == row.Outcome }) {
			t.Errorf("no endpoint shows %q", row.Outcome)
		}
	}
}

func TestRelayedDeliveriesAreNotCalledLost(t *testing.T) {
	s := sender.New(sender.Options{Relayed: true})
	defer s.Close()
	if f := s.Deliver(t.Context(), requestTo(t, "http://127.0.0.1:1/"), nil).Last().Failure; f.Kind != delivery.Refused || strings.Contains(f.Hint, "OWOX") {
		t.Errorf("%+v, want no word about OWOX", f)
	}
	for _, status := range []int{302, 401, 403, 408, 429} {
		endpoint := serveRaw(t, says(fmt.Sprintf("HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n", status)))
		if f := s.Deliver(t.Context(), requestTo(t, endpoint), nil).Last().Failure; f.Hint == "" || strings.Contains(f.Hint, "OWOX") || strings.Contains(f.Hint, "--") {
			t.Errorf("status %d: %+v, want a hint about neither OWOX nor a flag of send", status, f)
		}
	}
}

// What of a body comes soon is kept, and a short one costs no connection.
func TestBodiesAreReadAsFarAsTheyComeSoon(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(net.Conn) error
		body   string
		cut    bool
	}{
		{"whole", says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), "ok", false},
		{"in parts", drips("HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\n", "x", time.Millisecond, 3), "xxx", false},
		{"that stalls", stalls("HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\nout of"), "out of", true},
		{"that is long", hangsUp("HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 1<<17)), strings.Repeat("x", 1<<16), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := sender.New(sender.Options{})
			defer s.Close()
			start := time.Now()
			got := s.Deliver(t.Context(), requestTo(t, serveRaw(t, tt.answer)), nil).Last()
			if string(got.Body) != tt.body || got.Cut != tt.cut || time.Since(start) > 5*time.Second {
				t.Errorf("%d bytes, %.20q, cut %v, after %v, want %d bytes, cut %v, soon", len(got.Body), got.Body, got.Cut, time.Since(start), len(tt.body), tt.cut)
			}
		})
	}
}
