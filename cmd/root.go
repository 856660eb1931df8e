package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/cmd/topics"
	"github.com/owoxhook/owoxhook/pkg/report"
)

type namedCommand struct {
	name  string
	make  func(*app) *cobra.Command
	quick bool // starts faster without the others, and ends before anybody interrupts it
}

// commands returns the commands in the order of the help text.
func commands() []namedCommand {
	return []namedCommand{
		{"sample", newSampleCommand, true},
		{"send", newSendCommand, false},
		{"listen", newListenCommand, false},
		{"validate", newValidateCommand, false},
		{"check", newCheckCommand, false},
		{"deliveries", newDeliveriesCommand, false},
		{"replay", newReplayCommand, false},
		{"relay", newRelayCommand, false},
		{"inspect", newInspectCommand, false},
		{"events", newEventsCommand, false},
		{"rules", newRulesCommand, false},
		{"schema", newSchemaCommand, false},
		{"config", newConfigCommand, false},
		{"healthcheck", newHealthcheckCommand, false},
		{"completion", newCompletionCommand, false},
		{"version", newVersionCommand, true},
	}
}

// quick returns the name of the quick command that the arguments ask for, or "".
func quick(args []string) string {
	for _, c := range commands() {
		if len(args) > 0 && c.quick && c.name == args[0] {
			return c.name
		}
	}
	return ""
}

// usage makes of cobra's template one whose flags fit a terminal, and whose topics
// are named as README names them.
var usage = strings.NewReplacer(
	"Flags.FlagUsages", "Flags.FlagUsagesWrapped 80",
	"{{rpad .CommandPath .CommandPathPadding}} {{.Short}}", `{{rpad (printf "%s help %s" $.CommandPath .Name) 27}} {{.Short}}`,
)

// root makes the command tree, or as much of it as one command needs.
func (a *app) root(only string) *cobra.Command {
	root := &cobra.Command{
		Use:   "owoxhook",
		Short: "Send, receive and validate OWOX Data Marts webhooks",
		Long: `owoxhook is the command-line companion to OWOX Data Marts webhooks. It sends
the deliveries that OWOX would send, receives and validates the ones that
arrive, and turns both into checks that a script can rely on.`,
		Example: `  # both sides of a delivery, without an endpoint
  owoxhook send --test --local

  # receive deliveries and see what is wrong with them
  owoxhook listen

  # validate payloads in files
  owoxhook validate testdata/`,
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.withoutConfig(cmd, nil); err != nil {
				return err
			}
			return a.configure(cmd)
		},
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(usage.Replace(root.UsageTemplate()))
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(newHelpCommand(a))
	root.PersistentFlags().StringVarP(&a.output, "output", "o", report.Formats()[0], "print results as `FORMAT`: "+strings.Join(report.Formats(), ", "))
	root.PersistentFlags().StringVar(&a.color, "color", colorModes[0], "use colour `WHEN`: auto, always or never")
	complete(root, "output", report.Formats()...)
	complete(root, "color", colorModes...)
	a.addCommands(root, only)
	return root
}

// printsData marks a command whose output -o does not change, and says what that
// is and what to do.
const printsData = "prints-data"

// withoutConfig is all that happens before commands that work with a broken
// configuration: it refuses what is wrong with the flags that all commands have.
func (a *app) withoutConfig(cmd *cobra.Command, _ []string) error {
	if err := refuseEmpty(cmd.Flags()); err != nil {
		return err
	}
	for _, check := range []error{checkOutput(a.output), checkColor(a.color)} {
		if check != nil {
			return usageError{check}
		}
	}
	a.outputTyped = cmd.Flags().Changed("output")
	if data, ok := cmd.Annotations[printsData]; ok && a.outputTyped && a.output != report.Text {
		return usagef("this command has no %s output: it prints %s", a.output, data)
	}
	return nil
}

func checkOutput(format string) error {
	if !slices.Contains(report.Formats(), format) {
		return fmt.Errorf("unknown output format %q%s", format, oneOf(format, report.Formats()))
	}
	return nil
}

func checkColor(when string) error {
	if !slices.Contains(colorModes, when) {
		return fmt.Errorf("unknown value %q for --color%s", when, oneOf(when, colorModes))
	}
	return nil
}

// addCommands adds the commands and topics that are not there yet, or only one
// command.
func (a *app) addCommands(root *cobra.Command, only string) {
	missing := func(name string) bool {
		return !slices.ContainsFunc(root.Commands(), func(command *cobra.Command) bool { return command.Name() == name })
	}
	for _, c := range commands() {
		if (only == "" || c.name == only) && missing(c.name) {
			root.AddCommand(c.make(a))
		}
	}
	if only != "" {
		return
	}
	for _, topic := range topics.All() {
		if missing(topic.Name) {
			root.AddCommand(newTopicCommand(a, topic))
		}
	}
}

// complete offers fixed words for the value of a flag. It cannot fail: the
// flag was just added.
func complete(cmd *cobra.Command, flag string, words ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completeLater is complete for words that take time to list.
func completeLater(cmd *cobra.Command, flag string, words func() []string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words(), cobra.ShellCompDirectiveNoFileComp
	})
}
