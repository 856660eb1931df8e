package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"github.com/owoxhook/owoxhook/pkg/conformance"
	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// junitReporter collects one suite, a test case for each file, delivery,
// attempt or conformance case, and writes it at the end.
type junitReporter struct {
	out     io.Writer
	errOut  io.Writer
	command string
	advice  bool // counts as a failure
	started time.Time
	now     func() time.Time

	mu       sync.Mutex
	cases    []junit.Testcase
	findings []string // of the file at hand
	failures int      // error findings among them
}

func newJUnit(o Options) Reporter {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &junitReporter{out: o.Out, errOut: o.Err, command: o.Command, advice: o.AdviceFails, started: o.Now(), now: o.Now}
}

func (j *junitReporter) Report(r Result) error {
	switch r := r.(type) {
	case Listening:
		return write(j.errOut, r.String())
	case Delivery:
		j.delivery(r.Delivery)
	case Attempt:
		j.attempt(r.Attempt)
	case Finding:
		j.finding(r)
	case File:
		j.file(r)
	case Case:
		j.conformance(r.Result)
	case Load:
		j.add("load", owox.Method+" "+r.URL, r.Elapsed, r.verdict(), r.problems(), r.headline())
	}
	return nil
}

// add adds a test case; problems make it a failure.
func (j *junitReporter) add(kind, name string, took time.Duration, message string, problems []string, output string) {
	c := junit.Testcase{Classname: "owoxhook." + j.command + "." + kind, Name: Escape(name), Time: seconds(took)}
	if len(problems) > 0 {
		c.Failure = &junit.Result{Message: Escape(message), Type: kind, Data: EscapeLines(strings.Join(problems, "\n"))}
	}
	if output != "" {
		c.SystemOut = &junit.Output{Data: EscapeLines(output)}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.cases = append(j.cases, c)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

func (j *junitReporter) delivery(d delivery.Delivery) {
	name := fmt.Sprintf("%s %s %s", d.Method, sender.Redact(d.Path), orDash(d.ID))
	problems, others := split(d.Findings, "body")
	message := fmt.Sprintf("answered %d", d.Answered)
	if words := note(d); words != "" {
		problems = append(problems, Escape(words))
	}
	j.add("delivery", name, 0, message, problems, strings.Join(others, "\n"))
}

// split separates the findings that make a failure from the others.
func split(findings []validate.Finding, file string) (errors, others []string) {
	for _, f := range findings {
		if f.Severity == validate.Error {
			errors = append(errors, plain(file, f))
		} else {
			others = append(others, plain(file, f))
		}
	}
	return errors, others
}

// plain is a finding as text without colour.
func plain(file string, f validate.Finding) string {
	text := fmt.Sprintf("%s: %s [%s]", f.Severity, Escape(f.Message), f.Rule)
	if f.Line > 0 {
		text = fmt.Sprintf("%d:%d: %s", f.Line, f.Column, text)
	}
	return Escape(file) + ":" + text
}

// attempt keeps the last attempt at a delivery: it decides.
func (j *junitReporter) attempt(a delivery.Attempt) {
	if a.Number > 1 {
		j.mu.Lock()
		j.cases = j.cases[:len(j.cases)-1]
		j.mu.Unlock()
	}
	name := fmt.Sprintf("%s %s %s", owox.Method, a.URL, orDash(a.ID))
	if f := a.Failure; f != nil {
		j.add("attempt", name, a.Duration, f.Error, []string{Escape(f.Error), Escape(f.Hint), beginning(a.Body)}, "")
		return
	}
	j.add("attempt", name, a.Duration, "", nil, statusText(a.Status))
}

func (j *junitReporter) finding(f Finding) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.findings = append(j.findings, plain(f.File, f.Finding))
	if f.Severity == validate.Error {
		j.failures++
	}
}

func (j *junitReporter) file(f File) {
	j.mu.Lock()
	findings, failures := j.findings, j.failures
	j.findings, j.failures = nil, 0
	j.mu.Unlock()
	if failures == 0 {
		j.add("file", f.Name, f.Duration, "", nil, strings.Join(findings, "\n"))
		return
	}
	message := Summary{{failures, "", "error", "errors"}, {f.Payloads, "", "payload", "payloads"}}
	j.add("file", f.Name, f.Duration, message.String(), findings, "")
}

func (j *junitReporter) conformance(r conformance.Result) {
	c := junit.Testcase{Classname: "owoxhook." + j.command + "." + string(r.Level), Name: r.ID, Time: seconds(r.Duration)}
	switch {
	case !r.Tried:
		c.Skipped = &junit.Result{Message: Escape(r.Seen)}
	case r.Met:
		c.SystemOut = &junit.Output{Data: Escape(r.Seen)}
	case r.Level == conformance.Advised && !j.advice:
		c.SystemOut = &junit.Output{Data: fmt.Sprintf("advised: %s\nseen: %s\ndo: %s", r.Requires, Escape(r.Seen), Escape(r.Advice))}
	default:
		c.Failure = &junit.Result{
			Message: Escape(r.Seen), Type: string(r.Level),
			Data: fmt.Sprintf("%s\nwant: %s\nseen: %s\ndo: %s", r.Title, r.Requires, Escape(r.Seen), Escape(r.Advice)),
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.cases = append(j.cases, c)
}

// Close writes the suite. Findings without a file, of a payload that was not
// sent, are a case of their own.
func (j *junitReporter) Close() error {
	if len(j.findings) > 0 {
		j.file(File{Name: "payload", Payloads: 1})
	}
	suite := junit.Testsuite{Name: "owoxhook " + j.command, Time: seconds(j.now().Sub(j.started))}
	suite.SetTimestamp(j.started)
	for _, c := range j.cases {
		suite.AddTestcase(c)
	}
	suites := junit.Testsuites{Name: suite.Name, Time: suite.Time}
	suites.AddSuite(suite)
	if err := write(j.out, xml.Header); err != nil {
		return err
	}
	return suites.WriteXML(j.out)
}
