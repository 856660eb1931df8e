package payloads

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/owoxhook/owoxhook/pkg/validate"
)

// interruptible hands on what r reads until the context ends. A read that
// waits for a terminal or a pipe is left behind: nothing else can end it.
func interruptible(ctx context.Context, r io.Reader) (out io.Reader, stop func()) {
	if !mayWait(r) {
		return r, func() {}
	}
	pipe, in := io.Pipe()
	done := context.AfterFunc(ctx, func() { in.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{in}, struct{ io.Reader }{r}, make([]byte, bufferSize))
		in.CloseWithError(err)
	}()
	return pipe, func() {
		done()
		_ = pipe.Close() // never fails
	}
}

// mayWait reports whether a read of r may have to wait. One of memory or of a
// regular file does not.
func mayWait(r io.Reader) bool {
	switch r := r.(type) {
	case *bytes.Buffer, *bytes.Reader, *strings.Reader:
		return false
	case fs.File:
		info, err := r.Stat()
		return err != nil || !info.Mode().IsRegular()
	}
	return true
}

// markingReader marks errors as those of reading.
type markingReader struct{ io.Reader }

func (m markingReader) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = ReadError{err}
	}
	return n, err
}

// decompressed returns what r holds, decompressed where it is gzip.
func decompressed(r io.Reader) (*bufio.Reader, error) {
	in := bufio.NewReaderSize(r, bufferSize)
	if text := start(in); len(text) == 0 || text[0] != '\x1f' {
		return in, nil
	}
	if text, _ := in.Peek(2); string(text) != "\x1f\x8b" {
		return in, nil
	}
	unzip, err := gzip.NewReader(in)
	if err != nil {
		return nil, ReadError{gzipError(err)}
	}
	return bufio.NewReaderSize(markingReader{gzipReader{unzip}}, bufferSize), nil
}

// start returns what can be seen of the start of an input without waiting for
// more than its first byte. An error comes again when it is read.
func start(in *bufio.Reader) []byte {
	_, _ = in.Peek(1)
	text, _ := in.Peek(min(in.Buffered(), sniffed))
	return text
}

// gzipReader words the errors of the decompression.
type gzipReader struct{ *gzip.Reader }

func (g gzipReader) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	return n, gzipError(err)
}

func gzipError(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the gzip data ends too early: copy or compress the file again")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return fmt.Errorf("the gzip data is damaged: %w: copy or compress the file again", err)
	default:
		return err
	}
}

// sniffed is how much of a text tells what it is.
const sniffed = 512

// binaryKind says what a text is that is none, and "" of any other. Where it
// starts as JSON or a request does, a byte that is not text has a finding of
// its own.
func binaryKind(text []byte) string {
	text = text[:min(len(text), sniffed)]
	word := bytes.TrimLeft(text, " \t\r\n")
	if len(word) == 0 || strings.IndexByte(`{["`, word[0]) >= 0 || validate.IsHTTP(text) {
		return ""
	}
	kind := http.DetectContentType(text)
	switch {
	case strings.HasPrefix(kind, "text/plain; charset=utf-16"):
		return "UTF-16 text"
	case kind == "application/octet-stream":
		return "binary data"
	case strings.HasPrefix(kind, "text/"), utf8.Valid(text) && bytes.IndexByte(text, 0) < 0:
		return "" // a text may start with BM as images do
	default:
		return "binary data (" + kind + ")"
	}
}
