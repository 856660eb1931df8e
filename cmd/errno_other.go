//go:build !windows

package cmd

import "syscall"

// What the system says of addresses and of readers that are gone.
const (
	errAddrInUse    = syscall.EADDRINUSE
	errAddrNotHere  = syscall.EADDRNOTAVAIL
	errNotPermitted = syscall.EACCES
	errNoReader     = syscall.EPIPE
)
