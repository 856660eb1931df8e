package cmd

import (
	"context"
	"net"

	"github.com/coreos/go-systemd/v22/activation"
)

// receiverSocket returns the socket that systemd, or what does as it does, opened
// for this process, and otherwise opens one. A socket that was passed in outlives
// the process: what connects while another one takes over waits in it.
func (a *app) receiverSocket(ctx context.Context, addr string) (net.Listener, error) {
	passed, err := activation.Listeners()
	if err != nil {
		return nil, err
	}
	switch len(passed) {
	case 0:
		return listenOn(ctx, "--addr", addr)
	case 1:
	default:
		return nil, usagef("%d sockets were passed to this process: pass one", len(passed))
	}
	socket, ok := passed[0].(*net.TCPListener)
	if !ok {
		return nil, usagef("the socket that was passed to this process does not listen on TCP: want ListenStream=HOST:PORT")
	}
	at := socket.Addr().(*net.TCPAddr)
	if addr != defaultAddr && !means(addr, at) {
		return nil, usagef("--addr %s contradicts the socket that was passed to this process, which listens on %s: leave out --addr, or change ListenStream", addr, at)
	}
	a.note("receiving on %s, a socket that was passed to this process", at)
	return socket, nil
}

// means reports whether host and port stand for an address.
func means(addr string, at *net.TCPAddr) bool {
	want, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil || want.Port != at.Port {
		return false
	}
	all := len(want.IP) == 0 || want.IP.IsUnspecified()
	return want.IP.Equal(at.IP) || all && at.IP.IsUnspecified()
}
