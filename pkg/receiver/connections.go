package receiver

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// connections keeps count of a server's connections: so many are served, those
// on which nothing has come do not hold up the end, and what net/http refuses
// by itself is reported.
type connections struct {
	max    int
	linger time.Duration            // of a connection too many
	refuse func(peer, why string)   // called for what no handler has seen
	asks   func(*http.Request) bool // whether OPTIONS * is answered here

	mu   sync.Mutex
	open map[net.Conn]*connection
}

// connection is one of them.
type connection struct {
	over    *time.Timer // one too many: it is closed then; nil: it is served
	silent  bool        // nothing has come yet
	pending atomic.Bool // something came that no handler has seen
}

type connectionKey struct{}

// begin is the server's ConnContext.
func (c *connections) begin(ctx context.Context, conn net.Conn) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := &connection{silent: true}
	if len(c.open) >= c.max {
		one.over = time.AfterFunc(c.linger, func() { _ = conn.Close() }) // others wait for its place
	}
	c.open[conn] = one
	return context.WithValue(ctx, connectionKey{}, one)
}

// note is the server's ConnState.
func (c *connections) note(conn net.Conn, state http.ConnState) {
	if state == http.StateIdle {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.open[conn]
	switch state {
	case http.StateActive:
		one.silent = false
		one.pending.Store(true)
	case http.StateClosed:
		delete(c.open, conn)
		if one.over != nil {
			one.over.Stop()
		}
		if one.pending.Load() {
			c.refuse(conn.RemoteAddr().String(), "it is not HTTP/1.1, malformed, too large or cut off")
		}
	}
}

// settle waits until a handler has seen what is on its way on connections that
// were accepted, as net/http drops what it reads during Shutdown. In the end it
// closes those on which nothing has come: Shutdown would wait for them.
func (c *connections) settle(patience time.Duration) {
	for end := time.Now().Add(patience); c.expecting() && time.Now().Before(end); {
		time.Sleep(settlePause)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn, one := range c.open {
		if one.silent {
			_ = conn.Close() // nothing waits to be written
		}
	}
}

const settlePause = 2 * time.Millisecond

// expecting reports whether a request may come that no handler has seen.
func (c *connections) expecting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.open {
		if one.silent || one.pending.Load() {
			return true
		}
	}
	return false
}

// handler answers 503 on a connection too many: the sender comes back after
// that, as it would not after a connection that is refused.
func (c *connections) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one, _ := r.Context().Value(connectionKey{}).(*connection)
		one.pending.Store(false)
		if r.Method == http.MethodOptions && r.RequestURI == "*" && c.asks(r) {
			return // it asks whether the server is there, even when that is busy
		}
		if one.over == nil {
			next.ServeHTTP(w, r)
			return
		}
		c.refuse(r.RemoteAddr, "it came on a connection too many")
		w.Header().Set("Connection", "close")
		w.Header().Set("Retry-After", strconv.Itoa(1))
		http.Error(w, "too many connections: try again", http.StatusServiceUnavailable)
	})
}

// throttle passes on at most a line a second, with the number of those that it
// left out.
type throttle struct {
	log func(line string)

	mu      sync.Mutex
	waiting *time.Timer // nil: a line may be passed on at once
	last    string
	left    int
}

func (t *throttle) line(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting != nil {
		t.last = text
		t.left++
		return
	}
	t.log(text)
	t.waiting = time.AfterFunc(time.Second, t.flush)
}

// flush passes on what was left out, now or at the end.
func (t *throttle) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting != nil {
		t.waiting.Stop()
	}
	t.waiting = nil
	if t.left > 0 {
		t.log(fmt.Sprintf("%s (%d in the last second)", t.last, t.left))
		t.left = 0
	}
}
