package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// lanes is a listener that serves plain requests itself, in a lane for each
// connection. A connection with anything else on it is handed over, with what
// was read of it, to whoever accepts from the listener: net/http, which takes
// half of the time of a delivery for what a plain request does not need.
type lanes struct {
	net.Listener
	receiver    *Receiver
	firstByte   time.Duration // that a new connection has for it
	log         func(line string)
	handedOver  chan net.Conn
	failed      chan error
	closed      chan struct{}
	closing     atomic.Bool
	connections sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]struct{} // those in a lane
}

// newLanes starts to accept connections. Close and then wait for it.
func newLanes(listener net.Listener, rc *Receiver, firstByte time.Duration, log func(string)) *lanes {
	l := &lanes{
		Listener: listener, receiver: rc, firstByte: firstByte, log: log,
		handedOver: make(chan net.Conn), failed: make(chan error), closed: make(chan struct{}), open: make(map[net.Conn]struct{}),
	}
	l.connections.Go(l.accept)
	return l
}

// accept opens a lane for each connection.
func (l *lanes) accept() {
	for {
		conn, err := l.Listener.Accept()
		if err == nil {
			l.connections.Go(func() { l.serve(&timedConn{Conn: conn}) })
			continue
		}
		select {
		case l.failed <- err: // net/http knows whether to try again
		case <-l.closed:
		}
		if errors.Is(err, net.ErrClosed) || l.closing.Load() {
			return
		}
	}
}

// Accept returns the next connection that is not for a lane.
func (l *lanes) Accept() (net.Conn, error) {
	select {
	case conn := <-l.handedOver:
		return conn, nil
	case err := <-l.failed:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the lanes that wait for a request; the others end with the one
// that they serve.
func (l *lanes) Close() error {
	if l.closing.Swap(true) {
		return nil
	}
	close(l.closed)
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.open {
		_ = conn.SetReadDeadline(time.Unix(1, 0)) // one that fails has ended
	}
	return l.Listener.Close()
}

// wait waits for the lanes to end, and cuts them off when time is up.
func (l *lanes) wait(ctx context.Context) {
	ended := make(chan struct{})
	go func() { l.connections.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		for conn := range l.open {
			_ = conn.Close() // one that fails has ended
		}
	}
}

// enter notes a connection; ok is false when it comes too late.
func (l *lanes) enter(conn net.Conn) (ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing.Load() {
		return false
	}
	l.open[conn] = struct{}{}
	return conn.SetReadDeadline(time.Now().Add(l.firstByte)) == nil
}

func (l *lanes) leave(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, conn)
}

// lane is a connection with plain requests.
type lane struct {
	lanes   *lanes
	conn    *timedConn
	peer    netip.Addr
	armed   time.Time // when the deadline of reads was last set
	request *plain
	read    []byte // the requests that were read and not served yet
	out     []byte
}

// laneBuffer is more than a delivery has, unless its run had many errors.
const laneBuffer = 16 << 10

func (l *lanes) serve(conn *timedConn) {
	keep := false
	defer func() {
		if r := recover(); r != nil && l.log != nil { // as net/http does: the others go on
			l.log(fmt.Sprintf("panic while serving %v: %v", conn.RemoteAddr(), r))
		}
		l.leave(conn)
		if !keep {
			_ = conn.Close() // nothing waits to be written
		}
	}()
	if !l.enter(conn) {
		return
	}
	in := lane{
		lanes: l, conn: conn, peer: peer(conn.RemoteAddr().String()),
		request: newPlain(l.receiver.options.Validator.MaxBody()), read: make([]byte, 0, laneBuffer),
	}
	for in.next() {
		if !in.request.parse(in.read) {
			keep = in.handOver()
			return
		}
		if !in.answer() {
			return
		}
	}
}

// next waits for a request. It returns false when there will be none.
func (in *lane) next() bool {
	if len(in.read) > 0 {
		return true
	}
	n, err := in.conn.Read(in.read[:cap(in.read)])
	in.read = in.read[:n]
	return err == nil
}

// rearm gives the sender time for the next request. Doing that once in a while
// is enough, as the time is long.
func (in *lane) rearm() bool {
	now := time.Now()
	if now.Sub(in.armed) < deadlineSlack {
		return true
	}
	in.armed = now
	in.lanes.mu.Lock()
	defer in.lanes.mu.Unlock()
	return !in.lanes.closing.Load() && in.conn.SetReadDeadline(now.Add(idleTimeout)) == nil
}

// handOver gives the connection to net/http.
func (in *lane) handOver() (taken bool) {
	in.lanes.leave(in.conn)
	if err := in.conn.SetReadDeadline(time.Time{}); err != nil {
		return false
	}
	select {
	case in.lanes.handedOver <- &wireConn{Conn: &readConn{in.conn, in.read}}:
		return true
	case <-in.lanes.closed:
		return false
	}
}

// answer serves a request. It returns false when the connection is of no use
// any more.
func (in *lane) answer() bool {
	rc, request := in.lanes.receiver, in.request
	remote := rc.remote(in.peer, request.header)
	d := delivery.Delivery{
		ReceivedAt: rc.options.Now(),
		Remote:     remote.String(),
		Method:     owox.Method,
		Path:       request.target,
		Headers:    request.headers,
	}
	status, final := rc.refuse(remote, request.path(), &d), true
	if status == 0 {
		d.Body = bytes.Clone(in.read[request.head:request.size])
		status, final = rc.judge(request.header, &d)
	}
	in.read = in.read[:copy(in.read, in.read[request.size:])]
	d.Answered = status
	own, _ := rc.finish(context.Background(), &d, final)
	_, err := in.conn.Write(in.answerText(&d, own))
	rc.options.Received(d)
	return err == nil && !in.lanes.closing.Load() && in.rearm()
}

// answerText returns the answer as it goes on the wire.
func (in *lane) answerText(d *delivery.Delivery, own Answer) []byte {
	contentType, body := reply(d, own)
	text := http.StatusText(d.Answered)
	if text == "" {
		text = "status code " + strconv.Itoa(d.Answered)
	}
	out := in.out[:0]
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(d.Answered), 10)
	out = append(out, ' ')
	out = append(out, text...)
	header := func(name, value string) {
		out = append(out, "\r\n"...)
		out = append(out, name...)
		out = append(out, ": "...)
		out = append(out, value...)
	}
	header("Content-Type", contentType)
	header(headerNoSniff, noSniff)
	if in.lanes.closing.Load() {
		header("Connection", "close")
	}
	out = append(out, "\r\nDate: "...)
	out = d.ReceivedAt.UTC().AppendFormat(out, http.TimeFormat)
	if bodyAllowed(d.Answered) {
		header("Content-Length", strconv.Itoa(len(body)))
	}
	out = append(out, "\r\n\r\n"...)
	out = append(out, body...)
	in.out = out // its room is for the next one
	return out
}

// readConn is a connection of which something was read already.
type readConn struct {
	net.Conn
	read []byte
}

func (c *readConn) Read(p []byte) (int, error) {
	if len(c.read) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.read)
	c.read = c.read[n:]
	return n, nil
}
