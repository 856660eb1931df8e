package cmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// loadFlags send a payload many times.
type loadFlags struct {
	count       int
	concurrency int
	rate        float64
	duration    time.Duration
	report      string
}

var (
	loadFlagNames = []string{"count", "concurrency", "rate", "duration", "report"}
	notInLoads    = []string{"local", "dry-run", "verbose", "attempts", "retry-all", "follow-redirects", "fresh"}
)

func (l *loadFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVarP(&l.count, "count", "n", 0, "send `N` deliveries, each with its own id and timestamp")
	flags.IntVarP(&l.concurrency, "concurrency", "c", 5, "send `N` deliveries at a time, over at most as many connections; OWOX sends 5")
	flags.Float64Var(&l.rate, "rate", 0, "send `N` deliveries per second, evenly spaced; 0 means as fast as possible")
	flags.DurationVar(&l.duration, "duration", 0, "send deliveries for this long")
	flags.StringVar(&l.report, "report", "", "write the results of a load test to `FILE`, as an HTML page with charts")
}

// isLoad reports whether the flags ask for a load test, and refuses flags that do
// not go with one.
func (o sendOptions) isLoad(cmd *cobra.Command) (bool, error) {
	flags, asked := cmd.Flags(), false
	for _, name := range loadFlagNames {
		asked = asked || flags.Changed(name)
	}
	if !asked {
		return false, nil
	}
	for _, name := range notInLoads {
		if flags.Changed(name) {
			return true, usagef("--%s is for single deliveries: leave out --%s, or --count, --concurrency, --rate, --duration and --report", name, name)
		}
	}
	for _, e := range o.edits {
		if e.Path == owox.PathID || e.Path == owox.PathTimestamp {
			return true, usagef("--set %s: every delivery of a load test has its own", e.Path)
		}
	}
	switch {
	case flags.Changed("count") && o.count < 1:
		return true, usagef("--count %d: want 1 or more", o.count)
	case flags.Changed("duration") && o.duration <= 0:
		return true, usagef("--duration %v: want more than 0", o.duration)
	case o.concurrency < 1:
		return true, usagef("--concurrency %d: want 1 or more", o.concurrency)
	case o.rate < 0 || o.rate > 1e6:
		return true, usagef("--rate %v: want a number from 0 to 1000000", o.rate)
	case o.count == 0 && o.duration == 0:
		return true, usagef("no end given for the load test: pass --count or --duration")
	default:
		return true, nil
	}
}

// load runs a load test and reports the results, even if it was interrupted.
func (j *sendJob) load(ctx context.Context, requests []sender.Request) error {
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: j.url}); err != nil || proxy != nil {
		return usagef("the load test would measure the proxy in HTTP_PROXY or HTTPS_PROXY: unset it, or add %s to NO_PROXY", j.url.Hostname())
	}
	var page *os.File
	if j.opts.report != "" { // before there is anything to lose
		var err error
		if page, err = createFile(j.opts.report, os.O_TRUNC); err != nil {
			return err
		}
		defer page.Close() //nolint:errcheck // closed below, where it counts
	}
	shown, end := j.loadProgress()
	result, err := j.sender.Load(ctx, sender.Load{
		Requests: requests, Count: j.opts.count, Duration: j.opts.duration,
		Concurrency: j.opts.concurrency, Rate: j.opts.rate, NewID: j.newID, Progress: shown,
	})
	end()
	if err != nil {
		return usageError{err}
	}
	load := report.Load{LoadResult: result, URL: sender.Redact(j.url.String()), Connections: j.opts.concurrency, Rate: j.opts.rate}
	err = j.reporter.Report(load)
	if page != nil {
		err = errors.Join(err, report.WriteHTML(page, load), page.Close())
	}
	if err == nil {
		err = j.summary(result.Deliveries, result.Failed)
	}
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return errInterrupted
	case result.Deliveries == 0:
		return judgedf("no delivery was made within %v: pass a longer --duration", j.opts.duration)
	case result.Failed > 0:
		return judgedf("%d of %d not delivered", result.Failed, result.Deliveries)
	default:
		return nil
	}
}

// loadProgress shows the progress, rate and failures of a load test on a
// terminal.
func (j *sendJob) loadProgress() (shown func(sender.Progress), end func()) {
	if !isTerminal(j.err) {
		return nil, func() {}
	}
	const whole = 1000
	bar := j.progress("sending", whole, progressbar.OptionSetPredictTime(false))
	return func(p sender.Progress) {
		part := 0.0
		if j.opts.count > 0 {
			part = float64(p.Deliveries) / float64(j.opts.count)
		}
		if j.opts.duration > 0 {
			part = max(part, float64(p.Elapsed)/float64(j.opts.duration))
		}
		bar.describe(fmt.Sprintf("%s sent, %s a second, %s failed", humanize.Comma(int64(p.Deliveries)),
			humanize.Comma(int64(float64(p.Deliveries)/p.Elapsed.Seconds())), humanize.Comma(int64(p.Failed))))
		bar.set(int(min(part, 0.999) * whole)) // a full bar would be taken away
	}, bar.end
}
