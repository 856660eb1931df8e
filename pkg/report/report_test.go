package report_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// printed returns what a reporter writes to both streams.
func printed(t *testing.T, format string, options report.Options, call func(report.Reporter) error) (out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	options.Out, options.Err = &stdout, &stderr
	reporter, err := report.New(format, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := call(reporter); err != nil {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String()
}

func received(body string, change func(*delivery.Delivery)) delivery.Delivery {
	d := delivery.Delivery{
		Identity:   owox.Identity{ID: "550e8400-e29b-41d4-a716-446655440000", Event: owox.RunFailed, Title: "Sales"},
		ReceivedAt: time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.Local),
		Remote:     "192.0.2.1", Method: "POST", Path: "/?a=b",
		Headers: []owox.Header{{Name: "Via", Value: "1"}, {Name: "Host", Value: "x"}, {Name: "via", Value: "2"}},
		Body:    []byte(body), Answered: 200, State: delivery.StateValid,
	}
	if change != nil {
		change(&d)
	}
	return d
}

func replayCommand(sequence int64) string { return fmt.Sprintf("owoxhook replay %d", sequence) }

func TestTextOfDeliveries(t *testing.T) {
	tests := []struct {
		name    string
		verbose bool
		d       delivery.Delivery
		want    string
	}{
		{"valid", false, received("{}", nil), "03:04:05  200 OK  run.failed  550e8400-e29b-41d4-a716-446655440000  Sales\n"},
		{
			"a duplicate test", false, received("{}", func(d *delivery.Delivery) { d.IsTest, d.Duplicate = true, true }),
			"03:04:05  200 OK  run.failed  550e8400-e29b-41d4-a716-446655440000  test  duplicate  Sales\n",
		},
		{"invalid", false, received("{}", func(d *delivery.Delivery) {
			d.Answered = 422
			d.Findings = []validate.Finding{
				{Offset: -1, Rule: "r1", Severity: validate.Error, Message: "no header"},
				{Line: 2, Column: 3, Rule: "r2", Severity: validate.Warning, Message: "odd"},
			}
		}), "03:04:05  422 Unprocessable Entity  run.failed  550e8400-e29b-41d4-a716-446655440000  Sales\n" +
			"    error: no header [r1]\n    2:3: warning: odd [r2]\n"},
		{"refused", false, received("", func(d *delivery.Delivery) {
			d.Identity, d.Answered, d.State, d.Reason, d.Detail = owox.Identity{}, 404, delivery.StateRefused, delivery.WrongPath, "/hook"
		}), "03:04:05  404 Not Found  POST  /?a=b  path / is not /hook\n"},
		{
			"gone", false, received("{}", func(d *delivery.Delivery) { d.Answered, d.State = 0, delivery.StateGone }),
			"03:04:05  ---  run.failed  550e8400-e29b-41d4-a716-446655440000  Sales  the sender hung up before the answer\n",
		},
		{"forwarded", false, received("{}", func(d *delivery.Delivery) {
			d.Forwarded = &delivery.Attempt{URL: "http://app/", Status: 201, Duration: time.Second, Body: []byte("created\x1b\n")}
		}), "03:04:05  200 OK  run.failed  550e8400-e29b-41d4-a716-446655440000  Sales\n    forwarded to http://app/  201 Created  1s\n    created\\x1b\n"},
		{"not forwarded", false, received("{}", func(d *delivery.Delivery) {
			d.Answered, d.Sequence = 502, 7
			d.Forwarded = &delivery.Attempt{URL: "http://app/", Failure: &delivery.Failure{Error: "refused"}}
		}), "03:04:05  502 Bad Gateway  run.failed  550e8400-e29b-41d4-a716-446655440000  Sales\n    forwarded to http://app/  ---  0s\n" +
			"    failed: refused\n    to send it again: owoxhook replay 7\n"},
		{"verbose", true, received(`{"a":[1]}`, nil), "03:04:05  200 OK  run.failed  550e8400-e29b-41d4-a716-446655440000  Sales\n" +
			"    POST /?a=b from 192.0.2.1\n    Via: 1\n    Host: x\n    via: 2\n\n    {\n      \"a\": [\n        1\n      ]\n    }\n"},
		{
			"from outside", true, received("\x1b[2J\u202e", func(d *delivery.Delivery) { d.Title, d.ID = "\x1b]0;x\a", "\r" }),
			"03:04:05  200 OK  run.failed  \\x0d  \\x1b]0;x\\x07\n" +
				"    POST /?a=b from 192.0.2.1\n    Via: 1\n    Host: x\n    via: 2\n\n    \\x1b[2J\\u202e\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := printed(t, "text", report.Options{Verbose: tt.verbose, Replay: replayCommand}, func(r report.Reporter) error { return r.Report(report.Delivery{Delivery: tt.d}) })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTextOfAttempts(t *testing.T) {
	attempt := delivery.Attempt{ID: "i", Event: owox.RunSuccessful, URL: "http://x/", Number: 2, Status: 200, Duration: 1234567 * time.Nanosecond}
	got, hint := printed(t, "text", report.Options{}, func(r report.Reporter) error { return r.Report(report.Attempt{Attempt: attempt}) })
	if got != "POST http://x/  200 OK  run.successful  i  attempt 2  1.23ms\n" || hint != "" {
		t.Errorf("success: %q, %q", got, hint)
	}
	attempt.Status, attempt.Body = 500, []byte("<h1>\x1b[31m</h1>\n"+strings.Repeat("line\n", 9))
	attempt.Failure = &delivery.Failure{Kind: delivery.BadStatus, Error: "status 500", Hint: "look"}
	got, hint = printed(t, "text", report.Options{}, func(r report.Reporter) error { return r.Report(report.Attempt{Attempt: attempt}) })
	want := "POST http://x/  500 Internal Server Error  run.successful  i  attempt 2  1.23ms  failed: status 500\n" +
		"    <h1>\\x1b[31m</h1>\n    line\n    line\n    line\n    line\n    ...\n"
	if diff := cmp.Diff(want, got); diff != "" || hint != "hint: look\n" {
		t.Errorf("failure (-want +got):\n%s\nhint %q", diff, hint)
	}
}

func TestColours(t *testing.T) {
	finding := validate.Finding{Line: 1, Column: 2, Severity: validate.Error, Rule: "r", Message: "m"}
	call := func(r report.Reporter) error { return r.Report(report.Finding{File: "f", Finding: finding}) }
	if got, _ := printed(t, "text", report.Options{Color: true}, call); got != "f:1:2: \x1b[31;1merror\x1b[0;22m: m \x1b[2m[r]\x1b[22m\n" {
		t.Errorf("with colour: %q", got)
	}
	if got, _ := printed(t, "text", report.Options{}, call); got != "f:1:2: error: m [r]\n" {
		t.Errorf("without: %q", got)
	}
}

func TestJSONObjects(t *testing.T) {
	tests := []struct {
		name string
		call func(report.Reporter) error
		want string
	}{
		{
			"listening", func(r report.Reporter) error { return r.Report(report.Listening{URL: "http://x/", Path: "/"}) },
			`{"type":"listening","url":"http://x/","path":"/","journal":""}`,
		},
		{
			"listening in public", func(r report.Reporter) error {
				return r.Report(report.Listening{URL: "http://x/", Path: "/", Public: "https://y/"})
			},
			`{"type":"listening","url":"http://x/","path":"/","journal":"","public":"https://y/"}`,
		},
		{"delivery", func(r report.Reporter) error {
			return r.Report(report.Delivery{Delivery: received("{ \"b\": 1.0,\n \"a\": \"\\u0041<\u009b\" }", func(d *delivery.Delivery) { d.ReceivedAt = d.ReceivedAt.UTC() })})
		}, `{"type":"delivery","id":"550e8400-e29b-41d4-a716-446655440000","event":"owox.data-marts.webhook.data_mart.run.failed","isTest":false,` +
			`"receivedAt":"` + owox.FormatTimestamp(received("", nil).ReceivedAt) + `","remote":"192.0.2.1","method":"POST","path":"/?a=b","headers":{"Via":"1, 2","Host":"x"},` +
			`"body":{"b":1.0,"a":"\u0041<\u009b"},"state":"valid","valid":true,"duplicate":false,"findings":[],"answered":200}`},
		{"a body that is not JSON", func(r report.Reporter) error {
			return r.Report(report.Delivery{Delivery: received("a\xff", func(d *delivery.Delivery) {
				d.Headers, d.Cut, d.ReceivedAt = nil, true, time.Unix(0, 0)
				d.State, d.Reason, d.Detail, d.DuplicateOf = delivery.StateRefused, delivery.TooLarge, "2", 3
				d.Findings = []validate.Finding{{Offset: -1, Path: "X", Rule: "r", Severity: validate.Info, Message: "m"}}
			})})
		}, `{"type":"delivery","id":"550e8400-e29b-41d4-a716-446655440000","event":"owox.data-marts.webhook.data_mart.run.failed","isTest":false,` +
			`"receivedAt":"1970-01-01T00:00:00.000Z","remote":"192.0.2.1","method":"POST","path":"/?a=b","headers":{},` +
			`"bodyText":"a` + "\ufffd" + `","bodyBase64":"Yf8=","cut":true,"state":"refused","valid":false,"duplicate":false,` +
			`"findings":[{"offset":-1,"path":"X","rule":"r","severity":"info","message":"m"}],"answered":200,"duplicateOf":3,"reason":"size","note":"the body is larger than the limit of 2 bytes"}`},
		{"attempt", func(r report.Reporter) error {
			return r.Report(report.Attempt{Attempt: delivery.Attempt{ID: "i", Event: "e", URL: "u", Number: 1, Status: 200, Duration: 1500 * time.Microsecond, Body: []byte("ok")}})
		}, `{"type":"attempt","id":"i","event":"e","url":"u","attempt":1,"ok":true,"status":200,"durationMs":1.5}`},
		{"a failed attempt", func(r report.Reporter) error {
			return r.Report(report.Attempt{Attempt: delivery.Attempt{Number: 1, Failure: &delivery.Failure{Kind: delivery.Refused, Error: "e", Hint: "h"}, Body: []byte("b")}})
		}, `{"type":"attempt","id":"","event":"","url":"","attempt":1,"ok":false,"durationMs":0,"kind":"refused","error":"e","hint":"h","answer":"b"}`},
		{"finding", func(r report.Reporter) error {
			return r.Report(report.Finding{File: "f", Finding: validate.Finding{Line: 1, Column: 2, Offset: 1, Path: "p", Rule: "r", Severity: validate.Error, Message: "m"}})
		}, `{"type":"finding","file":"f","line":1,"column":2,"offset":1,"path":"p","rule":"r","severity":"error","message":"m"}`},
		{
			"summary", func(r report.Reporter) error {
				return r.Report(report.Summary{{N: 3, Name: "payloads"}, {N: 1, Name: "invalid"}})
			},
			`{"type":"summary","payloads":3,"invalid":1}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, errOut := printed(t, "json", report.Options{}, tt.call)
			if diff := cmp.Diff(tt.want+"\n", got); diff != "" || errOut != "" {
				t.Errorf("(-want +got):\n%s%s", diff, errOut)
			}
			var object map[string]any
			if err := json.Unmarshal([]byte(got), &object); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSummaryCountsInWords(t *testing.T) {
	_, got := printed(t, "text", report.Options{}, func(r report.Reporter) error {
		return r.Report(report.Summary{{1, "payloads", "payload", "payloads"}, {2, "errors", "error", "errors"}})
	})
	if got != "1 payload, 2 errors\n" {
		t.Errorf("%q", got)
	}
}

func TestUnknownFormat(t *testing.T) {
	if _, err := report.New("xml", report.Options{}); err == nil {
		t.Error("made a reporter of a format that does not exist")
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("plain \x1b[31m \u009b \u202e \xff\n\t")
	f.Add(" \u2003::error file=x::y ###[add-mask]")
	f.Add("::add::")
	f.Fuzz(func(t *testing.T, text string) {
		got := report.Escape(text)
		for _, r := range got {
			if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
				t.Errorf("Escape(%q) = %q lets %U through", text, got, r)
			}
		}
		if ciCommand.MatchString(got) {
			t.Errorf("Escape(%q) = %q is a command for a CI system", text, got)
		}
		if again := report.Escape(got); again != got {
			t.Errorf("Escape(%q) = %q, and once more %q", text, got, again)
		}
	})
}
