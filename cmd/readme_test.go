package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/owoxhook/owoxhook/cmd/topics"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// What the code knows better than those who write.
func TestTablesAreThoseOfTheCode(t *testing.T) {
	retries := "| what your endpoint does | what becomes of the event |\n|---|---|\n"
	for _, row := range owox.Retries() {
		retries += fmt.Sprintf("| %s | %s |\n", row.Seen, row.Fate())
	}
	commands := "| command | what it does |\n|---|---|\n"
	for _, c := range commandsIn(Root()) {
		commands += fmt.Sprintf("| `%s` | %s |\n", c.Name(), c.Short)
	}
	list := "| topic | |\n|---|---|\n"
	for _, topic := range topics.All() {
		list += fmt.Sprintf("| [%s](cmd/topics/%[1]s.md) | %s |\n", topic.Name, topic.Title)
	}
	keys := "| key | |\n|---|---|\n"
	for _, key := range configKeys {
		usage := map[string]string{keyURL: "the endpoint where none is given", keyEndpoints: "a table of names and their endpoints, to be given as @name"}[key]
		for _, f := range configurable(Root()) { // one command may say more about it than others
			_, words := pflag.UnquoteUsage(f)
			if f.Name == key && key != keyURL && (usage == "" || len(words) < len(usage)) {
				usage = words
			}
		}
		keys += fmt.Sprintf("| `%s` | %s |\n", key, usage)
	}
	for _, table := range []struct{ file, name, want string }{
		{"topics/endpoint.md", "retries", retries},
		{"topics/configuration.md", "keys", keys},
		{"../README.md", "commands", commands},
		{"../README.md", "topics", list},
	} {
		start, end := "<!-- "+table.name+" -->\n", "<!-- /"+table.name+" -->\n"
		text, err := os.ReadFile(table.file)
		if err != nil {
			t.Fatal(err)
		}
		before, rest, found := strings.Cut(string(text), start)
		got, after, ended := strings.Cut(rest, end)
		if !found || !ended {
			t.Fatalf("no %q and %q in %s", start, end, table.file)
		}
		if *update {
			if err := os.WriteFile(table.file, []byte(before+start+table.want+end+after), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got != table.want {
			t.Errorf("%s says\n%s\nrun go test ./cmd -update for\n%s", table.file, got, table.want)
		}
	}
}

func TestEveryExitStatusIsExplained(t *testing.T) {
	text, err := os.ReadFile("topics/exit-status.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(string(text), -1) {
		got = append(got, row[1])
	}
	if want := strings.Fields(fmt.Sprint(exitOK, exitJudged, exitUsage, exitFailed, exitInterrupted)); !slices.Equal(got, want) {
		t.Errorf("the topic explains %q, want %q", got, want)
	}
}

// Links to other texts find them, and the places in them.
func TestLinksOfTextsLeadSomewhere(t *testing.T) {
	texts, err := filepath.Glob("topics/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(texts, "../README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`\]\(([^):]*)\)`).FindAllStringSubmatch(string(text), -1) {
			file, place, _ := strings.Cut(found[1], "#")
			target := name
			if file != "" {
				target = filepath.Join(filepath.Dir(name), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			text, _ := os.ReadFile(target) // a folder has no places
			if place != "" && !places(string(text))[place] {
				t.Errorf("%s: %s has no heading %s", name, target, place)
			}
		}
	}
}

// A terminal shows no links to files of the repository: the text says where that is.
func TestTextsThatNameFilesSayWhereTheyAre(t *testing.T) {
	for _, topic := range topics.All() {
		text := topic.Source()
		if regexp.MustCompile(`(?m)^[^!\n].*\]\(\.\./`).MatchString(text) && !strings.Contains(text, "(https://github.com/owoxhook/owoxhook)") {
			t.Errorf("%s names files of the repository, and not where that is", topic.Name)
		}
	}
}

// Where texts name a topic, there is one.
func TestTopicsThatTextsNameAreThere(t *testing.T) {
	var texts strings.Builder
	for _, c := range append(Root().Commands(), Root()) {
		texts.WriteString(c.Long + c.Example + c.Flags().FlagUsages())
	}
	for _, topic := range topics.All() {
		texts.WriteString(topic.Source())
	}
	names := regexp.MustCompile(`owoxhook\s+help\s+([a-z-]+)`).FindAllStringSubmatch(texts.String(), -1)
	if len(names) < 10 {
		t.Errorf("only %q were found", names)
	}
	for _, name := range names {
		if !slices.ContainsFunc(Root().Commands(), func(c *cobra.Command) bool { return c.Name() == name[1] }) {
			t.Errorf("a text names owoxhook help %s, which is not there", name[1])
		}
	}
}

// places returns the names that GitHub gives to headings.
func places(text string) map[string]bool {
	names := map[string]bool{}
	for _, heading := range regexp.MustCompile("(?m)^#+ (.*)$").FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile("[^a-z0-9 -]").ReplaceAllString(strings.ToLower(heading[1]), "")
		names[strings.ReplaceAll(name, " ", "-")] = true
	}
	return names
}
