package cmd

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
	"github.com/owoxhook/owoxhook/pkg/tunnel"
)

const (
	tryFor   = time.Minute
	quietFor = 5 * time.Second
	maxPause = 5 * time.Second // between two tries
)

// first returns the URL of a tunnel that a test event came through in time.
func (p *public) first(ctx context.Context) (string, error) {
	waiting, cancel := context.WithTimeoutCause(ctx, p.patience, fmt.Errorf("time was up after %v", p.patience))
	defer cancel()
	public, err := p.try(waiting)
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	p.given = public
	return public, nil
}

// changed tells what becomes of a tunnel that was announced. It is up again once
// a test event came through; before, only its end matters.
func (p *public) changed(s tunnel.State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.Err == nil {
		p.url = p.under(s.URL)
	}
	if p.given == "" {
		if s.Ended {
			p.trial(s.Err)
		}
		return
	}
	p.trial(nil)
	switch {
	case s.Err == nil && p.down == "": // it was back before it was announced
	case s.Err == nil:
		var ctx context.Context
		ctx, p.trial = context.WithCancelCause(context.Background())
		p.trials.Go(func() { p.again(ctx) })
	case s.Err.Error() != p.down: // or it goes up and down without being there
		p.down = s.Err.Error()
		p.note("%s: the tunnel is down: %s", p.command, p.down)
	}
}

// again waits until the tunnel is really up again, and tells.
func (p *public) again(ctx context.Context) {
	done := p.tell()
	public, err := p.try(ctx)
	done()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case ctx.Err() != nil: // it is down, or over
	case err != nil:
		p.note("%s: the tunnel is down: %v", p.command, err)
	case public == p.given:
		p.note("%s: the tunnel is up again", p.command)
		p.down = ""
	default:
		p.note("%s: the tunnel is up again, at another URL: give OWOX %s", p.command, public)
		p.down, p.given = "", public
	}
}

// try delivers a test event through the tunnel until it arrives: the names of new
// tunnels take a while.
func (p *public) try(ctx context.Context) (string, error) {
	client := sender.New(sender.Options{Timeout: min(owox.Timeout, p.patience/2)})
	defer client.Close()
	_, _ = p.gate.arrival() // one from before tells nothing
	p.await("a test event through %s", p.now())
	var last delivery.Attempt
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, maxPause) {
		public := p.now()
		at, err := url.Parse(public)
		if err != nil {
			return "", fmt.Errorf("%s gave no URL: %w", p.way, err)
		}
		attempt := client.Deliver(ctx, sender.NewRequest(at, p.gate.body), nil).Last()
		if header, arrived := p.gate.arrival(); arrived {
			if p.way.Header != "" && header.Get(p.way.Header) == "" {
				return "", fmt.Errorf("a test event came through %s without the header %s, which %s should set", public, p.way.Header, p.way)
			}
			return public, nil
		}
		switch {
		case ctx.Err() != nil:
		case attempt.Failure != nil && attempt.Failure.Untrusted:
			return "", fmt.Errorf("no test event came through %s: %s: OWOX would not trust it either", public, attempt.Failure.Error)
		default:
			last = attempt
			p.await("%s://%s: %s", at.Scheme, at.Host, whyNotYet(public, last))
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("%w: no test event came through %s: %s", context.Cause(ctx), public, whyNot(public, last))
		case <-time.After(pause):
		}
	}
}

// await notes what is waited for.
func (p *public) await(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.awaited = fmt.Sprintf(format, args...)
}

// tell says from time to time what is waited for, when it is something else,
// until done is called.
func (p *public) tell() (done func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var telling sync.WaitGroup
	telling.Go(func() {
		tick := time.NewTicker(p.quiet)
		defer tick.Stop()
		for told := ""; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			p.mu.Lock()
			awaited := p.awaited
			p.mu.Unlock()
			if awaited != told {
				p.note("waiting for %s", awaited)
				told = awaited
			}
		}
	})
	return func() {
		cancel()
		telling.Wait()
	}
}

// whyNotYet says why a test event did not arrive yet.
func whyNotYet(public string, last delivery.Attempt) string {
	if last.Failure != nil && last.Failure.Kind == delivery.UnknownHost {
		return "its name is not known yet"
	}
	return whyNot(public, last)
}

// whyNot says why a test event did not arrive.
func whyNot(public string, last delivery.Attempt) string {
	switch f := last.Failure; {
	case f == nil && last.Status == 0:
		return "nothing came back"
	case f == nil:
		return fmt.Sprintf("status %d came from somebody else", last.Status)
	case f.Kind == delivery.UnknownHost:
		return f.Error + ": its name may take minutes to be known here: run listen again"
	case f.Kind == delivery.Refused && strings.HasPrefix(public, "http:"):
		return f.Error + ": set GatewayPorts clientspecified in its sshd_config, and open the port"
	default:
		return f.Error
	}
}
