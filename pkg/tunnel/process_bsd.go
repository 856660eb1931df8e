//go:build unix && !linux

package tunnel

import (
	"os/exec"
	"syscall"
)

// ownGroup gives a program a process group of its own: Ctrl-C is ours, and what
// it starts ends with it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
