package cmd

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"github.com/owoxhook/owoxhook/pkg/report"
)

// The rules of configuration:
//
//   - A key is the name of a flag, and means the same for every command that
//     has it; url and endpoints are keys without a flag.
//   - Flags win over OWOXHOOK_* variables, those over owoxhook.yaml in the
//     working directory, that over owoxhook/config.yaml in the user's
//     configuration directory, and that over defaults.
//   - A key that does not exist in a file, or a value of the wrong type, is an
//     error with its file and line or its variable, whether or not the command
//     at hand needs it. Other variables with our prefix may be somebody else's.
//   - What listen exports to its command configures nothing there.
//
// Viper decides which value wins, and is not known outside this file; where a
// value comes from is what it cannot tell.

const (
	keyURL       = "url"
	keyEndpoints = "endpoints"
	envPrefix    = "OWOXHOOK_"
	configFile   = "owoxhook.yaml"
)

// configKeys are the flags that can be configured, in the order of the config
// command.
var configKeys = []string{
	keyURL, keyEndpoints, "output", "color",
	"header", "timeout", "attempts", "follow-redirects", "insecure", "ca-cert",
	"addr", "path", "tls-cert", "tls-key", "accept-all", "allow-ip", "trust-proxy",
	"strict", "rule", "max-body", "journal",
}

// notConfigured marks a flag that has the name of a key but another meaning.
const notConfigured = "not-configured"

// config is the configuration that is in force, without flags.
type config struct {
	viper  *viper.Viper
	origin map[string]string // by key: where its value comes from
	outer  string            // URL of the receiver that runs us as its command, or ""
}

// withoutDots is a delimiter that no key has, so that names of endpoints may
// have dots.
const withoutDots = "\x00"

// configure reads the configuration and gives flags that were not set the
// values that it has for them.
func (a *app) configure(command *cobra.Command) error {
	c := &config{viper: viper.NewWithOptions(viper.KeyDelimiter(withoutDots)), origin: map[string]string{}}
	c.viper.SetConfigType("yaml")
	user := filepath.Join(xdg.ConfigHome, "owoxhook", "config.yaml")
	for _, file := range []string{user, configFile} {
		if err := c.readFile(file); err != nil {
			return usageError{err}
		}
	}
	if err := c.readEnvironment(a); err != nil {
		return usageError{err}
	}
	a.config = c
	if len(c.origin) == 0 {
		return nil
	}
	a.addCommands(command.Root(), "") // a value is wrong whichever command it is for
	return c.apply(command.Root())
}

func (c *config) readFile(file string) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return yamlError(file, err)
	}
	if len(document.Content) == 0 {
		return nil
	}
	if top := document.Content[0]; top.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: want keys and values, such as %s: https://example.com/hook", file, top.Line, keyURL)
	}
	for pairs := document.Content[0].Content; len(pairs) > 1; pairs = pairs[2:] {
		key, where := pairs[0].Value, fmt.Sprintf("%s:%d", file, pairs[0].Line)
		if err := c.checkKey(key, pairs[1]); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		c.origin[key] = where
	}
	if err := c.viper.MergeConfig(bytes.NewReader(text)); err != nil {
		return yamlError(file, err)
	}
	return nil
}

// yamlError puts the line of an error where editors look for it.
func yamlError(file string, err error) error {
	line := regexp.MustCompile(`yaml: (?:unmarshal errors:\n\s*)?line (\d+): (?s:(.*))`).FindStringSubmatch(err.Error())
	if line == nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return fmt.Errorf("%s:%s: %s", file, line[1], line[2])
}

// checkKey checks what flags do not check later: that there is such a key, that
// it has a value, and tables.
func (c *config) checkKey(key string, value *yaml.Node) error {
	_, isTable := c.viper.Get(key).(map[string]any)
	switch {
	case !slices.Contains(configKeys, key):
		return fmt.Errorf("unknown key %q%s", key, oneOf(key, configKeys))
	case value.Tag == "!!null":
		return fmt.Errorf("%s has no value: give it one or remove the key", key)
	case key == keyEndpoints && value.Kind != yaml.MappingNode:
		return errors.New("endpoints must be a table of names and URLs")
	case isTable && value.Kind != yaml.MappingNode: // viper would drop it
		return fmt.Errorf("%s is a table in %s: make it one here too", key, c.origin[key])
	case key != keyEndpoints:
		return nil
	}
	for pairs := value.Content; len(pairs) > 1; pairs = pairs[2:] {
		if _, err := parseEndpoint(pairs[1].Value); err != nil {
			return fmt.Errorf("endpoint %s: %w", pairs[0].Value, err)
		}
	}
	return nil
}

// variable returns the name of the environment variable of a key.
func variable(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
}

// readEnvironment tells viper which variables are configuration: not those that
// listen exported to us, and not those of others.
func (c *config) readEnvironment(a *app) error {
	exported := strings.Fields(os.Getenv(exportedMark))
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		word, ours := strings.CutPrefix(name, envPrefix)
		if !ours || value == "" {
			continue
		}
		key := strings.ToLower(strings.ReplaceAll(word, "_", "-"))
		switch {
		case slices.Contains(exported, pair):
			if key == keyURL {
				c.outer = value
			}
		case key == keyEndpoints:
			return fmt.Errorf("%s: endpoints are a table: set them in %s", name, configFile)
		case slices.Contains(configKeys, key) && name == variable(key):
			c.origin[key] = name
			if err := c.viper.BindEnv(key, name); err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
		default:
			if near := nearest(key, configKeys); near != "" {
				a.note("note: %s has no effect: did you mean %s?", report.Escape(name), variable(near))
			}
		}
	}
	return nil
}

// apply gives each configured flag of every command its value, so that a wrong
// one is found whichever command runs.
func (c *config) apply(root *cobra.Command) error {
	if where, configured := c.origin[keyURL]; configured {
		if _, err := parseEndpoint(c.url()); err != nil {
			return usagef("%s: %s: %w", where, keyURL, err)
		}
	}
	for _, f := range configurable(root) {
		where, configured := c.origin[f.Name]
		if f.Changed || !configured {
			continue
		}
		if err := c.set(f); err != nil {
			return usagef("%s: %s: %w", where, f.Name, err)
		}
	}
	return nil
}

// configurable returns the flags of a command and of those below it, but for
// those that only have the name of a key.
func configurable(command *cobra.Command) []*pflag.Flag {
	var flags []*pflag.Flag
	command.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Annotations[notConfigured] == nil {
			flags = append(flags, f)
		}
	})
	for _, below := range command.Commands() {
		flags = append(flags, configurable(below)...)
	}
	return flags
}

// examples of values, for errors about wrong ones.
var valueExamples = map[string]string{
	"bool": "true or false", "int": "a whole number", "duration": "a duration such as 10s",
	"string": "one value", "size": "a size such as 512KiB",
}

// set gives a flag its configured value, or says what it wants instead.
func (c *config) set(f *pflag.Flag) error {
	value := c.viper.Get(f.Name)
	list, isList := f.Value.(pflag.SliceValue)
	switch values := value.(type) {
	case []any:
		if words := c.viper.GetStringSlice(f.Name); isList && len(words) == len(values) {
			return list.Replace(words)
		}
	case map[string]any:
		if f.Name == "rule" {
			return list.Replace(c.assignments(f.Name))
		}
	default:
		if f.Value.Set(c.viper.GetString(f.Name)) == nil {
			return nil
		}
	}
	return fmt.Errorf("%v is not %s", value, cmp.Or(valueExamples[f.Value.Type()], "a list of strings: quote those with a colon"))
}

// assignments writes a table as flags do: NAME=VALUE.
func (c *config) assignments(key string) []string {
	var words []string
	for name, value := range c.viper.GetStringMapString(key) {
		words = append(words, name+"="+value)
	}
	slices.Sort(words)
	return words
}

// url returns the configured endpoint, or "".
func (c *config) url() string { return c.viper.GetString(keyURL) }

// endpoint returns the URL of a name; names are not case-sensitive.
func (c *config) endpoint(name string) (string, error) {
	endpoints := c.viper.GetStringMapString(keyEndpoints)
	if endpoint, ok := endpoints[strings.ToLower(name)]; ok {
		return endpoint, nil
	}
	if len(endpoints) == 0 {
		return "", usagef("unknown endpoint @%s: no endpoints are configured: add some under %s: in %s", name, keyEndpoints, configFile)
	}
	var names []string
	for name := range endpoints {
		names = append(names, "@"+name)
	}
	slices.Sort(names)
	return "", usagef("unknown endpoint @%s%s", name, oneOf("@"+name, names))
}

func newConfigCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Show the effective configuration and where each value comes from",
		Long: `Show the effective configuration and where each value comes from.

Flags win over OWOXHOOK_* variables, those over owoxhook.yaml in the working
directory, that over owoxhook/config.yaml in your configuration directory, and
that over the defaults.`,
		Example: `  owoxhook config

  # what one variable changes
  OWOXHOOK_TIMEOUT=3s owoxhook config

  # for scripts
  owoxhook config -o json | jq -r 'select(.key == "addr").value'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runConfig(a, cmd.Root()) },
	}
}

// setting is one line of the config command.
type setting struct {
	Type   string `json:"type"`
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
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
			table.Add(s.Key, s.Value, s.Origin)
		} else if err := a.printLine(s); err != nil {
			return err
		}
	}
	return a.printTable(table)
}

func (c *config) setting(key string, root *cobra.Command) setting {
	s := setting{Type: "setting", Key: key, Origin: cmp.Or(c.origin[key], "default")}
	switch key {
	case keyURL:
		s.Value = c.url()
	case keyEndpoints:
		s.Value = strings.Join(c.assignments(key), " ")
	default:
		f := findFlag(root, key)
		s.Value = strings.Trim(f.Value.String(), "[]")
		if f.Changed {
			s.Origin = "--" + key
		}
	}
	return s
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
