package sender

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Load is a lot of deliveries.
type Load struct {
	// Requests, of which there is at least one, are taken in turn. Each delivery
	// is a copy with an id and a timestamp of its own, in the header and the body,
	// as far as the request has them.
	Requests    []Request
	Count       int           // deliveries; 0: until Duration is over
	Duration    time.Duration // 0: until Count are made
	Concurrency int           // deliveries at once, and connections at most; 0: 1
	Rate        float64       // deliveries a second, evenly spaced; 0: as fast as can be
	NewID       func() uuid.UUID
	Progress    func(Progress) // called a few times a second; nil: not called
}

// Progress says how far a load is.
type Progress struct {
	Elapsed            time.Duration
	Deliveries, Failed int
}

const loadBodyWait = 10 * time.Millisecond // or an endpoint that stalls its bodies holds up what comes next

const progressEvery = 200 * time.Millisecond

// Load makes deliveries until they are made, time is up or the context ends,
// each tried once, over at most as many connections as are made at once. It
// says how they went, without those that the end of the context cut off.
//
// With a rate, the time of a delivery that had to wait for others counts from
// when it was due: an endpoint that stalls cannot hide behind the load that
// waits for it.
//
// The error says which request cannot be made.
func (s *Sender) Load(ctx context.Context, load Load) (LoadResult, error) {
	transport := s.transport.Clone()
	transport.MaxConnsPerHost = max(1, load.Concurrency)
	defer transport.CloseIdleConnections()
	options := s.options
	options.BodyWait = min(options.BodyWait, loadBodyWait)
	run := loadRun{sender: &Sender{options: options, transport: transport}, load: load, tally: newTally()}
	for _, request := range load.Requests {
		one, err := newLoadCopy(ctx, request)
		if err != nil {
			return LoadResult{}, err
		}
		run.copies = append(run.copies, one)
	}
	run.start, run.clock = time.Now(), s.options.Now()
	reported := make(chan struct{})
	over, stop := context.WithCancel(ctx)
	go func() { run.report(over); close(reported) }()
	var workers sync.WaitGroup
	for range max(1, load.Concurrency) {
		workers.Go(func() { run.work(ctx) })
	}
	workers.Wait()
	stop()
	<-reported
	return run.tally.result(time.Since(run.start)), nil
}

// loadRun is one run of a load.
type loadRun struct {
	sender *Sender
	load   Load
	copies []loadCopy
	tally  *tally
	start  time.Time
	clock  time.Time    // what the sender's clock said at the start
	turn   atomic.Int64 // of the next delivery
}

func (r *loadRun) report(ctx context.Context) {
	if r.load.Progress == nil {
		return
	}
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			deliveries, failed := r.tally.count()
			r.load.Progress(Progress{time.Since(r.start), deliveries, failed})
		}
	}
}

// work makes one delivery after the other.
func (r *loadRun) work(ctx context.Context) {
	samples := make([]sample, 0, 256)
	defer func() { r.tally.add(samples) }()
	end := time.Now()
	flushed := end
	for {
		turn := int(r.turn.Add(1) - 1)
		due, start, more := r.await(ctx, turn, end)
		if !more {
			return
		}
		one := r.copies[turn%len(r.copies)]
		got, err := r.sender.exchange(one.fresh(r.load.NewID(), r.clock.Add(start.Sub(r.start))), one.origin.Private)
		end = time.Now()
		if err != nil && ctx.Err() != nil {
			return // cut off: nobody knows how it would have gone
		}
		samples = append(samples, sample{
			at: end.Sub(r.start), took: end.Sub(due) - got.bodyTook, status: got.status, failure: r.sender.explain(got, err),
		})
		if len(samples) == cap(samples) || end.Sub(flushed) > progressEvery/4 {
			r.tally.add(samples)
			end = time.Now()
			samples, flushed = samples[:0], end
		}
	}
}

// await waits until a delivery is due. It returns when its time starts, which
// is when it should have been made if nobody was free for it, and when it is
// made: now, or after a wait. more is false when there is nothing to do any
// more.
func (r *loadRun) await(ctx context.Context, turn int, now time.Time) (due, start time.Time, more bool) {
	if r.load.Count > 0 && turn >= r.load.Count || ctx.Err() != nil {
		return due, start, false
	}
	if r.load.Rate == 0 {
		return now, now, r.load.Duration == 0 || now.Sub(r.start) < r.load.Duration
	}
	offset := time.Duration(float64(turn) / r.load.Rate * float64(time.Second))
	if r.load.Duration > 0 && offset >= r.load.Duration {
		return due, start, false
	}
	due = r.start.Add(offset)
	if now.After(due) {
		return due, now, true
	}
	sleep(ctx, due.Sub(now))
	start = time.Now()
	return start, start, ctx.Err() == nil
}
