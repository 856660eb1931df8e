package cmd

import (
	"context"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/payloads"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

type sendOptions struct {
	payloadFlags
	loadFlags
	endpointFlags
	file            string
	fresh           bool
	local           bool
	omitHeaders     []string
	attempts        int
	retryAll        bool
	followRedirects bool
	dryRun          bool
	noValidate      bool
	verbose         bool
	yes             bool
	isMany          bool // send load
}

func newSendCommand(a *app) *cobra.Command {
	opts := sendOptions{}
	cmd := &cobra.Command{
		Use:   "send [URL]",
		Short: "Send a sample or a real payload and print the response",
		Long: `Send a sample or a real payload as OWOX would, and print the response.

URL is an http or https URL, or @name for an endpoint from the configuration; it
can be omitted if url is configured. In a command that owoxhook listen runs, the
default is that listener. A delivery succeeds when the headers of a 2xx response
arrive within 10 seconds, whatever happens to the body.

With --attempts 3, retry what OWOX retries: no response in time, 408 Request
Timeout, 429 and any 5xx. Any other failure loses the event at the first
attempt. With --retry-all, retry after every failure, and report for each failed
attempt whether OWOX would have retried.

With --count or --duration, send load: each delivery has its own id and
timestamp and is tried once, and a summary shows the results. With --rate, the
time of a delivery that had to wait for others counts from when it was due, so
that an endpoint that stalls cannot hide. Ctrl-C prints the summary so far and
exits.

More: owoxhook help sending, and owoxhook help load.`,
		Example: `  # what the Test button sends
  owoxhook send --test https://example.com/hook

  # both sides of a delivery, without an endpoint
  owoxhook send --test --local

  # a payload from a file, with the retries of OWOX
  owoxhook send --file payload.json --attempts 3 https://example.com/hook

  # can the endpoint take all runs of a grouping window at once?
  owoxhook send -n 10000 -c 64 --event failed,successful --report load.html https://example.com/hook

  # print the exact request without sending it
  owoxhook send --event successful --dry-run https://example.com/hook`,
		Args: atMost(1, "one URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if opts.isMany, err = opts.isLoad(cmd); err != nil {
				return err
			}
			if opts.retryAll && !cmd.Flags().Changed("attempts") {
				opts.attempts = len(owox.RetryDelays()) + 1
			}
			if err := opts.check(cmd, args); err != nil {
				return err
			}
			return runSend(cmd.Context(), a, opts, args)
		},
	}
	opts.payloadFlags.bind(cmd)
	opts.loadFlags.bind(cmd)
	opts.endpointFlags.bind(cmd)
	a.bindReport(cmd)
	flags := cmd.Flags()
	flags.Lookup("event").Usage = "event types to send: " + strings.Join(eventNames(), ", ") + ", or full `NAMES`, separated by commas"
	flags.StringVarP(&opts.file, "file", "f", "", "send the payload in `FILE`, or one payload per line; - reads standard input")
	flags.BoolVar(&opts.fresh, "fresh", false, "with --file: give each payload a new id and timestamp")
	flags.BoolVar(&opts.local, "local", false, "send to a temporary receiver on a free loopback port, and print both sides")
	flags.StringArrayVar(&opts.omitHeaders, "omit-header", nil, "leave out the header `NAME`")
	flags.IntVar(&opts.attempts, "attempts", 1, "try at most `N` times, 1s and 3s apart, if OWOX would retry; OWOX tries 3 times")
	flags.BoolVar(&opts.retryAll, "retry-all", false, "retry after every failure, 3 attempts in all unless --attempts is set")
	flags.BoolVar(&opts.followRedirects, "follow-redirects", false, "follow up to 5 redirects with the same POST")
	flags.BoolVar(&opts.dryRun, "dry-run", false, "print the request without sending it")
	flags.BoolVar(&opts.noValidate, "no-validate", false, "send the payload even if it is invalid")
	flags.BoolVarP(&opts.verbose, "verbose", "v", false, "print timings, headers and body of the response")
	bindYes(cmd, &opts.yes)
	return cmd
}

// check refuses flags that make no sense or no sense together.
func (o sendOptions) check(cmd *cobra.Command, args []string) error {
	flags := cmd.Flags()
	switch {
	case o.local && len(args) > 0:
		return usagef("--local starts its own endpoint: leave out %s or --local", sender.Redact(args[0]))
	case o.local && o.dryRun:
		return usagef("--dry-run sends nothing, so --local has nothing to receive: choose one")
	case o.file != "" && (flags.Changed("event") || o.test):
		return usagef("the event comes from --file: leave out --event and --test")
	case o.fresh && o.file == "":
		return usagef("--fresh goes with --file: samples are always fresh")
	case o.attempts < 1:
		return usagef("--attempts %d: want 1 or more", o.attempts)
	case o.retryAll && o.attempts == 1:
		return usagef("--retry-all with --attempts 1 retries nothing: pass 2 or more")
	default:
		return nil
	}
}

func runSend(ctx context.Context, a *app, opts sendOptions, args []string) error {
	to, err := a.sendTo(ctx, opts, args)
	if err != nil {
		return err
	}
	options, headers, err := opts.options(ctx, a, to)
	if err != nil {
		return err
	}
	options.Attempts, options.RetryAll, options.FollowRedirects = opts.attempts, opts.retryAll, opts.followRedirects
	validator, err := validate.New(validate.Config{})
	if err != nil {
		return err
	}
	return a.reporting(report.Options{Command: "send", Verbose: opts.verbose}, func(reporter report.Reporter) error {
		job := sendJob{app: a, opts: opts, headers: headers, reporter: reporter, validator: validator, url: to.url}
		requests, err := job.prepare(ctx)
		if err != nil {
			return err
		}
		if opts.dryRun {
			return job.print(requests)
		}
		job.sender = sender.New(options)
		defer job.sender.Close()
		if opts.isMany {
			return job.load(ctx, requests)
		}
		if opts.local {
			return job.sendLocally(ctx, requests)
		}
		return job.send(ctx, requests, job.reportAttempt)
	})
}

// prepare makes all requests before the first one is sent.
func (j *sendJob) prepare(ctx context.Context) ([]sender.Request, error) {
	if j.url.User != nil {
		j.note("note: OWOX cannot deliver to this URL: its client refuses URLs with a user name or password")
	}
	bodies, err := j.bodies(ctx)
	if err != nil {
		return nil, err
	}
	return j.requests(bodies)
}

// sendJob is one run of send.
type sendJob struct {
	*app
	opts      sendOptions
	headers   []owox.Header
	reporter  report.Reporter
	validator *validate.Validator
	url       *url.URL
	sender    *sender.Sender
}

// sendTo returns where to send to. Payloads from files are real: they go to an
// endpoint chosen by the working directory's file only if the user allows it.
func (a *app) sendTo(ctx context.Context, opts sendOptions, args []string) (target, error) {
	if opts.local { // until the receiver has a port; what it gets, stays here
		at, err := parseEndpoint(localURL)
		return target{url: at, from: a.config.from[keyHeader]}, err
	}
	if outer := a.config.outer; len(args) == 0 && outer != "" {
		args = []string{outer}
	}
	to, err := a.resolveEndpoint(args)
	if err != nil || opts.file == "" || opts.dryRun {
		return to, err
	}
	return to, a.allowReal(ctx, to, opts.yes)
}

// bodies returns the payloads to send, or an error if any of them is invalid.
func (j *sendJob) bodies(ctx context.Context) ([][]byte, error) {
	if j.opts.file != "" {
		return j.fileBodies(ctx)
	}
	var bodies [][]byte
	for event := range strings.SplitSeq(j.opts.event, ",") {
		flags := j.opts.payloadFlags
		flags.event = strings.TrimSpace(event)
		payload, err := j.sample(flags)
		if err != nil {
			return nil, err
		}
		if err := j.judge("sample", payloads.Payload{Text: payload}); err != nil {
			return nil, err
		}
		bodies = append(bodies, payload)
	}
	return bodies, nil
}

func (j *sendJob) edited(payload []byte) ([]byte, error) {
	var err error
	if j.opts.fresh {
		if payload, err = j.fresh(payload); err != nil {
			return nil, err
		}
	}
	return j.applyEdits(payload, j.opts.edits)
}

// judge refuses an invalid payload and reports what is wrong with it.
func (j *sendJob) judge(name string, p payloads.Payload) error {
	if j.opts.noValidate {
		return nil
	}
	findings := p.Findings(j.validator)
	if validate.Valid(findings) {
		return nil
	}
	for _, f := range findings {
		if err := j.reporter.Report(report.Finding{File: name, Finding: f, Text: p.Text, Start: p.Offset}); err != nil {
			return err
		}
	}
	return judgedf("the payload is invalid and was not sent: fix it, or pass --no-validate")
}

func (j *sendJob) requests(bodies [][]byte) ([]sender.Request, error) {
	var requests []sender.Request
	for _, body := range bodies {
		request := sender.NewRequest(j.url, body)
		for _, h := range j.headers {
			request = request.WithoutHeader(h.Name)
			request.Private = append(request.Private, h.Name)
		}
		request.Headers = append(request.Headers, j.headers...)
		for _, name := range j.opts.omitHeaders {
			if !request.HasHeader(name) && len(requests) == 0 {
				return nil, usagef("cannot omit header %s: the request has none", name)
			}
			request = request.WithoutHeader(name)
		}
		requests = append(requests, request)
	}
	return requests, nil
}

func (j *sendJob) print(requests []sender.Request) error {
	for _, request := range requests {
		wire, err := request.Wire()
		if err != nil {
			return usageError{err}
		}
		if err := j.printRaw(string(wire)); err != nil {
			return err
		}
	}
	return nil
}
