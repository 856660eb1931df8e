package cmd

import "golang.org/x/sys/windows"

// What the system says of addresses and of readers that are gone.
const (
	errAddrInUse    = windows.WSAEADDRINUSE
	errAddrNotHere  = windows.WSAEADDRNOTAVAIL
	errNotPermitted = windows.WSAEACCES
	errNoReader     = windows.ERROR_NO_DATA
)
