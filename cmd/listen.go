package cmd

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

type listenOptions struct {
	judgeFlags
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
}

func newListenCommand(a *app) *cobra.Command {
	opts := listenOptions{}
	cmd := &cobra.Command{
		Use:   "listen",
		Short: "Receive deliveries, judge them, answer, and print them",
		Long: `Receive deliveries, judge them against the documented contract, answer, and
print a line for each with its findings below. Ctrl-C lets running requests end
and then ends.

A delivery is answered with 200 when it is valid, warnings included, and with
422 and the findings as application/problem+json when it is not. OWOX refuses
to deliver to private and loopback addresses: for real deliveries, point a
public tunnel here.`,
		Example: `  # look at what comes in, headers and bodies too
  owoxhook listen -v

  # any free port, for scripts: the first line says which
  owoxhook listen --addr 127.0.0.1:0 -o json

  # rehearse an endpoint that is down twice
  owoxhook listen --respond 500,500,200

  # behind a proxy, for OWOX alone
  owoxhook listen --allow-ip owox --trust-proxy 10.0.0.0/8`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runListen(cmd.Context(), a, opts) },
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.addr, "addr", "127.0.0.1:8787", "`HOST:PORT` to listen on; port 0 takes a free one")
	flags.StringVar(&opts.path, "path", "/", "`PATH` to receive at; others are answered with 404")
	flags.StringVar(&opts.tlsCert, "tls-cert", "", "`FILE` with the certificate chain (PEM), for https")
	flags.StringVar(&opts.tlsKey, "tls-key", "", "`FILE` with the key of the certificate (PEM)")
	flags.BoolVar(&opts.acceptAll, "accept-all", false, "answer 200 whatever the findings")
	flags.StringArrayVar(&opts.allowIP, "allow-ip", nil, "accept deliveries from the network `CIDR` only; owox stands for "+owox.SourceAddress)
	flags.StringArrayVar(&opts.trustProxy, "trust-proxy", nil, "believe X-Forwarded-For from the network `CIDR`")
	flags.StringSliceVar(&opts.respond, "respond", nil, "answer deliveries with these `STATUSES` in turn, such as 500,500,200")
	flags.DurationVar(&opts.delay, "delay", 0, "wait before each answer")
	flags.BoolVarP(&opts.verbose, "verbose", "v", false, "print headers and bodies too")
	opts.bind(cmd)
	complete(cmd, "allow-ip", "owox")
	return cmd
}

func runListen(ctx context.Context, a *app, opts listenOptions) error {
	reporter, err := a.reporter(opts.verbose)
	if err != nil {
		return err
	}
	options, err := opts.receiverOptions()
	if err != nil {
		return err
	}
	certificate, err := opts.certificate()
	if err != nil {
		return err
	}
	listener, err := listenOn(ctx, opts.addr)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	tally := &tally{reporter: reporter, stop: stop}
	options.Received = tally.received
	options.Now = a.now
	address := listenURL(listener.Addr(), certificate != nil, opts.path)
	if err := reporter.Listening(report.Listening{URL: address, Path: opts.path}); err != nil {
		return errors.Join(err, listener.Close())
	}
	if a.output == "text" {
		a.note("try it: owoxhook send --test %s", address)
	}
	server := receiver.Server{Handler: receiver.New(options), TLS: certificate, Log: func(line string) {
		a.note("listen: %s", report.Escape(strings.TrimSpace(line)))
	}}
	if err := server.Serve(ctx, listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return tally.end()
}

func (o listenOptions) receiverOptions() (receiver.Options, error) {
	options := receiver.Options{Path: o.path, AcceptAll: o.acceptAll, Delay: o.delay}
	if !strings.HasPrefix(o.path, "/") {
		return options, usagef("--path %q: want a path that starts with /", o.path)
	}
	var err error
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
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, nil
}

func (o listenOptions) certificate() (*tls.Config, error) {
	if o.tlsCert == "" && o.tlsKey == "" {
		return nil, nil //nolint:nilnil // no TLS is not an error
	}
	if o.tlsCert == "" || o.tlsKey == "" {
		return nil, usagef("--tls-cert and --tls-key go together: give both")
	}
	for _, file := range []string{o.tlsCert, o.tlsKey} {
		if _, err := os.ReadFile(file); err != nil {
			return nil, readError(err)
		}
	}
	pair, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
	if err != nil {
		return nil, errors.New("cannot use " + o.tlsCert + " with " + o.tlsKey + ": " + err.Error() + ": want a PEM certificate chain and its key")
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

func listenOn(ctx context.Context, addr string) (net.Listener, error) {
	if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
		return nil, usagef("--addr %q: want host:port, such as 127.0.0.1:8787", addr)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	var wrong *net.AddrError
	switch {
	case err == nil:
		return listener, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, errors.New("address " + addr + " is in use: stop the other program or pass --addr")
	case errors.Is(err, syscall.EACCES):
		return nil, errors.New("address " + addr + " is not permitted: take a port above 1023 or ask for the right to it")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, errors.New("address " + addr + " is not one of this machine: pass another --addr")
	case errors.As(err, &wrong), strings.Contains(err.Error(), "unknown port"):
		return nil, usagef("--addr %q: %w: want host:port, such as 127.0.0.1:8787", addr, err)
	default:
		return nil, errors.New("cannot listen on " + addr + ": " + err.Error() + ": pass another --addr")
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

// tally reports deliveries and counts them. When the output cannot be written
// it stops the receiver.
type tally struct {
	reporter report.Reporter
	stop     func()

	mu                               sync.Mutex
	total, valid, refused, duplicate int
	err                              error
}

func (t *tally) received(d delivery.Delivery) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total++
	switch {
	case d.Valid():
		t.valid++
	case d.Note != "":
		t.refused++
	}
	if d.Duplicate {
		t.duplicate++
	}
	if t.err == nil {
		if t.err = t.reporter.Delivery(d); t.err != nil {
			t.stop()
		}
	}
}

// end says the summary, unless the output broke before.
func (t *tally) end() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	return t.reporter.Summary(report.Summary{
		{N: t.total, Name: "deliveries", One: "delivery", Many: "deliveries"},
		{N: t.valid, Name: "valid", One: "valid", Many: "valid"},
		{N: t.total - t.valid - t.refused, Name: "invalid", One: "invalid", Many: "invalid"},
		{N: t.refused, Name: "refused", One: "refused", Many: "refused"},
		{N: t.duplicate, Name: "duplicates", One: "duplicate", Many: "duplicates"},
	})
}

// sendLocally delivers to a receiver of our own. The receiver's side of each
// attempt is said before the sender's.
func (j *sendJob) sendLocally(ctx context.Context, requests []sender.Request) error {
	listener, err := listenOn(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	received := make(chan delivery.Delivery, 1)
	handler := receiver.New(receiver.Options{Validator: j.validator, Now: j.now, Received: func(d delivery.Delivery) { received <- d }})
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- receiver.Server{Handler: handler}.Serve(serving, listener) }()

	j.url.Host = listener.Addr().String()
	err = j.reporter.Listening(report.Listening{URL: j.url.String(), Path: j.url.Path})
	if err == nil {
		err = j.send(ctx, requests, func(attempt delivery.Attempt) error {
			if attempt.Status != 0 {
				if err := j.reporter.Delivery(<-received); err != nil {
					return err
				}
			}
			return j.reporter.Attempt(attempt)
		})
	}
	stop()
	return errors.Join(err, <-ended)
}
