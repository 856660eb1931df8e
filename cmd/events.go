package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/report"
)

func newEventsCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "events [EVENT]",
		Short: "Print the event types, or the fields of one",
		Example: `  owoxhook events

  # every field of a payload, and what is known about it
  owoxhook events failed`,
		Args:      atMost(1, "one event"),
		ValidArgs: eventNames(),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return runEvents(a)
			}
			return runEvent(a, args[0])
		},
	}
}

func runEvents(a *app) error {
	asJSON, err := a.wantsJSON()
	if err != nil {
		return err
	}
	for _, e := range owox.Events() {
		if asJSON {
			err := a.printLine(struct {
				Type   string `json:"type"`
				Event  string `json:"event"`
				Name   string `json:"name"`
				Status string `json:"status"`
				Doc    string `json:"doc"`
			}{"event", string(e.Type), e.Type.Name(), e.Status, e.Doc})
			if err != nil {
				return err
			}
			continue
		}
		if err := a.printProse(fmt.Sprintf("%s\n    %s\n", e.Type, e.Doc)); err != nil {
			return err
		}
	}
	return nil
}

func runEvent(a *app, word string) error {
	event, err := parseEvent(word)
	if err != nil {
		return err
	}
	asJSON, err := a.wantsJSON()
	if err != nil {
		return err
	}
	if asJSON {
		return printFields(a, event)
	}
	e, _ := owox.Lookup(event)
	if err := a.printProse(fmt.Sprintf("%s\n%s\n\n", e.Type, e.Doc)); err != nil {
		return err
	}
	table := report.NewTable(report.Keep, report.Keep, report.Keep, report.Fold)
	for _, f := range owox.FieldsOf(event) {
		table.Add(f.Path, typeOf(f), string(f.Presence), strings.TrimSpace(f.Doc+" "+f.Seen))
	}
	return a.printTable(table)
}

func typeOf(f owox.Field) string {
	switch {
	case f.Items != "":
		return string(f.Type) + " of " + string(f.Items)
	case f.Format != "":
		return string(f.Type) + " (" + string(f.Format) + ")"
	default:
		return string(f.Type)
	}
}

func printFields(a *app, event owox.EventType) error {
	e, _ := owox.Lookup(event)
	for _, f := range owox.FieldsOf(event) {
		err := a.printLine(struct {
			Type     string `json:"type"`
			Path     string `json:"path"`
			JSONType string `json:"jsonType"`
			Items    string `json:"items,omitzero"`
			Format   string `json:"format,omitzero"`
			Presence string `json:"presence"`
			Doc      string `json:"doc"`
			Seen     string `json:"seen,omitzero"`
			Example  string `json:"example,omitzero"`
		}{"field", f.Path, string(f.Type), string(f.Items), string(f.Format), string(f.Presence), f.Doc, f.Seen, f.Example(e)})
		if err != nil {
			return err
		}
	}
	return nil
}

// printLine writes a JSON object as a line.
func (a *app) printLine(object any) error {
	line, err := report.Line(object)
	if err != nil {
		return err
	}
	return a.print(string(line))
}
