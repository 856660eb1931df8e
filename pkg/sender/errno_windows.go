package sender

import "golang.org/x/sys/windows"

// What the system says of connections.
const (
	errRefused            = windows.WSAECONNREFUSED
	errReset              = windows.WSAECONNRESET
	errHostUnreachable    = windows.WSAEHOSTUNREACH
	errNetworkUnreachable = windows.WSAENETUNREACH
)
