package report

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

// Limits of a queue. Beyond them deliveries are counted, not kept.
const (
	queueLength = 10_000
	queueBytes  = 32 << 20
	queuePause  = 2 * time.Millisecond // after which what has come meanwhile is printed together
	lastWords   = 5 * time.Second      // for what waits at the end
	inAHurry    = lastWords / 20       // and in a hurry
)

// ErrStuck is why a [Queue] cannot report what waits in it.
var ErrStuck = errors.New("nobody reads the output")

// Queue reports deliveries one after the other without blocking the caller: a
// terminal that is stopped, or a program that reads slowly, must not slow an
// endpoint. What does not fit is left out, and counted.
type Queue struct {
	reporter Reporter
	flush    func() error
	waiting  chan *delivery.Delivery
	bytes    atomic.Int64 // of the bodies that wait
	omitted  atomic.Int64
	closing  chan struct{}
	done     chan struct{} // closed when nothing more will be reported
	err      error         // why, once done is closed
}

// NewQueue returns a queue in front of a reporter. It calls flush when nothing
// waits, and failed once when reporter or flush returns an error: nothing is
// reported after it. Close it to end its goroutine.
func NewQueue(reporter Reporter, flush func() error, failed func()) *Queue {
	q := &Queue{
		reporter: reporter, flush: flush, waiting: make(chan *delivery.Delivery, queueLength),
		closing: make(chan struct{}), done: make(chan struct{}),
	}
	go q.run(failed)
	return q
}

// Put has a delivery reported, or counts it. It returns at once.
func (q *Queue) Put(d delivery.Delivery) {
	size := int64(len(d.Body))
	if q.bytes.Add(size) <= queueBytes {
		select {
		case q.waiting <- &d:
			return
		default:
		}
	}
	q.bytes.Add(-size)
	q.omitted.Add(1)
}

func (q *Queue) run(failed func()) {
	defer close(q.done)
	for d := q.next(); d != nil; d = q.next() {
		q.bytes.Add(-int64(len(d.Body)))
		q.err = q.reporter.Report(Delivery{*d})
		if q.err == nil && len(q.waiting) == 0 {
			q.err = q.flush()
			time.Sleep(queuePause)
		}
		if q.err != nil {
			failed()
			return
		}
	}
}

// next waits for a delivery, and returns nil when no more will come.
func (q *Queue) next() *delivery.Delivery {
	select {
	case d := <-q.waiting:
		return d
	case <-q.closing:
	}
	select {
	case d := <-q.waiting:
		return d
	default:
		return nil
	}
}

// Close gives what waits a last chance, which is short from the end of the
// context on, and returns how many deliveries were left out. With [ErrStuck] one
// is still being reported: nothing else must be.
func (q *Queue) Close(ctx context.Context) (omitted int, err error) {
	close(q.closing)
	patience, end := context.WithTimeout(context.Background(), lastWords)
	defer end()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(inAHurry, end) })()
	select {
	case <-q.done:
		err = q.err
	case <-patience.Done():
		err = ErrStuck
	}
	return int(q.omitted.Load()) + len(q.waiting), err
}
