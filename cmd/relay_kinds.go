package cmd

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/owoxhook/owoxhook/pkg/relay"
)

// The kinds of targets that are not services.
const (
	kindApplication = "application"
	kindTemplate    = "template"
	kindExec        = "exec"
)

var (
	validName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]+(?:-[a-z0-9]+)*$`) })
	notInName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^a-z0-9]+`) })
	kindWord  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`) })
)

const (
	maxTargetName = 60
	wantedName    = "want a name of lower-case letters and digits, with single hyphens between them, at most 60"
)

func isTargetName(name string) bool {
	return validName().MatchString(name) && len(name) <= maxTargetName
}

// splitName takes the name off a target. In front of a URL any word is meant to
// be one; a command may begin with a variable.
func splitName(text string, command bool) (name, rest string, err error) {
	name, rest, ok := strings.Cut(text, "=")
	switch {
	case ok && isTargetName(name):
		return name, rest, nil
	case !ok || command || strings.ContainsAny(name, ":/@?#"):
		return "", text, nil
	default:
		return "", "", usagef("target %q: "+wantedName, name)
	}
}

// kindOf returns the kind of a target, and what stands behind it. Errors do not
// show that: it may be a secret.
func kindOf(to string) (kind, rest string, err error) {
	word, rest, ok := strings.Cut(to, ":")
	kind = strings.ToLower(word)
	kinds := []string{kindTemplate}
	for _, s := range relay.Services() {
		kinds = append(kinds, string(s))
	}
	switch {
	case slices.Contains(kinds, kind) && ok:
		return kind, rest, nil
	case strings.HasPrefix(to, "@"), ok && (kind == "http" || kind == "https"):
		return kindApplication, to, nil
	case ok && kindWord().MatchString(word) && strings.HasPrefix(rest, "//"):
		return "", "", usagef("scheme %s is not supported: use http or https", word)
	case ok && kindWord().MatchString(word):
		if near := nearest(word, kinds); near != "" {
			return "", "", usagef("unknown kind of target %q: did you mean %s:?", word+":", near)
		}
		return "", "", usagef("unknown kind of target %q: want a URL such as https://example.com/hook, @name, or one of %s:", word+":", strings.Join(kinds, ":, "))
	default:
		return "", "", usagef("not a target: want a URL such as https://example.com/hook, @name, or one of %s:", strings.Join(kinds, ":, "))
	}
}

// known refuses a target that never was. Where there is none at all, there is
// nothing to choose from.
func (f jobFlags) known(all []relay.Status) error {
	var names []string
	for _, s := range all {
		names = append(names, s.Target)
	}
	if f.target == "" || len(names) == 0 || slices.Contains(names, f.target) {
		return nil
	}
	return usagef("unknown target %q%s", f.target, oneOf(f.target, names))
}

// ofTargets are flags that are about each target of the command line.
var ofTargets = []string{
	"only", "match", "data-mart", "project", "tests", "invalid", "group", "group-by", "ordered", "concurrency", "for", "template",
	keyHeader, "timeout", keyInsecure, keyCACert,
}

// without is what settings have no effect without.
var without = map[string]string{
	"group-by":  "group",
	"template":  "a template: target",
	"templates": "a target of a service, such as slack:URL",
	keyHeader:   "an application or a template: target",
	keyInsecure: "a target of --to",
	keyCACert:   "a target of --to",
}

// refuseUnused refuses settings that would do nothing.
func (f *targetFlags) refuseUnused(named []namedTarget) error {
	kinds := map[string]bool{} // of the command line
	services := false
	for _, n := range named {
		kind := kindExec
		if n.config.To != "" {
			var err error
			if kind, _, err = kindOf(n.config.To); err != nil {
				return n.wrong(err)
			}
		}
		services = services || slices.Contains(relay.Services(), relay.Service(kind))
		if n.flags {
			kinds[kind] = true
			continue
		}
		for key, unused := range map[string]bool{
			"group-by": n.config.GroupBy != "" && n.config.Group == 0,
			"template": n.config.Template != "" && kind != kindTemplate,
			keyHeader:  len(n.config.Header) > 0 && kind == kindExec,
		} {
			if unused {
				return n.wrong(usagef("%s has no effect without %s: leave it out", key, without[key]))
			}
		}
	}
	for _, key := range ofTargets {
		if len(kinds) == 0 && f.endpoint.changed(key) {
			return usagef("--%s has no effect without --to or --exec: write %s: for each target in %s", key, key, f.file)
		}
	}
	for key, unused := range map[string]bool{
		"group-by":  f.own.Group == 0,
		"template":  !kinds[kindTemplate],
		"templates": !services,
		keyHeader:   !kinds[kindTemplate] && !kinds[kindApplication],
		keyInsecure: len(f.to) == 0,
		keyCACert:   len(f.to) == 0,
	} {
		if unused && f.endpoint.changed(key) {
			return usagef("--%s has no effect without %s: add one, or leave it out", key, without[key])
		}
	}
	return nil
}
