package report_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
	"github.com/joshdk/go-junit"

	"github.com/owoxhook/owoxhook/pkg/conformance"
	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

func result(level conformance.Level, tried, met bool) conformance.Result {
	return conformance.Result{
		Case:  conformance.Case{ID: "a-case", Title: "a title", Requires: "2xx"},
		Level: level, Tried: tried, Met: met, Seen: "5xx: \x1b|boom", Advice: "mend it", Duration: 1500 * time.Millisecond,
	}
}

// everything reports one of each result.
func everything(r report.Reporter) error {
	return errors.Join(
		r.Report(report.Listening{URL: "http://x/"}),
		r.Report(report.Delivery{Delivery: received("{}", nil)}),
		r.Report(report.Delivery{Delivery: received("{}", func(d *delivery.Delivery) {
			d.Answered = 422
			d.Findings = []validate.Finding{
				{Line: 1, Column: 2, Rule: "r1", Severity: validate.Error, Message: "100%\nbad, very: bad"},
				{Offset: -1, Rule: "r2", Severity: validate.Info, Message: "fyi"},
			}
		})}),
		r.Report(report.Attempt{Attempt: delivery.Attempt{ID: "i", URL: "http://x/", Number: 1, Failure: &delivery.Failure{Kind: delivery.Refused, Error: "refused]]>", Hint: "start it"}}}),
		r.Report(report.Attempt{Attempt: delivery.Attempt{ID: "i", URL: "http://x/", Number: 2, Status: 200, Duration: time.Second}}),
		r.Report(report.Attempt{Attempt: delivery.Attempt{ID: "j", URL: "http://x/", Number: 1, Status: 500, Body: []byte("<b>\x00"), Failure: &delivery.Failure{Kind: delivery.BadStatus, Error: "status 500", Hint: "look"}}}),
		r.Report(report.Finding{File: "a,b.json", Finding: validate.Finding{Line: 3, Column: 4, Rule: "r3", Severity: validate.Warning, Message: "odd"}}),
		r.Report(report.File{Name: "a,b.json", Payloads: 1, Duration: time.Second}),
		r.Report(report.Finding{File: "c.json", Finding: validate.Finding{Line: 5, Column: 6, Rule: "r4", Severity: validate.Error, Message: "bad"}}),
		r.Report(report.File{Name: "c.json", Payloads: 1}),
		r.Report(report.Case{Result: result(conformance.Required, true, true)}),
		r.Report(report.Case{Result: result(conformance.Required, true, false)}),
		r.Report(report.Case{Result: result(conformance.Advised, true, false)}),
		r.Report(report.Case{Result: result(conformance.Required, false, false)}),
		r.Report(report.Summary{{3, "things", "thing", "things"}}),
		r.Close(),
	)
}

func TestJUnitIsReadByOthers(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, adviceFails := range []bool{false, true} {
		out, errOut := printed(t, "junit", report.Options{Command: "test", Now: func() time.Time { return start }, AdviceFails: adviceFails}, everything)
		if errOut != "listening on http://x/\n" || !strings.HasPrefix(out, `<?xml version="1.0" encoding="UTF-8"?>`) {
			t.Errorf("standard error %q, report %.60q", errOut, out)
		}
		suites, err := junit.Ingest([]byte(out))
		if err != nil {
			t.Fatalf("%v in\n%s", err, out)
		}
		if len(suites) != 1 || suites[0].Name != "owoxhook test" {
			t.Fatalf("suites: %+v", suites)
		}
		var got []string
		for _, test := range suites[0].Tests {
			got = append(got, string(test.Status)+" "+test.Classname+" "+test.Name+" "+test.Duration.String())
		}
		advice := "passed"
		if adviceFails {
			advice = "failed"
		}
		want := []string{
			"passed owoxhook.test.delivery POST /?a=b 550e8400-e29b-41d4-a716-446655440000 0s",
			"failed owoxhook.test.delivery POST /?a=b 550e8400-e29b-41d4-a716-446655440000 0s",
			"passed owoxhook.test.attempt POST http://x/ i 1s",
			"failed owoxhook.test.attempt POST http://x/ j 0s",
			"passed owoxhook.test.file a,b.json 1s",
			"failed owoxhook.test.file c.json 0s",
			"passed owoxhook.test.required a-case 1.5s",
			"failed owoxhook.test.required a-case 1.5s",
			advice + " owoxhook.test.advised a-case 1.5s",
			"skipped owoxhook.test.required a-case 1.5s",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("test cases (-want +got):\n%s", diff)
		}
		if strings.Contains(out, "\x1b") || strings.Contains(out, "\x00") {
			t.Error("control characters in the report")
		}
	}
}

// A payload that was not sent has findings, but no file.
func TestJUnitKeepsFindingsWithoutAFile(t *testing.T) {
	out, _ := printed(t, "junit", report.Options{Command: "send"}, func(r report.Reporter) error {
		return errors.Join(r.Report(report.Finding{File: "sample", Finding: validate.Finding{Rule: "r", Severity: validate.Error, Message: "m"}}), r.Close())
	})
	suites, err := junit.Ingest([]byte(out))
	if err != nil || suites[0].Totals.Failed != 1 {
		t.Errorf("%v in\n%s", err, out)
	}
}

func TestGitHubCommandsAreEscaped(t *testing.T) {
	var summary bytes.Buffer
	out, errOut := printed(t, "github", report.Options{Command: "test", StepSummary: &summary}, everything)
	want := `::error title=r1::100%25\nbad, very: bad
::notice title=r2::fyi
::error title=not delivered::POST http://x/ -: refused]]>: start it
::error title=not delivered::POST http://x/ -: status 500: look
::warning file=a%2Cb.json,line=3,col=4,title=r3::odd
::error file=c.json,line=5,col=6,title=r4::bad
::error title=a-case::a title: want 2xx, seen 5xx: \x1b|boom: mend it
::warning title=a-case::a title: want 2xx, seen 5xx: \x1b|boom: mend it
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	if errOut != "listening on http://x/\n3 things\n" {
		t.Errorf("standard error %q", errOut)
	}
	lines := strings.Split(summary.String(), "\n")
	if lines[0] != "### owoxhook test" || !strings.Contains(summary.String(), "\n3 things\n") {
		t.Errorf("summary:\n%s", &summary)
	}
	for _, line := range lines {
		if strings.HasPrefix(line, "|") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 5 {
			t.Errorf("a row without four cells: %s", line)
		}
	}
	if !strings.Contains(summary.String(), `| ❌ | a-case | 2xx | 5xx: \\x1b\|boom<br>mend it |`) {
		t.Errorf("summary:\n%s", &summary)
	}
}

// ciCommand matches lines that GitHub, Azure Pipelines or TeamCity obey.
var ciCommand = regexp.MustCompile(`(?m)^[\s\pZ]*::[a-z-]+[^:]*::|##[a-z]*\[`)

func TestNothingFromOutsideIsACommand(t *testing.T) {
	const evil = "::error file=x::\n ::add-mask::\x1b[31m##[group]\u202e##vso[x]\x9b"
	failed := delivery.Attempt{
		ID: evil, Event: evil, URL: evil, Number: 1, Status: 500, Body: []byte(evil),
		Failure: &delivery.Failure{Error: evil, Hint: evil},
	}
	finding := validate.Finding{Rule: "r", Severity: validate.Error, Message: evil, Line: 1, Column: 1}
	received := delivery.Delivery{
		Identity: owox.Identity{ID: evil, Event: evil, Title: evil}, Method: evil, Path: evil, Remote: evil, Forwarded: &failed, Body: []byte(evil),
		Headers: []owox.Header{{Name: evil, Value: evil}}, Findings: []validate.Finding{finding}, State: delivery.StateNotKept, Detail: evil,
	}
	results := []report.Result{
		report.Delivery{Delivery: received},
		report.Attempt{Attempt: failed},
		report.Finding{File: evil, Finding: finding, Text: []byte(evil)},
		report.File{Name: evil},
		report.Case{Result: conformance.Result{Tried: true, Seen: evil, Advice: evil}},
		report.Load{URL: evil, LoadResult: sender.LoadResult{Latency: hdrhistogram.New(1, 2, 1), Failed: 1, Failures: []sender.LoadFailure{{Count: 1, Failure: *failed.Failure}}}},
	}
	for _, format := range report.Formats() {
		for _, result := range results {
			var summary bytes.Buffer
			out, errOut := printed(t, format, report.Options{Verbose: true, StepSummary: &summary}, func(r report.Reporter) error {
				return errors.Join(r.Report(result), r.Close())
			})
			for line := range strings.Lines(out + errOut + summary.String()) {
				_, rest, _ := strings.Cut(line, "::") // the format's own command comes first
				if format == report.GitHub && strings.HasPrefix(line, "::") {
					_, line, _ = strings.Cut(rest, "::")
				}
				if ciCommand.MatchString(line) || strings.ContainsAny(line, "\x1b\u202e") || !utf8.ValidString(line) {
					t.Errorf("%s: %T is printed as %q", format, result, line)
				}
			}
		}
	}
}

func TestBothReportTheSame(t *testing.T) {
	var first, second bytes.Buffer
	reporters := make([]report.Reporter, 2)
	for i, out := range []*bytes.Buffer{&first, &second} {
		var err error
		if reporters[i], err = report.New("json", report.Options{Out: out, Err: out}); err != nil {
			t.Fatal(err)
		}
	}
	if err := everything(report.Both(reporters[0], reporters[1])); err != nil {
		t.Fatal(err)
	}
	if first.String() != second.String() || strings.Count(first.String(), "\n") != 13 {
		t.Errorf("%d and %d bytes", first.Len(), second.Len())
	}
}

func TestTextOfCases(t *testing.T) {
	tests := []struct {
		r    conformance.Result
		want string
	}{
		{result(conformance.Required, true, true), "ok      a-case                    a title: 5xx: \\x1b|boom\n"},
		{result(conformance.Required, false, false), "-       a-case                    a title: 5xx: \\x1b|boom\n"},
		{result(conformance.Required, true, false), "FAILED  a-case                    a title\n        want: 2xx\n        seen: 5xx: \\x1b|boom\n        do:   mend it\n"},
		{result(conformance.Advised, true, false), "advice  a-case                    a title\n        want: 2xx\n        seen: 5xx: \\x1b|boom\n        do:   mend it\n"},
	}
	for _, tt := range tests {
		if got, _ := printed(t, "text", report.Options{}, func(r report.Reporter) error { return r.Report(report.Case{Result: tt.r}) }); got != tt.want {
			t.Errorf("got  %q\nwant %q", got, tt.want)
		}
	}
}

func TestJSONOfCases(t *testing.T) {
	met, untried := result(conformance.Required, true, true), result(conformance.Required, false, false)
	met.Advice, met.Seen, untried.Advice, untried.Seen = "", "s", "", "s"
	got, _ := printed(t, "json", report.Options{}, func(r report.Reporter) error {
		return errors.Join(r.Report(report.Case{Result: met}), r.Report(report.Case{Result: untried}))
	})
	want := `{"type":"case","id":"a-case","title":"a title","level":"required","met":true,"seen":"s","durationMs":1500}
{"type":"case","id":"a-case","title":"a title","level":"required","seen":"s","durationMs":1500}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
