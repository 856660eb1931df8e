// Package report says results: to people as text, to scripts as JSON, to test
// dashboards as JUnit, and to GitHub as annotations.
//
// What is said comes from outside and may be anything, so no format writes it
// raw: control characters, and those that change the direction of text, are
// shown escaped and cannot drive a terminal.
package report

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/owoxhook/owoxhook/pkg/conformance"
	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// Reporter says results, one call a result. It may be used by several
// goroutines at once. An error means that the output cannot be written.
type Reporter interface {
	Listening(Listening) error
	Delivery(delivery.Delivery) error
	Attempt(delivery.Attempt) error
	Finding(file string, f validate.Finding) error
	File(File) error // after its findings
	Case(conformance.Result) error
	Load(Load) error
	Summary(Summary) error
	Close() error // writes what is said at the end
}

// File says that a file was judged.
type File struct {
	Name     string
	Payloads int
	Duration time.Duration
}

// Listening says that a receiver is ready.
type Listening struct {
	URL     string // with the real port
	Path    string
	Journal string // the file that keeps deliveries; "": none does
}

// Summary is the last word of a command that judged several things.
type Summary []Count

// String says the summary in words, such as "1 payload, 2 errors".
func (s Summary) String() string {
	words := make([]string, len(s))
	for i, count := range s {
		word := count.Many
		if count.N == 1 {
			word = count.One
		}
		words[i] = fmt.Sprintf("%d %s", count.N, word)
	}
	return strings.Join(words, ", ")
}

// Count is one number of a summary.
type Count struct {
	N         int
	Name      string // member of the JSON object
	One, Many string // the words behind the number in a sentence
}

// Options say where and how results are said.
type Options struct {
	Out     io.Writer // results
	Err     io.Writer // banner, hints, summary
	Color   bool
	Verbose bool // headers, bodies and timings too
	// Command is what the results are of, for formats that name a suite.
	Command     string
	Now         func() time.Time
	AdviceFails bool // advice that is not followed counts as a failure
	// StepSummary gets a table in Markdown from the format github. nil: none.
	StepSummary io.Writer
}

// The names of the formats.
const (
	Text   = "text"
	JSON   = "json"
	JUnit  = "junit"
	GitHub = "github"
)

var formats = map[string]func(Options) Reporter{
	Text: newText, JSON: newJSON, JUnit: newJUnit, GitHub: newGitHub,
}

// Formats returns the names of the formats, the default first.
func Formats() []string { return []string{Text, JSON, JUnit, GitHub} }

// New returns the reporter of a format.
func New(format string, options Options) (Reporter, error) {
	if !slices.Contains(Formats(), format) {
		return nil, fmt.Errorf("unknown output format %q", format)
	}
	return formats[format](options), nil
}

// Both says everything to two reporters.
func Both(a, b Reporter) Reporter { return both{a, b} }

type both struct{ a, b Reporter }

func (t both) Listening(l Listening) error { return errors.Join(t.a.Listening(l), t.b.Listening(l)) }

func (t both) Delivery(d delivery.Delivery) error {
	return errors.Join(t.a.Delivery(d), t.b.Delivery(d))
}

func (t both) Attempt(a delivery.Attempt) error { return errors.Join(t.a.Attempt(a), t.b.Attempt(a)) }
func (t both) File(f File) error                { return errors.Join(t.a.File(f), t.b.File(f)) }
func (t both) Case(r conformance.Result) error  { return errors.Join(t.a.Case(r), t.b.Case(r)) }
func (t both) Summary(s Summary) error          { return errors.Join(t.a.Summary(s), t.b.Summary(s)) }
func (t both) Close() error                     { return errors.Join(t.a.Close(), t.b.Close()) }

func (t both) Finding(file string, f validate.Finding) error {
	return errors.Join(t.a.Finding(file, f), t.b.Finding(file, f))
}

// lockedWriter writes each result in one piece.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
