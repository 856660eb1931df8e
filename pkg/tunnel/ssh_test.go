package tunnel_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/owoxhook/owoxhook/pkg/tunnel"
	"github.com/owoxhook/owoxhook/testdata/tunnels"
)

// sshServer starts a server, and returns how to reach it and what a user has who
// knows it.
func sshServer(t *testing.T, server *tunnels.SSH) (how string, mine tunnel.SSH) {
	t.Helper()
	if server.HostKey == nil {
		server.HostKey, _ = tunnels.NewSigner()
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	at := net.JoinHostPort("localhost", port)
	hosts := filepath.Join(t.TempDir(), "known_hosts")
	write(t, hosts, []byte(knownhosts.Line([]string{at}, server.HostKey.PublicKey())))
	return "ssh:me@" + at, tunnel.SSH{User: "somebody", KnownHosts: []string{hosts, "no such file"}}
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// keyFile makes a key and keeps it in a file.
func keyFile(t *testing.T, passphrase string) (file string, public ssh.PublicKey) {
	t.Helper()
	signer, private := tunnels.NewSigner()
	block, err := ssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "id_ed25519")
	write(t, file, pem.EncodeToMemory(block))
	return file, signer.PublicKey()
}

// agentWith is an agent that has a key.
func agentWith(t *testing.T, key ed25519.PrivateKey) (socket string) {
	t.Helper()
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "a") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = listener.Close() // nothing is lost
		_ = os.RemoveAll(dir)
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = agent.ServeAgent(keyring, conn) // it ends with the connection
		}
	}()
	return socket
}

func TestRequestsComeThroughAnSSHServerOfOnesOwn(t *testing.T) {
	t.Parallel()
	file, public := keyFile(t, "")
	how, mine := sshServer(t, &tunnels.SSH{Allowed: public})
	mine.Keys = []string{"no such file", file}
	opened, _, err := open(t, how, tunnel.Options{SSH: mine})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(opened.URL(), "http://localhost:") {
		t.Errorf("got %s, want the server's host and a port", opened.URL())
	}
	for range 3 {
		if got, want := post(t, opened.URL()+"/hook"), "/hook hello  "; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestServicesSayTheirURL(t *testing.T) {
	t.Parallel()
	how, mine := sshServer(t, &tunnels.SSH{Service: true})
	opened, _, err := open(t, how, tunnel.Options{SSH: mine})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(opened.URL(), "https://127.0.0.1:") {
		t.Fatalf("got %s, want the URL of the tunnel, not of the documentation", opened.URL())
	}
	if got, want := post(t, opened.URL()+"/hook"), "/hook hello  "+tunnels.Client; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestALostSSHConnectionComesBackAtTheSamePort(t *testing.T) {
	t.Parallel()
	server := &tunnels.SSH{}
	how, mine := sshServer(t, server)
	opened, states, err := open(t, how, tunnel.Options{SSH: mine})
	if err != nil {
		t.Fatal(err)
	}
	server.Drop()
	if s := next(t, states); s.Err == nil || s.Err.Error() != "localhost closed the connection" {
		t.Errorf("got %+v, want that the connection is lost", s)
	}
	if s := next(t, states); s.Err != nil || s.URL != opened.URL() {
		t.Errorf("got %+v, want %s", s, opened.URL())
	}
	if got := post(t, opened.URL()+"/hook"); !strings.HasPrefix(got, "/hook hello") {
		t.Errorf("got %q", got)
	}
}

func TestKeysOfTheAgentLogIn(t *testing.T) {
	t.Parallel()
	signer, private := tunnels.NewSigner()
	how, mine := sshServer(t, &tunnels.SSH{Allowed: signer.PublicKey(), Service: true})
	mine.Agent = agentWith(t, private)
	if _, _, err := open(t, how, tunnel.Options{SSH: mine}); err != nil {
		t.Error(err)
	}
}

func TestTheKeyOfAServerIsChecked(t *testing.T) {
	t.Parallel()
	other, _ := tunnels.NewSigner()
	for name, test := range map[string]struct {
		hosts func(at string) string
		want  string
	}{
		"unknown": {func(string) string { return "" }, "localhost is not a known host: log in once with ssh -p PORT me@localhost to check its key"},
		"changed": {func(at string) string { return knownhosts.Line([]string{at}, other.PublicKey()) }, "the key of localhost is not the one in HOSTS:1: somebody may be in between, or it has a new one: check with ssh -p PORT me@localhost"},
		"revoked": {func(at string) string { return "@revoked " + knownhosts.Line([]string{at}, other.PublicKey()) }, "cannot log in to localhost: ssh: handshake failed: knownhosts: key is revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			how, mine := sshServer(t, &tunnels.SSH{HostKey: other, Service: true})
			if name != "revoked" { // the server has another key then
				how, mine = sshServer(t, &tunnels.SSH{Service: true})
			}
			at := strings.TrimPrefix(how, "ssh:me@")
			write(t, mine.KnownHosts[0], []byte(test.hosts(at)))
			_, _, err := open(t, how, tunnel.Options{SSH: mine})
			_, port, _ := net.SplitHostPort(at)
			if want := strings.NewReplacer("PORT", port, "HOSTS", mine.KnownHosts[0]).Replace(test.want); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestAServerIsKnownByTheKindOfKeyThatIsKnown(t *testing.T) {
	t.Parallel()
	how, mine := sshServer(t, &tunnels.SSH{Service: true})
	known, err := os.ReadFile(mine.KnownHosts[0])
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := ecdsaKey()
	if err != nil {
		t.Fatal(err)
	}
	at := strings.TrimPrefix(how, "ssh:me@")
	write(t, mine.KnownHosts[0], []byte(knownhosts.Line([]string{at}, elsewhere)+"\n"+string(known)))
	if _, _, err := open(t, how, tunnel.Options{SSH: mine}); err != nil {
		t.Error(err)
	}
}

func TestLoginsThatFailSayWhatToDo(t *testing.T) {
	t.Parallel()
	_, public := keyFile(t, "")
	locked, _ := keyFile(t, "secret")
	how, mine := sshServer(t, &tunnels.SSH{Allowed: public})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(how, "ssh:"))
	for want, file := range map[string]string{
		"localhost accepts none of your keys for me: check that ssh -p PORT me@localhost works without a password":      "",
		"localhost accepts none of your keys for me: add " + locked + " to the agent with ssh-add: it has a passphrase": locked,
	} {
		mine.Keys = []string{file}
		_, _, err := open(t, how, tunnel.Options{SSH: mine})
		if want := strings.ReplaceAll(want, "PORT", port); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestServersThatForwardNothingSaySo(t *testing.T) {
	t.Parallel()
	how, mine := sshServer(t, &tunnels.SSH{Refuses: true})
	_, _, err := open(t, how, tunnel.Options{SSH: mine})
	if want := "localhost forwards no ports: set AllowTcpForwarding in its sshd_config, or choose another server"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, _, err = open(t, "ssh:me@127.0.0.1:1", tunnel.Options{SSH: mine})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot reach 127.0.0.1:1: ") {
		t.Errorf("got %v, want that it cannot be reached", err)
	}
}

// ecdsaKey makes a key of another kind than those of the servers here.
func ecdsaKey() (ssh.PublicKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return ssh.NewPublicKey(&key.PublicKey)
}
