package cmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/pkg/report"
)

type testOptions struct {
	targetFlags
	event string
}

func newRelayTestCommand(a *app) *cobra.Command {
	opts := testOptions{}
	cmd := &cobra.Command{
		Use:   "test [TARGET]",
		Short: "Send a test event through one target, and show request and answer",
		Long: `Send a test event through one target, once and whatever its conditions, and show
the request and the answer. Secrets are not shown. Nothing is kept.`,
		Example: `  owoxhook relay test --to slack:@/run/secrets/slack-url
  owoxhook relay test alerts --config relay.yaml --event successful`,
		Args: atMost(1, "one target"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRelayTest(cmd.Context(), a, opts, strings.Join(args, ""))
		},
	}
	opts.bind(cmd)
	cmd.Flags().StringVar(&opts.event, "event", eventNames()[0], "send a test event of `EVENT`")
	completeLater(cmd, "event", eventNames)
	return cmd
}

func runRelayTest(ctx context.Context, a *app, opts testOptions, name string) error {
	event, err := parseEvent(opts.event)
	if err != nil {
		return err
	}
	targets, closeAll, err := opts.targets(ctx, a)
	if err != nil {
		return err
	}
	defer closeAll()
	t, err := oneTarget(targets, name)
	if err != nil {
		return err
	}
	batch := a.testBatch(event)
	shown, err := t.Carrier.Show(batch)
	if err != nil {
		return err
	}
	return a.reporting(report.Options{Command: "relay test", Verbose: true}, func(reporter report.Reporter) error {
		switch {
		case a.onTerminal():
			err = a.printShown(t.Name, shown)
		case a.output == report.JSON:
			err = a.printLine(requestJSON{"request", t.Name, shown})
		}
		if err != nil {
			return err
		}
		attempt := t.Carrier.Carry(ctx, batch)
		if ctx.Err() != nil {
			return errInterrupted
		}
		attempt.Number, attempt.Target = 1, t.Name
		if err := reporter.Report(report.Attempt{Attempt: attempt}); err != nil {
			return err
		}
		if !attempt.OK() {
			return judgedf("not delivered to %s", t.Name)
		}
		return nil
	})
}

// oneTarget finds a target; it needs no name where there is one alone.
func oneTarget(targets []relay.Target, name string) (relay.Target, error) {
	var names []string
	for _, t := range targets {
		if t.Name == name || name == "" && len(targets) == 1 {
			return t, nil
		}
		names = append(names, t.Name)
	}
	if name == "" {
		return relay.Target{}, usagef("which target: %s", strings.Join(names, ", "))
	}
	return relay.Target{}, usagef("unknown target %q%s", name, oneOf(name, names))
}

// testBatch returns what the Test button sends.
func (a *app) testBatch(event owox.EventType) relay.Batch {
	return relay.Trial(owox.Sample{Event: event, ID: a.newID(), Now: a.now(), Test: true})
}

// requestJSON is what a target gets.
type requestJSON struct {
	Type    string `json:"type"`
	Target  string `json:"target"`
	Request string `json:"request"` // as text, without secrets
}

func (a *app) printShown(name, shown string) error {
	var out strings.Builder
	out.WriteString("# " + name + "\n")
	for line := range strings.SplitSeq(strings.TrimRight(shown, "\n"), "\n") {
		out.WriteString(report.Escape(line) + "\n")
	}
	return a.print(out.String() + "\n")
}
