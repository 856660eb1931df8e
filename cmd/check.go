package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/conformance"
	"github.com/owoxhook/owoxhook/pkg/report"
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
		Short: "Judge an endpoint: does it do what OWOX needs?",
		Long: `Judge an endpoint: does it do what OWOX needs?

About 70 deliveries are made, as OWOX would make them: test events, documented
events, retries, long and odd values, a burst, and some requests that are none.
All are marked as tests unless --real. The exit status is 1 when something that
is required is not met.`,
		Example: `  owoxhook check https://example.com/hook

  # advice counts too, but for plain http during development
  owoxhook check --fail-on advised --skip https,public-address http://127.0.0.1:3000/hook

  # for a dashboard, beside the text on the terminal
  owoxhook check -o junit --output-file report.xml @staging

  # what there is to check
  owoxhook check --list`,
		Args: atMost(1, "one URL"),
		RunE: func(cmd *cobra.Command, args []string) error { return runCheck(cmd.Context(), a, opts, args) },
	}
	a.bindReport(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&opts.list, "list", false, "print the cases, check nothing")
	flags.StringSliceVar(&opts.only, "only", nil, "try these `CASES` only")
	flags.StringSliceVar(&opts.skip, "skip", nil, "leave out these `CASES`")
	flags.StringVar(&opts.failOn, "fail-on", failLevels[0], "`LEVEL` that makes the check fail: required or advised")
	flags.BoolVar(&opts.isReal, "real", false, "deliver events that are not marked as tests")
	flags.IntVarP(&opts.concurrency, "concurrency", "c", 5, "make `N` deliveries of the burst at a time")
	opts.bind(cmd)
	flags.Lookup("insecure").Usage += "; the case https judges it all the same"
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
			return check.end(options.Endpoint.Redacted())
		}
	})
}

// cases returns the cases that the flags leave.
func (o checkOptions) cases() ([]conformance.Case, error) {
	for _, id := range slices.Concat(o.only, o.skip) {
		if !slices.Contains(caseIDs(), id) {
			hint := didYouMean(id, caseIDs())
			if hint == "" {
				hint = ": owoxhook check --list prints them"
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
		return nil, usagef("--only and --skip leave no case to try")
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
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
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
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", c.ID, c.Level, c.Delivers, c.Requires) // into memory
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return a.print(out.String())
}

// check counts results.
type check struct {
	*app
	reporter report.Reporter
	failOn   conformance.Level

	met, failed, advised, untried int
}

func (c *check) result(r conformance.Result) error {
	switch {
	case !r.Tried:
		c.untried++
	case r.Met:
		c.met++
	case r.Level == conformance.Required:
		c.failed++
	default:
		c.advised++
	}
	return c.reporter.Case(r)
}

// end says the summary and the verdict.
func (c *check) end(endpoint string) error {
	err := c.reporter.Summary(report.Summary{
		{N: c.met + c.failed + c.advised + c.untried, Name: "cases", One: "case", Many: "cases"},
		{N: c.met, Name: "met", One: "met", Many: "met"},
		{N: c.failed, Name: "failed", One: "failed", Many: "failed"},
		{N: c.advised, Name: "advised", One: "advice", Many: "pieces of advice"},
		{N: c.untried, Name: "untried", One: "not tried", Many: "not tried"},
	})
	switch {
	case err != nil:
		return err
	case c.failed > 0:
		return judgedf("%s does not do what OWOX needs", endpoint)
	case c.advised > 0 && c.failOn == conformance.Advised:
		return judgedf("%s does what OWOX needs, but not what is advised", endpoint)
	default:
		return nil
	}
}
