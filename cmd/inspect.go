package cmd

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/inspector"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// pageFlags say where the page is served. listen has the same.
type pageFlags struct {
	addr     string
	password string
	open     bool
}

const defaultPageAddr = "127.0.0.1:8788"

func (f *pageFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.addr, "ui-addr", defaultPageAddr, "`HOST:PORT` to serve the page on; port 0 takes a free one")
	flags.StringVar(&f.password, "ui-password", "", "ask for this `PASSWORD`; on an address that others reach, one is made up")
	flags.BoolVar(&f.open, "open", false, "open the page in a browser")
}

type inspectOptions struct {
	journalFlags
	pageFlags
}

func newInspectCommand(a *app) *cobra.Command {
	opts := inspectOptions{}
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Serve a page to look at the deliveries of a journal",
		Long: `Serve a web page over a journal, without receiving: yesterday's deliveries, a
colleague's file, or what a listen in another terminal receives. It shows what
is wrong with each delivery, and where in its body. Ctrl-C ends it.

On a loopback address, which is the default, only this machine can see the page.
On any other one it asks for a password.

More: owoxhook help inspector.`,
		Example: `  # look at what listen has kept, in a browser
  owoxhook inspect --open

  # a colleague's journal, on any free port
  owoxhook inspect --journal colleague.db --ui-addr 127.0.0.1:0`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runInspect(cmd.Context(), a, opts) },
	}
	opts.journalFlags.bind(cmd)
	opts.pageFlags.bind(cmd)
	return cmd
}

func runInspect(ctx context.Context, a *app, opts inspectOptions) error {
	asJSON, err := a.wantsJSON()
	if err != nil {
		return err
	}
	return opts.using(ctx, openToInspect, func(j *journal.Journal) error {
		p, err := a.openPage(ctx, opts.pageFlags, nil, inspector.Options{Journal: j, Replay: forwardFlags{to: "http://127.0.0.1:8787/"}.replayCommand(opts.journalFlags)})
		if err != nil {
			return err
		}
		if asJSON {
			err = a.printLine(struct {
				Type    string `json:"type"`
				UI      string `json:"ui"`
				Journal string `json:"journal"`
			}{"inspecting", p.url, opts.redacted()})
		} else {
			a.note("the page is at %s", p.url)
		}
		if err != nil {
			return errors.Join(err, p.listener.Close())
		}
		return p.serve(ctx)
	})
}

// openToInspect opens a journal for writing where it can: entries of one that
// cannot be written are shown all the same.
func openToInspect(ctx context.Context, file string) (*journal.Journal, error) {
	j, err := journal.OpenExisting(ctx, file)
	if errors.Is(err, journal.ErrReadOnly) || errors.Is(err, journal.ErrNoAccess) {
		return journal.OpenReading(ctx, file)
	}
	return j, err
}

// servedPage is the page on its socket.
type servedPage struct {
	app      *app
	flags    pageFlags
	url      string
	listener net.Listener
	page     *inspector.Inspector
	server   receiver.Server
}

// openPage opens the socket of the page, and makes up a password where others
// reach it.
func (a *app) openPage(ctx context.Context, flags pageFlags, certificate *tls.Config, options inspector.Options) (*servedPage, error) {
	listener, err := listenOn(ctx, "--ui-addr", flags.addr)
	if err != nil {
		return nil, err
	}
	options.Addr, options.Password = listener.Addr().String(), flags.password
	options.Now, options.NewID, options.Version = a.now, a.newID, version()
	certificate = a.protectPage(&options, certificate)
	p := &servedPage{app: a, flags: flags, url: listenURL(listener.Addr(), certificate != nil, "/"), listener: listener}
	p.page = inspector.New(options)
	p.server = receiver.Server{Handler: p.page, TLS: certificate, Log: func(line string) { a.note("page: %s", strings.TrimSpace(line)) }}
	return p, nil
}

// protectPage makes up a password where others reach the page, and returns the
// certificate to use.
func (a *app) protectPage(options *inspector.Options, certificate *tls.Config) *tls.Config {
	if at, err := netip.ParseAddrPort(options.Addr); err == nil && at.Addr().Unmap().IsLoopback() {
		return nil // the certificate is for another name, and nobody is on the way
	}
	if options.Password == "" {
		options.Password = strings.ReplaceAll(a.newID().String(), "-", "")
		a.note("the page asks for the password %s", options.Password)
	}
	if certificate == nil {
		a.note("the page is not encrypted: whoever is on the way can read its password and deliveries")
	}
	return certificate
}

// serve serves the page until the context ends.
func (p *servedPage) serve(ctx context.Context) error {
	defer p.page.Close()
	stop := context.AfterFunc(ctx, p.page.Close) // feeds would hold up the end
	defer stop()
	if p.flags.open {
		p.app.openBrowser(ctx, p.url)
	}
	if err := p.server.Serve(ctx, p.listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// begin serves the page beside something else until the context ends, or the
// function that it returns is called. Without a page it does nothing.
func (p *servedPage) begin(ctx context.Context) (end func()) {
	if p == nil {
		return func() {}
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.serve(ctx) }()
	return func() {
		stop()
		if err := <-ended; err != nil {
			p.app.note("page: %v", err)
		}
	}
}

// answered has the page of a delivery say how long its answer took.
func (p *servedPage) answered(d delivery.Delivery) {
	if p != nil {
		p.page.Answered(d)
	}
}

// address is the URL of the page, or "" without one.
func (p *servedPage) address() string {
	if p == nil {
		return ""
	}
	return p.url
}

// openBrowser does what a double click does. Where nothing can, the URL is
// there to be copied.
func (a *app) openBrowser(ctx context.Context, url string) {
	command := []string{"xdg-open", url}
	switch runtime.GOOS {
	case "darwin":
		command = []string{"open", url}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler", url}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	go func() {
		defer cancel()
		if err := exec.CommandContext(ctx, command[0], command[1:]...).Run(); err != nil { //nolint:gosec // the URL is ours
			a.note("cannot open a browser: open %s in one", sender.ShellQuote(url))
		}
	}()
}
