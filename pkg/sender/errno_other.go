//go:build !windows

package sender

import "syscall"

// What the system says of connections.
const (
	errRefused            = syscall.ECONNREFUSED
	errReset              = syscall.ECONNRESET
	errHostUnreachable    = syscall.EHOSTUNREACH
	errNetworkUnreachable = syscall.ENETUNREACH
)
