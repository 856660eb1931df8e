// Package conformance checks an endpoint: does it do what OWOX needs?
//
// The answer is a table of cases. Each names what OWOX does and what the
// endpoint must do; a case is tried by delivering to the endpoint as OWOX
// would. What is required follows from the documentation, or loses events when
// it is not met; what is advised makes an endpoint that lasts.
package conformance

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// Level says how bad it is when a case is not met.
type Level string

// The levels.
const (
	Required Level = "required" // events are lost, or the documentation contradicted
	Advised  Level = "advised"
)

// Case is one thing that an endpoint must do.
type Case struct {
	ID       string // in kebab-case
	Title    string
	Delivers string // what OWOX does
	Requires string // what the endpoint must do
	Level    Level  // the highest that the case has
	Offline  bool   // needs no delivery

	judge judge
	ahead bool // mostly waits: started first, beside the others
}

type judge func(context.Context, *run) verdict

// Cases returns all cases in the order in which they are tried.
func Cases() []Case { return slices.Clone(cases) }

// Result is how a case ended.
type Result struct {
	Case
	Level    Level // of what was not met; of the case where all was
	Tried    bool  // false: it could not be tried
	Met      bool  // only where it was tried
	Seen     string
	Advice   string // what to change where it was not met
	Duration time.Duration
}

// Options configure a check. Endpoint is required.
type Options struct {
	Endpoint    *url.URL
	Sender      sender.Options // its Attempts and FollowRedirects are not used
	Headers     []owox.Header  // added to every delivery, for gateways
	Real        bool           // deliver events that are not marked as tests
	Concurrency int            // of the burst; 0: 5, as OWOX delivers
	Idle        time.Duration  // how long connections must stay open without a request; 0: 5 s
	Now         func() time.Time
	NewID       func() uuid.UUID
	// Lookup finds the addresses of a host. nil: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
}

const owoxConcurrency = 5

// Check tries the cases and calls each with every result, in their order. It
// stops when the context ends, or when each returns an error.
func Check(ctx context.Context, cases []Case, options Options, each func(Result) error) error {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.NewID == nil {
		options.NewID = uuid.New
	}
	if options.Concurrency == 0 {
		options.Concurrency = owoxConcurrency
	}
	if options.Idle == 0 {
		options.Idle = goodIdle
	}
	if options.Sender.Timeout == 0 {
		options.Sender.Timeout = owox.Timeout
	}
	if options.Lookup == nil {
		options.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	options.Sender.Attempts, options.Sender.FollowRedirects = 1, false
	r := &run{Options: options, sender: sender.New(options.Sender)}
	defer r.sender.Close()
	var ahead sync.WaitGroup
	defer ahead.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cases = slices.Clone(cases)
	for i, c := range cases {
		if c.ahead {
			cases[i].judge = r.start(ctx, &ahead, c.judge)
		}
	}
	for _, c := range cases {
		result := r.try(ctx, c)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := each(result); err != nil {
			return err
		}
	}
	return nil
}

// start lets a judge work and returns one that waits for its verdict.
func (r *run) start(ctx context.Context, group *sync.WaitGroup, j judge) judge {
	verdicts := make(chan verdict, 1)
	group.Go(func() { verdicts <- j(ctx, r) })
	return func(context.Context, *run) verdict { return <-verdicts }
}

// run is one check: what was seen so far.
type run struct {
	Options
	sender *sender.Sender

	mu          sync.Mutex
	attempts    []delivery.Attempt // at valid events
	unreachable string             // why no delivery arrives, or ""
}

// verdict is what a case's judge says: nothing below unmet is looked at.
type verdict struct {
	unmet        Level // "": met
	untried      bool
	seen, advice string
}

func met(seen string) verdict { return verdict{seen: seen} }

func unmet(level Level, seen, advice string) verdict {
	return verdict{unmet: level, seen: seen, advice: advice}
}

func untried(seen string) verdict { return verdict{untried: true, seen: seen} }

func (r *run) try(ctx context.Context, c Case) Result {
	start := r.Now()
	v := untried("not tried: " + r.unreachable)
	if r.unreachable == "" || c.Offline {
		v = c.judge(ctx, r)
	}
	result := Result{
		Case: c, Level: c.Level, Tried: !v.untried, Met: !v.untried && v.unmet == "",
		Seen: v.seen, Advice: v.advice, Duration: r.Now().Sub(start),
	}
	if v.unmet != "" {
		result.Level = v.unmet
	}
	return result
}

// sample makes the payload of an event, marked as a test unless real events
// are asked for. Its id is fresh, and so is that of the run unless the Test
// button sends it: an endpoint that handles a run once would not look at the
// others.
func (r *run) sample(event owox.EventType, change func(*owox.Sample)) []byte {
	s := owox.Sample{Event: event, ID: r.NewID(), Now: r.Now(), Mark: !r.Real}
	if change != nil {
		change(&s)
	}
	if s.Test {
		return s.JSON()
	}
	return set(s.JSON(), map[string]any{owox.PathRunID: r.NewID().String()})
}

// deliver delivers a payload that an endpoint must accept, and keeps the
// attempt for the cases that look at all of them.
func (r *run) deliver(ctx context.Context, payload []byte) delivery.Attempt {
	attempt := r.send(ctx, r.request(payload))
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.attempts) == 0 && unconnected(attempt) {
		r.unreachable = attempt.Failure.Error
	}
	r.attempts = append(r.attempts, attempt)
	return attempt
}

// unconnected reports whether an endpoint had no chance to answer.
func unconnected(a delivery.Attempt) bool {
	return !a.OK() && slices.Contains([]delivery.FailureKind{delivery.Refused, delivery.UnknownHost, delivery.Unreachable, delivery.TLS}, a.Failure.Kind)
}

func (r *run) request(payload []byte) sender.Request {
	request := sender.NewRequest(r.Endpoint, payload)
	for _, h := range r.Headers {
		request = request.WithHeader(h)
	}
	return request
}

func (r *run) send(ctx context.Context, request sender.Request) delivery.Attempt {
	return r.sender.Deliver(ctx, request, nil).Last()
}

// accept delivers payloads one after the other; each must be answered with 2xx.
func (r *run) accept(ctx context.Context, payloads ...[]byte) verdict {
	seen := ""
	for i, payload := range payloads {
		attempt := r.deliver(ctx, payload)
		if f := attempt.Failure; f != nil {
			if f.Kind == delivery.TLS {
				return untried("not tried: " + f.Error)
			}
			which := ""
			if len(payloads) > 1 {
				which = fmt.Sprintf("delivery %d: ", i+1)
			}
			return unmet(Required, which+f.Error, advice(*f))
		}
		seen = say(attempt)
	}
	return met(seen)
}

// acceptAgain is accept for a payload that repeats another one. The advice is
// for an endpoint that accepts only the first.
func (r *run) acceptAgain(ctx context.Context, once, again []byte, advice string) verdict {
	v := r.accept(ctx, once, again)
	if v.unmet != "" && strings.HasPrefix(v.seen, "delivery 2") {
		v.advice = advice
	}
	return v
}

const (
	// adviceDirectly is for whoever configures OWOX, not for a user of send.
	adviceDirectly  = "configure the final URL in OWOX"
	adviceLost      = "OWOX does not try again after a refused or broken connection, so the event is lost"
	adviceRestarted = adviceLost + ": let something answer 503 while the endpoint restarts"
)

func advice(f delivery.Failure) string {
	switch f.Kind {
	case delivery.Redirected:
		return adviceDirectly
	case delivery.Refused:
		return "start the endpoint, or check host and port; " + adviceRestarted
	case delivery.Reset:
		return "check whether the endpoint crashed; " + adviceRestarted
	default:
		return f.Hint
	}
}

// say puts an answer in words.
func say(a delivery.Attempt) string {
	if a.Status == 0 {
		return a.Failure.Error
	}
	return fmt.Sprintf("%d in %v", a.Status, a.Duration.Round(time.Millisecond/10))
}
