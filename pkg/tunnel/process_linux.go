package tunnel

import (
	"os/exec"
	"syscall"
)

// ownGroup gives a program a process group of its own: Ctrl-C is ours, and what
// it starts ends with it. The kernel kills it when we are killed.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
