package cmd

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/expect"
	"github.com/owoxhook/owoxhook/pkg/inspector"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// listening is one run of listen. It reports and counts deliveries, and knows
// when it is over.
type listening struct {
	*app
	opts     listenOptions
	reporter report.Reporter
	watch    *expect.Watch
	judging  bool // the exit status depends on what arrives
	command  []string

	expired time.Duration // after which time was up; 0: it was not
	queue   *report.Queue
	journal *journal.Journal // nil: nothing is kept
	relay   *relaying        // nil: nothing is relayed
	page    *servedPage      // nil: there is none
	public  *public          // nil: it has no public URL

	mu         sync.Mutex
	states     map[delivery.State]int
	duplicates int
}

// run receives until the context ends, the output cannot be written, the
// command has ended, time is up, or it is clear whether expectations are met.
func (l *listening) run(ctx context.Context, listener net.Listener, server receiver.Server) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	l.queue = report.NewQueue(l.reporter, l.flush, stop)
	gate := newGate(server.Handler, l.opts.path, serving.Done())
	server.Handler = gate
	defer l.page.begin(serving)()
	served := make(chan error, 1)
	address := listenURL(listener.Addr(), server.TLS != nil, l.opts.path)
	if l.public != nil {
		gate.expect(owox.Sample{Event: owox.RunFailed, Test: true, ID: l.newID(), Now: l.now()})
	}
	go func() { served <- server.Serve(serving, listener) }()
	limited, done := l.limit(ctx)
	defer done()
	if err := l.announce(limited, address, gate); err != nil {
		if ctx.Err() != nil {
			err = errInterrupted
		}
		stop()
		l.public.close()
		_, _ = l.queue.Close(ctx)
		return errors.Join(err, <-served)
	}
	l.relay.start(ctx, stop)
	l.underWay.Lock() // requests, the command, the tunnel and the relay have their own limits
	close(gate.open)
	verdict := l.wait(limited, serving, address, served)
	stop()
	serveErr := <-served
	l.public.close()
	relayErr := l.relay.finish()
	l.underWay.Unlock()
	l.relay.lastAttempts(ctx)
	err := errors.Join(relayErr, l.end(ctx, verdict))
	if serveErr != nil && !errors.Is(serveErr, http.ErrServerClosed) {
		return serveErr
	}
	return err
}

// limit returns a context that also ends when time is up.
func (l *listening) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.opts.timeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, l.opts.timeout, judgedf("time was up after %v", l.opts.timeout))
}

// announce says where deliveries are received, once they are.
func (l *listening) announce(ctx context.Context, address string, g *gate) error {
	banner := report.Listening{URL: address, Path: l.opts.path, Journal: l.journalFile(), UI: l.page.address()}
	if l.public != nil {
		var err error
		if banner.Public, err = l.public.open(ctx, g, address); err != nil {
			return err
		}
	}
	err := l.reporter.Report(banner)
	if err == nil {
		err = l.flush()
	}
	switch {
	case err != nil || !l.onTerminal() || len(l.command) > 0:
	case banner.Public != "":
		l.note("give OWOX the public URL, as the URL of the webhook")
	default:
		l.note("try it: owoxhook send --test %s", sender.ShellQuote(address))
	}
	return err
}

// wait returns when listening is over, with what decides before expectations
// do: a command that failed, or an interrupt. The context ends when time is up.
func (l *listening) wait(ctx, serving context.Context, address string, served chan error) error {
	if len(l.command) > 0 {
		return l.waitForCommand(ctx, serving, address)
	}
	select {
	case <-ctx.Done():
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return errInterrupted
		}
		l.expired = l.opts.timeout
	case <-serving.Done():
	case <-l.watch.Decided():
	case err := <-served:
		served <- err // run looks at it
	}
	return nil
}

func (l *listening) waitForCommand(ctx, serving context.Context, address string) error {
	out := l.out
	if !l.onTerminal() {
		out = l.err // standard output is for results that programs read
	}
	at, err := url.Parse(address)
	if err != nil {
		return err
	}
	command, err := l.startChild(l.command, out, exports(at, l.public.now())...)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		command.stop() // the signal came before there was a command to get it
	}
	over, timeUp := serving.Done(), ctx.Done()
	for {
		select {
		case <-timeUp:
			timeUp = nil
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				continue // the command got the signal too
			}
			command.stop()
			err = judgedf("%s did not end within %v", l.command[0], l.opts.timeout)
		case <-over:
			over = nil
			command.stop()
		case <-command.ended:
			if status := command.status(); status != 0 && err == nil {
				return statusError{status}
			}
			return err
		}
	}
}

// openJournal has requests kept before they are answered.
func (l *listening) openJournal(ctx context.Context, options *receiver.Options) error {
	if l.opts.noJournal {
		return nil
	}
	var err error
	if l.journal, err = journal.Open(ctx, l.opts.journalPath(), journal.Options{Keep: l.opts.keep, KeepBytes: int64(l.opts.keepBytes)}); err != nil {
		return journalError(err)
	}
	if file := l.opts.journalPath(); readByAll(file) {
		l.note("note: every user of this machine can read %s: chmod 600 it", file)
	}
	options.Keep = l.journal.Keep
	return nil
}

// openPage opens the page over the journal.
func (l *listening) openPage(ctx context.Context, listener net.Listener, certificate *tls.Config, answers inspector.Answers) (err error) {
	if !l.opts.ui {
		return nil
	}
	here := listenURL(listener.Addr(), certificate != nil, l.opts.path)
	replay := forwardFlags{to: cmp.Or(l.opts.to, here)}.replayCommand(l.opts.journalFlags)
	options := inspector.Options{Journal: l.journal, Receiver: here, Answers: answers, Replay: replay}
	if l.relay != nil {
		options.Relay = l.relay.relay
	}
	l.page, err = l.app.openPage(ctx, l.opts.page, certificate, options)
	return err
}

func (l *listening) closeJournal() {
	if l.journal == nil {
		return
	}
	if err := l.journal.Close(); err != nil {
		l.note("%s: %v", l.opts.command(), err)
	}
}

func (l *listening) journalFile() string {
	if l.journal == nil {
		return ""
	}
	return l.opts.redacted()
}

func (l *listening) received(d delivery.Delivery) {
	if d.State == delivery.StateGone && d.Sequence > 0 {
		if err := l.journal.KeepGone(d.Sequence); err != nil {
			l.note("%s: %v", l.opts.command(), err)
		}
	}
	l.relay.received(d)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states[d.State]++
	if d.Duplicate {
		l.duplicates++
	}
	l.watch.Add(d)
	l.page.answered(d)
	l.queue.Put(d)
}

// refused counts a request that never became a record.
func (l *listening) refused() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states[delivery.StateRefused]++
}

// end prints the summary, unless the output broke before, and returns the
// verdict.
func (l *listening) end(ctx context.Context, verdict error) error {
	omitted, err := l.queue.Close(ctx)
	summary := l.summary(omitted)
	switch {
	case err == nil:
		err = l.reporter.Report(summary)
	case errors.Is(err, report.ErrStuck):
		l.flush = func() error { return nil } // or it gets stuck too
		l.note("%s: %v: %s", l.opts.command(), err, summary)
		err = nil
	}
	if err != nil {
		return err
	}
	switch {
	case errors.Is(verdict, errInterrupted) && !l.judging:
		return nil // Ctrl-C is how it ends
	case verdict != nil:
		return verdict
	case l.judging:
		return l.unmet()
	default:
		return nil
	}
}

// unmet reports what is not as expected.
func (l *listening) unmet() error {
	err := l.watch.Err()
	var unmet *expect.Unmet
	switch {
	case errors.As(err, &unmet):
		unmet.Within = l.expired
		return judgedError{unmet}
	case err == nil && l.onlyRefused():
		return judgedf("all requests were refused: see the lines above")
	default:
		return err
	}
}

// onlyRefused reports whether requests came and none of them was a delivery: a
// command that sends to the wrong place has tested nothing.
func (l *listening) onlyRefused() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.states) == 1 && l.states[delivery.StateRefused] > 0
}

func (l *listening) summary(omitted int) report.Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	valid, invalid := l.states[delivery.StateValid], l.states[delivery.StateInvalid]
	notKept, gone := l.states[delivery.StateNotKept], l.states[delivery.StateGone]
	summary := report.Summary{
		{N: valid + invalid + notKept + gone, Name: "deliveries", One: "delivery", Many: "deliveries"},
		{N: valid, Name: "valid", One: "valid", Many: "valid"},
		{N: invalid, Name: "invalid", One: "invalid", Many: "invalid"},
		{N: l.states[delivery.StateRefused], Name: "refused", One: "refused", Many: "refused"},
		{N: l.duplicates, Name: "duplicates", One: "duplicate", Many: "duplicates"},
	}
	summary = append(summary, l.relay.counts()...)
	for _, rare := range []report.Count{
		{N: notKept, Name: "notKept", One: "not kept", Many: "not kept"},
		{N: gone, Name: "gone", One: "sender gone", Many: "senders gone"},
		{N: omitted, Name: "omitted", One: "line left out", Many: "lines left out"},
	} {
		if rare.N > 0 {
			summary = append(summary, rare)
		}
	}
	return summary
}
