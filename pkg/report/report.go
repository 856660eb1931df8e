// Package report prints results: to people as text, to scripts as JSON, to test
// dashboards as JUnit, and to GitHub as annotations.
//
// Results quote what came from outside, which may be anything, so no format
// writes it raw: control characters, and those that change the direction of
// text, are escaped and cannot drive a terminal.
package report

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/owoxhook/owoxhook/pkg/conformance"
	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// Reporter prints results in a format, which may leave out some of them. It may
// be used by several goroutines at once. An error means that the output cannot
// be written.
type Reporter interface {
	Report(Result) error
	Close() error // writes what comes at the end
}

// Result is what a [Reporter] prints: one of the types of this package that
// have its method.
type Result interface{ result() }

// Listening reports that a receiver is ready.
type Listening struct {
	URL     string // with the real port
	Path    string
	Journal string // the file that keeps deliveries; "": none does
	UI      string // the URL of the page; "": there is none
	Public  string // the URL of the tunnel that leads here; "": there is none
}

// Delivery is a delivery that was received.
type Delivery struct{ delivery.Delivery }

// Attempt is an attempt at a delivery.
type Attempt struct{ delivery.Attempt }

// Finding is a finding about a payload or request in a file.
type Finding struct {
	validate.Finding // with its place in the file
	File             string
	// Text is what was validated, for formats that show the place in it. It is
	// read before Report returns. nil: there is nothing to show.
	Text  []byte
	Start int // where Text starts in the file, in bytes
}

// File reports that a file was validated. It comes after its findings.
type File struct {
	Name     string
	Payloads int
	Duration time.Duration
}

// Case is the result of a conformance case.
type Case struct{ conformance.Result }

// Summary counts the results of a command. It comes last.
type Summary []Count

// Count is one number of a summary.
type Count struct {
	N         int
	Name      string // member of the JSON object
	One, Many string // the words behind the number in a sentence
}

// String returns the lines that say where deliveries go.
func (l Listening) String() string {
	text := "listening on " + l.URL + "\n"
	if l.Public != "" {
		text += "public at " + l.Public + "\n"
	}
	if l.UI != "" {
		text += "the page is at " + l.UI + "\n"
	}
	return text
}

func (Listening) result() {}
func (Delivery) result()  {}
func (Attempt) result()   {}
func (Finding) result()   {}
func (File) result()      {}
func (Case) result()      {}
func (Load) result()      {}
func (Summary) result()   {}

// String returns the summary as a sentence, such as "1 payload, 2 errors".
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

// Options say where and how results are printed.
type Options struct {
	Out     io.Writer // results
	Err     io.Writer // banner, hints, summary
	Color   bool
	Verbose bool // headers, bodies and timings too
	// Width and ErrWidth return how many columns the terminals have that show Out
	// and Err; text is made to fit them as it is printed. nil, or 0: nothing is
	// cut or wrapped.
	Width, ErrWidth func() int
	// Replay returns the command that delivers a kept delivery again, for a hint
	// below those that were not forwarded. It is pasted into shells: nothing that
	// came from outside may be in it. nil: there is no hint.
	Replay func(sequence int64) string
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

// formats are all formats, the default first.
var formats = []struct {
	name string
	make func(Options) Reporter
}{
	{Text, newText},
	{JSON, newJSON},
	{JUnit, newJUnit},
	{GitHub, newGitHub},
}

// Formats returns the names of the formats, the default first.
func Formats() []string {
	names := make([]string, len(formats))
	for i, format := range formats {
		names[i] = format.name
	}
	return names
}

// New returns the reporter of a format.
func New(name string, options Options) (Reporter, error) {
	for _, format := range formats {
		if format.name == name {
			return format.make(options), nil
		}
	}
	return nil, fmt.Errorf("unknown output format %q", name)
}

// Both returns a reporter that passes every result to a and b.
func Both(a, b Reporter) Reporter { return both{a, b} }

type both struct{ a, b Reporter }

func (t both) Report(r Result) error { return errors.Join(t.a.Report(r), t.b.Report(r)) }
func (t both) Close() error          { return errors.Join(t.a.Close(), t.b.Close()) }

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
