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
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// readTargets reads the targets of a file, in its order. Nobody else may change
// where deliveries go, or what is run.
func readTargets(file string) ([]namedTarget, error) {
	text, err := readConfigFile(file)
	if err == nil && text == nil {
		return nil, usagef("there is no %s: check --config", file)
	}
	if err == nil {
		err = refuseShared(file)
	}
	if err != nil {
		return nil, err
	}
	table, err := targetsTable(file, text)
	if err != nil {
		return nil, usageError{err}
	}
	var named []namedTarget
	for pairs := table.Content; len(pairs) > 1; pairs = pairs[2:] {
		t := namedTarget{name: pairs[0].Value, at: fmt.Sprintf("%s:%d", file, pairs[0].Line), config: targetConfig{Concurrency: defaultConcurrency, For: defaultFor, Timeout: owox.Timeout}}
		if !isTargetName(t.name) {
			return nil, usagef("%s: target %q: "+wantedName, t.at, t.name)
		}
		if line, err := decodeStrictly(pairs[1], &t.config); err != nil {
			return nil, usagef("%s:%d: target %s: %w", file, line, t.name, err)
		}
		named = append(named, t)
	}
	return named, nil
}

// targetsTable returns what stands below targets:, which is all of a file.
func targetsTable(file string, text []byte) (*yaml.Node, error) {
	const want = "want targets: with a name and settings for each"
	var document, next yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(text))
	switch err := documents.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s is empty: %s", file, want)
	case err != nil:
		return nil, errors.New(strings.Replace(yamlError(file, err).Error(), ": yaml: ", ": ", 1))
	}
	if err := documents.Decode(&next); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s has more than one document: make it one", file)
	}
	top := document.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: %s", file, top.Line, want)
	}
	var table *yaml.Node
	for pairs := top.Content; len(pairs) > 1; pairs = pairs[2:] {
		switch key := pairs[0].Value; {
		case key != "targets":
			return nil, fmt.Errorf("%s:%d: unknown key %q%s", file, pairs[0].Line, key, oneOf(key, []string{"targets"}))
		case table != nil:
			return nil, fmt.Errorf("%s:%d: targets is there twice", file, pairs[0].Line)
		}
		if table = pairs[1]; table.Kind != yaml.MappingNode || len(table.Content) == 0 {
			return nil, fmt.Errorf("%s:%d: %s", file, table.Line, want)
		}
	}
	if table == nil {
		return nil, fmt.Errorf("%s:%d: %s", file, top.Line, want)
	}
	return table, nil
}

// The kinds of values of settings, as errors call them.
const (
	someText   = "text"
	someTexts  = "text, or a list of texts"
	someTime   = "a time such as 30s, 5m or 72h"
	someNumber = "a whole number"
	yesOrNo    = "true or false"
)

var settingsOfTargets = map[string]string{
	"to": someText, "exec": someText, "only": someTexts, "match": someTexts, "data-mart": someTexts, "project": someTexts, "tests": someText,
	"invalid": yesOrNo, "group": someTime, "group-by": someText, "ordered": yesOrNo, "concurrency": someNumber, "for": someTime,
	"template": someText, keyHeader: someTexts, "timeout": someTime, keyInsecure: yesOrNo, keyCACert: someText,
}

// decodeStrictly refuses keys that there are not, or twice. A single word may
// stand for a list. It returns the line of what is wrong; values may be secret.
func decodeStrictly(node *yaml.Node, into *targetConfig) (line int, err error) {
	if node.Kind != yaml.MappingNode {
		return node.Line, errors.New("want settings, such as to: https://example.com/hook")
	}
	seen := map[string]bool{}
	for pairs := node.Content; len(pairs) > 1; pairs = pairs[2:] {
		key, value := pairs[0].Value, pairs[1]
		want, known := settingsOfTargets[key]
		switch {
		case !known:
			return pairs[0].Line, fmt.Errorf("unknown key %q%s", key, oneOf(key, slices.Sorted(maps.Keys(settingsOfTargets))))
		case seen[key]:
			return pairs[0].Line, fmt.Errorf("%s is there twice", key)
		case value.Tag == "!!null":
			return value.Line, fmt.Errorf("%s has no value: give it one, or leave it out", key)
		case want == someTexts && value.Kind == yaml.ScalarNode:
			value = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{value}, Line: value.Line}
		case key == "tests" && value.Kind == yaml.ScalarNode:
			value.Tag, value.Style = "!!str", yaml.DoubleQuotedStyle // no is a word here
		}
		seen[key] = true
		if err := (&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{pairs[0], value}}).Decode(into); err != nil {
			return value.Line, fmt.Errorf("%s: want %s", key, want)
		}
	}
	return 0, nil
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
		if parts := secretInHeader().FindStringSubmatch(h); parts != nil {
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

var secretInHeader = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([^:]+:\s*(?:[A-Za-z][\w-]*\s+)?)(env:\S+|@.+?)\s*$`)
})

// checkSecretFile refuses a file that others can change, and names one that
// others can read: where secrets are mounted they may be meant to.
func (a *app) checkSecretFile(file string) error {
	if err := refuseShared(file); err != nil {
		return err
	}
	if mode, err := modeOf(file); err == nil && mode&0o044 != 0 {
		a.note("note: %s can be read by others: run chmod 600 %s", file, sender.ShellQuote(file))
	}
	return nil
}

// refuseShared refuses a file that others can change.
func refuseShared(file string) error {
	mode, err := modeOf(file)
	if err == nil && mode&0o022 != 0 {
		err = usagef("%s can be changed by others, and so could where deliveries go: run chmod go-w %s", file, sender.ShellQuote(file))
	}
	return err
}

// modeOf returns who may do what with a file: 0 where systems do not tell.
func modeOf(file string) (fs.FileMode, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, readError(err)
	}
	if !hasModes {
		return 0, nil
	}
	return info.Mode().Perm(), nil
}
