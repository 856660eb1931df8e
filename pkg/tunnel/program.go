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
	args []string
	read reader
}

// grace is how long a program may take to end, before it is killed.
const grace = 3 * time.Second

func (p program) connect(ctx context.Context, up func(url string), down func(error)) error {
	// Where the system ends the program together with us, it goes by the thread
	// that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	state := progress{name: p.args[0], up: up, down: down}
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
	name string
	up   func(url string)
	down func(error)

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
	case e.down:
		p.isUp = false
		p.down(p.failure("lost its connection"))
	case e.up:
		p.isUp, p.why = true, ""
	}
	if p.isUp && p.url != "" {
		p.up(p.url)
	}
}

// failure words what is wrong, with what the program said of it.
func (p *progress) failure(what string) error {
	if p.why == "" {
		return fmt.Errorf("%s %s", p.name, what)
	}
	return fmt.Errorf("%s %s: %s", p.name, what, p.why)
}
