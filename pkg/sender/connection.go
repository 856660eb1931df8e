package sender

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"runtime"
	"time"
)

// connection is the one of a worker of a load, opened when it is needed. It
// does for a delivery what net/http's client does, at a third of the price:
// what goes out is there already, and nobody else wants to use it.
type connection struct {
	sender   *Sender
	target   *url.URL
	conn     net.Conn // nil: it is not open
	answers  *answers
	stop     func() bool // does not close it when the context ends
	used     time.Time   // when the last answer had been read
	deadline time.Time   // of conn
}

// idleConn is how long a connection may be idle before an endpoint closes it,
// most likely.
const idleConn = time.Second

// exchange sends a request and reads the answer to its end, within the time
// limit of the sender. It returns when that was.
func (c *connection) exchange(ctx context.Context, wire []byte, start time.Time) (status int, end time.Time, err error) {
	timeout := c.sender.options.Timeout
	limit := start.Add(timeout)
	if start.Sub(c.used) > idleConn {
		c.close()
	}
	if err := c.open(ctx, limit); err != nil {
		return 0, time.Now(), err
	}
	// Setting a deadline costs as much as reading an answer. One that is a little
	// late does for many deliveries: what comes too late is told by the clock.
	if c.deadline.Before(limit) {
		c.deadline = limit.Add(timeout / 64)
		if err := c.conn.SetDeadline(c.deadline); err != nil {
			c.close()
			return 0, time.Now(), err
		}
	}
	_, writeErr := c.conn.Write(wire)
	runtime.Gosched()                      // while others write, the answer may come: one look instead of two
	status, again, err := c.answers.next() // even if not all was written: it may say why
	if err != nil && writeErr != nil {
		err = writeErr
	}
	end = time.Now()
	if err == nil && end.After(limit) {
		status, err = 0, context.DeadlineExceeded
	}
	c.used = end
	if err != nil || !again {
		c.close()
	}
	return status, end, err
}

// open connects to the endpoint, if it is not connected. The end of the context
// closes the connection: nothing else ends an exchange that is under way.
func (c *connection) open(ctx context.Context, limit time.Time) error {
	if c.conn != nil {
		return nil
	}
	limited, cancel := context.WithDeadline(ctx, limit)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(limited, "tcp", hostPort(c.target))
	if err != nil {
		return err
	}
	if c.target.Scheme == "https" {
		secure := tls.Client(conn, c.sender.options.tlsTo(c.target.Hostname()))
		if err := secure.HandshakeContext(limited); err != nil {
			_ = conn.Close() // the handshake tells
			return err
		}
		conn = secure
	}
	c.conn, c.answers, c.deadline = conn, newAnswers(conn), time.Time{}
	c.stop = context.AfterFunc(ctx, func() { _ = conn.Close() }) // what is under way fails
	return nil
}

// close ends the connection.
func (c *connection) close() {
	if c.conn == nil {
		return
	}
	c.stop()
	_ = c.conn.Close() // nothing waits to be written
	c.conn = nil
}

// hostPort returns the address of an endpoint.
func hostPort(target *url.URL) string {
	port := target.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[target.Scheme]
	}
	return net.JoinHostPort(target.Hostname(), port)
}
