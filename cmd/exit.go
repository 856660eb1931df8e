package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/owoxhook/owoxhook/pkg/sender"
)

// The exit statuses, as owoxhook help exit-status promises them.
const (
	exitOK          = 0
	exitJudged      = 1
	exitUsage       = 2
	exitFailed      = 3
	exitInterrupted = 130
)

// usageError says that the command line or the configuration is wrong.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// judgedError says that a check failed. The details were
// reported as results.
type judgedError struct{ error }

func judgedf(format string, args ...any) error { return judgedError{fmt.Errorf(format, args...)} }

// statusError ends owoxhook with the exit status of the command that it ran,
// which has said itself what is wrong.
type statusError struct{ status int }

func (e statusError) Error() string { return "" }

// errInterrupted ends a command that was stopped before its job was done.
var errInterrupted = errors.New("interrupted")

// exit says why the command ended, unless everything is well, and returns the
// exit status.
func (a *app) exit(ctx context.Context, command *cobra.Command, err error) int {
	var unwritten unwrittenError
	var usage usageError
	var judged judgedError
	var status statusError
	switch {
	case errors.As(err, &status):
		return status.status
	case err == nil:
		return exitOK
	case errors.Is(err, errUnread):
		return exitOK
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return exitInterrupted
	}
	name := "owoxhook"
	if command != nil && command.HasParent() {
		name = strings.TrimPrefix(command.CommandPath(), "owoxhook ")
	}
	if words := err.Error(); words != "" {
		if command != nil && a.config != nil && errors.As(err, &usage) {
			words = a.config.blame(command, words)
		}
		a.note("%s: %s", name, words)
	}
	switch {
	case errors.As(err, &unwritten):
		return exitFailed
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &judged):
		return exitJudged
	default:
		return exitFailed
	}
}

// flagError adds what may have been meant to an error of the flag parser.
func flagError(command *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usagef("%w: see %s --help", err, command.CommandPath())
	}
	var names []string
	command.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	})
	if len(unknown.GetSpecifiedName()) == 1 {
		return usagef("unknown flag -%s: see %s --help", unknown.GetSpecifiedName(), command.CommandPath())
	}
	name := "--" + unknown.GetSpecifiedName()
	hint := didYouMean(name, names)
	if hint == "" {
		hint = ": see " + command.CommandPath() + " --help"
	}
	return usagef("unknown flag %s%s", name, hint)
}

// nearest returns the word that may have been meant, or "" when none is near.
func nearest(word string, words []string) string {
	best, distance := "", min(len(word), 3+len(word)/16)
	for _, candidate := range words {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(candidate)); d < distance {
			best, distance = candidate, d
		}
	}
	return best
}

// refuseEmpty refuses flags without a value, as a variable that is not set leaves
// them: they would choose everything, or do nothing.
func refuseEmpty(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		list, isList := f.Value.(pflag.SliceValue)
		noValues := isList && (len(list.GetSlice()) == 0 || slices.Contains(list.GetSlice(), ""))
		if noValues || f.Value.Type() == "string" && f.Value.String() == "" {
			err = usagef("--%s has no value: give it one, or leave it out", f.Name)
		}
	})
	return err
}

// didYouMean returns the end of a sentence that offers the nearest of the
// words, or "" when none is near.
func didYouMean(word string, words []string) string {
	if best := nearest(word, words); best != "" {
		return fmt.Sprintf(": did you mean %q?", best)
	}
	return ""
}

// oneOf returns the end of a sentence that offers the nearest of the words, or
// lists them all when none is near.
func oneOf(word string, words []string) string {
	if hint := didYouMean(word, words); hint != "" {
		return hint
	}
	return ": choose one of " + strings.Join(words, ", ")
}

// atMost refuses more arguments than a command has use for.
func atMost(n int, what string) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef("unexpected argument %q: %s takes %s", sender.Redact(args[n]), command.CommandPath(), what)
		}
		return nil
	}
}

// noArgs refuses arguments.
var noArgs = atMost(0, "no arguments")

// unknownCommand refuses a first argument that is not a command.
func unknownCommand(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range command.Commands() {
		if c.IsAvailableCommand() || c.Name() == "help" {
			names = append(names, c.Name())
		}
	}
	slices.Sort(names)
	return usagef("unknown command %q%s", sender.Redact(args[0]), oneOf(args[0], names))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
