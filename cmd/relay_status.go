package cmd

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/pkg/report"
)

// jobFlags choose what relay has not delivered.
type jobFlags struct {
	journalFlags
	target  string
	givenUp bool
	dryRun  bool
	limit   int
}

func (f *jobFlags) bind(cmd *cobra.Command) {
	f.journalFlags.bind(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.target, "target", "", "only what is for the target with this `NAME`")
	flags.BoolVar(&f.givenUp, "given-up", false, "only what was given up")
}

// withRelay works with the relay of a journal that must be there, without
// delivering.
func (f jobFlags) withRelay(ctx context.Context, work func(*journal.Journal, *relay.Relay) error) error {
	return f.withJournal(ctx, atRelay(ctx, work))
}

// readRelay does so where its tables may have to be made, or brought up to date,
// first; but to read them a full disk is no obstacle.
func (f jobFlags) readRelay(ctx context.Context, work func(*journal.Journal, *relay.Relay) error) error {
	err := f.withRelay(ctx, work)
	if errors.Is(err, journal.ErrFull) {
		err = f.readJournal(ctx, atRelay(ctx, work))
	}
	return err
}

func atRelay(ctx context.Context, work func(*journal.Journal, *relay.Relay) error) func(*journal.Journal) error {
	return func(j *journal.Journal) error {
		r, err := relay.Open(ctx, relay.Options{Journal: j})
		if err == nil {
			err = work(j, r)
		}
		return relayError(j, err)
	}
}

const failOnGivenUp = "given-up"

func newRelayStatusCommand(a *app) *cobra.Command {
	opts, failOn := jobFlags{}, ""
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what relay has delivered, what waits, and what was given up",
		Long: `Show how many deliveries wait, are being delivered, were delivered in the last
24 hours, and were given up, for each target, and the first of those that wait
or were given up. What a relay has at hand counts as being delivered, also while
it waits there for a target that is down or asked for time.`,
		Example: `  owoxhook relay status
  owoxhook relay status --target alerts --given-up -o json

  # for monitoring: exit with 1 when something was given up
  owoxhook relay status --fail-on given-up`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if failOn != "" && failOn != failOnGivenUp {
				return usagef("--fail-on %q: want %s", failOn, failOnGivenUp)
			}
			return runRelayStatus(cmd.Context(), a, opts, failOn != "")
		},
	}
	opts.bind(cmd)
	cmd.Flags().IntVarP(&opts.limit, "limit", "n", 10, "list at most `N` deliveries; 0 lists none")
	cmd.Flags().StringVar(&failOn, "fail-on", "", "exit with 1 if there is `WHAT`: given-up")
	complete(cmd, "fail-on", failOnGivenUp)
	return cmd
}

func runRelayStatus(ctx context.Context, a *app, opts jobFlags, fail bool) error {
	if opts.limit < 0 {
		return usagef("--limit %d: want 0 or more", opts.limit)
	}
	asJSON, err := a.wantsJSON()
	if err != nil {
		return err
	}
	return opts.readRelay(ctx, func(_ *journal.Journal, r *relay.Relay) error {
		all, err := r.Status(ctx)
		if err == nil {
			err = opts.known(all)
		}
		if err != nil {
			return err
		}
		var shown []relay.Status
		givenUp, listable := 0, 0
		for _, s := range all {
			if opts.target == "" || s.Target == opts.target {
				shown = append(shown, s)
				givenUp += s.GivenUp
				listable += s.GivenUp
				if !opts.givenUp {
					listable += s.Waiting
				}
			}
		}
		jobs, err := r.Jobs(ctx, relay.Selection{Target: opts.target, GivenUp: opts.givenUp}, opts.limit)
		if err != nil {
			return err
		}
		if asJSON {
			err = a.printStatusJSON(shown, jobs)
		} else {
			err = a.printStatus(shown, jobs)
			if more := listable - len(jobs); err == nil && len(jobs) == opts.limit && opts.limit > 0 && more > 0 {
				a.note("... and %d more: see --limit", more)
			}
		}
		if err == nil && fail && givenUp > 0 {
			err = judgedf("%s given up: see owoxhook relay status --given-up", plural(givenUp, "delivery was", "deliveries were"))
		}
		return err
	})
}

func (a *app) printStatus(all []relay.Status, jobs []relay.Job) error {
	if len(all) == 0 {
		a.note("no targets: owoxhook relay --to makes them")
		return nil
	}
	table := report.NewTable(report.Cut, report.Keep, report.Keep, report.Keep, report.Keep, report.Keep, report.Keep)
	table.Add("TARGET", "WAITING", "DELIVERING", "DELIVERED", "GIVEN UP", "OLDEST", "NEXT ATTEMPT")
	for _, s := range all {
		table.Add(s.Target, strconv.Itoa(s.Waiting), strconv.Itoa(s.Delivering), strconv.Itoa(s.Delivered), strconv.Itoa(s.GivenUp), a.ago(s.Oldest), a.ahead(s.Next))
	}
	if err := a.printTable(table); err != nil || len(jobs) == 0 {
		return err
	}
	if err := a.print("\n"); err != nil {
		return err
	}
	return a.printJobs(jobs)
}

func (a *app) printJobs(jobs []relay.Job) error {
	if len(jobs) == 0 {
		return nil
	}
	table := report.NewTable(report.Keep, report.Cut, report.Keep, report.Keep, report.Keep, report.Fold)
	table.Add("DELIVERY", "TARGET", "STATE", "ATTEMPTS", "NEXT ATTEMPT", "LAST ERROR")
	for _, j := range jobs {
		next := "-"
		if j.State == relay.Waiting {
			next = a.ahead(j.Next)
		}
		table.Add("#"+strconv.FormatInt(j.Sequence, 10), j.Target, string(j.State), strconv.Itoa(j.Attempts), next, dash(j.Error))
	}
	return a.printTable(table)
}

func (a *app) ago(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return max(0, a.now().Sub(at)).Round(time.Second).String() + " ago"
}

func (a *app) ahead(at time.Time) string {
	switch in := at.Sub(a.now()).Round(time.Second); {
	case at.IsZero():
		return "-"
	case in <= 0:
		return "now"
	default:
		return "in " + in.String()
	}
}

type statusJSON struct {
	Type       string `json:"type"`
	Target     string `json:"target"`
	Waiting    int    `json:"waiting"`
	Delivering int    `json:"delivering"`
	Delivered  int    `json:"delivered"`
	GivenUp    int    `json:"givenUp"`
	Oldest     string `json:"oldest,omitzero"`
	Next       string `json:"nextAttempt,omitzero"`
}

type jobJSON struct {
	Type     string `json:"type"`
	Target   string `json:"target"`
	Sequence int64  `json:"sequence"` // in the journal
	State    string `json:"state"`
	Attempts int    `json:"attempts"`
	Added    string `json:"added"`
	Next     string `json:"nextAttempt,omitzero"`
	Error    string `json:"error,omitzero"`
}

func (a *app) printStatusJSON(all []relay.Status, jobs []relay.Job) error {
	var objects []any
	for _, s := range all {
		objects = append(objects, statusJSON{"target", s.Target, s.Waiting, s.Delivering, s.Delivered, s.GivenUp, timestamp(s.Oldest), timestamp(s.Next)})
	}
	for _, j := range jobs {
		object := jobJSON{Type: "job", Target: j.Target, Sequence: j.Sequence, State: string(j.State), Attempts: j.Attempts, Added: timestamp(j.Added), Error: j.Error}
		if j.State == relay.Waiting {
			object.Next = timestamp(j.Next)
		}
		objects = append(objects, object)
	}
	for _, object := range objects {
		if err := a.printLine(object); err != nil {
			return err
		}
	}
	return nil
}

func timestamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return owox.FormatTimestamp(at)
}

func newRelayRetryCommand(a *app) *cobra.Command {
	return newJobsCommand(a, "retry", "tried again", (*relay.Relay).Retry, &cobra.Command{
		Use:   "retry [ID...]",
		Short: "Try again now what waits or was given up",
		Long: `Try again what waits or was given up, at once and with all its time and
attempts. A running relay does so within a second, or, when a target has failed
again and again, within some 15. Name deliveries as for replay, or choose them
with flags.`,
		Example: `  owoxhook relay retry --given-up
  owoxhook relay retry --target alerts
  owoxhook relay retry 17`,
	})
}

func newRelayDropCommand(a *app) *cobra.Command {
	return newJobsCommand(a, "drop", "dropped", (*relay.Relay).Drop, &cobra.Command{
		Use:   "drop [ID...]",
		Short: "Do not deliver what waits or was given up",
		Long: `Forget what waits or was given up, and leave what is being delivered at that
moment. The deliveries stay in the journal: replay can send them. Name
deliveries as for replay, or choose them with flags.`,
		Example: `  owoxhook relay drop --given-up --target alerts
  owoxhook relay drop --target old-app --dry-run`,
	})
}

// newJobsCommand makes a command that changes jobs.
func newJobsCommand(a *app, verb, done string, change func(*relay.Relay, context.Context, relay.Selection) (int, error), cmd *cobra.Command) *cobra.Command {
	opts := jobFlags{}
	cmd.ValidArgsFunction = completeDeliveries(&opts.journalFlags)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 && opts.target == "" && !opts.givenUp {
			return usagef("nothing to %s: name deliveries, or pass --given-up or --target", verb)
		}
		return runRelayChange(cmd.Context(), a, opts, args, verb, done, change)
	}
	opts.bind(cmd)
	cmd.Flags().BoolVar(&opts.dryRun, "dry-run", false, "only list what would be "+done)
	return cmd
}

const manyJobs = 1_000_000 // that are listed

func runRelayChange(ctx context.Context, a *app, opts jobFlags, words []string, verb, done string, change func(*relay.Relay, context.Context, relay.Selection) (int, error)) error {
	asJSON, err := a.wantsJSON()
	if err != nil {
		return err
	}
	return opts.withRelay(ctx, func(j *journal.Journal, r *relay.Relay) error {
		all, err := r.Status(ctx)
		if err == nil {
			err = opts.known(all)
		}
		if err != nil {
			return err
		}
		chosen := []int64{0}
		if len(words) > 0 {
			if chosen, err = named(ctx, j, words); err != nil {
				return err
			}
		}
		total := 0
		var listed []relay.Job
		for _, sequence := range chosen {
			which := relay.Selection{Target: opts.target, GivenUp: opts.givenUp, Sequence: sequence}
			if opts.dryRun {
				jobs, err := r.Jobs(ctx, which, manyJobs)
				if err != nil {
					return err
				}
				listed = append(listed, jobs...)
				continue
			}
			n, err := change(r, ctx, which)
			if err != nil {
				return err
			}
			total += n
		}
		if opts.dryRun {
			a.note("%s would be %s", plural(len(listed), "delivery", "deliveries"), done)
			if asJSON {
				return a.printStatusJSON(nil, listed)
			}
			return a.printJobs(listed)
		}
		if asJSON {
			return a.printLine(changeJSON{"change", verb, total})
		}
		a.note("%s %s", plural(total, "delivery", "deliveries"), done)
		return nil
	})
}
