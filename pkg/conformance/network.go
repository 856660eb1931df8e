package conformance

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// judgeURL judges what OWOX looks at before it connects.
func judgeURL(ctx context.Context, r *run) verdict {
	if r.Endpoint.Scheme != "http" && r.Endpoint.Scheme != "https" {
		return unmet(Required, "the scheme is "+r.Endpoint.Scheme, "use https: OWOX delivers to http and https alone")
	}
	if r.Endpoint.User != nil {
		return unmet(Required, "a user name or password in the URL", "use a secret path or query instead: OWOX sends nothing to a URL with a user name or password")
	}
	_, err := r.Lookup(ctx, r.Endpoint.Hostname())
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return unmet(Required, "unknown host "+r.Endpoint.Hostname(), "check the spelling of the host and its DNS records: OWOX sends nothing to a host that does not resolve")
	case err != nil:
		return untried("cannot look up " + r.Endpoint.Hostname() + ": " + err.Error())
	}
	return met(r.Endpoint.Scheme + ", and " + r.Endpoint.Hostname() + " resolves")
}

// judgeHTTPS connects once more, only to look at the certificate.
func judgeHTTPS(ctx context.Context, r *run) verdict {
	if r.Endpoint.Scheme != "https" {
		return unmet(Advised, "the URL is plain http", "serve the endpoint over https: events carry titles and error messages")
	}
	expires, err := r.certificateExpires(ctx)
	var network *net.OpError
	switch {
	case errors.As(err, &network) && (network.Op == "dial" || network.Op == "proxyconnect"):
		return untried("no connection: " + network.Err.Error())
	case err != nil:
		return unmet(Required, strings.TrimPrefix(err.Error(), "tls: "), "install a valid certificate with its whole chain: OWOX refuses the connection, and the event is lost")
	}
	days := int(expires.Sub(r.Now()) / (24 * time.Hour))
	seen := fmt.Sprintf("a trusted certificate, valid for %d more days", days)
	if days < goodDays {
		return unmet(Advised, seen, "renew the certificate")
	}
	return met(seen)
}

// certificateExpires shakes hands with the endpoint, by the way that deliveries
// go, proxy or not, and hangs up once its certificate is verified.
func (r *run) certificateExpires(ctx context.Context) (expires time.Time, err error) {
	limited, cancel := context.WithTimeout(ctx, r.Sender.Timeout)
	defer cancel()
	seen := errors.New("the certificate was seen")
	transport := &http.Transport{Proxy: r.Sender.Proxy, TLSClientConfig: &tls.Config{
		RootCAs: r.Sender.RootCAs, ServerName: r.Endpoint.Hostname(), MinVersion: tls.VersionTLS12,
		VerifyConnection: func(state tls.ConnectionState) error {
			expires = state.PeerCertificates[0].NotAfter
			return seen
		},
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(limited, http.MethodHead, r.Endpoint.String(), nil)
	if err != nil {
		return expires, err
	}
	response, err := transport.RoundTrip(request)
	if err == nil { // it never gets so far
		_ = response.Body.Close()
	}
	if errors.Is(err, seen) {
		err = nil
	}
	return expires, err
}

// reserved are the networks, besides those that Go has words for, that OWOX
// refuses to deliver to.
var reserved = parsePrefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"64:ff9b:1::/48", "100::/64", "2001:db8::/32",
)

func parsePrefixes(texts ...string) []netip.Prefix {
	prefixes := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		prefixes[i] = netip.MustParsePrefix(text)
	}
	return prefixes
}

// isPublic reports whether OWOX delivers to the address.
func isPublic(address netip.Addr) bool {
	address = address.Unmap()
	contains := func(p netip.Prefix) bool { return p.Contains(address) }
	return address.IsGlobalUnicast() && !address.IsPrivate() && !slices.ContainsFunc(reserved, contains)
}

func judgeAddress(ctx context.Context, r *run) verdict {
	host := r.Endpoint.Hostname()
	addresses, err := r.Lookup(ctx, host)
	if err != nil {
		return untried("cannot look up " + host + ": " + err.Error())
	}
	words := make([]string, len(addresses))
	for i, address := range addresses {
		words[i] = address.Unmap().String()
		if !isPublic(address) {
			return unmet(Advised, words[i]+" is not a public address", "give OWOX a public name, or point a public tunnel at the endpoint: OWOX sends nothing to other addresses")
		}
	}
	return met(strings.Join(words, ", "))
}
