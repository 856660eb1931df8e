//go:build !unix

package tunnel

import "os/exec"

func ownGroup(*exec.Cmd) {}

// terminate kills the program: there is no gentler way here.
func terminate(cmd *exec.Cmd) error { return cmd.Process.Kill() }

func killGroup(*exec.Cmd) {}
