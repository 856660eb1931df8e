package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// readTargets reads the targets of a file, in its order.
func readTargets(file string) ([]namedTarget, error) {
	text, err := readConfigFile(file)
	if err == nil && text == nil {
		return nil, usagef("there is no %s: check --config", file)
	}
	if err != nil {
		return nil, err
	}
	var document struct {
		Targets yaml.Node `yaml:"targets"`
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&document); err != nil {
		return nil, usageError{yamlError(file, err)}
	}
	if document.Targets.Kind != yaml.MappingNode {
		return nil, usagef("%s: want targets: with a name and settings for each", file)
	}
	var named []namedTarget
	for pairs := document.Targets.Content; len(pairs) > 1; pairs = pairs[2:] {
		t := namedTarget{name: pairs[0].Value, config: targetConfig{Concurrency: defaultConcurrency, For: defaultFor, Timeout: owox.Timeout}}
		if !isTargetName(t.name) {
			return nil, usagef("%s:%d: target %q: "+wantedName, file, pairs[0].Line, t.name)
		}
		if err := decodeStrictly(pairs[1], &t.config); err != nil {
			return nil, usagef("%s:%d: target %s: %w", file, pairs[1].Line, t.name, err)
		}
		named = append(named, t)
	}
	return named, nil
}

// decodeStrictly refuses keys that there are not. A single word may stand for a
// list.
func decodeStrictly(node *yaml.Node, into *targetConfig) error {
	if node.Kind != yaml.MappingNode {
		return errors.New("want settings, such as to: https://example.com/hook")
	}
	known := []string{
		"to", "exec", "only", "match", "data-mart", "project", "tests", "invalid", "group", "group-by", "ordered", "concurrency", "for",
		"template", "header", "timeout", "insecure", "ca-cert",
	}
	for pairs := node.Content; len(pairs) > 1; pairs = pairs[2:] {
		key, value := pairs[0].Value, pairs[1]
		if !slices.Contains(known, key) {
			return fmt.Errorf("unknown key %q%s", key, oneOf(key, known))
		}
		if value.Kind == yaml.ScalarNode && slices.Contains([]string{"only", "match", "data-mart", "project", "header"}, key) {
			pairs[1] = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{value}, Line: value.Line}
		}
		if value.Kind == yaml.ScalarNode && key == "tests" {
			value.Tag, value.Style = "!!str", yaml.DoubleQuotedStyle // no is a word here
		}
	}
	return node.Decode(into)
}

// checkTemplates refuses a folder that has no template for a service.
func (f *targetFlags) checkTemplates() error {
	if f.templates == "" {
		return nil
	}
	for _, s := range relay.Services() {
		if _, err := os.Stat(filepath.Join(f.templates, string(s)+".tmpl")); err == nil {
			return nil
		}
	}
	return usagef("no templates in %s: want files named after services there, such as slack.tmpl", report.Escape(f.templates))
}

// tryMessages makes the messages that a target will send, so that a template
// fails now rather than at the first event.
func (a *app) tryMessages(t relay.Target) error {
	events := t.Events
	switch {
	case t.Recovered:
		events = append(slices.Clip(events), owox.RunSuccessful)
	case len(events) == 0:
		events = []owox.EventType{owox.RunFailed, owox.RunSuccessful}
	}
	for _, event := range events {
		b := relay.Trial(owox.Sample{Event: event, ID: a.newID(), Now: a.now()})
		if t.Group > 0 {
			b.Deliveries = append(b.Deliveries, b.Deliveries[0])
			b.Total, b.Failed, b.DataMarts = 2*b.Total, 2*b.Failed, 2*b.DataMarts
		}
		if _, err := t.Carrier.Show(b); err != nil {
			return usagef("%w: see owoxhook help relaying", err)
		}
	}
	return nil
}

func readTemplate(file string) (*relay.Template, error) {
	text, err := readConfigFile(file)
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, usageError{fmt.Errorf("there is no template %s: %w", file, os.ErrNotExist)}
	}
	parsed, err := relay.ParseTemplate(file, string(text))
	if err != nil {
		return nil, usageError{err}
	}
	return parsed, nil
}

// secret returns what @FILE or env:NAME stands for, or the word itself.
func (a *app) secret(word string, onCommandLine bool) (string, error) {
	if name, ok := strings.CutPrefix(word, "env:"); ok {
		value := strings.TrimSpace(os.Getenv(name))
		if value == "" {
			return "", usagef("the variable %s is empty", name)
		}
		return value, nil
	}
	file, ok := strings.CutPrefix(word, "@")
	if !ok {
		if onCommandLine {
			a.note("note: other users of this machine see what is secret on a command line: write it to a file, and @FILE instead of it")
		}
		return word, nil
	}
	text, err := readConfigFile(file)
	if err != nil {
		return "", err
	}
	switch {
	case file == "":
		return "", usagef("@ names no file: want one such as @/run/secrets/slack-url")
	case text == nil:
		return "", usagef("there is no file %s with a secret: check its name", report.Escape(file))
	case len(strings.TrimSpace(string(text))) == 0:
		return "", usagef("there is no secret in %s: check that it is the file you mean", report.Escape(file))
	}
	return strings.TrimSpace(string(text)), a.checkSecretFile(file)
}

// headerSecrets puts secrets into headers where a value, or what follows a first
// word such as Bearer, stands for one.
func (a *app) headerSecrets(headers []string) ([]string, error) {
	var found []string
	for _, h := range headers {
		if parts := secretInHeader.FindStringSubmatch(h); parts != nil {
			secret, err := a.secret(parts[2], false)
			if err != nil {
				return nil, fmt.Errorf("header %s: %w", headerName(h), err)
			}
			h = parts[1] + secret
		}
		found = append(found, h)
	}
	return found, nil
}

var secretInHeader = regexp.MustCompile(`^([^:]+:\s*(?:[A-Za-z][\w-]*\s+)?)(env:\S+|@.+?)\s*$`)

// checkSecretFile refuses a file that others can change, and names one that
// others can read: where secrets are mounted they may be meant to.
func (a *app) checkSecretFile(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return readError(err)
	}
	switch mode := info.Mode().Perm(); {
	case !hasModes:
		return nil
	case mode&0o022 != 0:
		return usagef("%s can be changed by others, and so could where deliveries go: run chmod go-w %s", file, sender.ShellQuote(file))
	case mode&0o044 != 0:
		a.note("note: %s can be read by others: run chmod 600 %s", file, sender.ShellQuote(file))
	}
	return nil
}
