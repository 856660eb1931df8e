package payloads

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/owoxhook/owoxhook/pkg/validate"
)

const (
	bufferSize = 64 << 10
	maxHead    = 64 << 10  // bytes in front of the body of a raw request
	maxSkipped = 256 << 20 // bytes of a line beyond its limit
)

// reader tells what an input holds, and calls each for what is in it.
type reader struct {
	Options
	each func(Payload) error
	// lines takes over after the first line of an input that holds a value a
	// line. nil: each is called for the others too.
	lines func(context.Context, *lineReader) error
	// startTells has each called for the start of binary data, not for all of it.
	startTells bool
}

func (d reader) read(ctx context.Context, r io.Reader) error {
	each := d.each
	d.each = func(p Payload) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return each(p)
	}
	r, stop := interruptible(ctx, r)
	defer stop()
	in, err := decompressed(markingReader{r})
	if err != nil {
		return err
	}
	if d.Copy != nil {
		in = bufio.NewReaderSize(io.TeeReader(in, d.Copy), bufferSize)
	}
	lines := &lineReader{r: in, limit: d.Limit + 1, stop: stop}
	if text := start(in); binaryKind(text) != "" {
		if d.startTells {
			return d.each(Payload{Text: text})
		}
		return d.readRest(lines, Payload{})
	}
	first, err := lines.next()
	for err == nil && isBlank(first.Text) {
		first, err = lines.next()
	}
	switch {
	case errors.Is(err, io.EOF):
		return d.each(Payload{}) // nothing is a payload too: an empty one
	case err != nil:
		return err
	case isValue(first.Text) || lines.cut:
		return d.readLines(ctx, lines, first)
	default:
		return d.readDocument(ctx, lines, first)
	}
}

// isBlank reports whether there is nothing but the white space of JSON.
func isBlank(text []byte) bool { return len(bytes.TrimLeft(text, " \t\r\n")) == 0 }

func trimLine(line []byte) []byte { return bytes.TrimRight(line, "\r\n") }

func isValue(text []byte) bool {
	return jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// readLines hands on a value a line, blank lines left out.
func (d reader) readLines(ctx context.Context, lines *lineReader, in Payload) error {
	var err error
	for ; err == nil; in, err = lines.next() {
		if isBlank(in.Text) {
			continue
		}
		if !lines.cut {
			in.Text = trimLine(in.Text)
		}
		if err := d.each(in); err != nil {
			return err
		}
		if d.lines != nil {
			return d.lines(ctx, lines)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// readDocument hands on everything that is left as one, unless the second line
// is a value of its own: then only the first line is broken.
func (d reader) readDocument(ctx context.Context, lines *lineReader, first Payload) error {
	if validate.IsHTTP(first.Text) {
		return d.readRequests(lines, first)
	}
	first.Text = bytes.Clone(first.Text)
	second, err := lines.next()
	if errors.Is(err, io.EOF) {
		return d.each(first)
	}
	if err != nil {
		return err
	}
	if object := bytes.HasPrefix(second.Text, []byte("{")); object && isValue(second.Text) {
		second.Text = bytes.Clone(second.Text)
		first.Text = trimLine(first.Text)
		if err := d.each(first); err != nil {
			return err
		}
		return d.readLines(ctx, lines, second)
	}
	first.Text = append(first.Text, second.Text...)
	if lines.cut { // it is too large already
		return d.each(first)
	}
	return d.readRest(lines, first)
}

// readRest hands on an input with all that is left.
func (d reader) readRest(lines *lineReader, in Payload) error {
	left := max(0, lines.limit+maxHead-len(in.Text))
	text := bytes.NewBuffer(in.Text)
	_, err := io.CopyN(text, lines.r, int64(min(left, bufferSize)))
	if err == nil { // it is long: room that grows with it would take several times its size
		text.Grow(left + bytes.MinRead)
		_, err = text.ReadFrom(io.LimitReader(lines.r, int64(max(0, left-bufferSize))))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	in.Text = text.Bytes()
	return d.each(in)
}

// readRequests hands on raw requests, one behind the other. Where one ends is
// told by its length; without a length it ends with the input.
func (d reader) readRequests(lines *lineReader, line Payload) error {
	for {
		in := Payload{IsHTTP: true, Line: line.Line, Offset: line.Offset}
		length := -1
		for len(in.Text) < maxHead {
			in.Text = append(in.Text, line.Text...)
			if name, value, ok := bytes.Cut(line.Text, []byte(":")); ok && strings.EqualFold(string(name), "Content-Length") {
				if n, err := strconv.Atoi(strings.TrimSpace(string(value))); err == nil {
					length = n
				}
			}
			if isBlank(line.Text) {
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
		in.Text = append(in.Text, body...)
		if err != nil {
			return err
		}
		// What follows the body belongs to it, unless it is another request.
		line, err = lines.next()
		for err == nil && isBlank(line.Text) {
			line, err = lines.next()
		}
		if err == nil && !validate.IsHTTP(line.Text) {
			in.Text = append(in.Text, line.Text...)
			return d.readRest(lines, in)
		}
		next := bytes.Clone(line.Text)
		if eachErr := d.each(in); eachErr != nil {
			return eachErr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line.Text = next
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
	unread       bool   // and its rest was not read yet
	stop         func() // ends a read that waits
}

func (l *lineReader) next() (Payload, error) {
	if err := l.skip(); err != nil {
		return Payload{}, err
	}
	p := Payload{Line: l.line, Offset: l.offset}
	text, err := l.r.ReadSlice('\n')
	l.offset += len(text)
	l.long, l.cut = l.long[:0], false
	for errors.Is(err, bufio.ErrBufferFull) {
		if l.keep(text); l.cut {
			l.unread = true
			p.Text = l.long
			return p, nil
		}
		text, err = l.r.ReadSlice('\n')
		l.offset += len(text)
	}
	l.line++
	if len(l.long) > 0 {
		l.keep(text)
		text = l.long
	}
	if errors.Is(err, io.EOF) && len(text) > 0 {
		err = nil
	}
	p.Text = text
	return p, err
}

// keep adds a piece to a line that is longer than r's buffer.
func (l *lineReader) keep(text []byte) {
	if l.long == nil {
		l.long = make([]byte, 0, l.limit) // grown, it would take several times that
	}
	kept := min(len(text), l.limit-len(l.long))
	l.long = append(l.long, text[:kept]...)
	l.cut = len(trimLine(text[kept:])) > 0
}

// skip passes over the rest of a line that was not read to its end.
func (l *lineReader) skip() error {
	for skipped := 0; l.unread; {
		text, err := l.r.ReadSlice('\n')
		l.offset += len(text)
		skipped += len(text)
		switch {
		case err == nil:
			l.unread = false
			l.line++
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		case skipped > maxSkipped:
			return errNoEnd(l.line)
		}
	}
	return nil
}

// errNoEnd ends the reading of a line that seems to have no end.
func errNoEnd(line int) error {
	return ReadError{fmt.Errorf("line %d has no end within %d MiB", line+1, maxSkipped>>20)}
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
