package tunnel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// SSH is what a user has for SSH servers.
type SSH struct {
	User       string   // for ways that name none
	KnownHosts []string // files; those that are missing are passed over
	Keys       []string // files of private keys; those that are missing are passed over
	Agent      string   // socket of the agent; "": there is none
}

// server opens a tunnel by asking an SSH server to forward connections.
type server struct {
	SSH
	user, host, port string
	target           string
	last             uint32 // port that the server had for us before
	silent           bool   // it said no URL before
}

const (
	dialTimeout = 15 * time.Second
	keepAlive   = 15 * time.Second
	urlWait     = 3 * time.Second // for a server to say the URL
	portHTTP    = 80
)

func (s *server) connect(ctx context.Context, up func(url string), _ func(error)) error {
	client, err := s.dial(ctx)
	if err != nil {
		return err
	}
	var passing sync.WaitGroup
	defer passing.Wait()
	closed := make(chan struct{})
	defer close(closed)
	stop := context.AfterFunc(ctx, func() { _ = client.Close() }) // it may be closed already
	defer stop()
	defer client.Close() //nolint:errcheck // it may be closed already

	connections := client.HandleChannelOpen("forwarded-tcpip")
	port, err := s.ask(client)
	if err != nil {
		return err
	}
	passing.Go(func() {
		for c := range connections {
			passing.Go(func() { s.pass(c) })
		}
	})
	passing.Go(func() { stayAlive(client, closed) })
	said := make(chan string, 8)
	passing.Go(func() { s.hear(client, said) })
	up(s.url(ctx, port, said))
	if err := client.Wait(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the connection to %s was lost: %w", s.host, err)
	}
	return fmt.Errorf("%s closed the connection", s.host)
}

// ask has the server listen where services for tunnels take HTTP, or where it
// did before, or on any free port.
func (s *server) ask(client *ssh.Client) (port uint32, err error) {
	type forward struct {
		Address string // "": all
		Port    uint32
	}
	for _, port := range []uint32{cmp.Or(s.last, portHTTP), 0} {
		ok, reply, err := client.SendRequest("tcpip-forward", true, ssh.Marshal(forward{Port: port}))
		if err != nil {
			return 0, fmt.Errorf("%s closed the connection: %w", s.host, err)
		}
		if !ok {
			continue
		}
		var chosen struct{ Port uint32 }
		if port == 0 && ssh.Unmarshal(reply, &chosen) == nil {
			port = chosen.Port
		}
		s.last = port
		return port, nil
	}
	return 0, fmt.Errorf("%s forwards no ports: set AllowTcpForwarding in its sshd_config, or choose another server", s.host)
}

// pass passes a connection on to the receiver.
func (s *server) pass(incoming ssh.NewChannel) {
	local, err := net.DialTimeout("tcp", s.target, dialTimeout) //nolint:noctx // it has a limit
	if err != nil {
		_ = incoming.Reject(ssh.ConnectionFailed, "") // the server may be gone
		return
	}
	defer local.Close() //nolint:errcheck // it was read to its end
	remote, requests, err := incoming.Accept()
	if err != nil {
		return
	}
	defer remote.Close() //nolint:errcheck // it was written to its end
	go ssh.DiscardRequests(requests)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(remote, local) // who hangs up does not matter
		_ = remote.CloseWrite()
	})
	_, _ = io.Copy(local, remote)
	_ = local.(*net.TCPConn).CloseWrite()
	back.Wait()
}

// stayAlive closes a connection that is dead although nobody closed it.
func stayAlive(client *ssh.Client, closed <-chan struct{}) {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-closed:
			return
		case <-tick.C:
		}
		late := time.AfterFunc(keepAlive, func() { _ = client.Close() })
		_, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
		late.Stop()
		if err != nil {
			return
		}
	}
}

// url waits for a URL that the server says, as services for tunnels do, an https
// URL if there is one. Other servers say none, and listen themselves.
func (s *server) url(ctx context.Context, port uint32, said <-chan string) string {
	found := "http://" + strings.TrimSuffix(net.JoinHostPort(s.host, strconv.Itoa(int(port))), ":80")
	late := time.After(urlWait)
	for !s.silent && !strings.HasPrefix(found, "https:") {
		select {
		case found = <-said:
		case <-late:
			s.silent = true
			return found
		case <-ctx.Done():
			return found
		}
	}
	return found
}

// hear passes on the URLs that the server says on its terminal.
func (s *server) hear(client *ssh.Client, said chan<- string) {
	session, err := client.NewSession()
	if err != nil {
		return // it has no terminal
	}
	find := urls()
	each := func(line string) {
		for _, url := range find(line) {
			if isBare(url, s.host) {
				select {
				case said <- url:
				default: // nobody waits any more
				}
			}
		}
	}
	session.Stdout, session.Stderr = &lines{each: each}, &lines{each: each}
	_, _ = session.StdinPipe() // open, or the server takes its end for ours
	if session.Shell() == nil {
		_ = session.Wait() // it lasts as long as the connection
	}
}

// isBare reports whether a URL names a host that is not the server, and nothing
// else: services for tunnels say URLs of their documentation too.
func isBare(text, host string) bool {
	at, err := url.Parse(text)
	return err == nil && at.Path == "" && at.RawQuery == "" && at.Hostname() != host
}
