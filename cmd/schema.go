package cmd

import (
	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

func newSchemaCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "schema [EVENT]",
		Short: "Print the JSON Schema (2020-12) of the payload",
		Example: `  # for any event type
  owoxhook schema > payload.schema.json

  # for one event type
  owoxhook schema successful`,
		Args:        atMost(1, "one event"),
		ValidArgs:   eventNames(),
		Annotations: map[string]string{printsData: "a JSON Schema"},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.print(string(owox.Schema()))
			}
			event, err := parseEvent(args[0])
			if err != nil {
				return err
			}
			return a.print(string(owox.EventSchema(event)))
		},
	}
}
