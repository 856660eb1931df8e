package cmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
)

type relayOptions struct {
	listenOptions
	targetFlags
	admin  string
	finish time.Duration
	dryRun bool
}

func newRelayCommand(a *app) *cobra.Command {
	opts := relayOptions{}
	cmd := &cobra.Command{
		Use:   "relay",
		Short: "Receive, keep, and deliver on until it has arrived",
		Long: `Receive deliveries as listen does, answer as soon as they are kept in the
journal, and deliver each on to every target until it has arrived: to
applications, chat channels and commands.

A failed attempt is repeated after 5 s, 30 s, 2 min, 10 min, 30 min, 2 h, 5 h,
10 h, 10 h, then every 12 h, for 72 h in all. Retry-After is obeyed. 410 ends
it at once, and 400, 401, 403, 404 and 422 after three attempts. What is given
up is kept until it is dropped or tried again: see owoxhook relay status, or the
page that --ui serves.

Delivery is at least once: an application can get an event twice, with the same
X-Webhook-ID, after relay or the application was killed. What OWOX repeats
itself within 24 hours, under the same id or a new one, reaches a target once.

A secret is read from a file with @FILE, or from a variable with env:NAME, as in
slack:@/run/secrets/slack-url. With --config, targets come from a file:

  targets:
    app:
      to: https://app.example.com/hooks/owox
      ordered: true
    alerts:
      to: slack:@/run/secrets/slack-url
      only: [failed, recovered]
      group: 5m

The journal and the jobs are in one database. A relay that is started again goes
on where it was. It receives on the socket that systemd passes to it, if any, so
that a restart refuses no connection.

More: owoxhook help relaying, owoxhook help deploy.`,
		Example: `  # an application that may be down
  owoxhook relay --to https://app.example.com/hooks/owox

  # on a machine without a public address
  owoxhook relay --to http://localhost:3000/hook --public --allow-ip owox

  # failures to a channel too, and when they are over
  owoxhook relay --to slack:@slack-url --only failed --only recovered

  # one message for all failures within 5 minutes
  owoxhook relay --to teams:@teams-url --only failed --group 5m

  # a command for the runs of a data mart
  owoxhook relay --exec './reload-report.sh' --match data.dataMart.id=dm-abc123

  # targets in a file, and health and metrics on a port of their own
  owoxhook relay --config relay.yaml --admin 127.0.0.1:9090`,
		Args: func(cmd *cobra.Command, args []string) error { return unknownCommand(cmd, opts.public.take(args)) },
		RunE: func(cmd *cobra.Command, _ []string) error { return runRelay(cmd.Context(), a, opts) },
	}
	bindReceiving(cmd, &opts.listenOptions)
	opts.bind(cmd)
	flags := cmd.Flags()
	flags.StringVar(&opts.admin, "admin", "", "serve /healthz, /readyz and /metrics on `HOST:PORT`")
	flags.DurationVar(&opts.finish, "finish", 10*time.Second, "at the end, wait this long for deliveries under way")
	flags.BoolVar(&opts.dryRun, "dry-run", false, "print the targets and what a test event would be for each, and exit")
	a.bindReport(cmd)
	cmd.AddCommand(newRelayStatusCommand(a), newRelayRetryCommand(a), newRelayDropCommand(a), newRelayTestCommand(a))
	return cmd
}

func runRelay(ctx context.Context, a *app, opts relayOptions) error {
	if opts.finish <= 0 {
		return usagef("--finish %v: want more than 0", opts.finish)
	}
	targets, closeAll, err := opts.targets(ctx, a)
	if err != nil {
		return err
	}
	defer closeAll()
	if opts.dryRun {
		return a.showTargets(targets)
	}
	opts.relaying = &relaying{app: a, flags: opts, targets: targets}
	return runListen(ctx, a, opts.listenOptions, nil)
}

// showTargets prints what a test event would be for each target.
func (a *app) showTargets(targets []relay.Target) error {
	asJSON, err := a.wantsJSON()
	if err != nil {
		return err
	}
	for _, t := range targets {
		shown, err := t.Carrier.Show(a.testBatch(owox.RunFailed))
		switch {
		case err != nil:
		case asJSON:
			err = a.printLine(requestJSON{"request", t.Name, shown})
		default:
			err = a.printShown(t.Name, shown)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
