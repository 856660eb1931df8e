package cmd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/tunnel"
)

const (
	keyPublic = "public"
	keyPath   = "path"
	anyTunnel = "auto" // the first program that is there

	wayWanted = "want auto for the first program installed, cloudflared, ngrok, ssh:USER@HOST, or 'exec:COMMAND {port}'"
)

// publicFlags say how the receiver gets a public URL.
type publicFlags struct {
	how     string
	changed func(flag string) bool // on the command line
}

func (f *publicFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	f.changed = flags.Changed
	flags.StringVar(&f.how, keyPublic, "", "get a public URL through a tunnel, `HOW`: cloudflared, ngrok, ssh:USER@HOST or 'exec:COMMAND {port}'; auto, or no value: the first program installed")
	flags.Lookup(keyPublic).NoOptDefVal = anyTunnel
	complete(cmd, keyPublic, append(tunnel.Programs(), "ssh:", "exec:")...)
}

// take takes the value of --public from the arguments, where a flag with a
// default leaves it.
func (f *publicFlags) take(args []string) (rest []string) {
	if f.how == anyTunnel && len(args) > 0 {
		f.how, args = args[0], args[1:]
	}
	return args
}

// public gives a receiver a public URL.
type public struct {
	*app
	way      tunnel.Way
	command  string
	path     string
	patience time.Duration // with a test event
	quiet    time.Duration // before it says what it waits for
	tunnel   *tunnel.Tunnel
	gate     *gate

	mu     sync.Mutex
	url    string                  // now
	given  string                  // that was announced; "": none yet
	down   string                  // why it was said to be down; "": it is up
	trial  context.CancelCauseFunc // ends the trial that is under way
	trials sync.WaitGroup

	awaited string // what it waits for
}

// newPublic returns nil where no public URL is asked for. It chooses a path that
// nobody can guess, unless the user has one.
func (a *app) newPublic(opts *listenOptions) (*public, error) {
	how := opts.public.how
	if how == "" {
		return nil, nil //nolint:nilnil // no tunnel is not an error
	}
	if a.config.from[keyPublic] == workFile && !opts.public.changed(keyPublic) && !a.config.trusted() {
		return nil, usagef("%s in this directory sets public, which opens a tunnel to this machine and may run any command: pass --public yourself, or trust the file with owoxhook config trust", configFile)
	}
	if how == anyTunnel {
		there := func(name string) bool { _, err := exec.LookPath(name); return err == nil }
		index := slices.IndexFunc(tunnel.Programs(), there)
		if index < 0 {
			return nil, errors.New("no program for tunnels is installed: install cloudflared, which needs no account (brew install cloudflared, winget install Cloudflare.cloudflared, or https://github.com/cloudflare/cloudflared/releases), or ngrok (https://ngrok.com/download), or pass --public ssh:USER@HOST")
		}
		how = tunnel.Programs()[index]
	}
	way, err := tunnel.Parse(how)
	switch {
	case err != nil:
		return nil, usagef("--public: %w: %s", err, wayWanted)
	case opts.tlsCert != "" || opts.tlsKey != "":
		return nil, usagef("--public and --tls-cert cannot be combined: the tunnel has its own certificate")
	case len(opts.allowIP) > 0 && way.Header == "" && len(opts.trustProxy) == 0:
		return nil, usagef("--allow-ip: nothing is known of a header in which %s names the sender: pass --trust-proxy 127.0.0.1 if it writes X-Forwarded-For", way)
	}
	if !opts.public.changed(keyPath) && a.config.origin[keyPath] == "" {
		if opts.path, err = keptPath(opts.journalFlags); err != nil {
			return nil, err
		}
	} else if a.config.from[keyPath] == workFile && !opts.public.changed(keyPath) && !a.config.trusted() {
		a.note("note: %s sets path, which others may know", configFile)
	}
	return &public{app: a, way: way, command: opts.command(), path: opts.path, patience: tryFor, quiet: quietFor}, nil
}

// keptPath returns the path of the public URL, which stays the same from day to
// day: it is kept beside the journal.
func keptPath(journal journalFlags) (string, error) {
	dir := filepath.Join(xdg.StateHome, "owoxhook")
	if journal.file != "" && !strings.Contains(journal.file, "://") {
		dir = filepath.Dir(journal.file)
	}
	file := filepath.Join(dir, "public-path")
	secret := make([]byte, 16)
	_, _ = rand.Read(secret) // it never fails
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", writeError(err)
	}
	switch created, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); {
	case err == nil:
		path := "/" + hex.EncodeToString(secret)
		_, err = io.WriteString(created, path+"\n")
		if err = errors.Join(err, created.Close()); err != nil {
			return "", writeError(err)
		}
		return path, nil
	case !errors.Is(err, fs.ErrExist):
		return "", writeError(err)
	}
	text, err := readConfigFile(file)
	if err != nil {
		return "", err
	}
	path := strings.TrimSpace(string(text))
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode()&0o077 != 0 || !regexp.MustCompile(`^/[0-9a-f]{32}$`).MatchString(path) {
		return "", fmt.Errorf("%s has no path that only you know: remove it to get a new one, or pass --path", file)
	}
	return path, nil
}

// open opens the tunnel, and returns the public URL once a test event came
// through it to the gate.
func (p *public) open(ctx context.Context, g *gate, address string) (string, error) {
	target, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(target.Hostname()); ip == nil || !ip.IsLoopback() {
		return "", usagef("--addr %s: the tunnel connects from this machine: pass a loopback address, such as 127.0.0.1:8787", target.Host)
	}
	p.gate = g
	ctx, p.trial = context.WithCancelCause(ctx)
	p.note("opening a tunnel through %s", p.way)
	p.await("%s to open a tunnel", p.way)
	defer p.tell()()
	opened, err := tunnel.Open(ctx, tunnel.Options{Way: p.way, Target: target.Host, SSH: userSSH(), Changed: p.changed, Waiting: func(why string) {
		p.await("%s to open a tunnel: %s", p.way, why)
	}})
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%w: install it, or choose another --public", err)
	case err != nil:
		return "", err
	}
	p.tunnel = opened
	p.mu.Lock()
	if p.url == "" { // it may have another one already
		p.url = p.under(opened.URL())
	}
	p.mu.Unlock()
	return p.first(ctx)
}

func (p *public) close() {
	if p == nil || p.trial == nil {
		return
	}
	if p.tunnel != nil {
		p.tunnel.Close()
	}
	p.trial(nil)
	p.trials.Wait()
}

// under returns the URL of the receiver below that of the tunnel.
func (p *public) under(tunnel string) string {
	return strings.TrimSuffix(tunnel, "/") + (&url.URL{Path: p.path}).EscapedPath()
}

// isDirect reports whether a request comes from this machine and not through the
// tunnel, which is told by its header, or by the host that was asked for.
func (p *public) isDirect(r *http.Request) bool {
	if p == nil {
		return true
	}
	for _, name := range []string{p.way.Header, "X-Forwarded-For", "Forwarded"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	host, port, err := net.SplitHostPort(r.Host)
	return err == nil && local != nil && port == strconv.Itoa(local.Port) && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

// now is the public URL as it is now, or "".
func (p *public) now() string {
	if p == nil {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.url
}

// userSSH is what ssh uses unless it is configured.
func userSSH() tunnel.SSH {
	var s tunnel.SSH
	if me, err := user.Current(); err == nil {
		s.User = me.Username[strings.LastIndex(me.Username, `\`)+1:] // Windows puts a domain in front
	}
	s.Agent = os.Getenv("SSH_AUTH_SOCK")
	s.KnownHosts = []string{"/etc/ssh/ssh_known_hosts"}
	home, err := os.UserHomeDir()
	if err != nil {
		return s
	}
	s.KnownHosts = append(s.KnownHosts, filepath.Join(home, ".ssh", "known_hosts"))
	for _, name := range []string{"id_rsa", "id_ecdsa", "id_ed25519"} {
		s.Keys = append(s.Keys, filepath.Join(home, ".ssh", name))
	}
	return s
}
