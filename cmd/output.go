package cmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
)

// The rules of output that cannot be written:
//
//   - A verdict does not depend on who reads it. A command that judges goes on
//     without a reader, and its exit status is that of the verdict.
//   - A command that only prints has nothing left to do when its reader is gone,
//     as in owoxhook schema | head, and has succeeded.
//   - Anything else, such as a full disk, is a failure, even where a library
//     drops the error.

// output is a stream of results or messages, or the file of a report.
type output struct {
	to     io.Writer
	name   string
	isFile bool // it is not for anybody who may leave

	mu       sync.Mutex
	optional bool // the work goes on without a reader
	unread   bool // the reader is gone
	err      error
}

// errUnread ends a command that only prints.
var errUnread = errors.New("nobody reads the output")

// unwrittenError says that output could not be written.
type unwrittenError struct{ error }

func (e unwrittenError) Unwrap() error { return e.error }

func (o *output) Write(p []byte) (int, error) {
	n, err := o.to.Write(p) // may wait for ever, and so holds no lock
	if err == nil {
		return n, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.isFile && errors.Is(err, errNoReader) {
		o.unread = true
		if o.optional {
			return len(p), nil
		}
		return n, errUnread
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	o.err = unwrittenError{fmt.Errorf("cannot write to %s: %w: check where the output goes", o.name, err)}
	return n, o.err
}

// needsReader says whether the work is over when nobody reads the output.
func (o *output) needsReader(needed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.optional = !needed
}

func (o *output) isUnread() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.unread
}

// failure is why output could not be written, or nil.
func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// unwrapped returns the stream for another program, to write to it itself.
func unwrapped(stream io.Writer) io.Writer {
	if o, ok := stream.(*output); ok {
		return o.to
	}
	return stream
}

// fileOf returns the file that a stream is, or nil.
func fileOf(stream any) *os.File {
	if o, ok := stream.(*output); ok {
		stream = o.to
	}
	file, _ := stream.(*os.File)
	return file
}

// createFile creates a file, or opens it again. A named pipe must have a reader
// by then: one might never come.
func createFile(name string, flags int) (*os.File, error) {
	if info, err := os.Stat(name); err == nil && info.Mode()&fs.ModeNamedPipe != 0 { //nolint:gosec // the user's own path
		flags |= syscall.O_NONBLOCK
	}
	file, err := os.OpenFile(name, flags|os.O_CREATE|os.O_WRONLY, 0o666) //nolint:gosec // reports are as private as the umask says
	switch {
	case errors.Is(err, syscall.ENXIO):
		return nil, fmt.Errorf("cannot write %s: nobody reads this pipe: start its reader first", name)
	case err != nil:
		return nil, writeError(err)
	default:
		return file, nil
	}
}
