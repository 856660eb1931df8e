package report_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// at is an error about the place of a word in a text.
func at(text, word string) report.Finding {
	offset := strings.Index(text, word)
	start := strings.LastIndex(text[:offset], "\n") + 1
	return report.Finding{File: "f", Text: []byte(text), Finding: validate.Finding{
		Line: 1 + strings.Count(text[:offset], "\n"), Column: 1 + offset - start, Offset: offset, Length: len(word), Rule: "r", Severity: validate.Error, Message: "m",
	}}
}

func TestTextShowsThePlace(t *testing.T) {
	long := strings.Repeat("0123456789", 100)
	pretty := at("{\n  \"a\": 12,\r\n}", "12")
	warning, info, point, header, end, elsewhere := pretty, pretty, pretty, pretty, pretty, pretty
	warning.Severity, info.Severity, point.Length = validate.Warning, validate.Info, 0
	header.Line, header.Column, header.Offset = 0, 0, -1
	end.Offset, end.Line, end.Column, end.Length = len(end.Text), 3, 2, 0
	elsewhere.Start, elsewhere.Offset, elsewhere.Line = 1000, elsewhere.Offset+1000, 1002
	tests := []struct {
		name string
		f    report.Finding
		want string // below the first line
	}{
		{"a value", pretty, "   2 |   \"a\": 12,\n     |        ^^\n"},
		{"a warning", warning, "   2 |   \"a\": 12,\n     |        ^^\n"},
		{"an info", info, ""},
		{"a point", point, "   2 |   \"a\": 12,\n     |        ^\n"},
		{"the end", end, "   3 | }\n     |  ^\n"},
		{"further on in a file", elsewhere, "   1002 |   \"a\": 12,\n        |        ^^\n"},
		{"no place", header, ""},
		{"no text", report.Finding{File: "f", Finding: pretty.Finding}, ""},
		{"a header that is missing", at("POST / HTTP/1.1\n\n", "P"), ""},
		{"an empty line", at("\n", "\n"), ""},
		{"several lines", at("[{\n1}]", "{\n1}"), "   1 | [{\n     |  ^\n"},
		{"tabs", at("\t1,\t2", "2"), "   1 |     1,    2\n     |           ^\n"},
		{"wide characters", at(`"日本", 👍🏽é, 2`, "2"), "   1 | \"日本\", 👍🏽é, 2\n     |              ^\n"},
		{"escapes", at("\"\x1b\u202e\", 2", "2"), "   1 | \"\\x1b\\u202e\", 2\n     |               ^\n"},
		{"a marked escape", at("\"\x1b\"", "\x1b"), "   1 | \"\\x1b\"\n     |  ^^^^\n"},
		{"invalid UTF-8", at("\"\xff\", 2", "2"), ""},
		{"the middle of a character", at("é", "\xa9"), ""},
		{
			"both sides too long", at(long+"x"+long, "x"),
			"   1 | …" + long[957:] + "x" + long[:44] + "…\n     | " + strings.Repeat(" ", 44) + "^\n",
		},
		{
			"the left side too long", at(long+"xyz", "xy"),
			"   1 | …" + long[1000-86:] + "xyz\n     | " + strings.Repeat(" ", 87) + "^^\n",
		},
		{
			"the right side too long", at("x"+long, "x"),
			"   1 | x" + long[:88] + "…\n     | ^\n",
		},
		{
			"a long value", at(`{"a":"`+long+`","b":1}`, `"`+long+`"`),
			"   1 | {\"a\":\"" + long[:43] + "…\n     |      " + strings.Repeat("^", 45) + "\n",
		},
		{
			"wide characters on both sides", at(strings.Repeat("日", 500)+"x"+strings.Repeat("日", 500), "x"),
			"   1 | …" + strings.Repeat("日", 21) + "x" + strings.Repeat("日", 22) + "…\n     | " + strings.Repeat(" ", 43) + "^\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := printed(t, "text", report.Options{}, func(r report.Reporter) error { return r.Report(tt.f) })
			_, below, _ := strings.Cut(got, "\n")
			if diff := cmp.Diff(tt.want, below); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTextShowsAPlaceOnce(t *testing.T) {
	here := at("{}", "{")
	there := at("{}", "}")
	got, _ := printed(t, "text", report.Options{}, func(r report.Reporter) error {
		for _, f := range []report.Finding{here, here, there} {
			if err := r.Report(f); err != nil {
				return err
			}
		}
		return nil
	})
	want := "f:1:1: error: m [r]\n   1 | {}\n     | ^\nf:1:1: error: m [r]\nf:1:2: error: m [r]\n   1 | {}\n     |  ^\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDeliveriesShowThePlacesOfErrors(t *testing.T) {
	body := `{"a":1}`
	warning, bad := at(body, `"a"`).Finding, at(body, "1").Finding
	warning.Severity = validate.Warning
	d := report.Delivery{Delivery: received(body, func(d *delivery.Delivery) { d.Findings = []validate.Finding{warning, bad} })}
	for verbose, want := range map[bool]string{
		false: "    1:2: warning: m [r]\n    1:6: error: m [r]\n       1 | {\"a\":1}\n         |      ^\n",
		true:  "    1:2: warning: m [r]\n       1 | {\"a\":1}\n         |  ^^^\n    1:6: error: m [r]\n       1 | {\"a\":1}\n         |      ^\n",
	} {
		got, _ := printed(t, "text", report.Options{Verbose: verbose}, func(r report.Reporter) error { return r.Report(d) })
		if _, below, _ := strings.Cut(got, "\n"); !strings.HasPrefix(below, want) || !verbose && below != want {
			t.Errorf("verbose %v: got\n%s\nwant\n%s", verbose, below, want)
		}
	}
}

func TestColoursOfAPlace(t *testing.T) {
	got, _ := printed(t, "text", report.Options{Color: true}, func(r report.Reporter) error { return r.Report(at("12", "12")) })
	want := "   \x1b[2m1 |\x1b[22m 12\n   \x1b[2m  |\x1b[22m \x1b[31;1m^^\x1b[0;22m\n"
	if _, below, _ := strings.Cut(got, "\n"); below != want {
		t.Errorf("got %q, want %q", below, want)
	}
}

func TestTextOfAnswers(t *testing.T) {
	problem := []owox.Header{{Name: "Content-Type", Value: "application/problem+json; charset=utf-8"}}
	tests := []struct {
		name    string
		headers []owox.Header
		body    string
		want    string
	}{
		{
			"findings", problem, `{"title":"t","findings":[{"line":1,"column":2,"offset":1,"rule":"r\u001b","severity":"error","message":"m"},{"offset":-1,"rule":"s","severity":"info","message":"n"}],"omitted":3}`,
			"    1:2: error: m [r\\x1b]\n    info: n [s]\n    ... and 3 more\n",
		},
		{"a problem without findings", problem, `{"title":"t"}`, "    {\n      \"title\": \"t\"\n    }\n"},
		{"findings of another kind", problem, `{"findings":["x"]}`, "    {\n      \"findings\": [\n        \"x\"\n      ]\n    }\n"},
		{"JSON that is too long", nil, "[" + strings.Repeat("1,", 30) + "1]", "    [\n" + strings.Repeat("      1,\n", 19) + "    ...\n"},
		{"broken JSON", nil, "{\x1b", "    {\\x1b\n"},
		{"a string", nil, `"no"`, "    \"no\"\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := delivery.Attempt{Status: 422, Headers: tt.headers, Body: []byte(tt.body), Failure: &delivery.Failure{Error: "status 422"}}
			got, _ := printed(t, "text", report.Options{}, func(r report.Reporter) error { return r.Report(report.Attempt{Attempt: a}) })
			_, below, _ := strings.Cut(got, "\n")
			if diff := cmp.Diff(tt.want, below); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzExcerpt(f *testing.F) {
	f.Add("{\n\"a\": \"日本\"}", 7, 3)
	f.Add("\x1b\xff\t\u202e", 1, 9)
	f.Fuzz(func(t *testing.T, text string, offset, length int) {
		if offset < 0 || offset > len(text) {
			return
		}
		start := strings.LastIndex(text[:offset], "\n") + 1
		finding := report.Finding{Text: []byte(text), Finding: validate.Finding{Line: 1, Column: 1 + offset - start, Offset: offset, Length: length, Severity: validate.Error}}
		got, _ := printed(t, "text", report.Options{}, func(r report.Reporter) error { return r.Report(finding) })
		if lines := strings.Count(got, "\n"); lines != 1 && lines != 3 {
			t.Errorf("%d lines: %q", lines, got)
		}
	})
}
