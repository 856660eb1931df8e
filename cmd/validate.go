package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/payloads"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// judgeFlags say how strict to be. They are the same for listen and validate.
type judgeFlags struct {
	strict  bool
	rules   []string
	maxBody size
}

func (j *judgeFlags) bind(cmd *cobra.Command) {
	j.maxBody = validate.DefaultMaxBody
	flags := cmd.Flags()
	flags.BoolVar(&j.strict, "strict", false, "treat warnings as errors")
	flags.StringSliceVar(&j.rules, "rule", nil, "change the severity of a rule: `ID=SEVERITY`, with error, warning, info or off")
	flags.Var(&j.maxBody, "max-body", "maximum `SIZE` of a body")
	_ = cmd.RegisterFlagCompletionFunc("rule", func(*cobra.Command, []string, string) (ids []string, _ cobra.ShellCompDirective) {
		for _, r := range validate.Rules() {
			ids = append(ids, r.ID+"=")
		}
		return ids, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
}

func (j *judgeFlags) validator() (*validate.Validator, error) {
	config := validate.Config{Strict: j.strict, MaxBody: int(j.maxBody), Severities: map[string]validate.Severity{}}
	for _, text := range j.rules {
		id, name, ok := strings.Cut(text, "=")
		if !ok {
			return nil, usagef("--rule %q: want ID=SEVERITY, such as %s=off", text, validate.UndocumentedMember)
		}
		severity, err := validate.ParseSeverity(name)
		if err != nil {
			return nil, usagef("--rule %s: %w%s", text, err, oneOf(name, validate.SeverityNames()))
		}
		if _, ok := validate.FindRule(id); !ok {
			return nil, usagef("--rule %s: unknown rule %q%s", text, id, ruleHint(id))
		}
		config.Severities[id] = severity
	}
	return validate.New(config)
}

// size is a number of bytes that is written like 1MiB.
type size int

func (s *size) String() string {
	bytes := uint64(max(0, *s))
	return strings.NewReplacer(" ", "", ".0", "").Replace(humanize.IBytes(bytes))
}

func (s *size) Type() string { return "size" }

func (s *size) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n < 1 || n > 1<<30 {
		return fmt.Errorf("want a size from 1B to 1GiB, such as 512KiB")
	}
	*s = size(n)
	return nil
}

type validateOptions struct {
	judgeFlags
	quiet bool
}

func newValidateCommand(a *app) *cobra.Command {
	opts := validateOptions{}
	cmd := &cobra.Command{
		Use:   "validate [FILE...]",
		Short: "Validate payloads in files or on standard input",
		Long: `Validate payloads in files, in directories or on standard input against the
documented contract.

A file can hold one payload, one payload per line (NDJSON), or a raw HTTP
request; the format is detected from its content. Gzip files are read too.
Directories are searched recursively for files that end in .json, .ndjson,
.jsonl or .http, or in one of these and .gz. The exit status is 1 if any error
is found.

Lines are validated on all cores and reported in order, as they are read; a file
can be larger than memory. Ctrl-C prints the summary so far and exits.

More: owoxhook help payloads.`,
		Example: `  # payloads that your endpoint saved
  owoxhook validate payloads/ last-request.http

  # output of another program
  owoxhook sample --set version=2 | owoxhook validate

  # a log, while it grows
  tail -f deliveries.ndjson | owoxhook validate --quiet

  # treat warnings as errors, except for one rule
  owoxhook validate --strict --rule url-absolute=off payload.json`,
		RunE: func(cmd *cobra.Command, args []string) error { return runValidate(cmd.Context(), a, opts, args) },
	}
	opts.bind(cmd)
	a.bindReport(cmd)
	cmd.Flags().BoolVarP(&opts.quiet, "quiet", "q", false, "print errors only")
	return cmd
}

func runValidate(ctx context.Context, a *app, opts validateOptions, args []string) error {
	validator, err := opts.validator()
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"-"}
	}
	a.buffer()
	return a.reporting(report.Options{Command: "validate"}, func(reporter report.Reporter) error {
		if isTerminal(a.in) && slices.Contains(args, "-") {
			a.note("validate: reading standard input until Ctrl-D")
		}
		judge := judge{app: a, reporter: reporter, validator: validator, quiet: opts.quiet}
		for _, name := range args {
			err := judge.path(ctx, name)
			if errors.Is(err, errInterrupted) {
				return errors.Join(judge.end(), err)
			}
			if err != nil {
				return err
			}
		}
		return judge.end()
	})
}

// judge validates files and counts what it finds.
type judge struct {
	*app
	reporter  report.Reporter
	validator *validate.Validator
	quiet     bool

	payloads, invalid int
	counts            [validate.Error + 1]int // findings by severity
}

// path validates a file, or all payloads in a directory.
func (j *judge) path(ctx context.Context, name string) error {
	info, err := os.Stat(name)
	if name == "-" || err != nil || !info.IsDir() {
		return j.file(ctx, name)
	}
	found := false
	err = payloads.Walk(os.DirFS(name), func(file string, mode fs.FileMode) error {
		path := filepath.Join(name, filepath.FromSlash(file))
		if !mode.IsRegular() && mode.Type() != fs.ModeSymlink {
			j.note("validate: skipping %s: not a regular file", path)
			return nil
		}
		found = true
		return j.file(ctx, path)
	})
	var unread payloads.ReadError
	var within *fs.PathError
	if errors.As(err, &unread) && errors.As(err, &within) {
		within.Path = filepath.Join(name, within.Path)
		return readError(within)
	}
	if err == nil && !found {
		return fmt.Errorf("no payloads in %s: want files that end in %s", name, strings.Join(payloads.Extensions(), ", "))
	}
	return err
}

func (j *judge) file(ctx context.Context, name string) error {
	file, err := j.open(ctx, name)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	start, before := j.now(), j.payloads
	progress := j.byteProgress("validating", file)
	err = payloads.Judge(ctx, file, j.validator, func(v payloads.Verdict) error {
		if len(v.Findings) > 0 {
			progress.clear()
		}
		defer progress.follow(file)
		return j.say(fileName(name), v)
	})
	progress.end()
	switch {
	case err == nil:
		return j.reporter.Report(report.File{Name: fileName(name), Payloads: j.payloads - before, Duration: j.now().Sub(start)})
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return errInterrupted
	default:
		return inputError(name, err)
	}
}

func (j *judge) say(name string, v payloads.Verdict) error {
	j.payloads += v.Payloads
	j.invalid += v.Invalid
	for _, f := range v.Findings {
		j.counts[f.Severity]++
		if j.quiet && f.Severity < validate.Error {
			continue
		}
		if err := j.reporter.Report(report.Finding{File: name, Finding: f, Text: v.Text, Start: v.Start}); err != nil {
			return err
		}
	}
	if err := j.flush(); err != nil {
		return err
	}
	if j.invalid > 0 && j.stdout.isUnread() && j.outputFile == "" && j.output != report.GitHub {
		return errInvalid // nobody reads the rest
	}
	return nil
}

func (j *judge) end() error {
	err := j.reporter.Report(report.Summary{
		{N: j.payloads, Name: "payloads", One: "payload", Many: "payloads"},
		{N: j.payloads - j.invalid, Name: "valid", One: "valid", Many: "valid"},
		{N: j.invalid, Name: "invalid", One: "invalid", Many: "invalid"},
		{N: j.counts[validate.Error], Name: "errors", One: "error", Many: "errors"},
		{N: j.counts[validate.Warning], Name: "warnings", One: "warning", Many: "warnings"},
		{N: j.counts[validate.Info], Name: "infos", One: "info", Many: "infos"},
	})
	if err != nil || j.invalid == 0 {
		return err
	}
	return errInvalid
}

// errInvalid needs no words: findings and summary have said it.
var errInvalid = judgedf("")

func fileName(name string) string {
	if name == "-" {
		return "<stdin>"
	}
	return name
}
