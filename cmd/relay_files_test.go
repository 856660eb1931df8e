package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestErrorsOfTargetsAreSentencesWithTheirLine(t *testing.T) {
	const app = "targets:\n  app:\n    to: http://h/\n"
	for text, want := range map[string]string{
		"target:\n  app:\n":                  `:1: unknown key "target": did you mean "targets"?`,
		"":                                   " is empty: want targets: with a name and settings for each",
		"targets: [a]":                       ":1: want targets: with a name",
		"targets: {}":                        ":1: want targets: with a name",
		"a: [":                               ":1: did not find expected node content",
		app + "targets: {}\n":                ":4: targets is there twice",
		app + "---\n" + app:                  " has more than one document: make it one",
		"targets:\n  app: x\n":               ":2: target app: want settings, such as to: https://example.com/hook",
		app + "    for: 5\n":                 ":4: target app: for: want a time such as 30s, 5m or 72h",
		app + "    only: {a: b}\n":           ":4: target app: only: want text, or a list of texts",
		app + "    invalid: maybe\n":         ":4: target app: invalid: want true or false",
		app + "    concurrency: s3cr3t\n":    ":4: target app: concurrency: want a whole number",
		app + "    to: http://i/\n":          ":4: target app: to is there twice",
		"targets:\n  app:\n    to:\n":        ":3: target app: to has no value: give it one, or leave it out",
		"targets:\n  app:\n    to: [s3cr3t]": ":3: target app: to: want text",
	} {
		file := filepath.Join(t.TempDir(), "relay.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readTargets(file); err == nil || !strings.HasPrefix(err.Error(), file+want) {
			t.Errorf("%q: got %v, want an error %q", text, err, want)
		}
	}
}
