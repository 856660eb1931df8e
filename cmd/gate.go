package cmd

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// gate keeps deliveries waiting until the receiver was announced, and takes the
// test event that listen sends to itself: it is no delivery, and not counted.
type gate struct {
	next http.Handler
	path string
	open chan struct{}   // closed when deliveries may come
	over <-chan struct{} // closed when none are received any more

	id      string // of the test event; "": there is none
	body    []byte
	arrived chan http.Header
}

func newGate(next http.Handler, path string, over <-chan struct{}) *gate {
	return &gate{next: next, path: path, open: make(chan struct{}), over: over, arrived: make(chan http.Header, 1)}
}

// expect makes the test event.
func (g *gate) expect(s owox.Sample) {
	g.id, g.body = s.ID.String(), s.JSON()
}

// arrival returns the headers of the test event, if it has arrived.
func (g *gate) arrival() (header http.Header, arrived bool) {
	select {
	case header = <-g.arrived:
		return header, true
	default:
		return nil, false
	}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.id != "" && r.Header.Get(owox.HeaderID) == g.id {
		g.take(w, r)
		return
	}
	if !g.wait(r.Context()) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	g.next.ServeHTTP(w, r)
}

// wait reports whether the gate is open, or opens in time.
func (g *gate) wait(ctx context.Context) bool {
	select {
	case <-g.open: // without a lock
		return true
	default:
	}
	select {
	case <-g.open:
		return true
	case <-g.over:
	case <-ctx.Done():
	}
	return false
}

// take takes the test event, which must be as it was sent.
func (g *gate) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(len(g.body))+1))
	if err != nil || !bytes.Equal(body, g.body) || r.Method != owox.Method || r.URL.Path != g.path {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	select {
	case g.arrived <- r.Header:
	default: // once is enough
	}
}
