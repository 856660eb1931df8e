//go:build unix

package cmd

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup gives the command a process group of its own. Where owoxhook has
// the terminal, the group gets it, so that the command can read and Ctrl-C
// reaches it; the function returned takes the terminal back.
func ownGroup(cmd *exec.Cmd, in io.Reader) (takeBack func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	terminal, ok := in.(*os.File)
	if !ok || !isTerminal(in) {
		return func() {}
	}
	fd := int(terminal.Fd())
	if owner, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err != nil || owner != unix.Getpgrp() {
		return func() {} // we run in the background ourselves
	}
	cmd.SysProcAttr.Foreground, cmd.SysProcAttr.Ctty = true, fd
	return func() {
		signal.Ignore(syscall.SIGTTOU) // or taking it from the background stops us
		_ = unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, unix.Getpgrp())
		signal.Reset(syscall.SIGTTOU)
	}
}

// signal sends a signal to the command's group. That it is gone already is no
// trouble.
func (c *child) signal(s os.Signal) {
	if number, ok := s.(syscall.Signal); ok {
		_ = syscall.Kill(-c.cmd.Process.Pid, number)
	}
}

// exitStatus is 128 and the number of the signal for a command that a signal
// ended.
func exitStatus(state *os.ProcessState) int {
	if wait, ok := state.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return signaled + int(wait.Signal())
	}
	return state.ExitCode()
}
