package cmd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/owoxhook/owoxhook/pkg/validate"
)

const (
	blockSize   = 256 << 10 // bytes that are read at a time
	maxFindings = 512       // that wait for their turn in one verdict
)

// block is a piece of a file: whole lines, or the beginning of a line that is
// too long.
type block struct {
	text         []byte
	line, offset int  // lines and bytes before it in the file
	cut          bool // text is the beginning of a line that is too long
	verdicts     chan verdict
}

// verdict is what there is to say of payloads that follow one another.
type verdict struct {
	payloads, invalid int
	findings          []validate.Finding // with their places in the file
	text              []byte             // of the file, from start on, with what was judged
	start             int
	offset            int // bytes of the file up to here
}

// judgeLines judges a payload a line on all cores, and calls each for the
// verdicts in the order of the file. It reads ahead, but holds only a few
// blocks at a time, however long the file is and whatever is found in it.
func judgeLines(ctx context.Context, validator *validate.Validator, lines *lineReader, each func(verdict) error) error {
	workers := runtime.GOMAXPROCS(0)
	blocks := 2*workers + 1
	free, ordered, work := make(chan *block, blocks), make(chan *block, blocks), make(chan *block, blocks)
	for range blocks {
		free <- new(block)
	}
	var readErr error // does not end what was read before
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(ordered)
		defer close(work)
		reader := blockReader{r: lines.r, line: lines.line, offset: lines.offset, limit: validator.MaxBody() + len("\r\n")}
		for {
			b, err := receive(ctx, free)
			if err == nil {
				err = reader.next(b)
			}
			if err != nil {
				readErr = err
				return nil
			}
			b.verdicts = make(chan verdict, 1)
			ordered <- b // there is room for all
			work <- b
		}
	})
	for range workers {
		group.Go(func() error {
			for b := range work {
				if err := b.judge(ctx, validator); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		for b := range ordered {
			for {
				v, err := receive(ctx, b.verdicts)
				if errors.Is(err, io.EOF) {
					break
				}
				if err == nil {
					err = each(v)
				}
				if err != nil {
					return err
				}
			}
			free <- b
		}
		return nil
	})
	if err := group.Wait(); err != nil || errors.Is(readErr, io.EOF) {
		return err
	}
	return readErr
}

// receive waits for a value until the context ends; a channel that was closed
// is io.EOF.
func receive[T any](ctx context.Context, from <-chan T) (value T, err error) {
	select {
	case <-ctx.Done():
		return value, ctx.Err()
	case value, ok := <-from:
		if !ok {
			return value, io.EOF
		}
		return value, nil
	}
}

// judge judges the lines of the block. Verdicts with many findings are said
// early, and wait there for their turn, so that findings do not pile up.
func (b *block) judge(ctx context.Context, validator *validate.Validator) error {
	defer close(b.verdicts)
	in := input{line: b.line, offset: b.offset}
	v := verdict{text: b.text, start: b.offset}
	for rest := b.text; len(rest) > 0 && ctx.Err() == nil; {
		line := rest
		if end := bytes.IndexByte(rest, '\n'); end >= 0 {
			line = rest[:end+1]
		}
		rest = rest[len(line):]
		in.text = line
		if !b.cut {
			in.text = trimLine(line)
		}
		if !isBlank(line) {
			v.add(validator.Payload(in.text), in)
		}
		in.line++
		in.offset += len(line)
		if len(v.findings) < maxFindings && len(rest) > 0 {
			continue
		}
		v.offset = in.offset
		select {
		case b.verdicts <- v:
		case <-ctx.Done():
		}
		v = verdict{text: b.text, start: b.offset}
	}
	return ctx.Err()
}

func (v *verdict) add(findings []validate.Finding, in input) {
	v.payloads++
	if !validate.Valid(findings) {
		v.invalid++
	}
	for _, f := range findings {
		v.findings = append(v.findings, in.place(f))
	}
}

// blockReader cuts what it reads into blocks. It waits for no more than it
// needs: from a pipe, a block is what is there.
type blockReader struct {
	r            io.Reader
	limit        int    // bytes that a line may have
	line, offset int    // lines and bytes before the next block
	rest         []byte // the beginning of the line that the last block ended in
	skipping     bool   // what follows belongs to a line that was too long
}

// next reads the next block into b. It returns io.EOF when there is none.
func (r *blockReader) next(b *block) error {
	for r.skipping {
		if err := r.skip(b); err != nil {
			return err
		}
	}
	b.text = append(b.text[:0], r.rest...)
	b.line, b.offset, b.cut = r.line, r.offset, false
	r.rest = r.rest[:0]
	var err error
	for unseen := b.text; ; unseen, err = r.more(b) {
		end := bytes.LastIndexByte(unseen, '\n') + 1
		switch {
		case end > 0:
			r.rest = append(r.rest, unseen[end:]...)
			b.text = b.text[:len(b.text)-len(unseen)+end]
		case errors.Is(err, io.EOF) && len(b.text) > 0:
		case err != nil:
			return err
		case len(b.text) > r.limit:
			r.offset += len(b.text)
			b.text, b.cut, r.skipping = b.text[:r.limit], true, true
			return nil
		default:
			continue
		}
		r.line += bytes.Count(b.text, []byte("\n"))
		r.offset += len(b.text)
		return nil
	}
}

// more adds what can be read to the block, and returns it.
func (r *blockReader) more(b *block) (read []byte, err error) {
	start := len(b.text)
	b.text = slices.Grow(b.text, blockSize)
	n, err := r.r.Read(b.text[start : start+blockSize])
	b.text = b.text[:start+n]
	return b.text[start:], err
}

// skip passes over the rest of a line that was too long.
func (r *blockReader) skip(b *block) error {
	b.text = b.text[:0]
	read, err := r.more(b)
	end := bytes.IndexByte(read, '\n') + 1
	if end == 0 {
		r.offset += len(read)
		return err
	}
	r.rest = append(r.rest[:0], read[end:]...)
	r.skipping = false
	r.line++
	r.offset += end
	return nil
}
