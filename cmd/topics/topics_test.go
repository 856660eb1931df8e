package topics

import (
	"database/sql"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
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
		if topic.Title == "" || len("  owoxhook configuration ")+len(topic.Title) > wide {
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
		"    $ echo  '*'\n\n      x\n\n- one: goes on\n- two\n\n  `a`    one\n  `bcd`  two\n\n  1\n      2\n      3\n"
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

// objects are the structs of JSON objects in the code: by the type that they
// say, their members, and in turn those of a member's own struct.
type objects struct {
	structs map[string]*ast.StructType
	found   map[string]map[string][]string
	counts  map[string]bool
}

func (o *objects) members(s *ast.StructType) map[string][]string {
	members := map[string][]string{}
	for _, field := range s.Fields.List {
		tag := ""
		if field.Tag != nil {
			text, _ := strconv.Unquote(field.Tag.Value)
			tag = reflect.StructTag(text).Get("json")
		}
		name, options, _ := strings.Cut(tag, ",")
		inner := o.structs[typeName(field.Type)]
		switch {
		case options == "inline":
			maps.Copy(members, o.members(inner))
		case inner != nil && name != "findings":
			members[name] = keys(o.members(inner))
		case name != "":
			members[name] = nil
		}
	}
	return members
}

// typeName is the last name of a type, without what points at it or lists it.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.ArrayType:
		return typeName(e.Elt)
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	default:
		return ""
	}
}

// literal notes an object that is made, or the name of a count.
func (o *objects) literal(l *ast.CompositeLit) {
	s, ok := l.Type.(*ast.StructType)
	if !ok {
		s = o.structs[typeName(l.Type)]
	}
	for i, element := range l.Elts {
		value := element
		pair, isPair := element.(*ast.KeyValueExpr)
		if isPair {
			value = pair.Value
		}
		text, ok := value.(*ast.BasicLit)
		if !ok || text.Kind != token.STRING {
			continue
		}
		word, _ := strconv.Unquote(text.Value)
		switch {
		case s == nil && l.Type == nil && isPair && typeName(pair.Key) == "Name",
			typeName(l.Type) == "Count" && isPair && typeName(pair.Key) == "Name":
			o.counts[word] = true
		case s != nil && (isPair && typeName(pair.Key) == "Type" || !isPair && i == 0):
			if members := o.members(s); members["type"] == nil && hasKey(members, "type") {
				if o.found[word] == nil {
					o.found[word] = map[string][]string{}
				}
				maps.Copy(o.found[word], members)
				delete(o.found[word], "type")
			}
		}
	}
}

func hasKey[V any](m map[string]V, key string) bool { _, ok := m[key]; return ok }

func objectsOfTheCode(t *testing.T) *objects {
	t.Helper()
	o := &objects{map[string]*ast.StructType{}, map[string]map[string][]string{}, map[string]bool{}}
	var parsed []*ast.File
	for _, pattern := range []string{"../*.go", "../../pkg/report/*.go", "../../pkg/validate/finding.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, file)
			ast.Inspect(file, func(n ast.Node) bool {
				if spec, ok := n.(*ast.TypeSpec); ok {
					if s, ok := spec.Type.(*ast.StructType); ok {
						o.structs[spec.Name.Name] = s
					}
				}
				return true
			})
		}
	}
	for _, file := range parsed {
		ast.Inspect(file, func(n ast.Node) bool {
			if l, ok := n.(*ast.CompositeLit); ok {
				o.literal(l)
			}
			return true
		})
	}
	return o
}

func TestMembersAreThoseOfTheCode(t *testing.T) {
	o, tables := objectsOfTheCode(t), tablesOf(t, "json")
	summary := tables["summary"]
	delete(tables, "summary")
	if got, want := keys(tables), keys(o.found); !slices.Equal(got, want) {
		t.Errorf("the topic has the objects %q, want %q", got, want)
	}
	for name, members := range o.found {
		if got, want := keys(tables[name]), keys(members); !slices.Equal(got, want) {
			t.Errorf("%s has the members %q in the topic, want %q", name, got, want)
		}
		for member, inner := range members {
			named := quotedIn(tables[name][member])
			for _, word := range inner {
				if !slices.Contains(named, word) {
					t.Errorf("the topic does not name the member %s of %s of %s", word, member, name)
				}
			}
		}
	}
	counts := map[string]bool{}
	for _, cell := range summary {
		for _, name := range quotedIn(cell) {
			counts[name] = true
		}
	}
	delete(counts, "listen") // whose counts relay has too
	if got, want := keys(counts), keys(o.counts); !slices.Equal(got, want) {
		t.Errorf("summary has the counts %q in the topic, want %q", got, want)
	}
}
