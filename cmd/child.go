package cmd

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// child is the command that listen runs. Where the system has process groups
// it gets one of its own, so that nothing it started outlives an interrupt.
type child struct {
	cmd     *exec.Cmd
	signals chan os.Signal
	exited  chan struct{} // closed when the command has ended
	ended   chan struct{} // closed when what it left behind is gone too
}

// signaled is what a shell adds to the number of the signal that ended a
// command. At a terminal, Ctrl-C reaches the command without us.
const signaled = 128

// grace is how long a command may take to end after a signal.
const grace = 10 * time.Second

// EndingSignals are those that end a command in good order. A terminal that is
// closed sends SIGHUP, unless nohup has it ignored.
func EndingSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// exportedMark is the variable that repeats what listen exports to its command:
// a variable that was changed since then is configuration like any other.
const exportedMark = envPrefix + "EXPORTED"

// exports returns the variables that tell the command of listen where it
// receives, and where it is reached from elsewhere.
func exports(receiver *url.URL, public string) []string {
	variables := []string{variable(keyURL) + "=" + receiver.String(), variable("addr") + "=" + receiver.Host}
	if public != "" {
		variables = append(variables, variable(keyPublic)+"_URL="+public)
	}
	return append(variables, exportedMark+"="+strings.Join(variables, " "))
}

// startChild starts a command with more variables in its environment. Signals
// that owoxhook gets from now on are passed on to it.
func (a *app) startChild(args []string, out io.Writer, variables ...string) (*child, error) {
	c := &child{cmd: exec.Command(args[0], args[1:]...), signals: make(chan os.Signal, 8), exited: make(chan struct{}), ended: make(chan struct{})} //nolint:gosec,noctx // running it is the job; it ends by signals
	c.cmd.Env = append(os.Environ(), variables...)
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = a.in, unwrapped(out), unwrapped(a.err)
	takeBack := ownGroup(c.cmd, a.in)
	signal.Notify(c.signals, EndingSignals()...)
	if err := c.cmd.Start(); err != nil {
		signal.Stop(c.signals)
		var start *exec.Error
		if errors.As(err, &start) {
			err = start.Err
		}
		return nil, fmt.Errorf("cannot start %s: %w: check its name and the PATH", args[0], err)
	}
	go c.wait(takeBack)
	go c.forward()
	return c, nil
}

func (c *child) wait(takeBack func()) {
	_ = c.cmd.Wait() // the state tells
	takeBack()
	close(c.exited)
}

// forward passes signals on; a command that does not end in time is killed.
func (c *child) forward() {
	defer close(c.ended)
	defer signal.Stop(c.signals)
	var late <-chan time.Time
	for {
		select {
		case s := <-c.signals:
			c.signal(s)
			if late == nil {
				late = time.After(grace)
			}
		case <-late:
			c.signal(os.Kill)
		case <-c.exited:
			if late != nil || c.status() > signaled {
				c.signal(os.Kill) // what it started, and left behind
			}
			return
		}
	}
}

// stop ends the command as SIGTERM would.
func (c *child) stop() { c.signals <- syscall.SIGTERM }

// status is the command's exit status as a shell would say it.
func (c *child) status() int { return exitStatus(c.cmd.ProcessState) }
