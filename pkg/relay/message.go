package relay

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/tidwall/gjson"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// Message is what the template of a message is about: a run, or with Total
// above 1 the runs of a window, the first of which are in Runs.
type Message struct {
	Run
	Title      string // in a line
	Total      int
	Failures   int // of them
	Successes  int
	Recoveries int // of the successes, the first of a data mart after failures
	DataMarts  int // that they are of
	More       int // that are not in Runs
	Runs       []Run
	Key        string // of the data mart, the same for its failure and its next success
}

// Run is what a delivery says about a run. What it does not say is "".
type Run struct {
	Failed    bool
	Recovered bool // the first success after failures
	Test      bool
	ID        string // of the delivery
	Event     string
	Time      string
	Project   string // title, or id
	DataMart  string // title, or id
	URL       string // of the run history; "": it is not absolute, or too long
	RunID     string
	Type      string // of the run
	Duration  string
	Rows      string
	Errors    []string // the first ones, a few lines of each
	Facts     []Fact   // the above, for a list

	payload []byte
}

// Fact is a line of a list.
type Fact struct{ Name, Value string }

// Value returns what the payload has at a path with dots: text for a string,
// nothing where there is none.
func (r Run) Value(path string) any { return gjson.GetBytes(r.payload, path).Value() }

// Payload returns the payload as it came.
func (r Run) Payload() string { return string(r.payload) }

// Limits of what messages show. Slack takes 150 characters of a title and
// 13,000 of everything, Discord 6,000. Of a link Slack takes 3,000 and Discord
// 2,048; it cannot be cut.
const (
	maxErrors     = 3
	maxErrorLines = 3
	maxErrorText  = 400
	maxTitle      = 120
	maxFact       = 120
	maxLink       = 2048
	maxKey        = 255 // PagerDuty's dedup key
)

// newMessage returns the message about a batch.
func newMessage(b Batch) Message {
	m := Message{
		Total: b.Total, Failures: b.Failed, Successes: b.Total - b.Failed, Recoveries: b.Recovered,
		DataMarts: b.DataMarts, More: b.Total - len(b.Deliveries),
	}
	for n, d := range b.Deliveries {
		r := newRun(d)
		r.Recovered = n < len(b.Recoveries) && b.Recoveries[n]
		m.Runs = append(m.Runs, r)
	}
	m.Run = m.Runs[0]
	first := b.Deliveries[0]
	m.Key = cut("owox/"+first.ProjectID+"/"+first.DataMartID, maxKey)
	m.Title = m.title()
	return m
}

func (m Message) title() string {
	if m.Total == 1 {
		return m.Run.Title()
	}
	marts := count(m.DataMarts, "data mart")
	of := count(m.Total, "run") + " of " + marts
	switch {
	case m.Successes == 0:
		return of + " failed"
	case m.Recoveries == m.Total:
		return "Runs of " + marts + " succeed again"
	case m.Failures == 0:
		return of + " successful"
	case m.Recoveries == m.Successes:
		return fmt.Sprintf("%s: %d failed, %d succeeded again", of, m.Failures, m.Successes)
	default:
		return fmt.Sprintf("%s: %d failed, %d successful", of, m.Failures, m.Successes)
	}
}

// Title says in a few words how a run ended.
func (r Run) Title() string {
	title := r.DataMart + ": run successful"
	switch {
	case r.Failed:
		title = r.DataMart + ": run failed"
	case r.Recovered:
		title = r.DataMart + ": runs succeed again"
	}
	if r.Test {
		return "Test: " + title
	}
	return title
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func newRun(d delivery.Delivery) Run {
	get := func(path string) gjson.Result { return gjson.GetBytes(d.Body, path) }
	first := func(texts ...string) string {
		for _, text := range texts {
			if text = strings.TrimSpace(text); text != "" {
				return text
			}
		}
		return ""
	}
	r := Run{
		Failed: d.Event == owox.RunFailed, Test: d.IsTest, ID: d.ID, Event: d.Event.Short(), RunID: d.RunID, payload: d.Body,
		Project: cut(first(get(owox.PathProject).String(), d.ProjectID), maxTitle), DataMart: cut(first(d.Title, d.DataMartID, "a data mart without a name"), maxTitle),
		Type: get(owox.PathRunType).String(), Time: owox.FormatTimestamp(ended(d, get(owox.PathFinishedAt).String(), get(owox.PathTimestamp).String())),
		Duration: duration(get(owox.PathDurationMS), get(owox.PathStartedAt).String(), get(owox.PathFinishedAt).String()),
	}
	if url := get(owox.PathURL).String(); owox.IsAbsoluteURL([]byte(url)) && len(url) <= maxLink {
		r.URL = url
	}
	if rows := get(owox.PathRows); rows.Type == gjson.Number {
		r.Rows = humanize.Comma(rows.Int())
	}
	get(owox.PathErrors).ForEach(func(_, text gjson.Result) bool {
		r.Errors = append(r.Errors, excerpt(unpack(text.String(), 3)))
		return len(r.Errors) < maxErrors
	})
	for _, f := range []Fact{
		{"Project", r.Project},
		{"Data mart", r.DataMart},
		{"Run", first(r.RunID+" "+strings.ToLower(r.Type), r.RunID)},
		{"Duration", r.Duration},
		{"Rows", r.Rows},
		{"Time", r.Time},
	} {
		if f.Value != "" {
			r.Facts = append(r.Facts, Fact{f.Name, cut(f.Value, maxFact)})
		}
	}
	return r
}

// ended returns the first of the times that is one, or when the delivery came.
func ended(d delivery.Delivery, times ...string) time.Time {
	for _, text := range times {
		if at, ok := owox.ParseTimestamp([]byte(text)); ok {
			return at
		}
	}
	return d.ReceivedAt
}

// duration writes how long a run took: what it says, or from its start to its
// end.
func duration(ms gjson.Result, started, finished string) string {
	if ms.Type == gjson.Number {
		return words(time.Duration(ms.Int()) * time.Millisecond)
	}
	from, ok := owox.ParseTimestamp([]byte(started))
	to, ok2 := owox.ParseTimestamp([]byte(finished))
	if !ok || !ok2 || to.Before(from) {
		return ""
	}
	return words(to.Sub(from))
}

// unpack returns the words of an error that is JSON in a string, which is how
// many of them come.
func unpack(text string, depth int) string {
	value := gjson.Parse(text)
	if depth == 0 || !gjson.Valid(text) || !value.IsObject() {
		return text
	}
	for _, name := range []string{"error", "message", "errorMessage", "error.message", "details"} {
		if inner := value.Get(name); inner.Type == gjson.String && inner.Str != "" {
			return unpack(inner.Str, depth-1)
		}
	}
	return text
}

// excerpt returns the first lines of a text.
func excerpt(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > maxErrorLines {
		lines = append(lines[:maxErrorLines], "…")
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t\r")
	}
	return cut(strings.Join(lines, "\n"), maxErrorText)
}

// cut shortens a text to a number of characters.
func cut(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return strings.TrimSpace(string([]rune(text)[:most-1])) + "…"
}
