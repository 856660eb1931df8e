package cmd

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

type replayOptions struct {
	journalFlags
	filterFlags
	endpointFlags
	unanswered  bool
	to          string
	concurrency int
	fresh       bool
	edit        bool
	dryRun      bool
	yes         bool
}

func newReplayCommand(a *app) *cobra.Command {
	opts := replayOptions{}
	cmd := &cobra.Command{
		Use:   "replay [ID...]",
		Short: "Send deliveries from the journal again",
		Long: `Send deliveries from the journal again, in the order they arrived: with the same
bytes, id and headers, and the query strings of both URLs.

Name deliveries by their number in the journal, by at least the first four
characters of their id or by the word latest, or choose them with flags.

More: owoxhook help forwarding.`,
		Example: `  # the newest delivery, to an application on this machine
  owoxhook replay latest --to http://localhost:3000/hook

  # all that the application has not accepted yet
  owoxhook replay --unanswered --to http://localhost:3000/hook

  # list what would be sent
  owoxhook replay --since 2h --invalid --dry-run`,
		ValidArgsFunction: completeDeliveries(&opts.journalFlags),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.check(cmd, args); err != nil {
				return err
			}
			return runReplay(cmd.Context(), a, opts, args)
		},
	}
	opts.journalFlags.bind(cmd)
	opts.filterFlags.bind(cmd)
	opts.endpointFlags.bind(cmd)
	a.bindReport(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&opts.unanswered, "unanswered", false, "only deliveries that were never forwarded or replayed successfully")
	flags.StringVar(&opts.to, "to", "", "send to `URL` or @name (default: the configured url)")
	flags.IntVarP(&opts.concurrency, "concurrency", "c", 1, "send `N` deliveries at a time")
	flags.BoolVar(&opts.fresh, "fresh", false, "give payloads a new id and timestamp")
	flags.BoolVar(&opts.edit, "edit", false, "open each payload in $EDITOR first")
	flags.BoolVar(&opts.dryRun, "dry-run", false, "list what would be sent without sending it")
	bindYes(cmd, &opts.yes)
	return cmd
}

// check refuses flags that make no sense or no sense together.
func (o replayOptions) check(cmd *cobra.Command, args []string) error {
	chosen := slices.ContainsFunc([]string{"event", "invalid", "test", "data-mart", "since", "unanswered"}, cmd.Flags().Changed)
	switch {
	case len(args) > 0 && chosen:
		return usagef("name deliveries or choose them with flags, not both: leave out %s", strings.Join(args, " "))
	case len(args) == 0 && !chosen:
		return usagef("nothing to replay: name deliveries, such as %s, or choose some, such as with --since 2h", latest)
	case o.concurrency < 1:
		return usagef("--concurrency %d: want 1 or more", o.concurrency)
	case o.edit && o.concurrency > 1:
		return usagef("--edit opens one payload at a time: leave out --concurrency")
	default:
		return nil
	}
}

func runReplay(ctx context.Context, a *app, opts replayOptions, words []string) error {
	filter, err := opts.filter(a)
	if err != nil {
		return err
	}
	filter.Undelivered, filter.Oldest = opts.unanswered, true
	if opts.dryRun {
		return opts.readJournal(ctx, func(j *journal.Journal) error {
			count, err := a.listChosen(ctx, j, filter, words)
			if err == nil && count == 0 {
				err = a.noneChosen(ctx, j, opts)
			}
			return err
		})
	}
	return opts.withJournal(ctx, func(j *journal.Journal) error {
		choose := func() ([]int64, error) { return j.Sequences(ctx, filter) }
		if len(words) > 0 {
			choose = func() ([]int64, error) { return named(ctx, j, words) }
		}
		chosen, err := choose()
		if err != nil {
			return err
		}
		return a.replay(ctx, opts, j, chosen)
	})
}

// named returns the numbers of the named entries in the order of their arrival.
func named(ctx context.Context, j *journal.Journal, words []string) ([]int64, error) {
	var chosen []int64
	for _, word := range words {
		entry, err := find(ctx, j, word)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, entry.Sequence)
	}
	slices.Sort(chosen)
	return slices.Compact(chosen), nil
}

// listChosen lists what would be delivered.
func (a *app) listChosen(ctx context.Context, j *journal.Journal, filter journal.Filter, words []string) (count int, err error) {
	filter.Brief = true
	entries := j.List(ctx, filter)
	if len(words) > 0 {
		chosen, err := named(ctx, j, words)
		if err != nil {
			return 0, err
		}
		entries = func(yield func(journal.Entry, error) bool) {
			for _, sequence := range chosen {
				if !yield(j.Get(ctx, sequence)) {
					return
				}
			}
		}
	}
	count, err = a.listEntries(entries, deliveryList)
	if err == nil {
		a.note("%s would be delivered", plural(count, "delivery", "deliveries"))
	}
	return count, err
}

func (a *app) replay(ctx context.Context, opts replayOptions, j *journal.Journal, chosen []int64) error {
	var args []string
	if opts.to != "" {
		args = []string{opts.to}
	}
	to, err := a.resolveEndpoint(args)
	if err == nil {
		err = a.allowReal(ctx, to, opts.yes)
	}
	if err != nil {
		return err
	}
	options, headers, err := opts.options(ctx, a, to)
	if err != nil {
		return err
	}
	options.Relayed = true
	s := sender.New(options)
	defer s.Close()
	return a.reporting(report.Options{Command: "replay"}, func(reporter report.Reporter) error {
		r := replay{app: a, opts: opts, journal: j, to: to.url, headers: headers, sender: s, reporter: reporter}
		return r.run(ctx, chosen)
	})
}

// replay is one run of replay.
type replay struct {
	*app
	opts     replayOptions
	journal  *journal.Journal
	to       *url.URL
	headers  []owox.Header
	sender   *sender.Sender
	reporter report.Reporter
	failed   atomic.Int64
}

func (r *replay) run(ctx context.Context, chosen []int64) error {
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(r.opts.concurrency)
	for _, sequence := range chosen {
		if running.Err() != nil {
			break
		}
		group.Go(func() error { return r.deliver(running, sequence) })
	}
	err := group.Wait()
	if ctx.Err() != nil {
		return errInterrupted
	}
	if err != nil {
		return err
	}
	failed := int(r.failed.Load())
	err = r.reporter.Report(report.Summary{
		{N: len(chosen), Name: "deliveries", One: "delivery", Many: "deliveries"},
		{N: len(chosen) - failed, Name: "succeeded", One: "succeeded", Many: "succeeded"},
		{N: failed, Name: "failed", One: "failed", Many: "failed"},
	})
	switch {
	case err != nil:
		return err
	case len(chosen) == 0:
		return r.noneChosen(ctx, r.journal, r.opts)
	case failed > 0:
		return judgedf("%d of %d not delivered", failed, len(chosen))
	default:
		return nil
	}
}

// noneChosen is a failure, such as of a misspelt data mart, unless the flags ask
// for what is left to do of deliveries that are there.
func (a *app) noneChosen(ctx context.Context, j *journal.Journal, opts replayOptions) error {
	there := opts.filterFlags == filterFlags{}
	if opts.unanswered && !there {
		filter, err := opts.filter(a)
		if err != nil {
			return err
		}
		filter.Limit = 1
		all, err := j.Sequences(ctx, filter)
		if err != nil {
			return err
		}
		there = len(all) > 0
	}
	if opts.unanswered && there {
		a.note("replay: nothing is left to deliver")
		return nil
	}
	return judgedf("no delivery in the journal is chosen: see owoxhook deliveries list")
}

// deliver delivers one entry again, and keeps how it went.
func (r *replay) deliver(ctx context.Context, sequence int64) error {
	entry, err := r.journal.Get(ctx, sequence)
	if err != nil {
		return err
	}
	if entry.Cut {
		r.failed.Add(1)
		r.note("replay: skipping delivery %d: the journal has only the start of its body", entry.Sequence)
		return nil
	}
	request, err := r.request(ctx, entry.Delivery)
	if err != nil {
		return err
	}
	at := r.now()
	attempt := r.sender.Deliver(ctx, request, nil).Last()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !attempt.OK() {
		r.failed.Add(1)
	}
	if err := r.journal.KeepAttempt(entry.Sequence, at, attempt); err != nil {
		return err
	}
	return r.reporter.Report(report.Attempt{Attempt: attempt})
}

func (r *replay) request(ctx context.Context, d delivery.Delivery) (sender.Request, error) {
	request := sender.Again(r.to, d)
	var err error
	if r.opts.fresh {
		request.Body, err = r.fresh(request.Body)
	}
	if err == nil && r.opts.edit {
		request.Body, err = editPayload(ctx, r.app, request.Body)
	}
	if err != nil {
		return request, err
	}
	if r.opts.fresh || r.opts.edit {
		identity := owox.Identify(request.Body)
		for name, value := range map[string]string{owox.HeaderID: identity.ID, owox.HeaderEvent: string(identity.Event)} {
			if value != "" && request.HasHeader(name) {
				request = request.WithHeader(owox.Header{Name: name, Value: value})
			}
		}
	}
	for _, h := range r.headers {
		request = request.WithHeader(h)
	}
	return request, nil
}

// editPayload opens a payload in the user's editor, indented, and returns what
// was saved, compact again. One that was not changed keeps its bytes.
func editPayload(ctx context.Context, a *app, payload []byte) ([]byte, error) {
	editor := strings.Fields(os.Getenv("VISUAL"))
	if len(editor) == 0 {
		editor = strings.Fields(os.Getenv("EDITOR"))
	}
	if len(editor) == 0 {
		return nil, usagef("--edit needs an editor: set EDITOR to its name")
	}
	file, err := os.CreateTemp("", "owoxhook-*.json")
	if err != nil {
		return nil, writeError(err)
	}
	defer os.Remove(file.Name()) //nolint:errcheck // the system cleans up then
	shown := []byte(owox.Indent(payload))
	if _, err := file.Write(shown); err != nil {
		return nil, writeError(err)
	}
	if err := file.Close(); err != nil {
		return nil, writeError(err)
	}
	command := exec.CommandContext(ctx, editor[0], append(editor[1:], file.Name())...) //nolint:gosec // running the user's editor is the job
	command.Stdin, command.Stdout, command.Stderr = a.in, unwrapped(a.out), unwrapped(a.err)
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("editor %s: %w: nothing was sent", editor[0], err)
	}
	edited, err := os.ReadFile(file.Name())
	if err != nil {
		return nil, readError(err)
	}
	if bytes.Equal(edited, shown) {
		return payload, nil
	}
	compact := jsontext.Value(bytes.Clone(edited))
	if err := compact.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), jsontext.PreserveRawStrings(true)); err != nil {
		return edited, nil // what is not valid JSON is sent as saved
	}
	return compact, nil
}
