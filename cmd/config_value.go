package cmd

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/owoxhook/owoxhook/pkg/tunnel"
)

// examples of values, for errors about wrong ones.
var valueExamples = map[string]string{
	"bool": "true or false", "int": "a whole number", "duration": "a duration such as 10s",
	"string": "one value", "size": "a size such as 512KiB",
}

// valueChecks are of what flags take as they are, and commands check when they
// use it. What is configured is checked whichever command runs.
var valueChecks = map[string]func(values []string) error{
	"output": func(values []string) error { return checkOutput(values[0]) },
	"color":  func(values []string) error { return checkColor(values[0]) },
	keyPath:  func(values []string) error { return checkPath(values[0]) },
	"addr":   func(values []string) error { return checkAddr("--addr", values[0]) },
	keyPublic: func(values []string) error {
		if values[0] == "" || values[0] == anyTunnel {
			return nil
		}
		if _, err := tunnel.Parse(values[0]); err != nil {
			return fmt.Errorf("--%s: %w: %s", keyPublic, err, wayWanted)
		}
		return nil
	},
	keyHeader:     func(values []string) error { _, err := parseHeaders(values); return err },
	"allow-ip":    func(values []string) error { _, err := parsePrefixes("--allow-ip", values); return err },
	"trust-proxy": func(values []string) error { _, err := parsePrefixes("--trust-proxy", values); return err },
	"rule":        func(values []string) error { _, err := (&judgeFlags{rules: values}).validator(); return err },
}

// set gives a flag its configured value, or says what it wants instead.
func set(f *pflag.Flag, v *viper.Viper) error {
	value := v.Get(f.Name)
	list, isList := f.Value.(pflag.SliceValue)
	switch values := value.(type) {
	case []any:
		if words := v.GetStringSlice(f.Name); isList && len(words) == len(values) {
			return list.Replace(words)
		}
	case map[string]any:
		if f.Name == "rule" {
			return list.Replace(assignments(v, f.Name))
		}
	default:
		if f.Value.Set(configured(f, v)) == nil {
			return nil
		}
	}
	shown := fmt.Sprint(value)
	if f.Name == keyHeader {
		shown = "the value" // may be a secret
	}
	return fmt.Errorf("%s is not %s", shown, cmp.Or(valueExamples[f.Value.Type()], "a list of strings: quote those with a colon"))
}

// configured returns a single value as the flag takes it. Of a flag that may
// stand alone or have a value, true means alone.
func configured(f *pflag.Flag, v *viper.Viper) string {
	text := v.GetString(f.Name)
	switch {
	case f.Name != keyPublic:
	case text == "true":
		return f.NoOptDefVal
	case text == "false":
		return ""
	}
	return text
}

func checkValue(f *pflag.Flag) error {
	check, values := valueChecks[f.Name], []string{f.Value.String()}
	if list, isList := f.Value.(pflag.SliceValue); isList {
		values = list.GetSlice()
	}
	if check == nil {
		return nil
	}
	return check(values)
}

// blame puts the place of a configured value, and its key, where an error names a
// flag that was not given.
func (c *config) blame(command *cobra.Command, words string) string {
	subject, rest, found := strings.Cut(words, ": ")
	place := ""
	named := regexp.MustCompile(`--[a-z-]+`).ReplaceAllStringFunc(subject, func(name string) string {
		key := name[2:]
		f, origin := command.Flags().Lookup(key), c.origin[key]
		switch {
		case f == nil || f.Changed || f.Annotations[notConfigured] != nil || origin == "":
			return name
		case strings.HasPrefix(subject, name):
			place = origin + ": "
			return key
		default:
			return key + " (" + origin + ")"
		}
	})
	if found {
		named += ": " + rest
	}
	return place + named
}

// assignments writes a table as flags do: NAME=VALUE.
func assignments(v *viper.Viper, key string) []string {
	var words []string
	for name, value := range v.GetStringMapString(key) {
		words = append(words, name+"="+value)
	}
	slices.Sort(words)
	return words
}
