package sender

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

// Load is a lot of deliveries.
type Load struct {
	// Requests are taken in turn. Each delivery is a copy with an id and a
	// timestamp of its own, in the header and the body, as far as the request has
	// them.
	Requests    []Request
	Count       int           // deliveries; 0: until Duration is over
	Duration    time.Duration // 0: until Count are made
	Concurrency int           // deliveries at once, and connections at most; 0: 1
	Rate        float64       // deliveries a second, evenly spaced; 0: as fast as can be
	NewID       func() uuid.UUID
	Progress    func(Progress) // called a few times a second; nil: nobody is told
}

// Progress says how far a load is.
type Progress struct {
	Elapsed            time.Duration
	Deliveries, Failed int
}

const (
	progressEvery = 200 * time.Millisecond
	maxAnswer     = 16 << 20        // bytes of an answer's body
	idleConn      = 2 * time.Second // before an endpoint closes it, most likely
)

// Load makes deliveries until they are made, time is up or the context ends,
// each tried once, over at most as many connections as are made at once. It
// says how they went, without those that the end of the context cut off.
//
// With a rate, the time of a delivery that had to wait for others counts from
// when it was due: an endpoint that stalls cannot hide behind the load that
// waits for it.
func (s *Sender) Load(ctx context.Context, load Load) LoadResult {
	run := loadRun{sender: s, load: load, tally: newTally(), client: s.loadClient(ctx, load), start: time.Now()}
	defer run.client.CloseIdleConnections()
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
	return run.tally.result(time.Since(run.start))
}

// loadRun is one run of a load.
type loadRun struct {
	sender *Sender
	load   Load
	client *fasthttp.HostClient
	tally  *tally
	start  time.Time
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
	copies := make([]*loadCopy, len(r.load.Requests))
	for i, request := range r.load.Requests {
		copies[i] = newLoadCopy(request)
		defer copies[i].release()
	}
	samples := make([]sample, 0, 256)
	flushed := time.Now()
	defer func() { r.tally.add(samples) }()
	for {
		turn := int(r.turn.Add(1) - 1)
		from, more := r.await(ctx, turn)
		if !more {
			return
		}
		one := copies[turn%len(copies)]
		one.renew(r.load.NewID(), r.sender.options.Now())
		err := r.client.DoTimeout(one.request, one.response, r.sender.options.Timeout)
		if err != nil && ctx.Err() != nil {
			return // cut off: nobody knows how it would have gone
		}
		now := time.Now()
		samples = append(samples, sample{
			at: now.Sub(r.start), took: now.Sub(from),
			status: one.status(err), failure: r.failure(one, err),
		})
		if len(samples) == cap(samples) || now.Sub(flushed) > progressEvery/4 {
			r.tally.add(samples)
			samples, flushed = samples[:0], now
		}
	}
}

// await waits until a delivery is due and returns when its time starts: when
// it is made, or when it should have been if nobody was free to make it. more
// is false when there is nothing to do any more.
func (r *loadRun) await(ctx context.Context, turn int) (from time.Time, more bool) {
	if r.load.Count > 0 && turn >= r.load.Count || ctx.Err() != nil {
		return from, false
	}
	now := time.Now()
	if r.load.Rate == 0 {
		return now, r.load.Duration == 0 || now.Sub(r.start) < r.load.Duration
	}
	offset := time.Duration(float64(turn) / r.load.Rate * float64(time.Second))
	if r.load.Duration > 0 && offset >= r.load.Duration {
		return from, false
	}
	due := r.start.Add(offset)
	if now.After(due) {
		return due, true
	}
	sleep(ctx, due.Sub(now))
	return time.Now(), ctx.Err() == nil
}

// failure says why a delivery was no success, nil when it was one.
func (r *loadRun) failure(one *loadCopy, err error) *delivery.Failure {
	if err == nil && one.response.StatusCode()/100 == 2 {
		return nil
	}
	a := delivery.Attempt{Status: one.status(err), Timing: delivery.Timing{Connect: 1}}
	var network *net.OpError
	switch {
	case err == nil:
	case errors.As(err, &network) && network.Op == "dial":
		a.Timing.Connect = 0
	case errors.Is(err, fasthttp.ErrTimeout):
		err = context.DeadlineExceeded
	case errors.Is(err, fasthttp.ErrConnectionClosed):
		err = io.EOF
	case errors.Is(err, fasthttp.ErrBodyTooLarge), strings.Contains(err.Error(), "when reading response"):
		return &delivery.Failure{Kind: delivery.BadAnswer, Error: one.host + " did not answer as it should: " + innermost(err), Hint: "try a single delivery: owoxhook send -v"}
	}
	return r.sender.explain(one.origin, a, err)
}

// loadClient returns a client for the endpoint of a load. The end of the
// context closes its connections: nothing else ends a request that is under
// way.
func (s *Sender) loadClient(ctx context.Context, load Load) *fasthttp.HostClient {
	target := load.Requests[0].URL
	dialer := net.Dialer{}
	client := &fasthttp.HostClient{
		Addr:                          hostPort(target),
		IsTLS:                         target.Scheme == "https",
		MaxConns:                      max(1, load.Concurrency),
		MaxConnWaitTimeout:            s.options.Timeout,
		MaxIdleConnDuration:           idleConn,
		MaxIdemponentCallAttempts:     1,
		MaxResponseBodySize:           maxAnswer,
		NoDefaultUserAgentHeader:      true,
		DisableHeaderNamesNormalizing: true,
		DisablePathNormalizing:        true,
		DialTimeout: func(addr string, timeout time.Duration) (net.Conn, error) {
			limited, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			conn, err := dialer.DialContext(limited, "tcp", addr)
			if err != nil {
				return nil, err
			}
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // what was under way fails
			return &loadConn{conn, stop}, nil
		},
	}
	if client.IsTLS {
		client.TLSConfig = &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: s.options.RootCAs, ServerName: target.Hostname(),
			InsecureSkipVerify: s.options.Insecure, //nolint:gosec // what --insecure asks for
		}
	}
	return client
}

// loadConn is a connection that the end of a context closes.
type loadConn struct {
	net.Conn
	stop func() bool
}

func (c *loadConn) Close() error {
	c.stop()
	return c.Conn.Close()
}
