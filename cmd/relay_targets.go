package cmd

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/expect"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// targetFlags say where relay delivers to. Those that are not about one target
// hold for all that flags name; a file has them for each.
type targetFlags struct {
	to        []string
	exec      []string
	file      string
	templates string
	own       targetConfig
	endpoint  endpointFlags
	yes       bool
}

// targetConfig is a target in a file.
type targetConfig struct {
	To          string        `yaml:"to"`
	Exec        string        `yaml:"exec"`
	Only        []string      `yaml:"only"`
	Match       []string      `yaml:"match"`
	DataMart    []string      `yaml:"data-mart"`
	Project     []string      `yaml:"project"`
	Tests       string        `yaml:"tests"`
	Invalid     bool          `yaml:"invalid"`
	Group       time.Duration `yaml:"group"`
	GroupBy     string        `yaml:"group-by"`
	Ordered     bool          `yaml:"ordered"`
	Concurrency int           `yaml:"concurrency"`
	For         time.Duration `yaml:"for"`
	Template    string        `yaml:"template"`
	Header      []string      `yaml:"header"`
	Timeout     time.Duration `yaml:"timeout"`
	Insecure    bool          `yaml:"insecure"`
	CACert      string        `yaml:"ca-cert"`
}

func (f *targetFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.to, "to", nil, "deliver to `[NAME=]TARGET`: a URL, @name, slack:URL, google-chat:URL, discord:URL, teams:URL, pagerduty:KEY or template:URL")
	flags.StringArrayVar(&f.exec, "exec", nil, "run `[NAME=]COMMAND` for each delivery, with the payload on standard input and OWOX_* variables")
	flags.StringVar(&f.file, "config", "", "read targets from `FILE` (YAML)")
	flags.StringVar(&f.templates, "templates", "", "use the templates of messages in `DIR`, such as slack.tmpl, instead of the built-in ones")
	flags.StringVar(&f.own.Template, "template", "", "`FILE` with the template of the body for template: targets")
	flags.StringArrayVar(&f.own.Only, "only", nil, "only deliveries of `EVENT`; recovered is the first success of a data mart after failures")
	flags.StringArrayVar(&f.own.Match, "match", nil, "only deliveries whose payload has this value: `PATH=VALUE`")
	flags.StringArrayVar(&f.own.DataMart, "data-mart", nil, "only deliveries of the data mart with this `ID`")
	flags.StringArrayVar(&f.own.Project, "project", nil, "only deliveries of the project with this `ID`")
	flags.StringVar(&f.own.Tests, "tests", "yes", "relay test events `WHICH`: yes, no or only")
	flags.BoolVar(&f.own.Invalid, "invalid", false, "relay invalid deliveries too")
	flags.DurationVar(&f.own.Group, "group", 0, "send one message for all deliveries within this time")
	flags.StringVar(&f.own.GroupBy, "group-by", groupings[0], "group `WHAT`: all, or data-mart for one message for each")
	flags.BoolVar(&f.own.Ordered, "ordered", false, "deliver one after the other, in order, for each data mart")
	flags.IntVarP(&f.own.Concurrency, "concurrency", "c", defaultConcurrency, "deliver `N` at a time to each target")
	flags.DurationVar(&f.own.For, "for", defaultFor, "try to deliver for this long")
	f.endpoint.bind(cmd)
	flags.Lookup(keyHeader).Usage = "set a header for applications and template: targets: `'NAME: VALUE'`; the value, or what follows a word such as Bearer, may be @FILE or env:NAME"
	bindYes(cmd, &f.yes)
	complete(cmd, "only", append(eventNames(), recovered)...)
	complete(cmd, "tests", testChoices...)
	complete(cmd, "group-by", groupings...)
	completeLater(cmd, "match", fieldPaths)
}

const (
	recovered          = "recovered"
	defaultConcurrency = 5
	defaultFor         = 72 * time.Hour
)

var (
	testChoices = []string{"yes", "no", "only"}
	groupings   = []string{"all", "data-mart"}
)

// namedTarget is a target before it is made.
type namedTarget struct {
	name   string // "": its kind or host
	config targetConfig
	flags  bool   // it is from the command line
	at     string // line of the file
}

// wrong says which target an error is about.
func (n namedTarget) wrong(err error) error {
	switch {
	case n.at != "":
		return fmt.Errorf("%s: target %s: %w", n.at, n.name, err)
	case n.name != "":
		return fmt.Errorf("target %s: %w", n.name, err)
	default:
		return err
	}
}

// naming says how to give it another name.
func (n namedTarget) naming() string {
	if n.name == "" {
		return "name them, as in --to other=https://example.com/hook"
	}
	return "give this one another name"
}

// setting is a setting as it is written where the target is from.
func (n namedTarget) setting(key string) string {
	if n.flags {
		return "--" + key
	}
	return key
}

// targets makes the targets that flags and the file name. What close returns
// ends their connections.
func (f *targetFlags) targets(ctx context.Context, a *app) (targets []relay.Target, closeAll func(), err error) {
	var named []namedTarget
	f.own.Timeout = f.endpoint.timeout
	for _, text := range f.to {
		t := namedTarget{config: f.own, flags: true}
		if t.name, t.config.To, err = splitName(text, false); err != nil {
			return nil, nil, err
		}
		named = append(named, t)
	}
	for _, text := range f.exec {
		t := namedTarget{config: f.own, flags: true}
		if t.name, t.config.Exec, err = splitName(text, true); err != nil {
			return nil, nil, err
		}
		named = append(named, t)
	}
	if f.file != "" {
		fromFile, err := readTargets(f.file)
		if err != nil {
			return nil, nil, err
		}
		named = append(named, fromFile...)
	}
	if err := f.refuseUnused(named); err != nil {
		return nil, nil, err
	}
	if len(named) == 0 {
		return nil, nil, usagef("no target: pass --to, --exec or --config")
	}
	if err := f.checkTemplates(); err != nil {
		return nil, nil, err
	}
	m := &targetMaker{app: a, flags: f}
	for _, n := range named {
		t, err := m.make(ctx, n)
		if err == nil {
			err = a.tryMessages(t)
		}
		if err == nil && slices.ContainsFunc(targets, func(other relay.Target) bool { return other.Name == t.Name }) {
			err = usagef("two targets are named %s: %s", t.Name, n.naming())
		}
		if err != nil {
			m.close()
			return nil, nil, n.wrong(err)
		}
		targets = append(targets, t)
	}
	return targets, m.close, nil
}

// targetMaker makes targets.
type targetMaker struct {
	app     *app
	flags   *targetFlags
	senders []*sender.Sender
}

func (m *targetMaker) close() {
	for _, s := range m.senders {
		s.Close()
	}
}

func (m *targetMaker) make(ctx context.Context, n namedTarget) (relay.Target, error) {
	t := relay.Target{Name: n.name}
	c := n.config
	if (c.To == "") == (c.Exec == "") {
		return t, usagef("want either to or exec")
	}
	if err := m.settings(&t, n); err != nil {
		return t, err
	}
	if c.Exec != "" {
		t.Name = cmp.Or(t.Name, kindExec)
		t.Carrier = command{app: m.app, line: c.Exec, limit: t.Limit}
		if t.Group > 0 {
			return t, usagef("a command gets one delivery at a time: leave out group")
		}
		return t, nil
	}
	kind, rest, err := kindOf(c.To)
	switch {
	case err != nil:
		return t, err
	case kind == kindTemplate:
		return t, m.template(ctx, &t, n, rest)
	case kind == kindApplication:
		return t, m.application(ctx, &t, n)
	default:
		return t, m.service(ctx, &t, n, relay.Service(kind), rest)
	}
}

// settings checks and sets what has nothing to do with the kind of target.
func (m *targetMaker) settings(t *relay.Target, n namedTarget) error {
	c := n.config
	for _, word := range c.Only {
		if word == recovered {
			t.Recovered = true
			continue
		}
		event, ok := owox.ParseEventType(word)
		if !ok {
			return usagef("unknown event %q%s", word, oneOf(word, append(eventNames(), recovered)))
		}
		t.Events = append(t.Events, event)
	}
	for _, text := range c.Match {
		match, err := parseMatch(m.app, text)
		if err != nil {
			return err
		}
		t.Matches = append(t.Matches, match)
	}
	switch c.Tests {
	case "", "yes":
	case "no":
		t.Tests = relay.WithoutTests
	case "only":
		t.Tests = relay.OnlyTests
	default:
		return usagef("tests %q%s", c.Tests, oneOf(c.Tests, testChoices))
	}
	if c.GroupBy != "" && !slices.Contains(groupings, c.GroupBy) {
		return usagef("group-by %q%s", c.GroupBy, oneOf(c.GroupBy, groupings))
	}
	const most = 10_000 // that River takes
	switch {
	case c.Concurrency < 1 || c.Concurrency > most:
		return usagef("%s %d: want 1 to %d", n.setting("concurrency"), c.Concurrency, most)
	case c.For <= 0:
		return usagef("%s %v: want more than 0", n.setting("for"), c.For)
	case c.Timeout <= 0:
		return usagef("%s %v: want more than 0", n.setting("timeout"), c.Timeout)
	case c.Group < 0:
		return usagef("%s %v: want 0 or more", n.setting("group"), c.Group)
	case c.Ordered && c.Group > 0:
		return usagef("a message for many has no order: leave out ordered or group")
	}
	t.Projects, t.DataMarts, t.Invalid, t.Ordered = c.Project, c.DataMart, c.Invalid, c.Ordered
	t.Group, t.GroupByMart, t.Concurrency, t.For, t.Limit = c.Group, c.GroupBy == "data-mart", c.Concurrency, c.For, c.Timeout
	return nil
}

// parseMatch reads a value that a payload must have.
func parseMatch(a *app, text string) (expect.Match, error) {
	path, value, ok := strings.Cut(text, "=")
	if !ok || path == "" {
		return expect.Match{}, usagef("match %q: want PATH=VALUE", text)
	}
	if _, known := owox.Resolve(path); !known {
		a.note("note: %s is not a documented member%s", path, didYouMean(path, fieldPaths()))
	}
	return expect.Match{Path: path, Value: value}, nil
}
