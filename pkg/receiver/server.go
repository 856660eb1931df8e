package receiver

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/netutil"
)

// Limits of a [Server] that are not set.
const (
	DefaultHeaderTimeout   = 10 * time.Second
	DefaultReadTimeout     = 30 * time.Second
	DefaultShutdownTimeout = 5 * time.Second
	DefaultMaxConnections  = 1000

	maxHeaderBytes = 64 << 10
	lingerTimeout  = time.Second // of a connection too many, from its beginning
	silentTimeout  = time.Second // at the end, of a connection whose first request has not come
	idleTimeout    = 2 * time.Minute
)

// Server runs a handler on a listener and protects it: slow or endless heads
// and bodies are cut off, and large heads are refused with 431. What comes on a
// connection too many is answered with 503, and that connection soon closed,
// so that nobody waits long for an answer.
type Server struct {
	Handler         http.Handler
	TLS             *tls.Config       // nil: plain HTTP
	HeaderTimeout   time.Duration     // for the head of a request
	ReadTimeout     time.Duration     // for a whole request
	ShutdownTimeout time.Duration     // for requests that are under way at the end
	MaxConnections  int               // at a time; more are answered with 503, twice as many wait
	Log             func(line string) // told of connections that failed, at most once a second; may be nil
	Refused         func()            // called for each request that was refused before the handler; may be nil
	// MayAsk reports whether OPTIONS * is answered without the handler, which
	// shows that a server is there. nil: it always is.
	MayAsk func(*http.Request) bool
}

// Serve serves until the context ends, then closes the listener and lets requests
// that are under way, or come on connections that were accepted, end in time.
func (s Server) Serve(ctx context.Context, listener net.Listener) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // the sender speaks nothing else
	lines := &throttle{log: s.Log}
	if s.Log == nil {
		lines.log = func(string) {}
	}
	defer lines.flush()
	conns := &connections{max: cmp.Or(s.MaxConnections, DefaultMaxConnections), linger: lingerTimeout, open: map[net.Conn]*connection{}}
	if conns.asks = s.MayAsk; conns.asks == nil {
		conns.asks = func(*http.Request) bool { return true }
	}
	conns.refuse = func(peer, why string) {
		lines.line("a request from " + peer + " was refused: " + why)
		if s.Refused != nil {
			s.Refused()
		}
	}
	server := &http.Server{
		Handler:           conns.handler(s.Handler),
		Protocols:         protocols,
		TLSConfig:         s.TLS,
		ReadHeaderTimeout: cmp.Or(s.HeaderTimeout, DefaultHeaderTimeout),
		ReadTimeout:       cmp.Or(s.ReadTimeout, DefaultReadTimeout),
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(logWriter(lines.line), "", 0),
		ConnContext:       conns.begin,
		ConnState:         conns.note,

		DisableGeneralOptionsHandler: true, // ours also clears the connection
	}
	listener = netutil.LimitListener(listener, 2*conns.max)
	ended := make(chan error, 1)
	go func() {
		if s.TLS != nil {
			ended <- server.ServeTLS(listener, "", "")
		} else {
			ended <- server.Serve(listener)
		}
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	patience := cmp.Or(s.ShutdownTimeout, DefaultShutdownTimeout)
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	server.SetKeepAlivesEnabled(false) // answers say so from here on
	_ = listener.Close()               // Serve says how it went
	serveErr := <-ended
	conns.settle(min(silentTimeout, patience))
	err := server.Shutdown(deadline)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	if !errors.Is(serveErr, net.ErrClosed) {
		return serveErr
	}
	return err
}

// logWriter passes lines on to a function.
type logWriter func(line string)

func (w logWriter) Write(p []byte) (int, error) {
	w(strings.TrimPrefix(strings.TrimSpace(string(p)), "http: "))
	return len(p), nil
}
