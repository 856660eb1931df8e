package payloads

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
	verdicts     chan Verdict
}

// judgeLines validates a payload a line on all cores, and calls each for the
// verdicts in the order of the file. It reads ahead, but holds only a few
// blocks at a time, however long the file is and whatever is found in it.
func judgeLines(ctx context.Context, validator *validate.Validator, lines *lineReader, each func(Verdict) error) error {
	workers := runtime.GOMAXPROCS(0)
	blocks := 2*workers + 1
	free, ordered, work := make(chan *block, blocks), make(chan *block, blocks), make(chan *block, blocks)
	for range blocks {
		free <- new(block)
	}
	var readErr error // does not end what was read before
	outer := ctx
	group, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, lines.stop)() // or an error of each would wait for more to read
	group.Go(func() error {
		defer close(ordered)
		defer close(work)
		reader := blockReader{
			r: lines.r, limit: validator.MaxBody() + len("\r\n"),
			line: lines.line, offset: lines.offset, skipping: lines.unread,
		}
		for {
			b, err := receive(ctx, free)
			if err == nil {
				err = reader.next(b)
			}
			if err != nil {
				readErr = err
				return nil
			}
			b.verdicts = make(chan Verdict, 1)
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
	switch err := group.Wait(); {
	case err != nil, errors.Is(readErr, io.EOF):
		return err
	case outer.Err() != nil:
		return outer.Err()
	default:
		return readErr
	}
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

// judge validates the lines of the block. Verdicts with many findings are sent
// early, and wait there for their turn, so that findings do not pile up.
func (b *block) judge(ctx context.Context, validator *validate.Validator) error {
	defer close(b.verdicts)
	p := Payload{Line: b.line, Offset: b.offset}
	v := Verdict{Text: b.text, Start: b.offset}
	for rest := b.text; len(rest) > 0 && ctx.Err() == nil; {
		line := rest
		if end := bytes.IndexByte(rest, '\n'); end >= 0 {
			line = rest[:end+1]
		}
		rest = rest[len(line):]
		p.Text = line
		if !b.cut {
			p.Text = trimLine(line)
		}
		if !isBlank(line) {
			v.add(p.Findings(validator))
		}
		p.Line++
		p.Offset += len(line)
		if len(v.Findings) < maxFindings && len(rest) > 0 {
			continue
		}
		select {
		case b.verdicts <- v:
		case <-ctx.Done():
		}
		v = Verdict{Text: b.text, Start: b.offset}
	}
	return ctx.Err()
}

func (v *Verdict) add(findings []validate.Finding) {
	v.Payloads++
	if !validate.Valid(findings) {
		v.Invalid++
	}
	v.Findings = append(v.Findings, findings...)
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
	for skipped := 0; r.skipping; {
		if skipped > maxSkipped {
			return errNoEnd(r.line)
		}
		n, err := r.skip(b)
		if err != nil {
			return err
		}
		skipped += n
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

// skip passes over a piece of the rest of a line that was too long.
func (r *blockReader) skip(b *block) (n int, err error) {
	b.text = b.text[:0]
	read, err := r.more(b)
	end := bytes.IndexByte(read, '\n') + 1
	if end == 0 {
		r.offset += len(read)
		return len(read), err
	}
	r.rest = append(r.rest[:0], read[end:]...)
	r.skipping = false
	r.line++
	r.offset += end
	return end, nil
}
