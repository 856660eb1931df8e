package receiver

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// net/http forgets the order and the spelling of headers. A wireConn listens
// in on its connection, so that a delivery can be kept with its headers as they
// came.
type wireConn struct {
	net.Conn
	handshake func() // of TLS, once; nil: there is none

	mu   sync.Mutex
	head []byte // what was read since the current request began
	skip int64  // bytes of a body that are still to come
	lost bool   // where a request begins is not known any more
}

// maxWire is how much of a request is looked at: its head, and a little more.
const maxWire = maxHeaderBytes + 8<<10

func (c *wireConn) Read(p []byte) (int, error) {
	if c.handshake != nil {
		c.handshake()
		c.handshake = nil
	}
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := p[:n]
	if skipped := min(c.skip, int64(n)); skipped > 0 {
		c.skip -= skipped
		seen = seen[skipped:]
	}
	if room := maxWire - len(c.head); !c.lost && len(seen) > 0 {
		c.head = append(c.head, seen[:min(room, len(seen))]...)
		c.lost = len(seen) > room
	}
	return n, err
}

// take returns the headers of the current request as they came, and moves on
// to the next one; ok is false when that cannot be said for sure.
func (c *wireConn) take(r *http.Request) (headers []owox.Header, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	end := bytes.Index(c.head, []byte("\r\n\r\n"))
	if c.lost && end < 0 || end < 0 || r.ContentLength < 0 {
		c.lost, c.head = true, nil
		return nil, false
	}
	head := string(c.head[:end])
	headers = make([]owox.Header, 0, strings.Count(head, "\n"))
	_, head, _ = strings.Cut(head, "\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		headers = append(headers, owox.Header{Name: name, Value: strings.TrimSpace(value)})
	}
	rest := c.head[end+len("\r\n\r\n"):]
	if body := r.ContentLength; body <= int64(len(rest)) && !c.lost {
		c.head = append(c.head[:0], rest[body:]...)
	} else {
		c.skip, c.head = body-int64(len(rest)), c.head[:0]
	}
	return headers, sameHeaders(headers, r)
}

// sameHeaders reports whether the lines are those that net/http read.
func sameHeaders(headers []owox.Header, r *http.Request) bool {
	count := 0
	for _, h := range headers {
		switch {
		case strings.EqualFold(h.Name, "Host"):
			count--
		case len(r.Header[h.Name]) > 0:
		case len(r.Header[http.CanonicalHeaderKey(h.Name)]) == 0:
			return false
		}
		count++
	}
	total := 0
	for _, values := range r.Header {
		total += len(values)
	}
	return count == total
}

type wireKey struct{}

// writeTimeout is how long a sender may take to read a part of an answer.
// Deadlines are up to deadlineSlack longer or shorter than they should be, so
// that not every request has to set them.
const (
	writeTimeout  = 10 * time.Second
	deadlineSlack = time.Second
)

// timedConn is a connection whose writes do not wait for ever.
type timedConn struct {
	net.Conn
	armed time.Time // when the deadline of writes was last set
}

func (c *timedConn) Write(p []byte) (int, error) {
	if now := time.Now(); now.Sub(c.armed) > deadlineSlack {
		c.armed = now
		if err := c.SetWriteDeadline(now.Add(writeTimeout + deadlineSlack)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// wireListener makes connections that listen in. With a TLS configuration they
// speak TLS; a handshake that fails is said.
type wireListener struct {
	net.Listener
	tls *tls.Config
	log func(line string)
}

func (l wireListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if l.tls == nil {
		return &wireConn{Conn: &timedConn{Conn: conn}}, nil
	}
	secure := tls.Server(conn, l.tls)
	return &wireConn{Conn: &timedConn{Conn: secure}, handshake: func() {
		if err := secure.HandshakeContext(context.Background()); err != nil && l.log != nil {
			l.log("TLS handshake error from " + conn.RemoteAddr().String() + ": " + err.Error())
		}
	}}, nil
}
