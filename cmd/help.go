package cmd

import (
	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/cmd/topics"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

func newHelpCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | TOPIC]",
		Short: "Show help for a command or a topic",
		Example: `  owoxhook help send

  # what scripts rely on
  owoxhook help exit-status`,
		Args:              atMost(1, "one command or topic"),
		PersistentPreRunE: a.withoutConfig,
		Annotations:       map[string]string{printsData: "text for people"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Root().Help()
			}
			var names []string
			for _, c := range cmd.Root().Commands() {
				if c.Name() == args[0] {
					return c.Help()
				}
				names = append(names, c.Name())
			}
			return usagef("unknown command or topic %q%s", sender.Redact(args[0]), oneOf(args[0], names))
		},
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range cmd.Root().Commands() {
				names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// newTopicCommand makes a command that does nothing but have a help text.
func newTopicCommand(a *app, topic topics.Topic) *cobra.Command {
	command := &cobra.Command{Use: topic.Name, Short: topic.Title}
	command.SetHelpFunc(func(*cobra.Command, []string) {
		bold := color.New(color.Bold)
		bold.DisableColor()
		if a.useColor() {
			bold.EnableColor()
		}
		_ = a.print(topic.Text(a.width(a.out), func(text string) string { return bold.Sprint(text) })) // [Main] looks for the error
	})
	return command
}
