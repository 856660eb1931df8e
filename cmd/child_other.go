//go:build !unix

package cmd

import (
	"io"
	"os"
	"os/exec"
)

func ownGroup(*exec.Cmd, io.Reader) (takeBack func()) { return func() {} }

// signal ends the command: there is no gentler way for another process here.
// The console tells it of Ctrl-C itself.
func (c *child) signal(s os.Signal) {
	if s != os.Interrupt {
		_ = c.cmd.Process.Kill() // it may be gone already
	}
}

func exitStatus(state *os.ProcessState) int { return state.ExitCode() }
