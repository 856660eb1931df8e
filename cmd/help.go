package cmd

import (
	"slices"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/cmd/topics"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

func newHelpCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND [SUBCOMMAND] | TOPIC]",
		Short: "Show help for a command or a topic",
		Example: `  owoxhook help send
  owoxhook help relay status

  # what scripts rely on
  owoxhook help exit-status`,
		PersistentPreRunE: a.withoutConfig,
		Annotations:       map[string]string{printsData: "text for people"},
		RunE: func(cmd *cobra.Command, args []string) error {
			about, err := helped(cmd.Root(), args)
			if err != nil {
				return err
			}
			return about.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			if about, err := helped(cmd.Root(), args); err == nil {
				for _, c := range withHelp(about) {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// helped finds the command or topic that arguments name.
func helped(root *cobra.Command, args []string) (*cobra.Command, error) {
	about := root
	for _, arg := range args {
		var names []string
		below := withHelp(about)
		for _, c := range below {
			names = append(names, c.Name())
		}
		i := slices.Index(names, arg)
		switch {
		case i >= 0:
			about = below[i]
		case len(names) == 0:
			return nil, usagef("unexpected argument %q: there is nothing below %s", sender.Redact(arg), about.Name())
		case about == root:
			return nil, usagef("unknown command or topic %q%s", sender.Redact(arg), oneOf(arg, names))
		default:
			return nil, usagef("unknown command %q%s", sender.Redact(arg), oneOf(arg, names))
		}
	}
	return about, nil
}

// withHelp returns the commands and topics below a command.
func withHelp(command *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(command.Commands()), func(c *cobra.Command) bool {
		return !c.IsAvailableCommand() && !c.IsAdditionalHelpTopicCommand() && c.Name() != "help"
	})
}

// newTopicCommand makes a command that does nothing but have a help text.
func newTopicCommand(a *app, topic topics.Topic) *cobra.Command {
	command := &cobra.Command{Use: topic.Name, Short: topic.Title, Annotations: map[string]string{printsData: "text for people"}}
	command.SetHelpFunc(func(*cobra.Command, []string) {
		if a.wrongTopic(command) != nil {
			return // [Main] says so
		}
		bold := color.New(color.Bold)
		bold.DisableColor()
		if a.useColor() {
			bold.EnableColor()
		}
		_ = a.print(topic.Text(a.width(a.out), func(text string) string { return bold.Sprint(text) })) // [Main] looks for the error
	})
	return command
}

// wrongTopic refuses what was given with the name of a topic: cobra runs nothing
// that could do so.
func (a *app) wrongTopic(command *cobra.Command) error {
	if !command.IsAdditionalHelpTopicCommand() {
		return nil
	}
	if err := noArgs(command, command.Flags().Args()); err != nil {
		return err
	}
	return a.withoutConfig(command, nil)
}
