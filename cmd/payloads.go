package cmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/owoxhook/owoxhook/pkg/validate"
)

// input is one payload, or raw request, of a file.
type input struct {
	text   []byte // valid until the next one is read; over the limit only its beginning
	isHTTP bool
	line   int // lines before it in the file
	offset int // bytes before it in the file
}

// maxHead is how much a raw request may have in front of its body.
const maxHead = 64 << 10

// inputReader tells by its content what a file holds, and calls each for what
// is in it: raw HTTP requests, a single JSON document, or, where the first
// line is a JSON value of its own, a value a line. Nothing longer than the
// limit is kept in memory.
type inputReader struct {
	limit int
	each  func(input) error
	// lines takes over where it is clear that a file holds a value a line. nil:
	// each is called for them too.
	lines func(*lineReader) error
}

func (d inputReader) read(r io.Reader) error {
	lines := &lineReader{r: bufio.NewReaderSize(r, 64<<10), limit: d.limit + 1}
	first, err := lines.next()
	for err == nil && isBlank(first.text) {
		first, err = lines.next()
	}
	switch {
	case errors.Is(err, io.EOF):
		return d.each(input{}) // nothing is a payload too: an empty one
	case err != nil:
		return err
	case isValue(first.text) || lines.cut:
		return d.readLines(lines, first)
	default:
		return d.readDocument(lines, first)
	}
}

// isBlank reports whether there is nothing but the white space of JSON.
func isBlank(text []byte) bool { return len(bytes.TrimLeft(text, " \t\r\n")) == 0 }

func trimLine(line []byte) []byte { return bytes.TrimRight(line, "\r\n") }

func isValue(text []byte) bool {
	return jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// readLines hands on a value a line, blank lines left out.
func (d inputReader) readLines(lines *lineReader, in input) error {
	var err error
	for ; err == nil; in, err = lines.next() {
		if isBlank(in.text) {
			continue
		}
		if !lines.cut {
			in.text = trimLine(in.text)
		}
		if err := d.each(in); err != nil {
			return err
		}
		if d.lines != nil {
			return d.lines(lines)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// readDocument hands on everything that is left as one, unless the second line
// is a value of its own: then only the first line is broken.
func (d inputReader) readDocument(lines *lineReader, first input) error {
	if validate.IsHTTP(first.text) {
		return d.readRequests(lines, first)
	}
	first.text = bytes.Clone(first.text)
	second, err := lines.next()
	if errors.Is(err, io.EOF) {
		return d.each(first)
	}
	if err != nil {
		return err
	}
	if object := bytes.HasPrefix(second.text, []byte("{")); object && isValue(second.text) {
		second.text = bytes.Clone(second.text)
		first.text = trimLine(first.text)
		if err := d.each(first); err != nil {
			return err
		}
		return d.readLines(lines, second)
	}
	first.text = append(first.text, second.text...)
	return d.readRest(lines, first)
}

// readRest hands on an input with all that is left of the file.
func (d inputReader) readRest(lines *lineReader, in input) error {
	rest, err := io.ReadAll(io.LimitReader(lines.r, int64(max(0, lines.limit+maxHead-len(in.text)))))
	in.text = append(in.text, rest...)
	if err != nil {
		return err
	}
	return d.each(in)
}

// readRequests hands on raw requests, one behind the other. Where one ends is
// told by its length; without a length it ends with the file.
func (d inputReader) readRequests(lines *lineReader, line input) error {
	for {
		in := input{isHTTP: true, line: line.line, offset: line.offset}
		length := -1
		for len(in.text) < maxHead {
			in.text = append(in.text, line.text...)
			if name, value, ok := bytes.Cut(line.text, []byte(":")); ok && strings.EqualFold(string(name), "Content-Length") {
				if n, err := strconv.Atoi(strings.TrimSpace(string(value))); err == nil {
					length = n
				}
			}
			if isBlank(line.text) {
				break
			}
			var err error
			if line, err = lines.next(); errors.Is(err, io.EOF) {
				return d.each(in)
			} else if err != nil {
				return err
			}
		}
		if length < 0 || length >= lines.limit {
			return d.readRest(lines, in)
		}
		body, err := lines.bytes(length)
		in.text = append(in.text, body...)
		if err != nil {
			return err
		}
		// What follows the body belongs to it, unless it is another request.
		line, err = lines.next()
		for err == nil && isBlank(line.text) {
			line, err = lines.next()
		}
		if err == nil && !validate.IsHTTP(line.text) {
			in.text = append(in.text, line.text...)
			return d.readRest(lines, in)
		}
		next := bytes.Clone(line.text)
		if eachErr := d.each(in); eachErr != nil {
			return eachErr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line.text = next
	}
}

// lineReader reads lines, with their ends, of which it keeps no more than the
// limit.
type lineReader struct {
	r            *bufio.Reader
	limit        int
	line, offset int
	long         []byte // a line that is longer than r's buffer
	cut          bool   // the last line was longer than the limit
}

func (l *lineReader) next() (input, error) {
	in := input{line: l.line, offset: l.offset}
	text, err := l.r.ReadSlice('\n')
	l.offset += len(text)
	l.long, l.cut = l.long[:0], false
	for errors.Is(err, bufio.ErrBufferFull) {
		l.long = append(l.long, text[:min(len(text), l.limit-len(l.long))]...)
		text, err = l.r.ReadSlice('\n')
		l.offset += len(text)
	}
	l.line++
	if len(l.long) > 0 {
		l.cut = len(bytes.TrimRight(text, "\r\n")) > l.limit-len(l.long)
		text = append(l.long, text[:min(len(text), l.limit-len(l.long))]...)
		l.long = text[:0]
	}
	if errors.Is(err, io.EOF) && len(text) > 0 {
		err = nil
	}
	in.text = text
	return in, err
}

// bytes returns the next bytes, or those that are left.
func (l *lineReader) bytes(n int) ([]byte, error) {
	text := make([]byte, n)
	n, err := io.ReadFull(l.r, text)
	l.offset += n
	l.line += bytes.Count(text[:n], []byte("\n"))
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return text[:n], err
}

// open opens a file, or standard input for "-". A read from something that is
// not a regular file ends with the context.
func (a *app) open(ctx context.Context, name string) (io.ReadCloser, error) {
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, readError(err)
		}
		return interruptible(ctx, file), nil
	}
	if file, ok := a.in.(*os.File); ok {
		return interruptible(ctx, notClosed{file}), nil
	}
	return interruptible(ctx, io.NopCloser(a.in)), nil
}

// notClosed is standard input, which may be read twice.
type notClosed struct{ *os.File }

func (notClosed) Close() error { return nil }

// regularFile returns the size of a regular file; ok is false for anything
// else.
func regularFile(r io.Reader) (size int64, ok bool) {
	file, ok := r.(fs.File)
	if !ok {
		return 0, false
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, false
	}
	return info.Size(), true
}

// interruptible hands on what r reads until the context ends. A read that
// waits for a terminal or a pipe is left behind: nothing else can end it. A
// regular file does not make anybody wait.
func interruptible(ctx context.Context, r io.ReadCloser) io.ReadCloser {
	if _, ok := regularFile(r); ok {
		return r
	}
	out, in := io.Pipe()
	context.AfterFunc(ctx, func() { in.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{in}, struct{ io.Reader }{r}, make([]byte, 64<<10))
		in.CloseWithError(errors.Join(err, r.Close()))
	}()
	return out
}

// writeError words an error of the file system.
func writeError(err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return fmt.Errorf("cannot write: %w", err)
	}
	return fmt.Errorf("cannot write %s: %w: check the path and who may write there", path.Path, path.Err)
}

// readError words an error of the file system.
func readError(err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return fmt.Errorf("cannot read: %w", err)
	}
	hint := "check the path"
	if errors.Is(err, fs.ErrPermission) {
		hint = "check who may read it"
	}
	return fmt.Errorf("cannot read %s: %w: %s", path.Path, path.Err, hint)
}
