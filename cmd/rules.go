package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

func newRulesCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rules [RULE]",
		Short: "Print the validation rules, or explain one",
		Example: `  owoxhook rules

  # what the documentation says, and how to fix the finding
  owoxhook rules status-matches-event`,
		Args:      atMost(1, "one rule"),
		ValidArgs: ruleIDs(),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return runRules(a, validate.Rules())
			}
			rule, ok := validate.FindRule(args[0])
			if !ok {
				return usagef("unknown rule %q%s", args[0], ruleHint(args[0]))
			}
			return runRule(a, rule)
		},
	}
}

func ruleIDs() []string {
	var ids []string
	for _, r := range validate.Rules() {
		ids = append(ids, r.ID)
	}
	return ids
}

func ruleHint(id string) string {
	if hint := didYouMean(id, ruleIDs()); hint != "" {
		return hint
	}
	return ": see owoxhook rules"
}

type ruleJSON struct {
	Type     string            `json:"type"`
	ID       string            `json:"id"`
	Severity validate.Severity `json:"severity"`
	Title    string            `json:"title"`
	Says     string            `json:"says"`
	Fix      string            `json:"fix"`
}

func runRules(a *app, rules []validate.Rule) error {
	asJSON, err := a.wantsJSON()
	if err != nil {
		return err
	}
	table := report.NewTable(report.Keep, report.Keep, report.Fold)
	for _, r := range rules {
		if asJSON {
			if err := a.printLine(ruleJSON{"rule", r.ID, r.Severity, r.Title, r.Says, r.Fix}); err != nil {
				return err
			}
			continue
		}
		table.Add(r.ID, r.Severity.String(), r.Title)
	}
	return a.printTable(table)
}

func runRule(a *app, r validate.Rule) error {
	if asJSON, err := a.wantsJSON(); asJSON || err != nil {
		return runRules(a, []validate.Rule{r})
	}
	return a.printProse(fmt.Sprintf("%s (%s)\n    %s\n\nWhat the documentation says\n    %s\n\nWhat to do\n    %s\n\nTo change it\n    --rule %s=off, or %s\n",
		r.ID, r.Severity, r.Title, r.Says, r.Fix, r.ID, strings.Join(others(r.Severity), ", ")))
}

// others returns the severities that a rule could have instead.
func others(s validate.Severity) []string {
	var names []string
	for _, name := range validate.SeverityNames() {
		if name != s.String() && name != validate.Off.String() {
			names = append(names, name)
		}
	}
	return names
}
