package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/owoxhook/owoxhook/pkg/payloads"
)

const (
	maxSent     = 256 << 20 // bytes of all payloads of a file that is sent
	maxUnjudged = 16 << 20  // bytes of one of them with --no-validate
)

// fileBodies returns the payloads of --file. One that is alone keeps the white
// space around it.
func (j *sendJob) fileBodies(ctx context.Context) ([][]byte, error) {
	file, err := j.open(ctx, j.opts.file)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	name := fileName(j.opts.file)
	whole, isHTTP, total := wholeFile{name: name}, false, 0
	options := payloads.Options{Limit: j.validator.MaxBody(), Copy: &whole}
	if j.opts.noValidate {
		options.Limit = maxUnjudged
	}
	var bodies [][]byte
	err = payloads.Read(ctx, file, options, func(p payloads.Payload) error {
		isHTTP = isHTTP || p.IsHTTP
		body, err := p.Body()
		if err != nil {
			return usagef("%s: %w", name, err)
		}
		if j.opts.noValidate && len(body.Text) > maxUnjudged {
			return tooLarge(name)
		}
		if body.Text, err = j.edited(bytes.Clone(body.Text)); err != nil {
			return err
		}
		bodies = append(bodies, body.Text)
		whole.dropped = len(bodies) > 1
		if total += len(body.Text); total > maxSent {
			return fmt.Errorf("%s has more than %d MiB of payloads: send them in parts", name, maxSent>>20)
		}
		return j.judge(name, body)
	})
	if ctx.Err() != nil {
		return nil, errInterrupted
	}
	if err != nil {
		return nil, inputError(j.opts.file, err)
	}
	if len(bodies) == 1 && !isHTTP && !j.opts.fresh && len(j.opts.edits) == 0 {
		bodies[0] = whole.Bytes()
	}
	return bodies, nil
}

// wholeFile keeps the bytes of a file until it is dropped.
type wholeFile struct {
	bytes.Buffer
	name    string
	dropped bool
}

func (w *wholeFile) Write(p []byte) (int, error) {
	switch {
	case w.dropped:
		w.Buffer = bytes.Buffer{}
		return len(p), nil
	case w.Len() > 2*maxUnjudged:
		return 0, tooLarge(w.name)
	default:
		return w.Buffer.Write(p)
	}
}

func tooLarge(name string) error {
	return fmt.Errorf("the payload in %s is larger than %d MiB: send a smaller one", name, maxUnjudged>>20)
}

// open opens a file, or standard input for "-". That a named pipe has no writer
// yet keeps nobody from interrupting.
func (a *app) open(ctx context.Context, name string) (io.ReadCloser, error) {
	if name == "-" {
		if file, ok := a.in.(*os.File); ok {
			return notClosed{file}, nil
		}
		return io.NopCloser(a.in), nil
	}
	var file *os.File
	var err error
	opened := make(chan struct{})
	go func() {
		file, err = os.Open(name)
		close(opened)
	}()
	select {
	case <-opened:
	case <-ctx.Done():
		return nil, errInterrupted
	}
	if err != nil {
		return nil, readError(err)
	}
	return file, nil
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

// writeError words an error of the file system.
func writeError(err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return fmt.Errorf("cannot write: %w", err)
	}
	return fmt.Errorf("cannot write %s: %w: check the path and its permissions", path.Path, path.Err)
}

// readError words an error of the file system.
func readError(err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return fmt.Errorf("cannot read: %w", err)
	}
	hint := "check the path"
	if errors.Is(err, fs.ErrPermission) {
		hint = "check its permissions"
	}
	return fmt.Errorf("cannot read %s: %w: %s", path.Path, path.Err, hint)
}

// inputError words an error of an input that was read; others have their words.
func inputError(name string, err error) error {
	var unread payloads.ReadError
	var path *fs.PathError
	switch {
	case !errors.As(err, &unread):
		return err
	case errors.As(err, &path):
		return readError(err)
	default:
		return fmt.Errorf("cannot read %s: %w", fileName(name), unread.Err)
	}
}
