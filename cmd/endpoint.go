package cmd

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// endpointFlags say how to deliver to an endpoint. They are the same for all
// commands that deliver.
type endpointFlags struct {
	headers  []string
	timeout  time.Duration
	insecure bool
	caCert   string

	changed func(flag string) bool // on the command line; nil: the flags have no keys
}

func (f *endpointFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	f.changed = flags.Changed
	flags.StringArrayVarP(&f.headers, keyHeader, "H", nil, "set a header: `'NAME: VALUE'`")
	flags.DurationVar(&f.timeout, "timeout", owox.Timeout, "time limit of an attempt, up to the headers of the response")
	f.bindTLS(cmd, "")
}

func (f *endpointFlags) bindTLS(cmd *cobra.Command, prefix string) {
	flags := cmd.Flags()
	flags.BoolVar(&f.insecure, prefix+keyInsecure, false, "accept any TLS certificate")
	flags.StringVar(&f.caCert, prefix+keyCACert, "", "also trust the certificates in `FILE` (PEM)")
}

// options returns how to deliver to an endpoint, and the headers to set.
func (f endpointFlags) options(ctx context.Context, a *app, to target) (sender.Options, []owox.Header, error) {
	if f.timeout <= 0 {
		return sender.Options{}, nil, usagef("--timeout %v: want more than 0", f.timeout)
	}
	f, err := f.meantFor(to, a)
	if err != nil {
		return sender.Options{}, nil, err
	}
	headers, err := parseHeaders(f.headers)
	if err != nil {
		return sender.Options{}, nil, err
	}
	pool, err := certPool(ctx, f.caCert)
	return sender.Options{Timeout: f.timeout, Insecure: f.insecure, RootCAs: pool, Proxy: http.ProxyFromEnvironment}, headers, err
}

// target is an endpoint, who chose it, and the headers that are bound to it.
type target struct {
	url     *url.URL
	from    source
	headers []string
}

// resolveEndpoint turns what names an endpoint on the command line into its
// URL: a URL, @name, or nothing where one is configured.
func (a *app) resolveEndpoint(args []string) (target, error) {
	word, from := a.config.url(), a.config.from[keyURL]
	if len(args) > 0 {
		word, from = args[0], typed
	}
	if word == "" {
		return target{}, usagef("no endpoint: give a URL or @name, set %s: in %s, or try --local", keyURL, configFile)
	}
	if name, ok := strings.CutPrefix(word, "@"); ok {
		to, err := a.config.endpoint(name)
		if err == nil {
			a.nameEndpoint(name, to)
		}
		return to, err
	}
	endpoint, err := parseEndpoint(word)
	if err != nil {
		return target{}, usageError{err}
	}
	to := target{url: endpoint, from: from}
	a.nameEndpoint("", to)
	return to, nil
}

// parseEndpoint reads an http or https URL.
func parseEndpoint(text string) (*url.URL, error) {
	endpoint, err := url.Parse(text)
	var parse *url.Error
	shown := sender.Redact(text)
	switch {
	case errors.As(err, &parse) && !strings.Contains(text, "@") && !strings.Contains(parse.Err.Error(), "port"):
		return nil, fmt.Errorf("malformed URL %q: %w: want one like https://example.com/hook", shown, parse.Err)
	case err != nil: // its words may quote a password
		return nil, fmt.Errorf("malformed URL %q: want one like https://example.com/hook", shown)
	case endpoint.Scheme == "" || endpoint.Opaque != "":
		return nil, fmt.Errorf("%q is not a URL: want one like https://example.com/hook", shown)
	case endpoint.Scheme != "http" && endpoint.Scheme != "https":
		return nil, fmt.Errorf("cannot deliver to %q: scheme %s is not supported: use http or https", shown, endpoint.Scheme)
	case endpoint.Hostname() == "":
		return nil, fmt.Errorf("%q names no host: want a URL like https://example.com/hook", shown)
	case !isHost(endpoint):
		return nil, fmt.Errorf("malformed URL %q: its host is not a name or an address", shown)
	}
	if port := endpoint.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("malformed URL %q: its port is not between 1 and 65535", shown)
		}
	}
	return endpoint, nil
}

// isHost reports whether the host of a URL is one, beyond what its parser knows:
// of a host with other characters net/http makes an empty one.
func isHost(at *url.URL) bool {
	return strings.HasPrefix(at.Host, "[") || !strings.ContainsAny(at.Hostname(), `:[]<>"`)
}

// isHostHeader reports whether net/http sends a host as it is: one that is not
// ASCII it would encode, and of an address it would drop the zone.
func isHostHeader(host string) bool {
	at, err := url.Parse("http://" + host)
	return err == nil && host != "" && at.Host == host && isHost(at) && !strings.ContainsFunc(host, func(r rune) bool { return r == '%' || r >= 0x80 })
}

// certPool returns the system's certificates and those of a PEM file; without
// a file it returns nil, which stands for the system's alone.
func certPool(ctx context.Context, file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // nil is what crypto/tls takes for the default
	}
	pem, err := readPEM(ctx, file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s: want PEM text with BEGIN CERTIFICATE", file)
	}
	return pool, nil
}

// readPEM reads a file, or a named pipe as a shell makes for <(...). That
// nobody writes into the pipe keeps nobody from interrupting.
func readPEM(ctx context.Context, name string) ([]byte, error) {
	return await(ctx, func() ([]byte, error) {
		info, err := os.Stat(name)
		if err != nil {
			return nil, readError(err)
		}
		if mode := info.Mode(); !mode.IsRegular() && mode&fs.ModeNamedPipe == 0 {
			return nil, usagef("%s is neither a regular file nor a pipe: want PEM text", name)
		}
		file, err := os.Open(name)
		if err != nil {
			return nil, readError(err)
		}
		defer file.Close() //nolint:errcheck // only read
		return readSmall(file, name)
	})
}

// await returns what work returns. Work that blocks is left behind when the
// context ends.
func await[T any](ctx context.Context, work func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := work()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return *new(T), errInterrupted
	}
}

// parseHeaders reads headers in the order of the command line.
func parseHeaders(texts []string) ([]owox.Header, error) {
	var headers []owox.Header
	for _, text := range texts {
		h, err := parseHeader(text)
		if err != nil {
			return nil, err
		}
		headers = append(headers, h)
	}
	return headers, nil
}

// These headers are made by the HTTP client from the request itself.
var clientHeaders = []string{"Content-Length", "Transfer-Encoding", "Trailer"}

// headerName returns the name of a header, or "" where there is none to tell
// from a value, which may be a secret.
func headerName(text string) string {
	name, _, ok := strings.Cut(text, ":")
	name = strings.TrimSpace(name)
	if !ok || strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	}) {
		return ""
	}
	return name
}

// parseHeader reads a header as curl does: "Name: value". Its errors do not show
// the value.
func parseHeader(text string) (owox.Header, error) {
	_, value, _ := strings.Cut(text, ":")
	name, value := headerName(text), strings.TrimSpace(value)
	switch {
	case name == "":
		return owox.Header{}, usagef("malformed header: want 'Name: value'")
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return owox.Header{}, usagef("malformed header %s: the value has control characters", name)
	case strings.EqualFold(name, "Host") && !isHostHeader(value):
		return owox.Header{}, usagef("malformed header Host: want the name of a host, with a port if need be")
	}
	for _, made := range clientHeaders {
		if strings.EqualFold(name, made) {
			return owox.Header{}, usagef("header %s cannot be set: it is made from the body", made)
		}
	}
	return owox.Header{Name: name, Value: value}, nil
}
