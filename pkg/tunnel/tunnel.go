// Package tunnel makes a receiver of this machine public: it runs a program that
// is installed, such as cloudflared or ngrok, or asks an SSH server to forward
// connections, and tells the URL that leads here.
//
// [Open] returns once the URL is known and the tunnel is up. From then on the
// tunnel reports each time it goes down or comes back, and starts a program that
// ended, or an SSH connection that was lost, again and again until it is closed.
// Whether requests really arrive is for the caller to try: names and
// certificates may take seconds to be there.
//
// How the programs are run and read follows their documentation and their logs:
// cloudflared writes to standard error, ngrok to standard output as JSON. A
// program gets a process group of its own, which ends with the tunnel; on Linux
// the program also ends when this process is killed.
package tunnel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Options configure a tunnel. SSH is for ways that need it only.
type Options struct {
	Way     Way
	Target  string // HOST:PORT of the receiver, which speaks plain HTTP
	SSH     SSH
	Changed func(State) // called when the tunnel goes down or comes back, once at a time; nil: not called
	// Waiting is called while Open waits, each time that more is known of the
	// reason, once at a time; nil: it is not.
	Waiting func(why string)
}

// State is what became of a tunnel.
type State struct {
	URL string // of the tunnel while it is up: it may be another one each time
	Err error  // why the tunnel is down; nil: it is up
	// Ended says that the program, or the connection, is over and another one
	// begins: this one does not come back by itself.
	Ended bool
}

// Tunnel is an open tunnel.
type Tunnel struct {
	url    string
	cancel context.CancelFunc
	ended  chan struct{}

	mu      sync.Mutex
	last    State
	wasUp   bool
	first   chan State // gets the first time that it is up, or its failure
	changed func(State)
	waiting func(why string)
}

// link is a way to connect. It calls up whenever its tunnel is up, and down
// when it is not but may come back by itself; it returns when it is over, at the
// latest soon after its context.
type link interface {
	connect(ctx context.Context, up func(url string), down func(error)) error
}

const (
	startTimeout = time.Minute
	minPause     = time.Second // before it connects again
	maxPause     = 30 * time.Second
)

// Open opens a tunnel. The context ends the wait for it, not the tunnel.
func Open(ctx context.Context, options Options) (*Tunnel, error) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	t := &Tunnel{cancel: cancel, ended: make(chan struct{}), first: make(chan State, 1), changed: options.Changed, waiting: options.Waiting}
	if t.changed == nil {
		t.changed = func(State) {}
	}
	if t.waiting == nil {
		t.waiting = func(string) {}
	}
	go t.run(running, options.Way.link(options))
	late := time.NewTimer(startTimeout)
	defer late.Stop()
	var state State
	select {
	case state = <-t.first:
	case <-ctx.Done():
		state.Err = fmt.Errorf("%w: %s opened no tunnel%s", context.Cause(ctx), options.Way.name, t.why())
	case <-late.C:
		state.Err = fmt.Errorf("%s opened no tunnel within %v%s", options.Way.name, startTimeout, t.why())
	}
	if state.Err != nil {
		t.Close()
		return nil, state.Err
	}
	t.url = state.URL
	return t, nil
}

// URL is where the tunnel began: scheme and host, at times a path.
func (t *Tunnel) URL() string { return t.url }

// Close ends the tunnel, and what belongs to it.
func (t *Tunnel) Close() {
	t.cancel()
	<-t.ended
}

// run connects again and again, unless the first time fails.
func (t *Tunnel) run(ctx context.Context, l link) {
	defer close(t.ended)
	for pause := minPause; ctx.Err() == nil; pause = min(2*pause, maxPause) {
		began := time.Now()
		err := l.connect(ctx, func(url string) { t.say(ctx, State{URL: url}) }, func(err error) { t.say(ctx, State{Err: err}) })
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("the tunnel ended")
		}
		t.say(ctx, State{Err: err, Ended: true})
		if !t.wasUp {
			t.first <- State{Err: err}
			return
		}
		if time.Since(began) > maxPause {
			pause = minPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// say reports a state unless it is what was reported before, or its end is wanted.
func (t *Tunnel) say(ctx context.Context, s State) {
	if ctx.Err() != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.last
	t.last = s
	switch {
	case !t.wasUp && s.Err != nil:
		t.waiting(s.Err.Error())
	case !t.wasUp:
		t.wasUp = true
		t.first <- s
	case s.Err == nil && before == s, s.Err != nil && before.Err != nil && (before.Ended || !s.Ended):
	default:
		t.changed(s)
	}
}

// why returns the end of a sentence with what is known of the trouble.
func (t *Tunnel) why() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last.Err == nil {
		return ""
	}
	return ": " + t.last.Err.Error()
}
