package cmd

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/expect"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/report"
)

const defaultAddr = "127.0.0.1:8787"

type listenOptions struct {
	judgeFlags
	expectFlags
	journalFlags
	forwardFlags
	public     publicFlags
	noJournal  bool
	keep       int
	keepBytes  fileSize
	addr       string
	path       string
	tlsCert    string
	tlsKey     string
	acceptAll  bool
	allowIP    []string
	trustProxy []string
	respond    []string
	delay      time.Duration
	verbose    bool
	maxConns   int
	relaying   *relaying // of what is received; nil: nothing is relayed
	ui         bool
	page       pageFlags
}

func newListenCommand(a *app) *cobra.Command {
	opts := listenOptions{}
	cmd := &cobra.Command{
		Use:   "listen [-- COMMAND...]",
		Short: "Receive, validate, answer and print deliveries",
		Long: `Receive deliveries, validate them against the documented contract, answer, and
print a line for each, followed by its findings. On Ctrl-C, listen finishes
running requests and exits.

With --expect, listen is an assertion: it exits as soon as the expected
deliveries have arrived. With a COMMAND, it runs the command once it is ready to
receive, with OWOXHOOK_URL and OWOXHOOK_ADDR in its environment, and exits with
it: with the exit status of the command if that is not 0, otherwise according to
expectations and findings.

Valid deliveries, with or without warnings, are answered with 200, others with
422 and their findings as application/problem+json. OWOX does not deliver to
private and loopback addresses: for real deliveries, --public opens a tunnel.

Every delivery is kept in the journal before it is answered: see owoxhook
deliveries and owoxhook replay.

More: owoxhook help receiving, owoxhook help tunnel, owoxhook help ci.`,
		Example: `  # print deliveries with their headers and bodies
  owoxhook listen -v

  # any free port, for scripts: the first line has the URL
  owoxhook listen --addr 127.0.0.1:0 -o json

  # a test: one failed run must arrive within a minute
  owoxhook listen --expect 1 --expect-event failed --timeout 60s

  # expect a delivery while a test suite runs, on any free port
  owoxhook listen --addr 127.0.0.1:0 --expect 1 -- npm test

  # look at deliveries in a browser as they arrive
  owoxhook listen --ui --open

  # forward deliveries to an application, and answer as it does
  owoxhook listen --forward-to http://localhost:3000/hook

  # a slow application: answer OWOX first, then forward
  owoxhook listen --forward-to http://localhost:3000/hook --answer-first

  # real deliveries: a public URL to paste into OWOX, for OWOX alone
  owoxhook listen --public --allow-ip owox

  # simulate an endpoint that fails twice
  owoxhook listen --respond 500,500,200

  # behind a proxy, only from OWOX
  owoxhook listen --allow-ip owox --trust-proxy 10.0.0.0/8`,
		Args: func(cmd *cobra.Command, args []string) error {
			before, _ := splitAtDash(cmd, args)
			if rest := opts.public.take(before); len(rest) > 0 {
				return usagef("unexpected argument %q: a command to run goes after --", rest[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			_, command := splitAtDash(cmd, args)
			return runListen(cmd.Context(), a, opts, command)
		},
	}
	bindReceiving(cmd, &opts)
	opts.expectFlags.bind(cmd)
	opts.forwardFlags.bind(cmd)
	cmd.Flags().BoolVar(&opts.noJournal, "no-journal", false, "do not keep deliveries")
	a.bindReport(cmd)
	return cmd
}

// bindReceiving adds the flags of all commands that receive.
func bindReceiving(cmd *cobra.Command, opts *listenOptions) {
	flags := cmd.Flags()
	flags.StringVar(&opts.addr, "addr", defaultAddr, "`HOST:PORT` to listen on; port 0 picks a free one")
	flags.StringVar(&opts.path, "path", "/", "`PATH` to receive on; others are answered with 404")
	flags.StringVar(&opts.tlsCert, "tls-cert", "", "`FILE` with the certificate chain (PEM), to serve https")
	flags.StringVar(&opts.tlsKey, "tls-key", "", "`FILE` with the key of the certificate (PEM)")
	flags.BoolVar(&opts.acceptAll, "accept-all", false, "answer 200 even if a delivery is invalid")
	flags.StringArrayVar(&opts.allowIP, "allow-ip", nil, "accept deliveries only from the network `CIDR`; owox stands for "+owox.SourceAddress)
	flags.StringArrayVar(&opts.trustProxy, "trust-proxy", nil, "trust X-Forwarded-For from the network `CIDR`")
	flags.StringSliceVar(&opts.respond, "respond", nil, "answer deliveries with these `STATUSES` in turn, such as 500,500,200")
	flags.DurationVar(&opts.delay, "delay", 0, "wait before each answer")
	flags.BoolVarP(&opts.verbose, "verbose", "v", false, "print headers and bodies too")
	flags.IntVar(&opts.maxConns, "max-connections", receiver.DefaultMaxConnections, "serve `N` connections at a time and answer 503 on more, which OWOX retries")
	opts.public.bind(cmd)
	opts.judgeFlags.bind(cmd)
	opts.journalFlags.bind(cmd)
	flags.IntVar(&opts.keep, "keep", 10_000, "keep the newest `N` deliveries in the journal; 0 keeps all")
	opts.keepBytes = 1 << 30
	flags.Var(&opts.keepBytes, "keep-bytes", "keep at most `SIZE` of deliveries in the journal; 0 means no limit")
	flags.BoolVar(&opts.ui, "ui", false, "serve a web page that shows deliveries live")
	opts.page.bind(cmd)
	complete(cmd, "allow-ip", "owox")
}

// command is what receives: its own notes begin with that.
func (o *listenOptions) command() string {
	if o.relaying != nil {
		return "relay"
	}
	return "listen"
}

// splitAtDash returns the arguments before and after --.
func splitAtDash(cmd *cobra.Command, args []string) (before, after []string) {
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		return args[:dash], args[dash:]
	}
	return args, nil
}

func runListen(ctx context.Context, a *app, opts listenOptions, command []string) error {
	public, err := a.newPublic(&opts)
	if err != nil {
		return err
	}
	options, err := opts.receiverOptions()
	if err != nil {
		return err
	}
	if public != nil {
		options.TunnelHeader, options.Hidden = public.way.Header, true
	}
	certificate, err := opts.certificate(ctx)
	if err != nil {
		return err
	}
	expected, err := opts.deliveries(a, opts.acceptAll)
	if err != nil {
		return err
	}
	if opts.timeout > 0 && !expected.Any() && len(command) == 0 {
		return usagef("--timeout has nothing to wait for: pass --expect or --expect-event too")
	}
	if opts.maxConns < 1 {
		return usagef("--max-connections %d: want 1 or more", opts.maxConns)
	}
	if opts.keep < 0 {
		return usagef("--keep %d: want 0 or more", opts.keep)
	}
	if !opts.ui && opts.page != (pageFlags{addr: defaultPageAddr}) {
		return usagef("--ui-addr, --ui-password and --open are for the page of --ui: pass --ui too")
	}
	if opts.noJournal && opts.ui {
		return usagef("--ui shows what is in the journal: leave out --no-journal")
	}
	forward, err := a.newForwarder(ctx, opts.forwardFlags, certificate != nil)
	if err != nil {
		return err
	}
	defer forward.close()
	if len(command) == 0 { // its output must not overtake ours
		a.buffer()
	}
	limitMemory()
	return a.reporting(report.Options{Command: opts.command(), Verbose: opts.verbose, Replay: opts.replayCommand(opts.journalFlags)}, func(reporter report.Reporter) error {
		listener, err := a.receiverSocket(ctx, opts.addr)
		if err != nil {
			return err
		}
		l := &listening{app: a, states: map[delivery.State]int{}, opts: opts, reporter: reporter, public: public, judging: expected.Any() || len(command) > 0, watch: expect.New(expected), command: command, relay: opts.relaying}
		a.stdout.needsReader(!l.judging)
		if err := l.openJournal(ctx, &options); err != nil {
			return errors.Join(err, listener.Close())
		}
		defer l.closeJournal()
		if err := l.relay.open(ctx, l); err != nil {
			return errors.Join(err, listener.Close())
		}
		options.Received, options.Now = l.received, a.now
		if forward != nil {
			forward.journal, forward.answered, options.Forward = l.journal, len(opts.respond) > 0 || opts.later, forward.forward
		}
		handler := receiver.New(options)
		if err := l.openPage(ctx, listener, certificate, handler); err != nil {
			return errors.Join(err, listener.Close())
		}
		return l.run(ctx, listener, receiver.Server{Handler: handler, TLS: certificate, MaxConnections: opts.maxConns, Refused: l.refused, MayAsk: public.isDirect, Log: func(line string) {
			a.note("%s: %s", opts.command(), strings.TrimSpace(line))
		}})
	})
}

// limitMemory has the collector work harder before the machine, or its
// container, runs out of memory. GOMEMLIMIT is obeyed.
func limitMemory() {
	_, _ = memlimit.Set( // where nothing is known of the machine there is no limit
		memlimit.WithRatio(memoryShare), memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)),
		memlimit.WithLogger(slog.New(slog.DiscardHandler)))
}

const memoryShare = 0.8 // of what there is

func (o listenOptions) receiverOptions() (receiver.Options, error) {
	options := receiver.Options{Path: o.path, AcceptAll: o.acceptAll, Delay: o.delay, AnswerFirst: o.later}
	err := checkPath(o.path)
	if err != nil {
		return options, err
	}
	if options.Validator, err = o.validator(); err != nil {
		return options, err
	}
	if options.Allowed, err = parsePrefixes("--allow-ip", o.allowIP); err != nil {
		return options, err
	}
	if options.TrustedProxies, err = parsePrefixes("--trust-proxy", o.trustProxy); err != nil {
		return options, err
	}
	for _, word := range o.respond {
		status, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || status < 200 || status > 599 {
			return options, usagef("--respond %s: want statuses from 200 to 599", word)
		}
		options.Respond = append(options.Respond, status)
	}
	return options, nil
}

func checkPath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return usagef("--path %q: want a path that starts with /", path)
	}
	return nil
}

// parsePrefixes reads addresses and networks; owox stands for OWOX's address.
func parsePrefixes(flag string, words []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for _, word := range words {
		text := word
		if text == "owox" {
			text = owox.SourceAddress
		}
		if address, err := netip.ParseAddr(text); err == nil {
			prefixes = append(prefixes, netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, usagef("%s %q: want an address or a network such as 192.0.2.0/24", flag, word)
		}
		if address := prefix.Addr(); address.Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(address.Unmap(), prefix.Bits()-96)
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, nil
}

func (o listenOptions) certificate(ctx context.Context) (*tls.Config, error) {
	if o.tlsCert == "" && o.tlsKey == "" {
		return nil, nil //nolint:nilnil // no TLS is not an error
	}
	if o.tlsCert == "" || o.tlsKey == "" {
		return nil, usagef("--tls-cert and --tls-key go together: give both")
	}
	chain, err := readPEM(ctx, o.tlsCert)
	if err != nil {
		return nil, err
	}
	key, err := readPEM(ctx, o.tlsKey)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, errors.New("cannot use " + o.tlsCert + " with " + o.tlsKey + ": " + err.Error() + ": want a PEM certificate chain and its key")
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

func checkAddr(flag, addr string) error {
	if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
		return usagef("%s %q: want host:port, such as 127.0.0.1:8787", flag, addr)
	}
	return nil
}

func listenOn(ctx context.Context, flag, addr string) (net.Listener, error) {
	if err := checkAddr(flag, addr); err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	var wrong *net.AddrError
	switch {
	case err == nil:
		return listener, nil
	case errors.Is(err, errAddrInUse):
		return nil, errors.New("address " + addr + " is in use: stop the other program or pass " + flag)
	case errors.Is(err, errNotPermitted):
		return nil, errors.New("no permission to listen on " + addr + ": pass " + flag + " with a port above 1023")
	case errors.Is(err, errAddrNotHere):
		return nil, errors.New("address " + addr + " does not belong to this machine: pass another " + flag)
	case errors.As(err, &wrong), strings.Contains(err.Error(), "unknown port"):
		return nil, usagef("%s %q: %w: want host:port, such as 127.0.0.1:8787", flag, addr, err)
	default:
		return nil, errors.New("cannot listen on " + addr + ": " + err.Error() + ": pass another " + flag)
	}
}

// listenURL is the URL that reaches the listener from this machine.
func listenURL(addr net.Addr, secure bool, path string) string {
	at := url.URL{Scheme: "http", Host: addr.String(), Path: path}
	if secure {
		at.Scheme = "https"
	}
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		at.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return at.String()
}
