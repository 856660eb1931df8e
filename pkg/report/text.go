package report

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fatih/color"

	"github.com/owoxhook/owoxhook/pkg/conformance"
	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// textReporter writes for people. Results are lines on Out, with what belongs
// to them indented below; banner, hints and summary go to Err.
type textReporter struct {
	out, err *lockedWriter
	verbose  bool
	paint    palette
}

// palette colours text, or leaves it as it is.
type palette struct{ good, bad, warn, info, dim func(text string) string }

func newText(o Options) Reporter {
	brush := func(attributes ...color.Attribute) func(string) string {
		if !o.Color {
			return func(text string) string { return text }
		}
		c := color.New(attributes...)
		c.EnableColor()
		return func(text string) string { return c.Sprint(text) }
	}
	paint := palette{
		good: brush(color.FgGreen), bad: brush(color.FgRed, color.Bold), warn: brush(color.FgYellow),
		info: brush(color.FgCyan), dim: brush(color.Faint),
	}
	return textReporter{&lockedWriter{w: o.Out}, &lockedWriter{w: o.Err}, o.Verbose, paint}
}

func write(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

func (t textReporter) Listening(l Listening) error {
	return write(t.err, "listening on "+l.URL+"\n")
}

func (t textReporter) Delivery(d delivery.Delivery) error {
	var out strings.Builder
	out.Grow(256)
	out.WriteString(t.paint.dim(d.ReceivedAt.Local().Format(time.TimeOnly)))
	word := func(text string) {
		out.WriteString("  ")
		out.WriteString(text)
	}
	word(t.status(d.Answered))
	if d.State != delivery.StateRefused {
		word(event(d.Event))
		word(orDash(d.ID))
	} else {
		word(Escape(d.Method))
		word(Escape(d.Path))
	}
	if d.IsTest {
		word(t.paint.info("test"))
	}
	if d.Duplicate {
		word(t.paint.info("duplicate"))
	}
	if d.Title != "" {
		word(Escape(d.Title))
	}
	if words := note(d); words != "" {
		word(t.paint.bad(Escape(words)))
	}
	out.WriteByte('\n')
	for _, f := range d.Findings {
		out.WriteString("    ")
		out.WriteString(t.finding(f))
		out.WriteByte('\n')
	}
	if d.Forwarded != nil {
		t.forwarded(&out, d)
	}
	if t.verbose {
		t.dimmed(&out, fmt.Sprintf("%s %s from %s", d.Method, d.Path, d.Remote))
		t.message(&out, d.Headers, d.Body)
	}
	return write(t.out, out.String())
}

// forwarded says how an application took a delivery, and what to do when it
// did not.
func (t textReporter) forwarded(out *strings.Builder, d delivery.Delivery) {
	a := d.Forwarded
	fmt.Fprintf(out, "    forwarded to %s  %s  %v\n", Escape(a.URL), t.status(a.Status), round(a.Duration))
	if a.Failure != nil {
		fmt.Fprintf(out, "    %s\n", t.paint.bad("failed: "+Escape(a.Failure.Error)))
	}
	if len(a.Body) > 0 {
		indented(out, beginning(a.Body))
	}
	if a.Failure != nil && d.Sequence > 0 {
		fmt.Fprintf(out, "    to send it again: owoxhook replay %d --to %s\n", d.Sequence, Escape(a.URL))
	}
}

// message adds headers and body below a line.
func (t textReporter) message(out *strings.Builder, headers []owox.Header, body []byte) {
	for _, h := range headers {
		t.dimmed(out, h.Name+": "+h.Value)
	}
	indented(out, "\n"+strings.TrimSuffix(owox.Indent(body), "\n"))
}

func (t textReporter) dimmed(out *strings.Builder, line string) {
	fmt.Fprintf(out, "    %s\n", t.paint.dim(Escape(line)))
}

func indented(out *strings.Builder, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(out, "    %s\n", Escape(strings.TrimSuffix(line, "\r")))
	}
}

func (t textReporter) Attempt(a delivery.Attempt) error {
	var out strings.Builder
	words := []string{owox.Method + " " + Escape(a.URL), t.status(a.Status), event(a.Event), orDash(a.ID), fmt.Sprintf("attempt %d", a.Number), round(a.Duration).String()}
	if a.Failure != nil {
		words = append(words, t.paint.bad("failed: "+Escape(a.Failure.Error)))
	}
	fmt.Fprintln(&out, strings.Join(words, "  "))
	switch {
	case t.verbose:
		timing := a.Timing
		t.dimmed(&out, fmt.Sprintf("lookup %v, connect %v, tls %v, first byte %v",
			round(timing.Lookup), round(timing.Connect), round(timing.TLS), round(timing.FirstByte)))
		t.message(&out, a.Headers, a.Body)
	case a.Failure != nil && len(a.Body) > 0:
		indented(&out, beginning(a.Body))
	}
	if err := write(t.out, out.String()); err != nil || a.Failure == nil || a.Failure.Hint == "" {
		return err
	}
	return write(t.err, "hint: "+Escape(a.Failure.Hint)+"\n")
}

const (
	maxLines  = 5
	maxColumn = 400
)

// beginning cuts the body of a failed answer to what helps to find the cause.
func beginning(body []byte) string {
	lines := strings.SplitN(strings.TrimSpace(string(body)), "\n", maxLines+1)
	if len(lines) > maxLines {
		lines[maxLines] = "..."
	}
	for i, line := range lines {
		if runes := []rune(line); len(runes) > maxColumn {
			line = string(runes[:maxColumn]) + "..."
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

func (t textReporter) Finding(file string, f validate.Finding) error {
	return write(t.out, Escape(file)+":"+t.finding(f)+"\n")
}

// finding reads as a compiler's message does, so that editors can jump to it.
func (t textReporter) finding(f validate.Finding) string {
	paint := t.paint.bad
	switch f.Severity {
	case validate.Warning:
		paint = t.paint.warn
	case validate.Info:
		paint = t.paint.info
	}
	text := paint(f.Severity.String()) + ": " + Escape(f.Message) + " " + t.paint.dim("["+f.Rule+"]")
	if f.Line > 0 {
		return strconv.Itoa(f.Line) + ":" + strconv.Itoa(f.Column) + ": " + text
	}
	return text
}

func (t textReporter) File(File) error { return nil }

func (t textReporter) Close() error { return nil }

// Case is a line that can be read at a glance; what was not met has below it
// what was seen and what to change.
func (t textReporter) Case(r conformance.Result) error {
	mark := t.paint.good("ok    ")
	switch {
	case !r.Tried:
		mark = t.paint.dim("-     ")
	case !r.Met && r.Level == conformance.Required:
		mark = t.paint.bad("FAILED")
	case !r.Met:
		mark = t.paint.warn("advice")
	}
	text := fmt.Sprintf("%s  %-24s  %s", mark, r.ID, r.Title)
	switch {
	case !r.Tried, r.Met:
		text += t.paint.dim(": " + Escape(r.Seen))
	default:
		text += fmt.Sprintf("\n        want: %s\n        seen: %s\n        do:   %s", r.Requires, Escape(r.Seen), Escape(r.Advice))
	}
	return write(t.out, text+"\n")
}

func (t textReporter) Summary(s Summary) error { return write(t.err, s.String()+"\n") }

// status shows an HTTP status; 0 is no status.
func (t textReporter) status(status int) string {
	switch {
	case status == 0:
		return t.paint.bad("---")
	case status >= 200 && status < 300:
		return t.paint.good(statusText(status))
	default:
		return t.paint.bad(statusText(status))
	}
}

func statusText(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}

func event(t owox.EventType) string { return orDash(t.Short()) }

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return Escape(text)
}

// round keeps three digits or so: nobody reads nanoseconds.
func round(d time.Duration) time.Duration {
	for unit := time.Second; unit > time.Microsecond; unit /= 10 {
		if d >= unit {
			return d.Round(unit / 100)
		}
	}
	return d.Round(time.Microsecond)
}
