package receiver

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Limits of a [Server] that are not set.
const (
	DefaultHeaderTimeout   = 10 * time.Second
	DefaultReadTimeout     = 30 * time.Second
	DefaultShutdownTimeout = 5 * time.Second

	maxHeaderBytes = 64 << 10
	idleTimeout    = 2 * time.Minute
)

// Server runs a handler on a listener and protects it: slow or endless heads
// and bodies are cut off, and large heads are refused with 431.
type Server struct {
	Handler         http.Handler
	TLS             *tls.Config       // nil: plain HTTP
	HeaderTimeout   time.Duration     // for the head of a request
	ReadTimeout     time.Duration     // for a whole request
	ShutdownTimeout time.Duration     // for requests that are under way at the end
	Log             func(line string) // told of connections that failed; nil: nobody
}

// Serve serves until the context ends, then lets requests that are under way
// end in time. It closes the listener.
func (s Server) Serve(ctx context.Context, listener net.Listener) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // the sender speaks nothing else
	silent := newSilent()
	server := &http.Server{
		Handler:           s.Handler,
		Protocols:         protocols,
		TLSConfig:         s.TLS,
		ReadHeaderTimeout: or(s.HeaderTimeout, DefaultHeaderTimeout),
		ReadTimeout:       or(s.ReadTimeout, DefaultReadTimeout),
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(logWriter(s.Log), "", 0),
		ConnState:         silent.note,
	}
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
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), or(s.ShutdownTimeout, DefaultShutdownTimeout))
	defer cancel()
	silent.close()
	err := server.Shutdown(deadline)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	if serveErr := <-ended; !errors.Is(serveErr, http.ErrServerClosed) {
		return serveErr
	}
	return err
}

// silent are the connections on which nothing has come yet. Shutdown would
// wait five seconds for them.
type silent struct {
	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{}
}

func newSilent() *silent { return &silent{conns: map[net.Conn]struct{}{}} }

// note is the server's ConnState.
func (s *silent) note(conn net.Conn, state http.ConnState) {
	if state != http.StateNew && state != http.StateActive && state != http.StateClosed {
		return // it has had a request
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.conns, conn)
	case s.closed:
		_ = conn.Close() // nothing waits to be written
	default:
		s.conns[conn] = struct{}{}
	}
}

func (s *silent) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for conn := range s.conns {
		_ = conn.Close() // nothing waits to be written
	}
}

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// logWriter passes lines on to a function.
type logWriter func(line string)

func (w logWriter) Write(p []byte) (int, error) {
	if w != nil {
		w(string(p))
	}
	return len(p), nil
}
