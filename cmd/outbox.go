package cmd

import (
	"sync"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

// Limits of an outbox. Beyond them deliveries are counted, not kept.
const (
	outboxLines = 10_000
	outboxBytes = 32 << 20
	outboxPause = 2 * time.Millisecond // after which what has come meanwhile is said together
	lastWords   = 5 * time.Second      // for what waits at the end
)

// outbox says deliveries one after the other without making anybody wait: a
// terminal that is stopped, or a program that reads slowly, must not slow the
// endpoint. What does not fit is left out, and counted.
type outbox struct {
	say   func(delivery.Delivery) error
	flush func() error // called when nothing waits

	mu      sync.Mutex
	ready   *sync.Cond // something waits, or the outbox was closed
	waiting []delivery.Delivery
	bytes   int
	closed  bool
	omitted int
	err     error // of say or flush; nothing is said after it

	done chan struct{} // closed when everything was said
}

// newOutbox starts an outbox; failed is called once, when say or flush returns
// an error. Close it to end its goroutine.
func newOutbox(say func(delivery.Delivery) error, flush func() error, failed func()) *outbox {
	o := &outbox{say: say, flush: flush, done: make(chan struct{})}
	o.ready = sync.NewCond(&o.mu)
	go o.run(failed)
	return o
}

func (o *outbox) put(d delivery.Delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.err != nil || len(o.waiting) >= outboxLines || o.bytes+len(d.Body) > outboxBytes {
		o.omitted++
		return
	}
	o.waiting = append(o.waiting, d)
	o.bytes += len(d.Body)
	o.ready.Signal()
}

func (o *outbox) run(failed func()) {
	defer close(o.done)
	for {
		d, ok := o.next()
		if !ok {
			return
		}
		err := o.say(d)
		if err == nil && o.empty() {
			err = o.flush()
			time.Sleep(outboxPause)
		}
		if err != nil {
			o.mu.Lock()
			o.err = err
			o.mu.Unlock()
			failed()
			return
		}
	}
}

func (o *outbox) empty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting) == 0
}

// next waits for a delivery; ok is false when no more will come.
func (o *outbox) next() (d delivery.Delivery, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.waiting) == 0 && !o.closed {
		o.ready.Wait()
	}
	if len(o.waiting) == 0 {
		return delivery.Delivery{}, false
	}
	d = o.waiting[0]
	o.waiting[0] = delivery.Delivery{} // or its body stays in memory
	o.waiting = o.waiting[1:]
	o.bytes -= len(d.Body)
	return d, true
}

// close gives what waits a last chance and returns how many deliveries were
// left out, and why nothing more could be said. stuck reports that the last
// one is still being said: nothing else must be.
func (o *outbox) close() (omitted int, stuck bool, err error) {
	o.mu.Lock()
	o.closed = true
	o.ready.Signal()
	o.mu.Unlock()
	select {
	case <-o.done:
	case <-time.After(lastWords):
		stuck = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.omitted + len(o.waiting), stuck, o.err
}
