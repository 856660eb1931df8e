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

// readInputs tells by its content what a file holds, and calls each for what
// is in it: raw HTTP requests, a single JSON document, or, where the first
// line is a JSON value of its own, a value a line. Nothing longer than the
// limit is kept in memory.
func readInputs(r io.Reader, limit int, each func(input) error) error {
	lines := &lineReader{r: bufio.NewReaderSize(r, 64<<10), limit: limit + 1}
	first, err := lines.next()
	for err == nil && isBlank(first.text) {
		first, err = lines.next()
	}
	switch {
	case errors.Is(err, io.EOF):
		return each(input{}) // nothing is a payload too: an empty one
	case err != nil:
		return err
	case isValue(first.text) || lines.cut:
		return readLines(lines, first, each)
	default:
		return readDocument(lines, first, each)
	}
}

func isBlank(text []byte) bool { return len(bytes.TrimSpace(text)) == 0 }

func isValue(text []byte) bool {
	return jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// readLines hands on a value a line, blank lines left out.
func readLines(lines *lineReader, in input, each func(input) error) error {
	var err error
	for ; err == nil; in, err = lines.next() {
		if isBlank(in.text) {
			continue
		}
		in.text = bytes.TrimRight(in.text, "\r\n")
		if err := each(in); err != nil {
			return err
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// readDocument hands on everything that is left as one, unless the second line
// is a value of its own: then only the first line is broken.
func readDocument(lines *lineReader, first input, each func(input) error) error {
	if validate.IsHTTP(first.text) {
		return readRequests(lines, first, each)
	}
	first.text = bytes.Clone(first.text)
	second, err := lines.next()
	if errors.Is(err, io.EOF) {
		return each(first)
	}
	if err != nil {
		return err
	}
	if object := bytes.HasPrefix(second.text, []byte("{")); object && isValue(second.text) {
		second.text = bytes.Clone(second.text)
		first.text = bytes.TrimRight(first.text, "\r\n")
		if err := each(first); err != nil {
			return err
		}
		return readLines(lines, second, each)
	}
	first.text = append(first.text, second.text...)
	return readRest(lines, first, lines.limit, each)
}

// readRest hands on an input with all that is left of the file.
func readRest(lines *lineReader, in input, limit int, each func(input) error) error {
	rest, err := io.ReadAll(io.LimitReader(lines.r, int64(max(0, limit+maxHead-len(in.text)))))
	in.text = append(in.text, rest...)
	if err != nil {
		return err
	}
	return each(in)
}

// readRequests hands on raw requests, one behind the other. Where one ends is
// told by its length; without a length it ends with the file.
func readRequests(lines *lineReader, line input, each func(input) error) error {
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
				return each(in)
			} else if err != nil {
				return err
			}
		}
		if length < 0 || length >= lines.limit {
			return readRest(lines, in, lines.limit, each)
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
			return readRest(lines, in, lines.limit, each)
		}
		next := bytes.Clone(line.text)
		if eachErr := each(in); eachErr != nil {
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
	if name == "-" {
		return interruptible(ctx, io.NopCloser(a.in)), nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, readError(err)
	}
	if info, err := file.Stat(); err == nil && !info.Mode().IsRegular() {
		return interruptible(ctx, file), nil
	}
	return file, nil
}

// interruptible hands on what r reads until the context ends. A read that
// waits for a terminal or a pipe is left behind: nothing else can end it.
func interruptible(ctx context.Context, r io.ReadCloser) io.ReadCloser {
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
