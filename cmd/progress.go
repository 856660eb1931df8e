package cmd

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows on a terminal how far a command is. It is decoration, so its
// errors are ignored. The zero value shows nothing.
type progress struct {
	bar    *progressbar.ProgressBar
	shares bool // the terminal with the results
}

// countProgress shows how many of the steps are done.
func (a *app) countProgress(doing string, steps int) progress {
	return a.progress(doing, int64(steps), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false))
}

const largeFile = 50 << 20 // bytes that take long enough to watch

// byteProgress shows how much of a large file was read, how fast, and how long
// it will take.
func (a *app) byteProgress(doing string, r io.Reader) progress {
	size, ok := regularFile(r)
	if !ok || size < largeFile {
		return progress{}
	}
	return a.progress(doing, size, progressbar.OptionShowBytes(true), progressbar.OptionUseIECUnits(true),
		progressbar.OptionShowTotalBytes(true), progressbar.OptionThrottle(100*time.Millisecond))
}

func (a *app) progress(doing string, whole int64, options ...progressbar.Option) progress {
	if !isTerminal(a.err) {
		return progress{}
	}
	options = append(options, progressbar.OptionSetWriter(a.err), progressbar.OptionSetDescription(doing),
		progressbar.OptionSetWidth(20), progressbar.OptionClearOnFinish())
	p := progress{progressbar.NewOptions64(whole, options...), isTerminal(a.out)}
	_ = p.bar.RenderBlank()
	return p
}

// clear makes room for a result.
func (p progress) clear() {
	if p.shares {
		p.end()
	}
}

// end takes it off the terminal.
func (p progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

func (p progress) step() {
	if p.bar != nil {
		_ = p.bar.Add(1)
	}
}

func (p progress) set(done int) {
	if p.bar != nil {
		_ = p.bar.Set(done)
	}
}

// follow shows how much of a file was read.
func (p progress) follow(file io.Reader) {
	if seeker, ok := file.(io.Seeker); ok && p.bar != nil {
		if done, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			_ = p.bar.Set64(done)
		}
	}
}

func (p progress) describe(doing string) {
	if p.bar != nil {
		p.bar.Describe(doing)
	}
}
