package sender

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
)

// explain says why an attempt was no success, and what to do; nil when it was
// one.
func (s *Sender) explain(r Request, got answer, err error) *delivery.Failure {
	switch {
	case err != nil:
		return s.explainError(r, got, err)
	case got.status/100 == 2:
		return nil
	}
	status := fmt.Sprintf("status %d %s", got.status, http.StatusText(got.status))
	switch got.status / 100 {
	case 3:
		return &delivery.Failure{Kind: delivery.Redirected, Error: status + to(got), Hint: "the documentation promises nothing but 2xx: use the final URL, or pass --follow-redirects to rehearse what OWOX does"}
	default:
		return &delivery.Failure{Kind: delivery.BadStatus, Error: status, Hint: statusHint(got)}
	}
}

func to(got answer) string {
	if location := got.header.Get("Location"); location != "" {
		return " to " + location
	}
	return ""
}

func statusHint(got answer) string {
	switch {
	case got.status == http.StatusUnauthorized, got.status == http.StatusForbidden:
		return "OWOX sends no credentials: let the endpoint accept the request by its path or source address"
	case got.status == http.StatusNotFound:
		return "check the path of the URL"
	case got.status == http.StatusMethodNotAllowed:
		return "let the endpoint accept POST at this path"
	case got.status == http.StatusUnprocessableEntity && strings.HasPrefix(got.header.Get(owox.HeaderContentType), "application/problem+json"):
		return "the endpoint judged the delivery invalid: its answer lists the findings"
	case got.status == http.StatusTooManyRequests:
		return "exempt OWOX from the rate limit: events of one grouping window arrive together"
	case got.status >= 500:
		return "look into the endpoint's log"
	default:
		return "only a 2xx status counts as delivered"
	}
}

func (s *Sender) explainError(r Request, got answer, err error) *delivery.Failure {
	host := r.URL.Host
	var dns *net.DNSError
	var network net.Error
	switch {
	case errors.Is(err, errInterrupted):
		return &delivery.Failure{Kind: delivery.Interrupted, Error: "interrupted"}
	case errors.Is(err, errTooManyRedirects):
		return &delivery.Failure{Kind: delivery.Redirected, Error: err.Error() + to(got), Hint: "use the final URL"}
	case errors.Is(err, context.DeadlineExceeded):
		return s.explainTimeout(got)
	case errors.As(err, &dns):
		return explainLookup(dns)
	case errors.As(err, &network) && network.Timeout():
		return s.explainTimeout(got)
	}
	if failure := explainTLS(r, err); failure != nil {
		return failure
	}
	switch {
	case errors.Is(err, errRefused):
		return &delivery.Failure{Kind: delivery.Refused, Error: "connection refused by " + host, Hint: "start the endpoint, or check host and port"}
	case errors.Is(err, errReset), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &delivery.Failure{Kind: delivery.Reset, Error: host + " closed the connection before its answer was complete", Hint: "look into the endpoint's log: it may have crashed"}
	case errors.Is(err, errHostUnreachable), errors.Is(err, errNetworkUnreachable):
		return &delivery.Failure{Kind: delivery.Unreachable, Error: "no route to " + host, Hint: "check the network and the host"}
	case strings.Contains(err.Error(), "server response headers exceeded"):
		return &delivery.Failure{Kind: delivery.BadAnswer, Error: host + " answered with too many headers: " + innermost(err), Hint: "answer with a status and a short body, or none"}
	case strings.Contains(err.Error(), "malformed "):
		return &delivery.Failure{Kind: delivery.BadAnswer, Error: host + " did not answer with HTTP: " + innermost(err), Hint: "check the port: another kind of server listens there"}
	default:
		return &delivery.Failure{Kind: delivery.Other, Error: innermost(err), Hint: "check the URL and the network"}
	}
}

func (s *Sender) explainTimeout(got answer) *delivery.Failure {
	what := fmt.Sprintf("no answer within %v", s.options.Timeout)
	hint := "answer first and work later: OWOX waits 10 seconds for the whole exchange"
	switch {
	case got.status != 0:
		what = fmt.Sprintf("the answer was not complete within %v", s.options.Timeout)
		hint = "end the answer's body: OWOX waits 10 seconds for the whole exchange"
	case !got.connected:
		what = fmt.Sprintf("no connection within %v", s.options.Timeout)
		hint = "check host, port and firewall"
	}
	return &delivery.Failure{Kind: delivery.TimedOut, Error: what, Hint: hint}
}

func explainLookup(err *net.DNSError) *delivery.Failure {
	what := "unknown host " + err.Name
	if !err.IsNotFound {
		what = fmt.Sprintf("could not look up %s: %s", err.Name, err.Err)
	}
	return &delivery.Failure{Kind: delivery.UnknownHost, Error: what, Hint: "check the spelling of the host and your DNS"}
}

func explainTLS(r Request, err error) *delivery.Failure {
	var (
		unknown   x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		alert     tls.AlertError
		verify    *tls.CertificateVerificationError
		what      string
		hint      = "OWOX refuses it too: install a valid certificate, or pass --insecure for a test"
		untrusted = "pass --ca-cert FILE to trust its issuer, or --insecure for a test: OWOX will refuse it"
	)
	switch {
	case errors.As(err, &unknown):
		what, hint = "certificate of "+r.URL.Host+" is not trusted: "+unknown.Error(), untrusted
	case errors.As(err, &hostname):
		what = "certificate is not for " + r.URL.Hostname() + ": " + hostname.Error()
	case errors.As(err, &invalid):
		what = "certificate of " + r.URL.Host + " is not valid: " + invalid.Error()
	case errors.As(err, &verify):
		what = "certificate of " + r.URL.Host + " is not trusted: " + verify.Err.Error()
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		what, hint = r.URL.Host+" does not speak TLS", "use http:// if the endpoint has no TLS"
	case errors.As(err, &alert):
		what, hint = r.URL.Host+" refused the TLS handshake: "+alert.Error(), "check the endpoint's TLS settings"
	default:
		return nil
	}
	return &delivery.Failure{Kind: delivery.TLS, Error: what, Hint: hint}
}

// innermost returns the words of the error at the end of the chain: what wraps
// it only repeats the URL.
func innermost(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return strings.TrimPrefix(err.Error(), "net/http: ")
		}
		err = inner
	}
}

// decode undoes the compression that the sender's headers allow, as far as it
// goes: the text may be cut off.
func decode(encoding string, body []byte) []byte {
	var reader io.Reader
	var err error
	switch encoding {
	case "gzip":
		reader, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate":
		if reader, err = zlib.NewReader(bytes.NewReader(body)); err != nil {
			reader, err = flate.NewReader(bytes.NewReader(body)), nil
		}
	default:
		return body
	}
	if err != nil {
		return body
	}
	text, _ := io.ReadAll(io.LimitReader(reader, maxKept)) // what was read before the cut is what there is
	return text
}
