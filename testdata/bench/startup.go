//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type library struct {
	name    string
	imports []string
}

// libraries are what owoxhook is made of beside cobra, those that cost most.
var libraries = []library{
	{"HTTP, templates", []string{"net/http", "html/template"}},
	{"viper", []string{"github.com/spf13/viper"}},
	{"SQLite, goose", []string{"modernc.org/sqlite", "github.com/pressly/goose/v3"}},
	{"pgx", []string{"github.com/jackc/pgx/v5/pgxpool", "github.com/jackc/pgx/v5/stdlib"}},
	{"River", []string{"github.com/riverqueue/river", "github.com/riverqueue/river/riverdriver/riverpgxv5", "github.com/riverqueue/river/riverdriver/riversqlite", "github.com/riverqueue/river/rivermigrate"}},
	{"metrics", []string{"github.com/VictoriaMetrics/metrics"}},
	{"ssh", []string{"golang.org/x/crypto/ssh", "golang.org/x/crypto/ssh/agent", "golang.org/x/crypto/ssh/knownhosts"}},
}

// startUp measures programs that print one line: owoxhook, cobra alone, and
// cobra with a library that is imported and not used.
func (b *bench) startUp() error {
	one := filepath.Join(b.dir, "one")
	err := b.build("./testdata/bench/one", one)
	programs := [][]string{{one}, {b.owoxhook, "version"}, {b.owoxhook, "sample"}}
	all := library{name: "all of these"}
	for _, l := range libraries {
		all.imports = append(all.imports, l.imports...)
	}
	with := append(slices.Clone(libraries), all)
	for i, l := range with {
		program := filepath.Join(b.dir, fmt.Sprint("with-", i))
		err = errors.Join(err, b.buildWith(l.imports, program))
		programs = append(programs, []string{program})
	}
	if err != nil {
		return err
	}
	sides, err := b.inTurn(100*b.rounds, programs)
	if err != nil {
		return err
	}
	sides[0].name = "a line with cobra"
	compare("version", "ms", sides[1], sides[0], atMost(2.7, ""))
	compare("sample", "ms", sides[2], sides[0], atMost(2.7, ""))
	for i, l := range with {
		larger, err := sizeAbove(programs[i+3][0], one)
		if err != nil {
			return err
		}
		above(fmt.Sprintf("  %s, +%.1f MiB", l.name, larger), "ms", sides[i+3], sides[0], limit{})
	}
	return nil
}

// buildWith builds the one line with libraries that it does not use.
func (b *bench) buildWith(imports []string, to string) error {
	text, err := os.ReadFile("testdata/bench/one/main.go")
	if err != nil {
		return err
	}
	source := strings.Replace(string(text), "import (", "import (\n\t_ \""+strings.Join(imports, "\"\n\t_ \"")+"\"", 1)
	file := to + ".go"
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		return err
	}
	return b.build(file, to)
}

// sizeAbove returns how much larger one file is than another, in MiB.
func sizeAbove(file, other string) (float64, error) {
	a, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	b, err := os.Stat(other)
	if err != nil {
		return 0, err
	}
	return float64(a.Size()-b.Size()) / (1 << 20), nil
}
