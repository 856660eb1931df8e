package cmd

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

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
//   - A key that does not exist, or a value of the wrong type, is an error
//     with its file and line, whether or not the command at hand needs it.
//
// Viper decides which value wins; it is not known outside this file.

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
}

// withoutDots is a delimiter that no key has, so that names of endpoints may
// have dots.
const withoutDots = "\x00"

// configure reads the configuration and gives flags that were not set the
// values that it has for them.
func (a *app) configure(command *cobra.Command) error {
	c := &config{viper: viper.NewWithOptions(viper.KeyDelimiter(withoutDots)), origin: map[string]string{}}
	user := filepath.Join(xdg.ConfigHome, "owoxhook", "config.yaml")
	for _, file := range []string{user, configFile} {
		if err := c.readFile(file); err != nil {
			return usageError{err}
		}
	}
	if err := c.readEnvironment(); err != nil {
		return usageError{err}
	}
	a.config = c
	if len(c.origin) > 0 {
		a.addCommands(command.Root(), "") // a value is wrong whichever command it is for
	}
	return c.apply(command)
}

// yamlLine is compiled when something is wrong, not when a program starts.
var yamlLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^yaml: (?:unmarshal errors:\n\s*)?line (\d+): `)
})

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
	values := map[string]any{}
	if err := document.Decode(&values); err != nil {
		return yamlError(file, err)
	}
	for pairs := document.Content[0].Content; len(pairs) > 1; pairs = pairs[2:] {
		key, value := pairs[0], pairs[1]
		where := fmt.Sprintf("%s:%d", file, key.Line)
		if !slices.Contains(configKeys, key.Value) {
			return fmt.Errorf("%s: unknown key %q%s", where, key.Value, oneOf(key.Value, configKeys))
		}
		if value.Tag == "!!null" {
			return fmt.Errorf("%s: %s has no value: give it one or remove the key", where, key.Value)
		}
		if err := checkEndpoints(key.Value, value); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		c.origin[key.Value] = where
	}
	return c.viper.MergeConfigMap(values)
}

// yamlError puts the line of an error where editors look for it.
func yamlError(file string, err error) error {
	line := yamlLine().FindStringSubmatch(err.Error())
	if line == nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return fmt.Errorf("%s:%s: %s", file, line[1], yamlLine().ReplaceAllString(err.Error(), ""))
}

// checkEndpoints holds the one key that is a table of its own to its type.
func checkEndpoints(key string, value *yaml.Node) error {
	if key != keyEndpoints {
		return nil
	}
	if value.Kind != yaml.MappingNode {
		return errors.New("endpoints must be a table of names and URLs")
	}
	for pairs := value.Content; len(pairs) > 1; pairs = pairs[2:] {
		if pairs[1].Kind != yaml.ScalarNode {
			return fmt.Errorf("endpoint %s must be a URL", pairs[0].Value)
		}
		if _, err := parseEndpoint(pairs[1].Value); err != nil {
			return fmt.Errorf("endpoint %s: %w", pairs[0].Value, err)
		}
	}
	return nil
}

func (c *config) readEnvironment() error {
	names := map[string]string{}
	for _, key := range configKeys {
		if key != keyEndpoints {
			names[envPrefix+strings.ToUpper(strings.ReplaceAll(key, "-", "_"))] = key
		}
	}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) || value == "" {
			continue
		}
		key, ok := names[name]
		if !ok {
			known := make([]string, 0, len(names))
			for name := range names {
				known = append(known, name)
			}
			slices.Sort(known)
			return fmt.Errorf("unknown environment variable %s%s", name, oneOf(name, known))
		}
		c.origin[key] = name
		if err := c.viper.BindEnv(key, name); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	return nil
}

// apply gives each configured flag of every command its value, so that a wrong
// one is found whichever command runs.
func (c *config) apply(running *cobra.Command) error {
	if err := c.checkURL(); err != nil {
		return err
	}
	var failed error
	set := func(f *pflag.Flag) {
		where, configured := c.origin[f.Name]
		if f.Changed || !configured || failed != nil || f.Annotations[notConfigured] != nil {
			return
		}
		if err := c.set(f); err != nil {
			failed = usagef("%s: %s: %w", where, f.Name, err)
		}
	}
	root := running.Root()
	root.PersistentFlags().VisitAll(set)
	for _, command := range allCommands(root) {
		command.LocalFlags().VisitAll(set)
	}
	return failed
}

// allCommands returns the commands below a command, and theirs.
func allCommands(root *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, command := range root.Commands() {
		all = append(append(all, command), allCommands(command)...)
	}
	return all
}

// examples of values, for errors about wrong ones.
var valueExamples = map[string]string{
	"bool": "true or false", "int": "a whole number", "duration": "a duration such as 10s",
	"string": "one value", "size": "a size such as 512KiB",
}

func (c *config) set(f *pflag.Flag) error {
	value := c.viper.Get(f.Name)
	list, isList := f.Value.(pflag.SliceValue)
	switch values := value.(type) {
	case []any:
		if isList {
			return list.Replace(words(values))
		}
	case map[string]any:
		if f.Name == "rule" {
			return list.Replace(assignments(values))
		}
	default:
		if isList {
			return list.Replace([]string{fmt.Sprint(value)})
		}
		if f.Value.Set(fmt.Sprint(value)) == nil {
			return nil
		}
	}
	return fmt.Errorf("%v is not %s", value, cmp.Or(valueExamples[f.Value.Type()], "a list"))
}

func words(values []any) []string {
	words := make([]string, len(values))
	for i, value := range values {
		words[i] = fmt.Sprint(value)
	}
	return words
}

// assignments writes a table of rules as --rule does.
func assignments(values map[string]any) []string {
	var words []string
	for id, severity := range values {
		words = append(words, fmt.Sprintf("%s=%v", id, severity))
	}
	slices.Sort(words)
	return words
}

func (c *config) checkURL() error {
	where, configured := c.origin[keyURL]
	if !configured {
		return nil
	}
	if _, err := parseEndpoint(c.url()); err != nil {
		return usagef("%s: %s: %w", where, keyURL, err)
	}
	return nil
}

// url returns the configured endpoint, or "".
func (c *config) url() string { return c.viper.GetString(keyURL) }

// endpoint returns the URL of a name; names are not case-sensitive.
func (c *config) endpoint(name string) (string, error) {
	endpoints := c.viper.GetStringMapString(keyEndpoints)
	if url, ok := endpoints[strings.ToLower(name)]; ok {
		return url, nil
	}
	names := make([]string, 0, len(endpoints))
	for name := range endpoints {
		names = append(names, "@"+name)
	}
	slices.Sort(names)
	if len(names) == 0 {
		return "", usagef("unknown endpoint @%s: no endpoints are configured: add some under %s: in %s", name, keyEndpoints, configFile)
	}
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
	settings := make([]setting, len(configKeys))
	for i, key := range configKeys {
		settings[i] = a.config.setting(key, root)
	}
	asJSON, err := a.wantsJSON()
	if err != nil {
		return err
	}
	if asJSON {
		for _, s := range settings {
			if err := a.printLine(s); err != nil {
				return err
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, s := range settings {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", s.Key, report.Escape(s.Value), report.Escape(s.Origin)) // Flush tells
	}
	return table.Flush()
}

func (c *config) setting(key string, root *cobra.Command) setting {
	s := setting{Type: "setting", Key: key, Origin: "default"}
	if origin, ok := c.origin[key]; ok {
		s.Origin = origin
	}
	switch key {
	case keyURL:
		s.Value = c.url()
	case keyEndpoints:
		var pairs []string
		for name, url := range c.viper.GetStringMapString(key) {
			pairs = append(pairs, name+"="+url)
		}
		slices.Sort(pairs)
		s.Value = strings.Join(pairs, " ")
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
func findFlag(root *cobra.Command, name string) *pflag.Flag {
	if f := root.PersistentFlags().Lookup(name); f != nil {
		return f
	}
	for _, command := range allCommands(root) {
		if f := command.LocalFlags().Lookup(name); f != nil {
			return f
		}
	}
	return nil
}
