package receiver

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/http"
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
	server := &http.Server{
		Handler:           s.Handler,
		Protocols:         protocols,
		ReadHeaderTimeout: or(s.HeaderTimeout, DefaultHeaderTimeout),
		ReadTimeout:       or(s.ReadTimeout, DefaultReadTimeout),
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(logWriter(s.Log), "", 0),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, wireKey{}, conn)
		},
	}
	entrance, wait := s.entrance(listener)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(entrance) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), or(s.ShutdownTimeout, DefaultShutdownTimeout))
	defer cancel()
	err := server.Shutdown(deadline)
	wait(deadline)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	if serveErr := <-ended; !errors.Is(serveErr, http.ErrServerClosed) {
		return serveErr
	}
	return err
}

// entrance returns where net/http gets its connections from, and what waits
// for those that it does not get. Requests that are answered at once may have a
// lane; only net/http notices a sender that hangs up before its answer.
func (s Server) entrance(listener net.Listener) (entrance net.Listener, wait func(context.Context)) {
	rc, ok := s.Handler.(*Receiver)
	if !ok || s.TLS != nil || rc.options.Delay > 0 || rc.options.Forward != nil {
		return wireListener{listener, s.TLS, s.Log}, func(context.Context) {}
	}
	lanes := newLanes(listener, rc, or(s.HeaderTimeout, DefaultHeaderTimeout), s.Log)
	return lanes, lanes.wait
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
