package sender

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// endsAnswerAtHangUp is a connection whose other side ends its answer when it
// is hung up on, and is heard: over TLS, saying goodbye leaves time for that.
type endsAnswerAtHangUp struct {
	net.Conn
	other net.Conn
}

func (c endsAnswerAtHangUp) Close() error {
	_, err := io.WriteString(c.other, "\r\n")
	time.Sleep(50 * time.Millisecond) // the transport reads it
	return errors.Join(err, c.Conn.Close(), c.other.Close())
}

func TestAnswerThatEndsAtTheHangUpIsNone(t *testing.T) {
	endpoint := &url.URL{Scheme: "http", Host: "example.com", Path: "/"}
	s := New(Options{Timeout: 20 * time.Millisecond})
	defer s.Close()
	s.transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			if _, err := http.ReadRequest(bufio.NewReader(server)); err != nil {
				t.Error(err)
			}
			io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n") //nolint:errcheck // the answer shows
		}()
		return endsAnswerAtHangUp{client, server}, nil
	}
	got := s.Deliver(t.Context(), NewRequest(endpoint, owox.Documented(owox.RunFailed)), nil).Last()
	if got.OK() || got.Failure.Kind != delivery.TimedOut {
		t.Errorf("%+v, want a time-out", got)
	}
}
