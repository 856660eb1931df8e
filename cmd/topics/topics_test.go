package topics

import (
	"database/sql"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rivo/uniseg"

	"github.com/owoxhook/owoxhook/pkg/journal"
)

func source(t *testing.T, name string) string {
	t.Helper()
	for _, topic := range All() {
		if topic.Name == name {
			return topic.Source()
		}
	}
	t.Fatalf("there is no topic %s", name)
	return ""
}

var quoted = regexp.MustCompile("`([^`]+)`")

func quotedIn(text string) (names []string) {
	for _, found := range quoted.FindAllStringSubmatch(text, -1) {
		names = append(names, found[1])
	}
	return names
}

// tablesOf returns what each table of a topic says, by its heading and the names
// in the first column.
func tablesOf(t *testing.T, topic string) map[string]map[string]string {
	t.Helper()
	tables, title := map[string]map[string]string{}, ""
	for _, b := range parse(source(t, topic), strings.ToUpper) {
		switch b.kind {
		case heading:
			title = b.text
		case table:
			tables[title] = map[string]string{}
			for _, row := range b.rows {
				for _, name := range quotedIn(row[0]) {
					tables[title][name] = row[1]
				}
			}
		}
	}
	return tables
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func TestTopicsFitATerminal(t *testing.T) {
	topics := All()
	if len(topics) < 10 {
		t.Fatalf("only %d topics were found", len(topics))
	}
	for _, topic := range topics {
		if topic.Title == "" || len("  owoxhook help configuration ")+len(topic.Title) > wide {
			t.Errorf("%s has the title %q, want one that fits a line of owoxhook help", topic.Name, topic.Title)
		}
		blocks := parse(topic.Source(), strings.ToUpper)
		if blocks[0].kind == heading {
			t.Errorf("%s does not say what it is about before its first heading", topic.Name)
		}
		examples := map[string]bool{} // which are not broken
		for _, b := range blocks {
			for line := range strings.SplitSeq(b.text, "\n") {
				examples["    "+line] = b.kind == code
			}
		}
		for columns, fits := range map[int]int{0: wide, 60: 60, 80: 80, 200: wide} {
			for line := range strings.SplitSeq(topic.Text(columns, strings.Clone), "\n") {
				if uniseg.StringWidth(line) > fits && !examples[line] {
					t.Errorf("%s for %d columns is wider: %q", topic.Name, columns, line)
				}
			}
		}
	}
}

func TestMarkdownIsWrittenOut(t *testing.T) {
	got := text(`# Title

See [this](other.md#place), [that](#here), [a file](../../testdata/x) and
[OWOX](https://www.owox.com): *really*, `+"`a*b`"+`.

![picture](x.png)
<!-- run -->
`+"```console\n$ echo  '*'\n\n  x\n```"+`

- **one**: goes
  on
- two

| name | |
|---|---|
| `+"`a`"+` | one |
| `+"`bcd`"+` | two |

| a | b | c |
|---|---|---|
| 1 | 2 | 3 |
`, 40, strings.ToUpper)
	want := "TITLE\n\nSee this (`owoxhook help other`), that,\na file and OWOX (https://www.owox.com):\nreally, `a*b`.\n\n" +
		"    $ echo  '*'\n\n      x\n\n- one: goes on\n- two\n\n  `a`    one\n  `bcd`  two\n\n  1\n      b: 2\n      c: 3\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestManualHasWhatATopicHas(t *testing.T) {
	for _, topic := range All() {
		page := topic.Manual()
		for _, b := range parse(topic.Source(), func(topic string) string { return "**owoxhook-" + topic + "(7)**" }) {
			texts := []string{b.text}
			for _, row := range b.rows {
				texts = append(texts, row...)
			}
			for _, text := range texts {
				if !strings.Contains(page, text) {
					t.Errorf("the manual page of %s has no %q", topic.Name, text)
				}
			}
		}
	}
}

// What a manual page says to see also is what its text names.
func TestTopicsNameCommandsAndTopics(t *testing.T) {
	for topic, want := range map[string][2]string{
		"tunnel": {"relay", ""}, "journal": {"replay", "endpoint"}, "json": {"validate", ""}, "receiving": {"listen", "tunnel"},
	} {
		all := All()
		at := all[slices.IndexFunc(all, func(other Topic) bool { return other.Name == topic })]
		if got := at.Commands([]string{want[0], "nothing"}); !slices.Equal(got, want[:1]) {
			t.Errorf("%s names the commands %q, want %q", topic, got, want[0])
		}
		var others []string
		for _, other := range at.Topics() {
			others = append(others, other.Name)
		}
		if want[1] != "" && !slices.Contains(others, want[1]) || slices.Contains(others, topic) {
			t.Errorf("%s names the topics %q, want %q among them", topic, others, want[1])
		}
	}
}

func TestColumnsAreThoseOfTheJournal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal.db")
	j, err := journal.Open(t.Context(), file, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // only read
	rows, err := db.Query(`SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
		WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE 'goose%'`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		want[table] = append(want[table], column)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	tables := tablesOf(t, "journal")
	for name, columns := range want {
		slices.Sort(columns)
		if got := keys(tables[name]); !slices.Equal(got, columns) {
			t.Errorf("table %s has the columns %q in the topic, want %q", name, got, columns)
		}
	}
}
