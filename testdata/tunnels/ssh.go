package tunnels

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// SSH is an SSH server that forwards connections. Like sshd it listens itself
// and says nothing; as a Service it takes HTTP for port 80, and says its URL.
type SSH struct {
	HostKey ssh.Signer
	Allowed ssh.PublicKey // nil: everybody is let in
	Service bool
	Refuses bool // forwards nothing

	Addr     string // where it listens
	listener net.Listener
	mu       sync.Mutex
	conns    []io.Closer
}

// NewSigner makes a key.
func NewSigner() (ssh.Signer, ed25519.PrivateKey) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	signer, err := ssh.NewSignerFromSigner(private)
	if err != nil {
		panic(err)
	}
	return signer, private
}

// Start starts the server on loopback.
func (s *SSH) Start() error {
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil { //nolint:noctx // for tests
		return err
	}
	s.Addr = s.listener.Addr().String()
	go s.serve()
	return nil
}

func (s *SSH) serve() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.own(conn)
		go s.handle(conn)
	}
}

func (s *SSH) own(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, c)
}

// Drop closes the connections that there are, and what they listen on.
func (s *SSH) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close() // it may be closed already
	}
	s.conns = nil
}

// Close ends the server.
func (s *SSH) Close() {
	_ = s.listener.Close() // nothing is lost
	s.Drop()
}

func (s *SSH) handle(conn net.Conn) {
	config := &ssh.ServerConfig{NoClientAuth: s.Allowed == nil, PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if s.Allowed == nil || !bytes.Equal(key.Marshal(), s.Allowed.Marshal()) {
			return nil, errors.New("unknown key")
		}
		return &ssh.Permissions{}, nil
	}}
	config.AddHostKey(s.HostKey)
	server, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	public := make(chan string, 1)
	go s.answer(server, requests, public)
	for c := range channels {
		if c.ChannelType() != "session" {
			_ = c.Reject(ssh.UnknownChannelType, "") // the client may be gone
			continue
		}
		go s.session(c, public)
	}
}

func (s *SSH) session(c ssh.NewChannel, public <-chan string) {
	channel, requests, err := c.Accept()
	if err != nil {
		return
	}
	for r := range requests {
		_ = r.Reply(r.Type == "shell", nil) // the client may be gone
		if r.Type == "shell" && s.Service {
			_, _ = fmt.Fprintf(channel, "Welcome! See https://localhost/docs/ and https://admin.example.com/\r\n\x1b[32mtunneled with tls termination, %s\x1b[0m\r\n", <-public)
		}
	}
}

// answer answers what the client asks of the connection.
func (s *SSH) answer(server *ssh.ServerConn, requests <-chan *ssh.Request, public chan<- string) {
	for r := range requests {
		var forward struct {
			Address string
			Port    uint32
		}
		if r.Type != "tcpip-forward" || ssh.Unmarshal(r.Payload, &forward) != nil || s.Refuses || !s.Service && forward.Port > 0 && forward.Port < 1024 {
			_ = r.Reply(r.Type == "keepalive@openssh.com", nil) // the client may be gone
			continue
		}
		if s.Service {
			web := s.web(server)
			s.own(closer(web.Close))
			public <- web.URL
			_ = r.Reply(true, nil) // the client may be gone
			continue
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", forward.Port)) //nolint:noctx // for tests
		if err != nil {
			_ = r.Reply(false, nil) // the client may be gone
			continue
		}
		s.own(listener)
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		var number uint32
		_, _ = fmt.Sscan(port, &number) // it is one
		_ = r.Reply(true, ssh.Marshal(struct{ Port uint32 }{number}))
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go join(server, conn)
			}
		}()
	}
}

type closer func()

func (c closer) Close() error { c(); return nil }

// web is the public side of a service.
func (s *SSH) web(server *ssh.ServerConn) *httptest.Server {
	return httptest.NewTLSServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "tunnel"})
			r.Out.Header["X-Forwarded-For"] = []string{Client}
		},
		Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go join(server, far)
			return near, nil
		}},
	})
}

// join passes a connection on to the client of the server.
func join(server *ssh.ServerConn, conn net.Conn) {
	defer conn.Close() //nolint:errcheck // it was read to its end
	channel, requests, err := server.OpenChannel("forwarded-tcpip", ssh.Marshal(struct {
		Address    string
		Port       uint32
		Originator string
		From       uint32
	}{"localhost", 80, Client, 4711}))
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	go func() {
		_, _ = io.Copy(channel, conn) // who hangs up does not matter
		_ = channel.CloseWrite()
	}()
	_, _ = io.Copy(conn, channel)
}

// SSHService is a service for tunnels as a program. It says in a line of JSON
// where it is, for ssh:, and has itself known in .ssh/known_hosts.
func SSHService() {
	key, _ := NewSigner()
	server := &SSH{HostKey: key, Service: true}
	if err := server.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, port, _ := net.SplitHostPort(server.Addr)
	at := net.JoinHostPort("localhost", port)
	_ = os.Mkdir(".ssh", 0o700) // writing says whether it is there
	if err := os.WriteFile(".ssh/known_hosts", []byte(knownhosts.Line([]string{at}, key.PublicKey())), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("{\"type\":\"listening\",\"url\":\"ssh:me@%s\"}\n", at)
	select {}
}
