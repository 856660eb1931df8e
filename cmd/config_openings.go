package cmd

import (
	"cmp"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"

	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// openings says of every key when the file in the working directory weakens
// something by it: lets in more, believes more, or lets pass more than would hold
// without the file. nil: never. Which endpoints it may choose, and what goes
// there, has rules of its own: see config_trust.go.
var openings = map[string]func(c *config, key string) bool{
	"output":           nil,
	"color":            nil,
	keyURL:             nil, // which has its own place: see nameEndpoint
	keyEndpoints:       nil,
	keyHeader:          nil,
	"timeout":          waitsLonger,
	"attempts":         triesMore,
	"follow-redirects": isOn,
	keyInsecure:        isOn,
	keyCACert:          always,
	"addr":             leavesLoopback,
	keyPath:            overrides,
	keyPublic:          nil, // an untrusted file may not set it
	"tls-cert":         overrides,
	"tls-key":          overrides,
	"accept-all":       isOn,
	"allow-ip":         overrides,
	"trust-proxy":      always,
	"strict":           isNoLongerOn,
	"rule":             lowersRule,
	"max-body":         takesMore,
	keyJournal:         always,
}

// file returns what one file has.
func (c *config) file(from source) *viper.Viper { return cmp.Or(c.files[from].viper, newViper()) }

func always(*config, string) bool { return true }

func isOn(c *config, key string) bool { return c.file(workFile).GetBool(key) }

func isNoLongerOn(c *config, key string) bool { return c.file(userFile).GetBool(key) && !isOn(c, key) }

// overrides reports whether the user's own file has another value.
func overrides(c *config, key string) bool {
	return c.file(userFile).IsSet(key) && !reflect.DeepEqual(c.file(userFile).Get(key), c.file(workFile).Get(key))
}

// waitsLonger, and triesMore, than the user would or OWOX does.
func waitsLonger(c *config, key string) bool {
	return c.file(workFile).GetDuration(key) > cmp.Or(c.file(userFile).GetDuration(key), owox.Timeout)
}

func triesMore(c *config, key string) bool {
	return c.file(workFile).GetInt(key) > cmp.Or(c.file(userFile).GetInt(key), len(owox.RetryDelays())+1)
}

func takesMore(c *config, _ string) bool {
	return judging(c.file(workFile)).maxBody > judging(c.file(userFile)).maxBody
}

func leavesLoopback(c *config, key string) bool { return !isLoopback(c.file(workFile).GetString(key)) }

func isLoopback(addr string) bool {
	host, _, _ := net.SplitHostPort(addr)
	ip, _ := netip.ParseAddr(host)
	return ip.IsLoopback() || host == "localhost"
}

// lowersRule reports whether a rule counts for less than in the user's own file,
// or than by default where warnings are errors.
func lowersRule(c *config, _ string) bool {
	before, now := judging(c.file(userFile)).rules, judging(c.viper).rules
	return slices.ContainsFunc(validate.Rules(), func(r validate.Rule) bool { return severityOf(now, r) < severityOf(before, r) })
}

func severityOf(words []string, rule validate.Rule) validate.Severity {
	severity := rule.Severity
	if severity == validate.Warning {
		severity = validate.Error
	}
	for _, word := range words {
		if id, name, _ := strings.Cut(word, "="); id == rule.ID {
			severity, _ = validate.ParseSeverity(name) // which was checked, or will be
		}
	}
	return severity
}

// judging returns how strict a file is.
func judging(v *viper.Viper) judgeFlags {
	var own judgeFlags
	command := &cobra.Command{}
	own.bind(command)
	_ = setAll(command, v) // what is in force was checked
	return own
}

// nameOpenings names the flags of a command by which an untrusted file weakens
// something. It returns an error for what the file may not do.
func (a *app) nameOpenings(command *cobra.Command) error {
	c := a.config
	var keys []string
	for _, key := range configKeys {
		f, opens := command.Flags().Lookup(key), openings[key]
		if opens != nil && f != nil && !f.Changed && f.Annotations[notConfigured] == nil && c.from[key] == workFile && opens(c, key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 || c.trusted() {
		return nil
	}
	if slices.Contains(keys, keyJournal) && c.strangersJournal() {
		return usagef("%s in this directory chooses the journal %s: pass --journal, or trust the file with owoxhook config trust",
			configFile, journal.Redact(c.viper.GetString(keyJournal)))
	}
	words := strings.Join(keys, ", ")
	if last := len(keys) - 1; last > 0 {
		words = strings.Join(keys[:last], ", ") + " and " + keys[last]
	}
	a.note("note: %s sets %s", configFile, words)
	return nil
}

// nameEndpoint says where an untrusted file has put its own endpoint in the place
// of one that the user's file has under the same name.
func (a *app) nameEndpoint(name string, to target) {
	own, known := a.config.files[userFile].endpoints[strings.ToLower(name)]
	key := keyEndpoints
	if name == "" {
		key, known = keyURL, overrides(a.config, keyURL)
	} else if known {
		known = own.url.String() != to.url.String()
	}
	if known && to.from == workFile && !a.config.trusted() {
		a.note("note: %s sets %s", configFile, key)
	}
}
