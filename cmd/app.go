// Package cmd is the command line of owoxhook: flags, configuration, wiring
// and exit statuses. One file a command, named after it; what it does is in
// the packages below pkg.
package cmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/report"
)

// app is what all commands share: the streams, the clock, the configuration.
type app struct {
	in       io.Reader
	out, err io.Writer
	now      func() time.Time
	newID    func() uuid.UUID

	config *config
	output string
	color  string
}

// Main runs owoxhook with the arguments and returns its exit status.
func Main(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	a := &app{in: in, out: out, err: errOut, now: time.Now, newID: uuid.New}
	root := a.root()
	root.SetArgs(args)
	started := false
	wrapPreRun(root, &started)
	command, err := root.ExecuteContextC(ctx)
	if err != nil && !started {
		err = usageError{err} // cobra refused the arguments
	}
	return a.exit(ctx, command, err)
}

// wrapPreRun notes that the arguments were accepted.
func wrapPreRun(root *cobra.Command, started *bool) {
	inner := root.PersistentPreRunE
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		*started = true
		return inner(cmd, args)
	}
}

// Root returns the command tree, for completions and manual pages.
func Root() *cobra.Command {
	return (&app{in: os.Stdin, out: io.Discard, err: io.Discard, now: time.Now, newID: uuid.New}).root()
}

// reporter returns the reporter that --output and --color ask for.
func (a *app) reporter(verbose bool) (report.Reporter, error) {
	color, err := a.useColor()
	if err != nil {
		return nil, err
	}
	reporter, err := report.New(a.output, report.Options{Out: a.out, Err: a.err, Color: color, Verbose: verbose})
	if err != nil {
		return nil, usagef("%w%s", err, didYouMean(a.output, report.Formats()))
	}
	return reporter, nil
}

var colorModes = []string{"auto", "always", "never"}

// useColor obeys --color, and with auto NO_COLOR and the kind of terminal.
func (a *app) useColor() (bool, error) {
	switch a.color {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto":
		return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(a.out), nil
	default:
		return false, usagef("unknown value %q for --color%s", a.color, didYouMean(a.color, colorModes))
	}
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && (isatty.IsTerminal(file.Fd()) || isatty.IsCygwinTerminal(file.Fd()))
}

// note says something to people, on standard error. That it cannot be written
// is nobody's trouble.
func (a *app) note(format string, args ...any) {
	_, _ = fmt.Fprintf(a.err, format+"\n", args...)
}

// print writes a result.
func (a *app) print(text string) error {
	_, err := io.WriteString(a.out, text)
	return err
}
