package report_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
	"github.com/rivo/uniseg"

	"github.com/owoxhook/owoxhook/pkg/conformance"
	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

var update = flag.Bool("update", false, "rewrite golden files")

const wideTitle = "四半期売上レポート 東京支社 📊 monthly revenue by region, product and sales channel"

// results are what people see in a day, with words in the places where they
// come from outside.
func results(words string) []report.Result {
	statusMatches := at(`{"data":{"dataMart":{"title":"`+words+`"},"run":{"status":"SUCCESSFUL","startedAt":"2026-01-02T03:04:05.006Z"}}}`, `"SUCCESSFUL"`)
	statusMatches.Message, statusMatches.Rule = `data.run.status is "SUCCESSFUL" but the event is run.failed`, "status-matches-event"
	elsewhere := statusMatches
	elsewhere.File = "payloads/" + words
	refused := delivery.Failure{Kind: delivery.Refused, Error: "connection refused by 127.0.0.1:3000", Hint: "start the endpoint, or check host and port, and what is between: " + words}
	unavailable := delivery.Failure{Kind: delivery.BadStatus, Error: "status 503 Service Unavailable", Hint: "look into the endpoint's log"}
	attempt := delivery.Attempt{
		ID: "550e8400-e29b-41d4-a716-446655440000", Event: owox.RunSuccessful, Number: 1, Status: 200, Duration: 18500 * time.Microsecond,
		URL: "http://127.0.0.1:38787/",
	}
	failed, unreachable := attempt, attempt
	failed.URL, failed.Status, failed.Failure = "https://hooks.example.com/owox/incoming?source="+words, 503, &unavailable
	failed.Body = []byte(`{"error":"` + words + `"}`)
	unreachable.Status, unreachable.Failure = 0, &refused
	latency := hdrhistogram.New(1, int64(time.Hour/time.Microsecond), 3)
	for ms := range int64(100) {
		_ = latency.RecordValue((ms + 1) * 1000) // in range
	}
	return []report.Result{
		report.Listening{URL: "http://127.0.0.1:8787/"},
		report.Delivery{Delivery: received("{}", func(d *delivery.Delivery) { d.IsTest = true })},
		report.Delivery{Delivery: received("{}", func(d *delivery.Delivery) { d.Title = words })},
		report.Delivery{Delivery: received("{}", func(d *delivery.Delivery) { d.ID, d.Title = "delivery-"+words, words })},
		report.Delivery{Delivery: received(string(statusMatches.Text), func(d *delivery.Delivery) {
			d.Answered, d.IsTest, d.Duplicate, d.SameRun, d.Title, d.Findings = 422, true, true, true, words, []validate.Finding{statusMatches.Finding}
		})},
		report.Delivery{Delivery: received("{}", func(d *delivery.Delivery) {
			d.Title, d.State, d.Answered, d.Detail = words, delivery.StateNotKept, 503, "the disk is full: "+words
		})},
		report.Delivery{Delivery: received("", func(d *delivery.Delivery) {
			d.Identity, d.Answered, d.State, d.Reason, d.Detail = owox.Identity{}, 404, delivery.StateRefused, delivery.WrongPath, "/hook"
			d.Path = "/some/long/path/that/goes/on?" + words
		})},
		report.Delivery{Delivery: received("{}", func(d *delivery.Delivery) { d.Forwarded = &failed })},
		report.Attempt{Attempt: attempt},
		report.Attempt{Attempt: unreachable},
		report.Attempt{Attempt: failed},
		statusMatches, elsewhere,
		report.Case{Result: conformance.Result{
			Case: conformance.Case{ID: "accepts-long-errors", Title: "many long error messages", Level: conformance.Required, Requires: "2xx"}, Tried: true, Met: true, Seen: "200 in 18.8ms, " + words,
		}},
		report.Case{Result: conformance.Result{
			Case:  conformance.Case{ID: "public-address", Title: "a public address", Level: conformance.Advised, Requires: "no private, loopback, link-local or reserved address: OWOX sends nothing to them"},
			Tried: true, Seen: words, Advice: "give OWOX a public name, or point a public tunnel at the endpoint: OWOX sends nothing to other addresses",
		}},
		report.Load{URL: "http://127.0.0.1:8787/", Connections: 64, Rate: 500, LoadResult: sender.LoadResult{
			Elapsed: 2 * time.Second, Deliveries: 105, Failed: 5, Statuses: map[int]int{200: 100}, Latency: latency, Failures: []sender.LoadFailure{{Count: 5, Failure: refused}},
		}},
		report.Summary{{24, "cases", "case", "cases"}, {21, "met", "met", "met"}, {0, "failed", "failed", "failed"}, {3, "advised", "suggestion", "suggestions"}},
	}
}

// screen prints results and a table as a terminal of so many columns shows
// them; 0 is no terminal.
func screen(t *testing.T, options report.Options, columns int, words string) string {
	t.Helper()
	var screen bytes.Buffer
	width := func() int { return columns }
	options.Out, options.Err, options.Width, options.ErrWidth = &screen, &screen, width, width
	reporter, err := report.New(report.Text, options)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results(words) {
		if err := reporter.Report(r); err != nil {
			t.Fatal(err)
		}
	}
	list := report.NewTable(report.Keep, report.Keep, report.Keep, report.ID, report.Cut, report.Cut)
	list.Add("12", "2026-01-02 03:04:05", "run.successful", "550e8400-e29b-41d4-a716-446655440000", "test,duplicate", "Test Data Mart")
	list.Add("3", "2026-01-02 03:04:05", "run.failed", "550e8401-e29b-41d4-a716-446655440000", "-", words)
	prose := report.NewTable(report.Keep, report.Keep, report.Fold, report.Fold)
	prose.Add("accepts-long-errors", "required", "100 errors of 10 kB, JSON inside strings", "2xx")
	prose.Add("public-address", "advised", words, "no private, loopback, link-local or reserved address: OWOX sends nothing to them")
	return screen.String() + list.Format(columns) + prose.Format(columns) + report.Wrap("note: "+report.Escape(words)+"\n", columns)
}

func TestScreens(t *testing.T) {
	for _, columns := range []int{80, 100, 160} {
		file := filepath.Join("testdata", fmt.Sprintf("screen-%d.txt", columns))
		got := screen(t, report.Options{}, columns, wideTitle)
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

// alphabet is what lines are hard to measure with.
var alphabet = []string{"a", "Z", "-", "/", " ", "  ", "word ", "日", "本語", "é", "e\u0301", "👍🏽", "👩‍👩‍👧‍👦", "🇯🇵", "한", "\x1b[31m", "\x00", "\t", "\n", "\u202e", "\xff", strings.Repeat("x", 90), strings.Repeat(" ", 90)}

func randomWords(random *rand.Rand) string {
	var words strings.Builder
	for range random.IntN(60) {
		words.WriteString(alphabet[random.IntN(len(alphabet))])
	}
	return words.String()
}

func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	colors := regexp.MustCompile(`\x1b\[[0-9;]*m`)
	for range 150 {
		columns, words := 40+random.IntN(130), randomWords(random)
		for line := range strings.SplitSeq(colors.ReplaceAllString(screen(t, report.Options{Color: true}, columns, words), ""), "\n") {
			// The beginning of a finding stays in one piece, so that editors can jump to the place.
			isPlace := strings.HasPrefix(line, "payloads/") && strings.HasSuffix(line, ": error:")
			if wide := uniseg.StringWidth(line); wide > columns && !isPlace {
				t.Fatalf("%d columns are %d wide with %q:\n%s", columns, wide, words, line)
			}
		}
	}
}

func TestNothingIsLostOffATerminal(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		words := randomWords(random)
		got := screen(t, report.Options{}, 0, words)
		for _, want := range []string{report.Escape(words), "550e8400-e29b-41d4-a716-446655440000", "https://hooks.example.com/owox/incoming?source=" + report.Escape(words)} {
			if !strings.Contains(got, want) {
				t.Fatalf("%q is not in\n%s", want, got)
			}
		}
	}
}

func TestTableIDs(t *testing.T) {
	tests := []struct{ name, id, other, want string }{
		{"random", "550e8400-e29b-41d4-a716-446655440000", "660e8400-e29b-41d4-a716-446655440000", "550e8400"},
		{"alike", "550e8400-e29b-41d4", "550e8400-e28b-41d4", "550e8400-e29"},
		{"the same", "550e8400-e29b-41d4", "550e8400-e29b-41d4", "550e8400"},
		{"the beginning of another", "delivery-1", "delivery-11", "delivery-1"},
		{"like a number", "12345678-e29b-41d4", "x", "12345678-"},
		{"short", "abc", "abd", "abc"},
		{"in several bytes", "日本語", "x", "日本語"},
		{"none", "", "x", ""},
	}
	for _, tt := range tests {
		table := report.NewTable(report.ID)
		table.Add(tt.id)
		table.Add(tt.other)
		for columns, want := range map[int]string{0: tt.id, 80: tt.want} {
			if got, _, _ := strings.Cut(table.Format(columns), "\n"); got != want {
				t.Errorf("%s: %s at %d columns, want %s", tt.name, got, columns, want)
			}
		}
	}
}
