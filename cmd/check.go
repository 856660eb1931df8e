package cmd

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/conformance"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

type checkOptions struct {
	endpointFlags
	list        bool
	only        []string
	skip        []string
	failOn      string
	isReal      bool
	concurrency int
}

var failLevels = []string{string(conformance.Required), string(conformance.Advised)}

func newCheckCommand(a *app) *cobra.Command {
	opts := checkOptions{}
	cmd := &cobra.Command{
		Use:   "check URL",
		Short: "Check that an endpoint does what OWOX needs",
		Long: `Check that an endpoint does what OWOX needs.

This sends about 75 deliveries as OWOX does: test events, documented events,
retries, long and odd values, a burst, and some requests that are not events.
All are marked as tests unless --real is set. The check takes at least 5
seconds, because it waits to see whether idle connections stay open.

The exit status is 1 if a required case is not met, or could not be decided
because the endpoint did not answer. Suggestions count only with
--fail-on advised.

More: owoxhook help endpoint.`,
		Example: `  owoxhook check https://example.com/hook

  # fail on suggestions too, but allow plain http during development
  owoxhook check --fail-on advised --skip https,public-address http://127.0.0.1:3000/hook

  # print text, and write a report for a dashboard
  owoxhook check -o junit --output-file report.xml @staging

  # list the cases
  owoxhook check --list`,
		Args: atMost(1, "one URL"),
		RunE: func(cmd *cobra.Command, args []string) error { return runCheck(cmd.Context(), a, opts, args) },
	}
	a.bindReport(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&opts.list, "list", false, "list the cases without checking an endpoint")
	flags.StringSliceVar(&opts.only, "only", nil, "run only these `CASES`")
	flags.StringSliceVar(&opts.skip, "skip", nil, "skip these `CASES`")
	flags.StringVar(&opts.failOn, "fail-on", failLevels[0], "lowest `LEVEL` that fails the check: required or advised")
	flags.BoolVar(&opts.isReal, "real", false, "send events that are not marked as tests")
	flags.IntVarP(&opts.concurrency, "concurrency", "c", 5, "send `N` deliveries of the burst at a time")
	opts.bind(cmd)
	flags.Lookup("insecure").Usage += "; the https case still checks it"
	completeLater(cmd, "only", caseIDs)
	completeLater(cmd, "skip", caseIDs)
	complete(cmd, "fail-on", failLevels...)
	return cmd
}

func caseIDs() []string {
	var ids []string
	for _, c := range conformance.Cases() {
		ids = append(ids, c.ID)
	}
	return ids
}

func runCheck(ctx context.Context, a *app, opts checkOptions, args []string) error {
	cases, err := opts.cases()
	if err != nil {
		return err
	}
	if opts.list {
		return listCases(a, cases)
	}
	options, err := opts.conformance(ctx, a, args)
	if err != nil {
		return err
	}
	return a.reporting(report.Options{Command: "check", AdviceFails: opts.failOn == string(conformance.Advised)}, func(reporter report.Reporter) error {
		check := check{app: a, reporter: reporter, failOn: conformance.Level(opts.failOn)}
		progress := a.countProgress("checking", len(cases))
		err := conformance.Check(ctx, cases, options, func(r conformance.Result) error {
			progress.clear()
			defer progress.step()
			return check.result(r)
		})
		progress.end()
		switch {
		case ctx.Err() != nil:
			return errInterrupted
		case err != nil:
			return err
		default:
			return check.end(sender.Redact(options.Endpoint.String()))
		}
	})
}

// cases returns the cases that the flags leave.
func (o checkOptions) cases() ([]conformance.Case, error) {
	for _, id := range slices.Concat(o.only, o.skip) {
		if !slices.Contains(caseIDs(), id) {
			hint := didYouMean(id, caseIDs())
			if hint == "" {
				hint = ": see owoxhook check --list"
			}
			return nil, usagef("unknown case %q%s", id, hint)
		}
	}
	if !slices.Contains(failLevels, o.failOn) {
		return nil, usagef("unknown level %q for --fail-on%s", o.failOn, oneOf(o.failOn, failLevels))
	}
	cases := slices.DeleteFunc(conformance.Cases(), func(c conformance.Case) bool {
		return len(o.only) > 0 && !slices.Contains(o.only, c.ID) || slices.Contains(o.skip, c.ID)
	})
	if len(cases) == 0 {
		return nil, usagef("--only and --skip leave no cases to run")
	}
	return cases, nil
}

func (o checkOptions) conformance(ctx context.Context, a *app, args []string) (conformance.Options, error) {
	if o.concurrency < 1 {
		return conformance.Options{}, usagef("--concurrency %d: want 1 or more", o.concurrency)
	}
	endpoint, err := a.resolveEndpoint(args)
	if err != nil {
		return conformance.Options{}, err
	}
	options, headers, err := o.options(ctx, a, endpoint)
	return conformance.Options{
		Endpoint: endpoint.url, Headers: headers, Real: o.isReal, Concurrency: o.concurrency, Now: a.now, NewID: a.newID,
		Sender: options,
	}, err
}

func listCases(a *app, cases []conformance.Case) error {
	asJSON, err := a.wantsJSON()
	if err != nil {
		return err
	}
	table := report.NewTable(report.Keep, report.Keep, report.Fold, report.Fold)
	for _, c := range cases {
		if asJSON {
			err := a.printLine(struct {
				Type     string `json:"type"`
				ID       string `json:"id"`
				Title    string `json:"title"`
				Level    string `json:"level"`
				Delivers string `json:"delivers"`
				Requires string `json:"requires"`
			}{"case", c.ID, c.Title, string(c.Level), c.Delivers, c.Requires})
			if err != nil {
				return err
			}
			continue
		}
		table.Add(c.ID, string(c.Level), c.Delivers, c.Requires)
	}
	return a.printTable(table)
}

// check counts results.
type check struct {
	*app
	reporter report.Reporter
	failOn   conformance.Level

	met, failed, advised, untried int
	unknown                       int // required, but there was no answer to tell
}

func (c *check) result(r conformance.Result) error {
	switch {
	case !r.Tried:
		c.untried++
		if r.Level == conformance.Required && !r.Offline {
			c.unknown++
		}
	case r.Met:
		c.met++
	case r.Level == conformance.Required:
		c.failed++
	default:
		c.advised++
	}
	return c.reporter.Report(report.Case{Result: r})
}

// end prints the summary and returns the verdict. A required case that could not
// be tried is not a pass, unless it needs no delivery: some of those cannot be
// tried on every machine, such as behind a proxy.
func (c *check) end(endpoint string) error {
	err := c.reporter.Report(report.Summary{
		{N: c.met + c.failed + c.advised + c.untried, Name: "cases", One: "case", Many: "cases"},
		{N: c.met, Name: "met", One: "met", Many: "met"},
		{N: c.failed, Name: "failed", One: "failed", Many: "failed"},
		{N: c.advised, Name: "advised", One: "suggestion", Many: "suggestions"},
		{N: c.untried, Name: "untried", One: "not tried", Many: "not tried"},
	})
	switch {
	case err != nil:
		return err
	case c.failed > 0:
		return judgedf("%s does not do what OWOX needs", endpoint)
	case c.unknown > 0:
		return judgedf("%s could not be checked: %s not tried", endpoint, plural(c.unknown, "required case was", "required cases were"))
	case c.met+c.advised == 0:
		return judgedf("%s could not be checked: no case could be tried", endpoint)
	case c.advised > 0 && c.failOn == conformance.Advised:
		return judgedf("%s does what OWOX needs, but not what is advised", endpoint)
	default:
		return nil
	}
}
