package cmd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rivo/uniseg"
	"github.com/spf13/viper"

	"github.com/owoxhook/owoxhook/pkg/conformance"
	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// kept are deliveries with titles of all kinds, and ids that begin alike.
func kept(yield func(journal.Entry, error) bool) {
	for i, title := range []string{
		"Sales Report", "四半期売上レポート 東京支社", "📊 Monthly revenue by region, product and sales channel 👍🏽", "", "Kanäle\x1b[31m", "a", "b", "c", "d", "e", "f", "g",
	} {
		entry := journal.Entry{Delivery: delivery.Delivery{
			Identity: owox.Identity{ID: fmt.Sprintf("%08x-a3ac-40ce-8e24-3fc51fb17609", (i+3)*0x1f2e3d4c), Event: owox.RunFailed, Title: title, IsTest: i%5 == 0},
			Sequence: int64(12 - i), ReceivedAt: time.Date(2026, 1, 2, 3, 4, 12-i, 0, time.Local), Answered: 200, State: delivery.StateValid,
		}}
		switch i {
		case 3:
			entry.ID, entry.State, entry.Answered = "5d8ab7e4-a3ac-40cf-8e24-3fc51fb17609", delivery.StateInvalid, 422
		case 5:
			entry.Event, entry.Duplicate, entry.SameRun = owox.RunSuccessful, true, true
		}
		if !yield(entry, nil) {
			return
		}
	}
}

func refused(yield func(journal.Entry, error) bool) {
	yield(journal.Entry{Delivery: delivery.Delivery{
		ReceivedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local), Answered: 404, Reason: delivery.WrongPath, Remote: "2001:db8::8a2e:370:7334",
		Method: "GET", Path: "/some/path/" + strings.Repeat("query", 30),
	}}, nil)
}

// tables prints what commands print as tables, for a terminal of so many columns.
func tables(t *testing.T, columns int, rules []validate.Rule, cases []conformance.Case) string {
	t.Helper()
	var out bytes.Buffer
	a := &app{out: &out, output: report.Text, columns: func(any) int { return columns }}
	for _, print := range []func() error{
		func() error { _, err := a.listEntries(kept, deliveryList); return err },
		func() error { _, err := a.listEntries(refused, refusedList); return err },
		func() error { return runRules(a, rules) },
		func() error { return runRule(a, rules[0]) },
		func() error { return listCases(a, cases) },
	} {
		if err := print(); err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n")
	}
	return out.String()
}

func TestScreens(t *testing.T) {
	for _, columns := range []int{80, 100, 160} {
		file := filepath.Join("testdata", fmt.Sprintf("screen-%d.txt", columns))
		got := tables(t, columns, validate.Rules()[:10], conformance.Cases()[:5])
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s is not what is printed (-want +got):\n%s", file, diff)
		}
	}
}

func TestTablesFitTheTerminal(t *testing.T) {
	for _, columns := range []int{60, 80, 100, 160} {
		var rest bytes.Buffer
		a := &app{out: &rest, output: report.Text, columns: func(any) int { return columns }}
		a.config = &config{viper: viper.New(), origin: map[string]string{keyURL: "/home/somebody/.config/owoxhook/config.yaml:1"}}
		a.config.viper.Set(keyURL, "https://example.com/hooks/"+strings.Repeat("日本/", 20))
		if err := runConfig(a, a.root("")); err != nil {
			t.Fatal(err)
		}
		if err := runEvent(a, "failed"); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(tables(t, columns, validate.Rules(), conformance.Cases())+rest.String(), "\n") {
			if wide := uniseg.StringWidth(line); wide > columns {
				t.Errorf("%d columns are %d wide: %q", columns, wide, line)
			}
		}
	}
}

func TestTablesAreWholeOffATerminal(t *testing.T) {
	got := tables(t, 0, validate.Rules(), conformance.Cases())
	for entry, err := range kept {
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{entry.ID, report.Escape(entry.Title)} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is not in\n%s", want, got)
			}
		}
	}
}
