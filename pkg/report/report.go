// Package report says results: to people as text, to scripts as JSON.
//
// What is said comes from outside and may be anything, so no format writes it
// raw: control characters, and those that change the direction of text, are
// shown escaped and cannot drive a terminal.
package report

import (
	"fmt"
	"io"
	"slices"
	"sync"

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
	Summary(Summary) error
}

// Listening says that a receiver is ready.
type Listening struct {
	URL  string // with the real port
	Path string
}

// Summary is the last word of a command that judged several things.
type Summary []Count

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
}

var formats = map[string]func(Options) Reporter{
	"text": newText,
	"json": newJSON,
}

// Formats returns the names of the formats, the default first.
func Formats() []string { return []string{"text", "json"} }

// New returns the reporter of a format.
func New(format string, options Options) (Reporter, error) {
	if !slices.Contains(Formats(), format) {
		return nil, fmt.Errorf("unknown output format %q", format)
	}
	return formats[format](options), nil
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
