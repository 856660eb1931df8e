package report

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fatih/color"
	"github.com/go-json-experiment/json"

	"github.com/owoxhook/owoxhook/pkg/conformance"
	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// textReporter writes for people. Results are lines on Out, with what belongs
// to them indented below; banner, hints and summary go to Err.
type textReporter struct {
	out, err *lockedWriter
	// columns of the terminals that show out and err; 0: they are none.
	columns, errColumns func() int

	verbose bool
	paint   palette
	replay  func(sequence int64) string

	mu   sync.Mutex
	last excerpted
}

// excerpted is the place that was shown last: findings about the same one are
// not worth showing it again.
type excerpted struct {
	file   string
	offset int
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
	return &textReporter{
		out: &lockedWriter{w: o.Out}, err: &lockedWriter{w: o.Err}, columns: columnsOf(o.Width), errColumns: columnsOf(o.ErrWidth),
		verbose: o.Verbose, paint: paint, replay: o.Replay,
	}
}

func columnsOf(width func() int) func() int {
	if width == nil {
		return func() int { return 0 }
	}
	return func() int { return usable(width()) }
}

func write(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

func (t *textReporter) Report(r Result) error {
	switch r := r.(type) {
	case Listening:
		return write(t.err, r.String())
	case Delivery:
		return t.delivery(r.Delivery)
	case Attempt:
		return t.attempt(r.Attempt)
	case Finding:
		return t.finding(r)
	case Case:
		return t.conformance(r.Result)
	case Load:
		return t.load(r)
	case Summary:
		return write(t.err, Wrap(r.String(), t.errColumns())+"\n")
	default:
		return nil
	}
}

func (t *textReporter) Close() error { return nil }

func (t *textReporter) delivery(d delivery.Delivery) error {
	words := make([]string, 0, 9)
	words = append(words, t.paint.dim(d.ReceivedAt.Local().Format(time.TimeOnly)), tied(t.status(d.Answered)))
	if d.State != delivery.StateRefused {
		words = append(words, event(d.Event), t.id(d.ID))
	} else {
		words = append(words, Escape(d.Method), "")
		words[3] = t.url(sender.Redact(d.Path), words...)
	}
	if d.IsTest {
		words = append(words, t.paint.info("test"))
	}
	if d.Duplicate {
		words = append(words, t.paint.info("duplicate"))
	}
	if d.SameRun {
		words = append(words, t.paint.info(tied("same run")))
	}
	if d.Title != "" {
		words = append(words, t.title(d.Title, words))
	}
	if why := note(d); why != "" {
		words = append(words, t.paint.bad(Escape(why)))
	}
	var out strings.Builder
	out.Grow(256)
	out.WriteString(t.line(words, underStatus))
	last := -1
	for _, f := range d.Findings {
		out.WriteString(t.message("    ", f))
		if shown := f.Severity == validate.Error || t.verbose && f.Severity == validate.Warning; shown && f.Offset != last {
			t.excerpt(&out, "    ", Finding{Finding: f, Text: d.Body})
			last = f.Offset
		}
	}
	if d.Forwarded != nil {
		t.forwarded(&out, d)
	}
	if t.verbose {
		t.dimmed(&out, fmt.Sprintf("%s %s from %s", d.Method, sender.Redact(d.Path), d.Remote))
		t.headersAndBody(&out, d.Headers, d.Body)
	}
	return write(t.out, out.String())
}

// forwarded adds how an application took a delivery, and what to do when it
// did not.
func (t *textReporter) forwarded(out *strings.Builder, d delivery.Delivery) {
	a := d.Forwarded
	words := []string{tied("    forwarded to "), tied(t.status(a.Status)), round(a.Duration).String()}
	words[0] += t.url(a.URL, words...)
	out.WriteString(t.line(words, 8))
	if a.Failure != nil {
		out.WriteString(t.line([]string{"    " + t.paint.bad("failed: "+Escape(a.Failure.Error))}, 8))
	}
	if len(a.Body) > 0 {
		t.indented(out, beginning(a.Body))
	}
	if a.Failure != nil && d.Sequence > 0 && t.replay != nil {
		fmt.Fprintf(out, "    to send it again: %s\n", Escape(t.replay(d.Sequence))) // whole, to be pasted
	}
}

// headersAndBody adds them below a line.
func (t *textReporter) headersAndBody(out *strings.Builder, headers []owox.Header, body []byte) {
	for _, h := range headers {
		t.dimmed(out, h.Name+": "+h.Value)
	}
	if len(body) == 0 {
		return
	}
	if len(headers) > 0 {
		out.WriteString("\n")
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(owox.Indent(body), "\n"), "\n") {
		if line = Escape(strings.TrimSuffix(line, "\r")); line != "" {
			line = "    " + line
		}
		out.WriteString(line + "\n")
	}
}

func (t *textReporter) dimmed(out *strings.Builder, line string) {
	fmt.Fprintf(out, "    %s\n", t.paint.dim(Escape(line)))
}

// indented adds the beginnings of lines.
func (t *textReporter) indented(out *strings.Builder, text string) {
	columns := t.columns()
	for line := range strings.SplitSeq(text, "\n") {
		line = "    " + Escape(strings.TrimSuffix(line, "\r"))
		if columns > 0 {
			line = head(line, columns, false)
		}
		out.WriteString(line + "\n")
	}
}

func (t *textReporter) attempt(a delivery.Attempt) error {
	var out strings.Builder
	words := []string{
		tied(owox.Method + " "), tied(t.status(a.Status)), event(a.Event), t.id(a.ID),
		tied(fmt.Sprintf("attempt %d  %v", a.Number, round(a.Duration))),
	}
	if a.Target != "" {
		words = append(words, tied("to "+Escape(a.Target)))
	}
	if !strings.Contains(a.URL, "://") { // it was a command
		words[0] = ""
	}
	if a.OK() && a.Status == 0 {
		words[1] = t.paint.good("ok")
	}
	words[0] += t.url(a.URL, words...)
	if a.Failure != nil {
		words = append(words, t.paint.bad("failed: "+Escape(a.Failure.Error)))
		if a.Target != "" && a.Note != "" {
			words = append(words, Escape(a.Note))
		}
	}
	out.WriteString(t.line(words, 4))
	switch {
	case t.verbose:
		if timing := a.Timing; timing != (delivery.Timing{}) { // a command has none
			t.dimmed(&out, fmt.Sprintf("lookup %v, connect %v, tls %v, first byte %v",
				round(timing.Lookup), round(timing.Connect), round(timing.TLS), round(timing.FirstByte)))
		}
		t.headersAndBody(&out, a.Headers, a.Body)
	case a.Failure != nil && len(a.Body) > 0:
		t.answer(&out, a)
	}
	if err := write(t.out, out.String()); err != nil || a.Failure == nil || a.Failure.Hint == "" {
		return err
	}
	return t.hint(a.Failure.Hint)
}

// answer adds what an endpoint answered to a delivery that it did not take:
// findings as they are printed elsewhere, JSON indented, and the beginning of
// anything else.
func (t *textReporter) answer(out *strings.Builder, a delivery.Attempt) {
	var problem struct {
		Findings []validate.Finding `json:"findings"`
		Omitted  int                `json:"omitted"`
	}
	kind, _, _ := mime.ParseMediaType(owox.HeaderValue(a.Headers, owox.HeaderContentType))
	if kind != "application/problem+json" || json.Unmarshal(a.Body, &problem) != nil || len(problem.Findings) == 0 {
		t.indented(out, beginning(a.Body))
		return
	}
	for _, f := range problem.Findings {
		out.WriteString(t.message("    ", f))
	}
	if problem.Omitted > 0 {
		t.indented(out, fmt.Sprintf("... and %d more", problem.Omitted))
	}
}

const (
	maxLines     = 5
	maxJSONLines = 20
	maxColumn    = 400
)

// beginning cuts the body of a failed answer to what helps to find the cause.
func beginning(body []byte) string {
	text, maxLines := strings.TrimSpace(string(body)), maxLines
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		text, maxLines = strings.TrimSpace(owox.Indent(body)), maxJSONLines
	}
	lines := strings.SplitN(text, "\n", maxLines+1)
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

// conformance is a line that can be read at a glance; below a case that is not
// met is what was seen and what to change.
func (t *textReporter) conformance(r conformance.Result) error {
	mark := t.paint.good("ok    ")
	switch {
	case !r.Tried:
		mark = t.paint.dim("-     ")
	case !r.Met && r.Level == conformance.Required:
		mark = t.paint.bad("FAILED")
	case !r.Met:
		mark = t.paint.warn("advice")
	}
	columns := t.columns()
	head := fmt.Sprintf("%s  %-24s  ", mark, r.ID)
	hang := 8
	if columns >= wideEnough {
		hang = width(head)
	}
	if !r.Tried || r.Met {
		return write(t.out, fold(tied(head)+r.Title+t.paint.dim(": "+Escape(r.Seen)), columns, hang)+"\n")
	}
	var out strings.Builder
	out.WriteString(fold(tied(head)+r.Title, columns, hang) + "\n")
	for _, line := range []struct{ label, text string }{{"want: ", r.Requires}, {"seen: ", r.Seen}, {"do:   ", r.Advice}} {
		out.WriteString(fold("        "+tied(line.label)+Escape(line.text), columns, 8+len(line.label)) + "\n")
	}
	return write(t.out, out.String())
}

// status shows an HTTP status; 0 means that there was none.
func (t *textReporter) status(status int) string {
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
