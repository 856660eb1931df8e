package cmd

import (
	"cmp"
	"slices"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

type sampleOptions struct {
	payloadFlags
	format string
	url    string
}

var sampleFormats = []string{"json", "pretty", "http", "curl"}

const localURL = "http://127.0.0.1:8787/" // where listen listens

func newSampleCommand(a *app) *cobra.Command {
	opts := sampleOptions{}
	cmd := &cobra.Command{
		Use:   "sample [EVENT]",
		Short: "Print a payload, the raw HTTP request or a curl command",
		Long: `Print a payload as OWOX would send it: a real event as documented, with a
fresh ID and the present time, or with --test what the Test button sends.`,
		Example: `  # a failed run, as bytes on the wire
  owoxhook sample

  # a successful run with values of your own, for people
  owoxhook sample successful --format pretty --set data.run.rowsProcessed=0 --unset data.projectTitle

  # a curl command that delivers a test event
  owoxhook sample --test --format curl --url https://example.com/hook`,
		Args:      atMost(1, "one event"),
		ValidArgs: eventNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if cmd.Flags().Changed("event") && args[0] != opts.event {
					return usagef("two events named: %q and --event %q: name one", args[0], opts.event)
				}
				opts.event = args[0]
			}
			return runSample(a, opts)
		},
	}
	opts.bind(cmd)
	cmd.Flags().StringVar(&opts.format, "format", sampleFormats[0], "`FORMAT`: json, pretty, http (the raw request) or curl (a command)")
	cmd.Flags().StringVar(&opts.url, "url", "", "endpoint for http and curl: a `URL` or @name (default "+localURL+")")
	complete(cmd, "format", sampleFormats...)
	return cmd
}

func runSample(a *app, opts sampleOptions) error {
	if !slices.Contains(sampleFormats, opts.format) {
		return usagef("unknown sample format %q%s", opts.format, oneOf(opts.format, sampleFormats))
	}
	payload, err := a.sample(opts.payloadFlags)
	if err != nil {
		return err
	}
	switch opts.format {
	case "json":
		return a.print(string(payload) + "\n")
	case "pretty":
		return a.print(owox.Indent(payload))
	}
	endpoint, err := a.resolveEndpoint([]string{cmp.Or(opts.url, localURL)})
	if err != nil {
		return err
	}
	request := sender.NewRequest(endpoint.url, payload)
	if opts.format == "curl" {
		return a.print(request.Curl())
	}
	wire, err := request.Wire()
	if err != nil {
		return err
	}
	return a.print(string(wire))
}
