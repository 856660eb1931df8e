package cmd

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

func newConfigCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the effective configuration and where each value comes from",
		Long: `Show the effective configuration and where each value comes from. Headers,
passwords and the values of query parameters are not printed.

Flags override OWOXHOOK_* variables, which override owoxhook.yaml in the working
directory, then owoxhook/config.yaml in your configuration directory, then the
defaults. See owoxhook config trust --help for what owoxhook.yaml may do in a
directory that is not yours.

More: owoxhook help configuration.`,
		Example: `  owoxhook config

  # let owoxhook.yaml choose where real deliveries go
  owoxhook config trust

  # see what a variable changes
  OWOXHOOK_TIMEOUT=3s owoxhook config

  # for scripts
  owoxhook config -o json | jq -r 'select(.key == "addr").value'`,
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return runConfig(a, cmd.Root()) },
	}
	cmd.AddCommand(newTrustCommand(a), newUntrustCommand(a))
	return cmd
}

// setting is one line of the config command.
type setting struct {
	Type    string `json:"type"`
	Key     string `json:"key"`
	Value   string `json:"value"`
	Origin  string `json:"origin"`
	Trusted *bool  `json:"trusted,omitempty"` // of what the file in the working directory sets
}

func runConfig(a *app, root *cobra.Command) error {
	asJSON, err := a.wantsJSON()
	if err != nil {
		return err
	}
	table := report.NewTable(report.Keep, report.Fold, report.Fold)
	for _, key := range configKeys {
		s := a.config.setting(key, root)
		if !asJSON {
			table.Add(s.Key, s.Value, s.Origin+s.mark())
		} else if err := a.printLine(s); err != nil {
			return err
		}
	}
	return a.printTable(table)
}

// mark says whether a value of the working directory's file is trusted.
func (s setting) mark() string {
	switch {
	case s.Trusted == nil:
		return ""
	case *s.Trusted:
		return " (trusted)"
	default:
		return " (not trusted)"
	}
}

func (c *config) setting(key string, root *cobra.Command) setting {
	s := setting{Type: "setting", Key: key, Origin: cmp.Or(c.origin[key], "default")}
	switch key {
	case keyURL:
		s.Value = sender.Redact(c.url())
	case keyEndpoints:
		var words []string
		for name, to := range c.endpoints() {
			words = append(words, strings.Join(append([]string{name + "=" + sender.Redact(to.url.String())}, redactHeaders(to.headers)...), " "))
		}
		slices.Sort(words)
		s.Value = strings.Join(words, " ")
	case keyJournal:
		s.Value = journal.Redact(c.viper.GetString(key))
	default:
		f := findFlag(root, key)
		s.Value = strings.Trim(f.Value.String(), "[]")
		if headers, ok := f.Value.(pflag.SliceValue); ok && key == keyHeader {
			s.Value = strings.Join(redactHeaders(headers.GetSlice()), ",")
		}
		if f.Changed {
			s.Origin = "--" + key
			return s
		}
	}
	if c.from[key] == workFile {
		trusted := c.trusted()
		s.Trusted = &trusted
	}
	return s
}

// redactHeaders returns the names of headers.
func redactHeaders(headers []string) []string {
	var names []string
	for _, h := range headers {
		names = append(names, strings.TrimPrefix(headerName(h)+": …", ": "))
	}
	return names
}

// findFlag finds the flag of a key in whichever command has it. Every key but
// url and endpoints has one: a test holds that.
func findFlag(root *cobra.Command, key string) *pflag.Flag {
	for _, f := range configurable(root) {
		if f.Name == key {
			return f
		}
	}
	return nil
}
