// Package payloads takes payloads out of files, directories and streams, and
// has them validated.
//
// The content of an input tells what it holds, its name does not: one JSON
// document, a JSON value a line (NDJSON), or raw HTTP requests one after the
// other. An input that starts as gzip does is decompressed first.
//
// [Read] hands on one payload after the other. [Judge] validates them on all
// cores and reports in the order of the input. Both take inputs that are larger
// than memory, and streams that grow while they are read: they keep no more of
// a payload than its limit, read only a little ahead, and end with their
// context even where a read would wait for ever. An input that is one line
// without an end is an error.
//
// The package opens no files; [Walk] finds those of a directory in an [fs.FS].
package payloads

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/owoxhook/owoxhook/pkg/validate"
)

// Payload is a payload, or a raw HTTP request, of an input.
type Payload struct {
	// Text is valid until the function that gets it returns. It is a little
	// longer than the limit, and cut, where the payload is larger.
	Text   []byte
	Line   int  // lines before it in the input
	Offset int  // bytes before it in the input, once decompressed
	IsHTTP bool // Text is a raw request, head and body
}

// Options say how to read.
type Options struct {
	// Limit is how many bytes a payload may have.
	Limit int
	// Copy gets the bytes of the input as they are read, decompressed. nil: no
	// copy is made. It is written to between the calls of each.
	Copy io.Writer
}

// Read calls each for the payloads of r. An input without any payload has an
// empty one. Read returns the first error of each as it is, and a [ReadError]
// when r cannot be read to its end.
//
// When Read returns an error, a read of r may still be waiting.
func Read(ctx context.Context, r io.Reader, options Options, each func(Payload) error) error {
	return reader{Options: options, each: each}.read(ctx, r)
}

// Verdict is what validation found in one or more payloads of an input, which
// follow one another.
type Verdict struct {
	Payloads, Invalid int
	Findings          []validate.Finding // with their places in the input
	Text              []byte             // of the input, from Start on, with what was validated; valid as Payload's
	Start             int
}

// Judge validates the payloads that [Read] finds in r, and calls each for the
// verdicts, in the order of the input and one at a time. NDJSON is validated on
// all cores.
func Judge(ctx context.Context, r io.Reader, validator *validate.Validator, each func(Verdict) error) error {
	return reader{
		Options: Options{Limit: validator.MaxBody()},
		each: func(p Payload) error {
			v := Verdict{Text: p.Text, Start: p.Offset}
			v.add(p.Findings(validator))
			return each(v)
		},
		startTells: true,
		lines:      func(ctx context.Context, lines *lineReader) error { return judgeLines(ctx, validator, lines, each) },
	}.read(ctx, r)
}

// ReadError tells that an input cannot be read from what else can go wrong.
type ReadError struct{ Err error }

func (e ReadError) Error() string { return e.Err.Error() }
func (e ReadError) Unwrap() error { return e.Err }

// Findings validates the payload or request, and returns what there is to say
// with its places in the input.
func (p Payload) Findings(validator *validate.Validator) []validate.Finding {
	text, judge, kind := p.Text, validator.Payload, ""
	if p.IsHTTP {
		judge = validator.HTTP
	} else if kind = binaryKind(text); kind != "" {
		text = text[:min(len(text), sniffed, validator.MaxBody())]
	}
	findings := judge(text)
	for i := range findings {
		f := &findings[i]
		f.Line += p.Line
		f.Offset += p.Offset
		if kind != "" && f.Rule == validate.JSONSyntax {
			f.Message = fmt.Sprintf("the payload is %s, not JSON", kind)
		}
	}
	return findings
}

// Body returns the body of a raw request as a payload of its own. A payload
// that is not a request is its own body.
func (p Payload) Body() (Payload, error) {
	if !p.IsHTTP {
		return p, nil
	}
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(p.Text)))
	if err != nil {
		return p, fmt.Errorf("malformed HTTP request: %w", err)
	}
	head := validate.BodyOffset(p.Text)
	body := Payload{Text: p.Text[head:], Line: p.Line + bytes.Count(p.Text[:head], []byte("\n")), Offset: p.Offset + head}
	if n := request.ContentLength; n < int64(len(body.Text)) && request.Header.Get("Content-Length") != "" {
		body.Text = body.Text[:n]
	}
	return body, nil
}

// Extensions returns the endings by which [Walk] knows files of payloads.
func Extensions() []string { return []string{".json", ".ndjson", ".jsonl", ".http"} }

// Walk calls each for the files in a directory and its directories whose names
// have one of the [Extensions], or one with .gz behind it, in lexical order.
// The mode is that of the file that a symbolic link leads to. Reading from one
// that is not regular, such as a named pipe, may take for ever.
//
// Walk returns the first error of each as it is, and a [ReadError] when a
// directory cannot be read.
func Walk(fsys fs.FS, each func(name string, mode fs.FileMode) error) error {
	return fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return ReadError{err}
		}
		extension := path.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz"))
		if entry.IsDir() || !slices.Contains(Extensions(), extension) {
			return nil
		}
		mode := entry.Type()
		if info, err := fs.Stat(fsys, name); err == nil { // or opening it will tell
			mode = info.Mode()
		}
		return each(name, mode)
	})
}
