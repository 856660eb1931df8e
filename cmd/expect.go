package cmd

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/expect"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// expectFlags choose the deliveries that listen must receive to succeed.
type expectFlags struct {
	count   int
	events  []string
	matches []string
	timeout time.Duration
}

func (e *expectFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&e.count, "expect", 0, "exit with 0 as soon as `N` valid deliveries have arrived, with 1 if an invalid one arrives")
	flags.StringArrayVar(&e.events, "expect-event", nil, "expect at least one delivery of `EVENT`")
	flags.StringArrayVar(&e.matches, "match", nil, "count only deliveries whose payload has this value: `PATH=VALUE`")
	flags.DurationVar(&e.timeout, "timeout", 0, "exit with 1 if the expected deliveries have not arrived by then")
	_ = flags.SetAnnotation("timeout", notConfigured, []string{"the key means the time limit of an attempt"}) // the flag was just added
	completeLater(cmd, "expect-event", eventNames)
	completeLater(cmd, "match", fieldPaths)
}

// deliveries reads what the flags expect.
func (e expectFlags) deliveries(a *app, acceptAll bool) (expect.Deliveries, error) {
	expected := expect.Deliveries{Count: e.count, AcceptAll: acceptAll}
	if e.count < 0 {
		return expected, usagef("--expect %d: want 0 or more", e.count)
	}
	for _, word := range e.events {
		event, err := parseEvent(word)
		if err != nil {
			return expected, err
		}
		expected.Events = append(expected.Events, event)
	}
	for _, text := range e.matches {
		path, value, ok := strings.Cut(text, "=")
		if !ok || path == "" {
			return expected, usagef("--match %q: want PATH=VALUE", text)
		}
		if _, known := owox.Resolve(path); !known {
			a.note("note: %s is not a documented member%s", path, didYouMean(path, fieldPaths()))
		}
		expected.Matches = append(expected.Matches, expect.Match{Path: path, Value: value})
	}
	switch {
	case len(e.matches) > 0 && !expected.Any():
		return expected, usagef("--match counts towards what is expected: pass --expect or --expect-event too")
	case e.timeout < 0:
		return expected, usagef("--timeout %v: want more than 0", e.timeout)
	default:
		return expected, nil
	}
}
