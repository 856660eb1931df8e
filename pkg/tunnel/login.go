package tunnel

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// dial connects to the server and logs in: with the keys of the agent, those in
// files, or nothing, as services for tunnels allow.
func (s *server) dial(ctx context.Context) (*ssh.Client, error) {
	address := net.JoinHostPort(s.host, s.port)
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot reach %s: %w", address, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // it may be closed already
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(2 * dialTimeout)) // sockets have deadlines
	k, done := s.keys()
	defer done()
	check, err := s.hostKeys()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c, channels, requests, err := ssh.NewClientConn(conn, address, &ssh.ClientConfig{
		User:              s.user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(k.signers...), ssh.KeyboardInteractive(answerNothing)},
		HostKeyCallback:   check,
		HostKeyAlgorithms: known(check, address, conn.RemoteAddr()),
	})
	if err != nil {
		_ = conn.Close() // it failed already
		return nil, s.explain(err, k)
	}
	_ = conn.SetDeadline(time.Time{}) // sockets have deadlines
	return ssh.NewClient(c, channels, requests), nil
}

// keys are those to log in with, and the files that need a passphrase.
type keys struct {
	signers []ssh.Signer
	locked  []string
}

// keys collects keys as ssh does, those of the agent first. done lets go of the
// agent.
func (s *server) keys() (k keys, done func()) {
	done = func() {}
	if conn, err := net.DialTimeout("unix", s.Agent, time.Second); s.Agent != "" && err == nil { //nolint:noctx // it has a limit
		done = func() { _ = conn.Close() }                    // nothing is lost
		_ = conn.SetDeadline(time.Now().Add(2 * dialTimeout)) // sockets have deadlines
		k.signers, _ = agent.NewClient(conn).Signers()
	}
	for _, file := range s.Keys {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // there is none, most often
		}
		signer, err := ssh.ParsePrivateKey(text)
		var locked *ssh.PassphraseMissingError
		switch {
		case errors.As(err, &locked):
			k.locked = append(k.locked, file)
		case err == nil:
			k.signers = append(k.signers, signer)
		}
	}
	return k, done
}

// answerNothing logs in where a server asks no questions.
func answerNothing(_, _ string, questions []string, _ []bool) ([]string, error) {
	if len(questions) > 0 {
		return nil, errors.New("it asks for a password")
	}
	return nil, nil
}

// hostKeys checks the keys of servers against the files of known hosts.
func (s *server) hostKeys() (ssh.HostKeyCallback, error) {
	files := slices.DeleteFunc(slices.Clone(s.KnownHosts), func(file string) bool {
		_, err := os.Stat(file)
		return err != nil
	})
	check, err := knownhosts.New(files...)
	if err != nil {
		return nil, fmt.Errorf("cannot read the known hosts: %w", err)
	}
	return check, nil
}

// known returns the algorithms of the keys that are known of a server, or nil: it
// may have keys of other kinds too, and would show one of those.
func known(check ssh.HostKeyCallback, address string, remote net.Addr) (algorithms []string) {
	nobodys, _ := ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize))) // of this size it is a key
	var mismatch *knownhosts.KeyError
	if !errors.As(check(address, remote, nobodys), &mismatch) {
		return nil
	}
	for _, want := range mismatch.Want {
		if kind := want.Key.Type(); kind == ssh.KeyAlgoRSA {
			algorithms = append(algorithms, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		} else {
			algorithms = append(algorithms, kind)
		}
	}
	return algorithms
}

// explain says what to do about a login that failed.
func (s *server) explain(err error, k keys) error {
	login := fmt.Sprintf("ssh %s@%s", s.user, s.host)
	if s.port != "22" {
		login = fmt.Sprintf("ssh -p %s %s@%s", s.port, s.user, s.host)
	}
	var mismatch *knownhosts.KeyError
	switch {
	case errors.As(err, &mismatch) && len(mismatch.Want) > 0:
		return fmt.Errorf("the key of %s is not the one in %s:%d: somebody may be in between, or it has a new one: check with %s", s.host, mismatch.Want[0].Filename, mismatch.Want[0].Line, login)
	case errors.As(err, &mismatch):
		return fmt.Errorf("%s is not a known host: log in once with %s to check its key", s.host, login)
	case !strings.Contains(err.Error(), "unable to authenticate"):
		return fmt.Errorf("cannot log in to %s: %w", s.host, err)
	case len(k.locked) > 0:
		return fmt.Errorf("%s accepts none of your keys for %s: add %s to the agent with ssh-add: it has a passphrase", s.host, s.user, k.locked[0])
	default:
		return fmt.Errorf("%s accepts none of your keys for %s: check that %s works without a password", s.host, s.user, login)
	}
}
