package cmd

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

type sampleOptions struct {
	payloadFlags
	format string
	url    string
	all    string
}

var sampleFormats = []string{"json", "pretty", "http", "curl"}

const localURL = "http://127.0.0.1:8787/" // where listen listens

func newSampleCommand(a *app) *cobra.Command {
	opts := sampleOptions{}
	cmd := &cobra.Command{
		Use:   "sample [EVENT]",
		Short: "Print a payload, a raw HTTP request or a curl command",
		Long: `Print a payload as OWOX would send it: a real event as documented, with a new
id and the current time, or with --test the event that the Test button sends.

With --all, write a file per event type and variant to a directory, as fixtures
for your own tests: the documented example, a test event, a minimal payload, and
one with a relative URL. The files are the same every time.

More: owoxhook help payloads.`,
		Example: `  # a failed run, exactly as sent
  owoxhook sample

  # a successful run with your own values, pretty-printed
  owoxhook sample successful --format pretty --set data.run.rowsProcessed=0 --unset data.projectTitle

  # a curl command that sends a test event
  owoxhook sample --test --format curl --url https://example.com/hook

  # fixtures for your own tests
  owoxhook sample --all testdata/owox`,
		Args:        atMost(1, "one event"),
		ValidArgs:   eventNames(),
		Annotations: map[string]string{printsData: "payloads and requests as --format says"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("all") {
				if err := refuseWithAll(cmd, args); err != nil {
					return err
				}
				return a.writeFixtures(opts.all)
			}
			if len(args) == 1 {
				if cmd.Flags().Changed("event") && args[0] != opts.event {
					return usagef("two events given, %q and --event %q: choose one", args[0], opts.event)
				}
				opts.event = args[0]
			}
			return runSample(a, opts)
		},
	}
	opts.bind(cmd)
	cmd.Flags().StringVar(&opts.format, "format", sampleFormats[0], "print as `FORMAT`: json, pretty, http (raw request) or curl (command)")
	cmd.Flags().StringVar(&opts.url, "url", "", "endpoint `URL` or @name for http and curl (default "+localURL+")")
	cmd.Flags().StringVar(&opts.all, "all", "", "write a file per event type and variant to `DIR`")
	complete(cmd, "format", sampleFormats...)
	_ = cmd.MarkFlagDirname("all") // the flag is there
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
		return a.printRaw(string(payload) + "\n")
	case "pretty":
		return a.printRaw(owox.Indent(payload))
	}
	endpoint, err := a.resolveEndpoint([]string{cmp.Or(opts.url, localURL)})
	if err != nil {
		return err
	}
	request := sender.NewRequest(endpoint.url, payload)
	if opts.format == "curl" {
		return a.printRaw(request.Curl())
	}
	wire, err := request.Wire()
	if err != nil {
		return err
	}
	return a.printRaw(string(wire))
}

// refuseWithAll refuses arguments and flags that choose a single payload.
func refuseWithAll(cmd *cobra.Command, args []string) error {
	for _, name := range []string{"event", "test", "set", "unset", "format", "url"} {
		if cmd.Flags().Changed(name) {
			args = append(args, "--"+name)
		}
	}
	if len(args) > 0 {
		return usagef("--all writes every event type and variant: leave out %s", args[0])
	}
	return nil
}

// writeFixtures writes all files, or none if one exists with different content.
func (a *app) writeFixtures(dir string) error {
	files := map[string][]byte{}
	for _, fixture := range owox.Fixtures() {
		file := filepath.Join(dir, fixture.Name+".json")
		files[file] = fixture.Payload
		if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s exists and is not a regular file: remove it, or choose another directory", file)
		}
		if there, err := os.ReadFile(file); err == nil && !bytes.Equal(there, fixture.Payload) {
			return fmt.Errorf("%s exists with different content: remove it, or choose another directory", file)
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot write fixtures: %w", err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // fixtures are no secret
		return fmt.Errorf("cannot write fixtures: %w", err)
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(file, files[file], 0o644); err != nil { //nolint:gosec // nor is their content
			return fmt.Errorf("cannot write fixtures: %w", err)
		}
		if err := a.print(report.Escape(file) + "\n"); err != nil {
			return err
		}
	}
	return nil
}
