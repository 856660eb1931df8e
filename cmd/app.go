// Package cmd is the command line of owoxhook: flags, configuration, wiring
// and exit statuses. One file a command, named after it; what it does is in
// the packages below pkg.
package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/owoxhook/owoxhook/pkg/report"
)

// app is what all commands share: the streams, the clock, the configuration.
type app struct {
	in       io.Reader
	out, err io.Writer
	stdout   *output      // behind out
	flush    func() error // writes what out has collected
	now      func() time.Time
	newID    func() uuid.UUID
	columns  func(stream any) int // that a stream has; nil: those of its terminal

	config      *config
	output      string
	outputTyped bool // and not from a file or a variable
	outputFile  string
	color       string

	underWay sync.Mutex // held while something must end in its own time
}

// lastWords is how long a command may take to end after a signal.
const lastWords = 700 * time.Millisecond

// Main runs owoxhook with the arguments and returns its exit status. Commands
// that take time end with the context of interruptible.
func Main(interruptible func() (context.Context, context.CancelFunc), args []string, in io.Reader, out, errOut io.Writer) int {
	stdout := &output{to: out, name: "standard output"}
	stderr := &output{to: errOut, name: "standard error", optional: true}
	a := &app{in: in, out: stdout, stdout: stdout, flush: func() error { return nil }, err: stderr, now: time.Now, newID: uuid.New}
	only := quick(args)
	ctx := context.Background()
	if only == "" {
		var stop context.CancelFunc
		ctx, stop = interruptible()
		defer stop()
	}
	root := a.root(only)
	root.SetArgs(args)
	started := false
	wrapPreRun(root, &started)
	command, err := await(a.overdue(ctx), func() (*cobra.Command, error) {
		command, err := root.ExecuteContextC(ctx)
		switch {
		case err == nil: // cobra drops those of help texts
			if err = stdout.failure(); err == nil {
				err = a.wrongTopic(command)
			}
		case !started:
			err = usageError{err} // cobra refused the arguments
		}
		return command, err
	})
	return a.exit(ctx, command, err)
}

// overdue returns a context that ends when a command should have ended after the
// end of its own: whatever it waits for then is left behind.
func (a *app) overdue(ctx context.Context) context.Context {
	late, end := context.WithCancel(context.Background())
	context.AfterFunc(ctx, func() {
		a.underWay.Lock()
		defer a.underWay.Unlock()
		time.AfterFunc(lastWords, end)
	})
	return late
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
	return (&app{in: os.Stdin, out: io.Discard, err: io.Discard, now: time.Now, newID: uuid.New}).root("")
}

// bindReport adds the flag that only commands with reports have.
func (a *app) bindReport(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.outputFile, "output-file", "", "write the report to `FILE` in the --output format, and print text too")
}

// reporting runs the work of a command with the reporter that the flags ask
// for. A verdict is worth nothing when its report cannot be written.
func (a *app) reporting(options report.Options, work func(report.Reporter) error) error {
	a.stdout.needsReader(false)
	reporter, done, err := a.reporter(options)
	if err != nil {
		return err
	}
	err = work(reporter)
	closeErr := errors.Join(reporter.Close(), done())
	var judged judgedError
	if closeErr != nil && (err == nil || errors.As(err, &judged)) {
		return closeErr
	}
	return err
}

// reporter returns the reporter that the flags ask for, and what closes its
// files.
func (a *app) reporter(options report.Options) (reporter report.Reporter, done func() error, err error) {
	var files []*os.File
	done = func() error {
		errs := []error{a.flush()}
		for _, file := range files {
			errs = append(errs, file.Close())
		}
		return errors.Join(errs...)
	}
	options.Out, options.Err, options.Color, options.Now = a.out, a.err, a.useColor(), a.now
	options.Width, options.ErrWidth = func() int { return a.width(a.out) }, func() int { return a.width(a.err) }
	if path := os.Getenv("GITHUB_STEP_SUMMARY"); path != "" && a.output == report.GitHub {
		file, err := createFile(path, os.O_APPEND)
		if err != nil {
			return nil, nil, err
		}
		files, options.StepSummary = append(files, file), &output{to: file, name: path, isFile: true}
	}
	if a.outputFile == "" {
		reporter, err = report.New(a.output, options)
		return reporter, done, err
	}
	terminal, err := report.New(report.Text, options)
	if err != nil {
		return nil, nil, err
	}
	file, err := createFile(a.outputFile, os.O_TRUNC)
	if err != nil {
		return nil, nil, err
	}
	files = append(files, file)
	options.Out, options.Err, options.Color, options.Width = &output{to: file, name: a.outputFile, isFile: true}, io.Discard, false, nil
	reporter, err = report.New(a.output, options)
	if err != nil {
		return nil, nil, err
	}
	return report.Both(terminal, reporter), done, nil
}

// wantsJSON is for commands that print what they know, not what they checked. A
// format of reports that a file or a variable sets is for the others.
func (a *app) wantsJSON() (bool, error) {
	switch a.output {
	case report.JSON:
		return true, nil
	case report.Text:
		return false, nil
	}
	if a.outputTyped {
		return false, usagef("this command has no %s report: choose text or json", a.output)
	}
	a.output = report.Text
	return false, nil
}

// onTerminal reports whether people read standard output as text.
func (a *app) onTerminal() bool { return a.output == report.Text || a.outputFile != "" }

var colorModes = []string{"auto", "always", "never"}

// useColor obeys --color, and with auto NO_COLOR and the kind of terminal.
func (a *app) useColor() bool {
	switch a.color {
	case "always":
		return true
	case "never":
		return false
	default:
		return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(a.out)
	}
}

func isTerminal(stream any) bool {
	file := fileOf(stream)
	return file != nil && (isatty.IsTerminal(file.Fd()) || isatty.IsCygwinTerminal(file.Fd()))
}

// width returns how many columns the terminal has that shows a stream, which
// people may change at any time, and 0 for files and pipes: what programs read
// is not made to fit.
func (a *app) width(stream any) int {
	if a.columns != nil {
		return a.columns(stream)
	}
	file := fileOf(stream)
	if file == nil {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// note says something to people, on standard error, and escapes what is in it
// from outside. That it cannot be written does not matter.
func (a *app) note(format string, args ...any) {
	_, _ = fmt.Fprintln(a.err, report.Wrap(report.Escape(fmt.Sprintf(format, args...)), a.width(a.err)))
}

// buffer lets out collect results until flush, unless people watch them come.
func (a *app) buffer() {
	if !isTerminal(a.out) {
		out := &buffered{w: bufio.NewWriterSize(a.out, 64<<10)}
		a.out, a.flush = out, out.Flush
	}
}

// buffered is a buffer that several goroutines write to and flush.
type buffered struct {
	mu sync.Mutex
	w  *bufio.Writer
}

func (b *buffered) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.w.Write(p)
}

func (b *buffered) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.w.Flush()
}

// printTable writes a table, made to fit a terminal.
func (a *app) printTable(table *report.Table) error {
	return a.print(table.Format(a.width(a.out)))
}

// printProse writes text, which is wrapped on a terminal.
func (a *app) printProse(text string) error {
	return a.print(report.Wrap(text, a.width(a.out)))
}

// raw returns a writer to w, which ends in standard output, for bytes that may be
// anything: files and pipes get them as they are, and a terminal, which would
// obey them, escaped. Each write is of whole lines.
func (a *app) raw(w io.Writer) io.Writer {
	if isTerminal(a.out) {
		return escaping{w}
	}
	return w
}

type escaping struct{ w io.Writer }

func (e escaping) Write(p []byte) (int, error) {
	if _, err := io.WriteString(e.w, report.EscapeLines(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (a *app) printRaw(text string) error {
	_, err := io.WriteString(a.raw(a.out), text)
	return err
}

// print writes a result.
func (a *app) print(text string) error {
	_, err := io.WriteString(a.out, text)
	return err
}
