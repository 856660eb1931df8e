package report

import (
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/fatih/color"
	"github.com/go-json-experiment/json"

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
	replay   func(sequence int64) string

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
	return &textReporter{out: &lockedWriter{w: o.Out}, err: &lockedWriter{w: o.Err}, verbose: o.Verbose, paint: paint, replay: o.Replay}
}

func write(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

func (t *textReporter) Report(r Result) error {
	switch r := r.(type) {
	case Listening:
		return write(t.err, "listening on "+r.URL+"\n")
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
		return write(t.err, r.String()+"\n")
	default:
		return nil
	}
}

func (t *textReporter) Close() error { return nil }

func (t *textReporter) delivery(d delivery.Delivery) error {
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
	if d.SameRun {
		word(t.paint.info("same run"))
	}
	if d.Title != "" {
		word(Escape(d.Title))
	}
	if words := note(d); words != "" {
		word(t.paint.bad(Escape(words)))
	}
	out.WriteByte('\n')
	last := -1
	for _, f := range d.Findings {
		out.WriteString("    " + t.message(f) + "\n")
		if shown := f.Severity == validate.Error || t.verbose && f.Severity == validate.Warning; shown && f.Offset != last {
			t.excerpt(&out, "    ", Finding{Finding: f, Text: d.Body})
			last = f.Offset
		}
	}
	if d.Forwarded != nil {
		t.forwarded(&out, d)
	}
	if t.verbose {
		t.dimmed(&out, fmt.Sprintf("%s %s from %s", d.Method, d.Path, d.Remote))
		t.headersAndBody(&out, d.Headers, d.Body)
	}
	return write(t.out, out.String())
}

// forwarded adds how an application took a delivery, and what to do when it
// did not.
func (t *textReporter) forwarded(out *strings.Builder, d delivery.Delivery) {
	a := d.Forwarded
	fmt.Fprintf(out, "    forwarded to %s  %s  %v\n", Escape(a.URL), t.status(a.Status), round(a.Duration))
	if a.Failure != nil {
		fmt.Fprintf(out, "    %s\n", t.paint.bad("failed: "+Escape(a.Failure.Error)))
	}
	if len(a.Body) > 0 {
		indented(out, beginning(a.Body))
	}
	if a.Failure != nil && d.Sequence > 0 && t.replay != nil {
		fmt.Fprintf(out, "    to send it again: %s\n", Escape(t.replay(d.Sequence)))
	}
}

// headersAndBody adds them below a line.
func (t *textReporter) headersAndBody(out *strings.Builder, headers []owox.Header, body []byte) {
	for _, h := range headers {
		t.dimmed(out, h.Name+": "+h.Value)
	}
	indented(out, "\n"+strings.TrimSuffix(owox.Indent(body), "\n"))
}

func (t *textReporter) dimmed(out *strings.Builder, line string) {
	fmt.Fprintf(out, "    %s\n", t.paint.dim(Escape(line)))
}

func indented(out *strings.Builder, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(out, "    %s\n", Escape(strings.TrimSuffix(line, "\r")))
	}
}

func (t *textReporter) attempt(a delivery.Attempt) error {
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
		t.headersAndBody(&out, a.Headers, a.Body)
	case a.Failure != nil && len(a.Body) > 0:
		t.answer(&out, a)
	}
	if err := write(t.out, out.String()); err != nil || a.Failure == nil || a.Failure.Hint == "" {
		return err
	}
	return write(t.err, "hint: "+Escape(a.Failure.Hint)+"\n")
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
		indented(out, beginning(a.Body))
		return
	}
	for _, f := range problem.Findings {
		out.WriteString("    " + t.message(f) + "\n")
	}
	if problem.Omitted > 0 {
		indented(out, fmt.Sprintf("... and %d more", problem.Omitted))
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

func (t *textReporter) finding(f Finding) error {
	var out strings.Builder
	out.WriteString(Escape(f.File) + ":" + t.message(f.Finding) + "\n")
	if f.Severity >= validate.Warning && t.isNew(excerpted{f.File, f.Offset}) {
		t.excerpt(&out, "", f)
	}
	return write(t.out, out.String())
}

// message reads as a compiler's does, so that editors can jump to the place.
func (t *textReporter) message(f validate.Finding) string {
	text := t.severity(f.Severity)(f.Severity.String()) + ": " + Escape(f.Message) + " " + t.paint.dim("["+Escape(f.Rule)+"]")
	if f.Line > 0 {
		return strconv.Itoa(f.Line) + ":" + strconv.Itoa(f.Column) + ": " + text
	}
	return text
}

func (t *textReporter) severity(s validate.Severity) func(string) string {
	switch s {
	case validate.Error:
		return t.paint.bad
	case validate.Warning:
		return t.paint.warn
	default:
		return t.paint.info
	}
}

func (t *textReporter) isNew(at excerpted) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	isNew := at != t.last
	t.last = at
	return isNew
}

// excerpt adds the line that a finding is about, with the place marked below
// it.
func (t *textReporter) excerpt(out *strings.Builder, indent string, f Finding) {
	line, column, columns, ok := f.excerpt()
	if !ok {
		return
	}
	number := strconv.Itoa(f.Line)
	fmt.Fprintf(out, "%s   %s %s\n", indent, t.paint.dim(number+" |"), line)
	fmt.Fprintf(out, "%s   %s %s%s\n", indent, t.paint.dim(strings.Repeat(" ", len(number))+" |"),
		strings.Repeat(" ", column), t.severity(f.Severity)(strings.Repeat("^", columns)))
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
	text := fmt.Sprintf("%s  %-24s  %s", mark, r.ID, r.Title)
	switch {
	case !r.Tried, r.Met:
		text += t.paint.dim(": " + Escape(r.Seen))
	default:
		text += fmt.Sprintf("\n        want: %s\n        seen: %s\n        do:   %s", r.Requires, Escape(r.Seen), Escape(r.Advice))
	}
	return write(t.out, text+"\n")
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

const barWidth = 40

func (t *textReporter) load(l Load) error {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s  %s\n", owox.Method, Escape(l.URL), l.headline())
	for _, line := range l.outcomes() {
		paint := t.paint.bad
		if line.good {
			paint = t.paint.good
		}
		fmt.Fprintf(&out, "    %s  %s  %s\n", paint(fmt.Sprintf("%-24s", line.name)), fmt.Sprintf("%10s", humanize.Comma(int64(line.count))), Escape(line.what))
	}
	parts := bars(l.Latency)
	if len(parts) > 0 {
		out.WriteString("latency\n   ")
		for _, p := range percentiles {
			fmt.Fprintf(&out, " %s %v ", t.paint.dim(p.name), round(quantile(l.Latency, p.of)))
		}
		out.WriteByte('\n')
	}
	most := int64(1)
	for _, b := range parts {
		most = max(most, b.count)
	}
	for _, b := range parts {
		length := int(math.Ceil(float64(b.count) / float64(most) * barWidth))
		fmt.Fprintf(&out, "    %9s  %s%s  %s\n", "≤ "+round(b.to).String(), t.paint.info(strings.Repeat("█", length)), strings.Repeat(" ", barWidth-length), humanize.Comma(b.count))
	}
	if err := write(t.out, trimLines(out.String())); err != nil {
		return err
	}
	for _, f := range l.Failures {
		if err := write(t.err, "hint: "+Escape(f.Hint)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// trimLines takes the spaces off the ends of lines.
func trimLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}
