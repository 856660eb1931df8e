package tunnel

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"time"
)

// program opens a tunnel by running a program and reading what it writes.
type program struct {
	args  []string
	read  reader
	lacks string // said while its URL is not known; "": nothing is
}

// grace is how long a program may take to end, before it is killed.
const grace = 3 * time.Second

func (p program) connect(ctx context.Context, up func(url string), down func(error)) error {
	// Where the system ends the program together with us, it goes by the thread
	// that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	state := progress{name: p.args[0], lacks: p.lacks, up: up, down: down}
	state.add(event{})
	read := p.read()
	out := &lines{each: func(line string) { state.add(read(line)) }}
	cmd := exec.CommandContext(ctx, p.args[0], p.args[1:]...) //nolint:gosec // running it is the job
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = grace
	cmd.Cancel = func() error { return terminate(cmd) }
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		var start *exec.Error
		if errors.As(err, &start) {
			err = start.Err
		}
		return fmt.Errorf("cannot start %s: %w", p.args[0], err)
	}
	_ = cmd.Wait() // the state tells
	killGroup(cmd) // what it left behind
	out.end()
	return state.failure("ended with " + cmd.ProcessState.String())
}

// progress puts together what a program says line by line.
type progress struct {
	name  string
	lacks string
	up    func(url string)
	down  func(error)

	url  string
	isUp bool
	why  string
}

func (p *progress) add(e event) {
	if e.why != "" {
		p.why = e.why
	}
	if p.url == "" { // later ones may be of requests
		p.url = e.url
	}
	switch {
	case e.down && p.isUp:
		p.isUp = false
		p.down(p.failure("lost its connection"))
	case e.up:
		p.isUp, p.why = true, ""
	case !p.isUp && p.reason() != "":
		p.down(errors.New(p.reason()))
	}
	if p.isUp && p.url != "" {
		p.up(p.url)
	}
}

// reason is what is known of a trouble, or "".
func (p *progress) reason() string {
	switch {
	case p.url != "" || p.lacks == "":
		return p.why
	case p.why == "":
		return p.lacks
	default:
		return p.lacks + ": " + p.why
	}
}

// failure words what is wrong, and why.
func (p *progress) failure(what string) error {
	if why := p.reason(); why != "" {
		return fmt.Errorf("%s %s: %s", p.name, what, why)
	}
	return fmt.Errorf("%s %s", p.name, what)
}
