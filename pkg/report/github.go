package report

import (
	"fmt"
	"html"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/owoxhook/owoxhook/pkg/conformance"
	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// githubReporter prints workflow commands, which GitHub shows as annotations
// at the line of a file, and at the end a table into the summary of the step.
type githubReporter struct {
	out, errOut *lockedWriter
	command     string
	advice      bool // counts as a failure
	summary     io.Writer

	mu     sync.Mutex
	rows   []string
	counts []string
}

func newGitHub(o Options) Reporter {
	return &githubReporter{out: &lockedWriter{w: o.Out}, errOut: &lockedWriter{w: o.Err}, command: o.Command, advice: o.AdviceFails, summary: o.StepSummary}
}

var (
	githubData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	githubLevels   = map[validate.Severity]string{validate.Error: "error", validate.Warning: "warning", validate.Info: "notice"}
)

// place is where GitHub shows an annotation, and its title. What is empty is
// left out.
type place struct{ file, line, column, title string }

// annotate prints a workflow command. Its text may come from outside.
func (g *githubReporter) annotate(level, message string, at place) error {
	var pairs []string
	add := func(name, value string) {
		if value != "" {
			pairs = append(pairs, name+"="+githubProperty.Replace(Escape(value)))
		}
	}
	add("file", at.file)
	add("line", at.line)
	add("col", at.column)
	add("title", at.title)
	if len(pairs) > 0 {
		level += " " + strings.Join(pairs, ",")
	}
	return write(g.out, "::"+level+"::"+githubData.Replace(Escape(message))+"\n")
}

// row adds a line to the table of the summary.
func (g *githubReporter) row(good bool, cells ...string) {
	mark := "✅"
	if !good {
		mark = "❌"
	}
	for i, cell := range cells {
		cells[i] = markdown(cell)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rows = append(g.rows, "| "+mark+" | "+strings.Join(cells, " | ")+" |")
}

var markdownEscaper = strings.NewReplacer(`\`, `\\`, "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "\n", "<br>")

func markdown(text string) string {
	return markdownEscaper.Replace(html.EscapeString(EscapeLines(text)))
}

func (g *githubReporter) Report(r Result) error {
	switch r := r.(type) {
	case Listening:
		return write(g.errOut, r.String())
	case Delivery:
		return g.delivery(r.Delivery)
	case Attempt:
		return g.attempt(r.Attempt)
	case Finding:
		g.row(r.Severity < validate.Error, fmt.Sprintf("%s:%d:%d", r.File, r.Line, r.Column), r.Message, r.Rule)
		return g.finding(r.File, r.Finding)
	case Case:
		return g.conformance(r.Result)
	case Load:
		return g.load(r)
	case Summary:
		g.mu.Lock()
		g.counts = append(g.counts, r.String())
		g.mu.Unlock()
		return write(g.errOut, r.String()+"\n")
	default:
		return nil
	}
}

func (g *githubReporter) finding(file string, f validate.Finding) error {
	at := place{file: file, title: f.Rule}
	if file != "" && f.Line > 0 {
		at.line, at.column = strconv.Itoa(f.Line), strconv.Itoa(f.Column)
	}
	return g.annotate(githubLevels[f.Severity], f.Message, at)
}

func (g *githubReporter) delivery(d delivery.Delivery) error {
	problems, _ := split(d.Findings, "body")
	words := note(d)
	if words != "" {
		problems = append(problems, words)
	}
	g.row(d.Valid(), fmt.Sprintf("%s %s %s", event(d.Event), orDash(d.ID), d.Title), fmt.Sprintf("answered %d", d.Answered), strings.Join(problems, "\n"))
	for _, f := range d.Findings {
		if err := g.finding("", f); err != nil {
			return err
		}
	}
	if words != "" {
		return g.annotate("error", words, place{title: fmt.Sprintf("answered %d", d.Answered)})
	}
	return nil
}

func (g *githubReporter) attempt(a delivery.Attempt) error {
	what := fmt.Sprintf("%s %s %s", owox.Method, a.URL, event(a.Event))
	if a.Failure == nil {
		g.row(true, what, orDash(a.ID), statusText(a.Status))
		return nil
	}
	g.row(false, what, orDash(a.ID), a.Failure.Error)
	return g.annotate("error", fmt.Sprintf("%s: %s: %s", what, a.Failure.Error, a.Failure.Hint), place{title: "not delivered"})
}

func (g *githubReporter) conformance(r conformance.Result) error {
	if !r.Tried {
		g.row(false, r.ID, r.Requires, r.Seen)
		return nil
	}
	if r.Met {
		g.row(true, r.ID, r.Requires, r.Seen)
		return nil
	}
	g.row(false, r.ID, r.Requires, r.Seen+"\n"+r.Advice)
	level := "error"
	if r.Level == conformance.Advised && !g.advice {
		level = "warning"
	}
	return g.annotate(level, fmt.Sprintf("%s: want %s, seen %s: %s", r.Title, r.Requires, r.Seen, r.Advice), place{title: r.ID})
}

// Close writes the table.
func (g *githubReporter) Close() error {
	if g.summary == nil {
		return nil
	}
	var out strings.Builder
	fmt.Fprintf(&out, "### owoxhook %s\n\n", g.command)
	if len(g.rows) > 0 {
		fmt.Fprintf(&out, "| | what | result | detail |\n|---|---|---|---|\n%s\n\n", strings.Join(g.rows, "\n"))
	}
	fmt.Fprintf(&out, "%s\n", strings.Join(g.counts, "\n"))
	return write(g.summary, out.String())
}

func (g *githubReporter) load(l Load) error {
	good := l.Failed == 0
	p99 := "-"
	if l.Latency.TotalCount() > 0 {
		p99 = "p99 " + round(quantile(l.Latency, 99)).String()
	}
	g.row(good, owox.Method+" "+l.URL, l.headline(), p99)
	if good {
		return nil
	}
	return g.annotate("error", l.verdict()+": "+strings.Join(l.problems(), "; "), place{})
}
