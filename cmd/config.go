package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
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
//   - What a file may do to the endpoints of the other one, and what the file of
//     a stranger's directory may do at all, is in config_trust.go.
//
// Viper decides which value wins, and is not known outside this file; where a
// value comes from is what it cannot tell.

const (
	keyURL       = "url"
	keyEndpoints = "endpoints"
	keyHeader    = "header"
	keyInsecure  = "insecure"
	keyCACert    = "ca-cert"
	keyJournal   = "journal"
	envPrefix    = "OWOXHOOK_"
	configFile   = "owoxhook.yaml"
	maxSmall     = 1 << 20 // bytes of a file with settings or certificates
)

// configKeys are the flags that can be configured, in the order of the config
// command.
var configKeys = []string{
	keyURL, keyEndpoints, "output", "color",
	keyHeader, "timeout", "attempts", "follow-redirects", keyInsecure, keyCACert,
	"addr", keyPath, keyPublic, "tls-cert", "tls-key", "accept-all", "allow-ip", "trust-proxy",
	"strict", "rule", "max-body", keyJournal,
}

// notConfigured marks a flag that has the name of a key but another meaning.
const notConfigured = "not-configured"

// source says who chose a value.
type source int

const (
	typed    source = iota // the user, in a flag, an argument or a variable; or nobody
	userFile               // the file in the user's configuration directory
	workFile               // the file in the working directory, which may be a stranger's
)

// config is the configuration that is in force, without flags.
type config struct {
	viper  *viper.Viper
	origin map[string]string // by key: where its value comes from
	from   map[string]source // by key: who chose it
	files  [workFile + 1]fileConfig
	outer  string // URL of the receiver that runs us as its command, or ""
}

// fileConfig is what one file has, before it is merged with the other.
type fileConfig struct {
	text      []byte
	viper     *viper.Viper
	endpoints map[string]target // by name, in lower case
}

// newViper has a delimiter that no key has, so that keys of tables may have
// dots.
func newViper() *viper.Viper {
	v := viper.NewWithOptions(viper.KeyDelimiter("\x00"))
	v.SetConfigType("yaml")
	return v
}

// configure reads the configuration and gives flags that were not set the
// values that it has for them.
func (a *app) configure(command *cobra.Command) error {
	c := &config{viper: newViper(), origin: map[string]string{}, from: map[string]source{}}
	if err := c.readFile(userFile, filepath.Join(xdg.ConfigHome, "owoxhook", "config.yaml")); err != nil {
		return usageError{err}
	}
	if err := c.readFile(workFile, configFile); err != nil {
		return usageError{err}
	}
	if err := c.readEnvironment(a, command.Root()); err != nil {
		return usageError{err}
	}
	a.config = c
	if len(c.origin) == 0 {
		return nil
	}
	a.addCommands(command.Root(), "") // a value is wrong whichever command it is for
	if err := c.apply(command.Root()); err != nil {
		return err
	}
	return a.nameOpenings(command)
}

// readConfigFile returns nothing where there is no file. Whoever made the
// directory must not be able to make us wait, or to fill the memory.
func readConfigFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file: make it one, or remove it", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	return readSmall(file, name)
}

// readSmall reads a file to its end, which must not be far.
func readSmall(r io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSmall+1))
	switch {
	case err != nil:
		return nil, readError(err)
	case len(text) > maxSmall:
		return nil, fmt.Errorf("%s is larger than 1 MiB: check that it is the file you mean", name)
	default:
		return text, nil
	}
}

func (c *config) readFile(from source, file string) error {
	text, err := readConfigFile(file)
	if err != nil || text == nil {
		return err
	}
	var document, next yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(text))
	if err := documents.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return yamlError(file, err)
	}
	if err := documents.Decode(&next); err == nil {
		return fmt.Errorf("%s:%d: a second document begins here: make it one", file, next.Line)
	}
	if len(document.Content) == 0 {
		return nil
	}
	if top := document.Content[0]; top.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: want keys and values, such as %s: https://example.com/hook", file, top.Line, keyURL)
	}
	own := fileConfig{text: text, viper: newViper(), endpoints: map[string]target{}}
	for pairs := document.Content[0].Content; len(pairs) > 1; pairs = pairs[2:] {
		key, value, where := pairs[0].Value, pairs[1], fmt.Sprintf("%s:%d", file, pairs[0].Line)
		if err := c.checkKey(key, value); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		if key == keyEndpoints {
			if err := own.readEndpoints(from, value); err != nil {
				return fmt.Errorf("%s:%w", file, err)
			}
		}
		c.origin[key], c.from[key] = where, from
	}
	for _, v := range []*viper.Viper{c.viper, own.viper} {
		if err := v.MergeConfig(bytes.NewReader(text)); err != nil {
			return yamlError(file, err)
		}
	}
	c.files[from] = own
	return nil
}

// readEndpoints reads the table of endpoints; an error starts with its line.
func (f *fileConfig) readEndpoints(from source, table *yaml.Node) error {
	for pairs := table.Content; len(pairs) > 1; pairs = pairs[2:] {
		to, err := readEndpoint(pairs[1])
		if err != nil {
			return fmt.Errorf("%d: endpoint %s: %w", pairs[0].Line, pairs[0].Value, err)
		}
		to.from = from
		f.endpoints[strings.ToLower(pairs[0].Value)] = to
	}
	return nil
}

// readEndpoint reads a URL, or a table of a URL and the headers that go there.
func readEndpoint(value *yaml.Node) (target, error) {
	var table struct {
		URL    string   `yaml:"url"`
		Header []string `yaml:"header"`
	}
	known := []string{keyURL, keyHeader}
	if value.Kind != yaml.MappingNode {
		table.URL = value.Value
	} else if err := value.Decode(&table); err != nil {
		return target{}, errors.New("want url, a URL, and header, a list of strings: quote those with a colon")
	}
	for pairs := value.Content; len(pairs) > 1; pairs = pairs[2:] {
		if key := pairs[0].Value; !slices.Contains(known, key) {
			return target{}, fmt.Errorf("unknown key %q%s", key, oneOf(key, known))
		}
	}
	if _, err := parseHeaders(table.Header); err != nil {
		return target{}, err
	}
	endpoint, err := parseEndpoint(table.URL)
	return target{url: endpoint, headers: table.Header}, err
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
	default:
		return nil
	}
}

// variable returns the name of the environment variable of a key.
func variable(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
}

// readEnvironment tells viper which variables are configuration: not those that
// listen exported to us, and not those of others.
func (c *config) readEnvironment(a *app, root *cobra.Command) error {
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
			c.origin[key], c.from[key] = name, typed
			if err := c.viper.BindEnv(key, name); err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
		default:
			a.noteNoEffect(root, name, key)
		}
	}
	return nil
}

// noteNoEffect says why a variable has none, unless it may be somebody else's.
func (a *app) noteNoEffect(root *cobra.Command, name, key string) {
	a.addCommands(root, "") // their flags count whichever command runs
	if f := findFlag(root, key); f != nil && key != "help" && key != "version" {
		a.note("note: %s has no effect: --%s cannot be configured: pass it as a flag", name, key)
	} else if near := nearest(key, configKeys); near != "" {
		a.note("note: %s has no effect: did you mean %s?", name, variable(near))
	}
}

// apply gives each configured flag of every command its value, so that a wrong
// one is found whichever command runs.
func (c *config) apply(root *cobra.Command) error {
	if where, configured := c.origin[keyURL]; configured {
		if _, err := parseEndpoint(c.url()); err != nil {
			return usagef("%s: %s: %w", where, keyURL, err)
		}
	}
	checked := map[string]bool{} // one flag of a key
	for _, f := range configurable(root) {
		where, configured := c.origin[f.Name]
		if f.Changed || !configured || f.Name == keyJournal && c.strangersJournal() {
			continue
		}
		if err := set(f, c.viper); err != nil {
			return usagef("%s: %s: %w", where, f.Name, err)
		}
		if checked[f.Name] {
			continue
		}
		checked[f.Name] = true
		if err := checkValue(f); err != nil {
			return usagef("%s: %s", where, strings.ReplaceAll(err.Error(), "--"+f.Name, f.Name))
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

// url returns the configured endpoint, or "".
func (c *config) url() string { return c.text(keyURL) }

// text returns the configured value of a key, or "".
func (c *config) text(key string) string { return c.viper.GetString(key) }

// endpoints returns the endpoints of both files by their names in lower case.
func (c *config) endpoints() map[string]target {
	endpoints := map[string]target{}
	for _, file := range c.files {
		maps.Copy(endpoints, file.endpoints)
	}
	return endpoints
}

// endpoint returns the endpoint of a name; names are not case-sensitive.
func (c *config) endpoint(name string) (target, error) {
	endpoints := c.endpoints()
	if to, ok := endpoints[strings.ToLower(name)]; ok {
		return to, nil
	}
	if len(endpoints) == 0 {
		return target{}, usagef("unknown endpoint @%s: no endpoints are configured: add some under %s: in %s", name, keyEndpoints, configFile)
	}
	var names []string
	for name := range endpoints {
		names = append(names, "@"+name)
	}
	slices.Sort(names)
	return target{}, usagef("unknown endpoint @%s%s", name, oneOf("@"+name, names))
}
