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

// explain says why an attempt was no success, what to do, and what would become
// of a real event; nil when it was one.
func (s *Sender) explain(got answer, err error) *delivery.Failure {
	var failure *delivery.Failure
	switch {
	case err != nil:
		failure = s.explainError(got, err)
	case got.status/100 == 2:
		return nil
	default:
		failure = s.explainStatus(got)
	}
	o := outcome(got, failure)
	if s.options.Relayed || o == "" || owox.RetryAfter(o).Again() {
		return failure
	}
	failure.Hint += "; OWOX would not try again, and the event would be lost"
	if failure.Kind == delivery.Refused || failure.Kind == delivery.Reset {
		failure.Hint += ": answer 503 while the endpoint restarts, run two instances, or put a relay in front"
	}
	return failure
}

// outcome returns what an exchange is to OWOX; "" when nobody knows.
func outcome(got answer, failure *delivery.Failure) owox.Outcome {
	if failure == nil || failure.Kind == delivery.BadStatus || failure.Kind == delivery.Redirected {
		return owox.OutcomeOf(got.status, got.phrase)
	}
	switch failure.Kind {
	case delivery.Interrupted:
		return ""
	case delivery.TimedOut:
		return owox.TimedOut
	case delivery.TLS:
		return owox.Untrusted
	case delivery.UnknownHost:
		return owox.Unresolved
	default:
		return owox.Disconnected // its client says the same two words for whatever else breaks
	}
}

func (s *Sender) explainStatus(got answer) *delivery.Failure {
	status := fmt.Sprintf("status %d %s", got.status, http.StatusText(got.status))
	switch {
	case got.status/100 == 3 && s.options.Relayed: // what relays has no flag to follow one
		return &delivery.Failure{Kind: delivery.Redirected, Error: status + to(got), Hint: "use the final URL"}
	case got.status/100 == 3:
		return &delivery.Failure{Kind: delivery.Redirected, Error: status + to(got), Hint: "the documentation promises nothing but 2xx: use the final URL, or pass --follow-redirects to rehearse what OWOX does"}
	}
	return &delivery.Failure{Kind: delivery.BadStatus, Error: strings.TrimSpace(status), Hint: s.statusHint(got)}
}

func to(got answer) string {
	if location := got.header.Get("Location"); location != "" {
		return " to " + Redact(location)
	}
	return ""
}

func (s *Sender) statusHint(got answer) string {
	refused := got.status == http.StatusUnauthorized || got.status == http.StatusForbidden
	switch {
	case s.options.Relayed && refused:
		return "check the URL and the credentials"
	case s.options.Relayed && got.status == http.StatusTooManyRequests:
		return "allow more requests, or send fewer at a time"
	case refused:
		return "OWOX sends no credentials: let the endpoint accept the request by its path or source address"
	case got.status == http.StatusNotFound:
		return "check the path of the URL"
	case got.status == http.StatusMethodNotAllowed:
		return "let the endpoint accept POST at this path"
	case got.status == http.StatusUnprocessableEntity && strings.HasPrefix(got.header.Get(owox.HeaderContentType), "application/problem+json"):
		return "the endpoint found the delivery invalid: its response lists the findings"
	case got.status == http.StatusTooManyRequests:
		return "exempt OWOX from the rate limit: events of one grouping window arrive together"
	case got.status == http.StatusRequestTimeout && !s.options.Relayed && !owox.RetryAfter(owox.OutcomeOf(got.status, got.phrase)).Again():
		return fmt.Sprintf("answer 503 instead: OWOX tries 408 again only with the reason phrase %s", http.StatusText(got.status))
	case got.status >= 500 && got.status <= 599:
		return "look into the endpoint's log"
	default:
		return "only a 2xx status counts as delivered"
	}
}

func (s *Sender) explainError(got answer, err error) *delivery.Failure {
	host := got.from.Host
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
	if failure := explainTLS(got, err); failure != nil {
		return failure
	}
	switch {
	case errors.Is(err, errRefused):
		return &delivery.Failure{Kind: delivery.Refused, Error: "connection refused by " + host, Hint: "start the endpoint, or check host and port"}
	case isClosed(err):
		return &delivery.Failure{Kind: delivery.Reset, Error: host + " closed the connection before its answer was complete", Hint: "look into the endpoint's log: it may have crashed"}
	case errors.Is(err, errHostUnreachable), errors.Is(err, errNetworkUnreachable):
		return &delivery.Failure{Kind: delivery.Unreachable, Error: "no route to " + host, Hint: "check the network and the host"}
	case strings.Contains(err.Error(), "server response headers exceeded"), strings.Contains(err.Error(), "too many 1xx"):
		return &delivery.Failure{Kind: delivery.BadAnswer, Error: host + " answered with too many headers: " + innermost(err), Hint: "answer with a status and a short body, or none"}
	case got.connected: // and nothing is wrong with the connection
		return &delivery.Failure{Kind: delivery.BadAnswer, Error: host + " did not answer with HTTP: " + innermost(err), Hint: "check the port: another kind of server listens there"}
	default:
		return &delivery.Failure{Kind: delivery.Other, Error: redactAll(innermost(err)), Hint: "check the URL and the network"}
	}
}

func isClosed(err error) bool {
	return strings.HasSuffix(err.Error(), "server closed idle connection") || // net/http has no name for it
		errors.Is(err, errReset) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func (s *Sender) explainTimeout(got answer) *delivery.Failure {
	what, hint := "no answer", "answer first and work later: OWOX waits 10 seconds for the headers of the answer"
	switch {
	case got.shaking:
		what, hint = "no end of the TLS handshake with "+got.from.Host, hintTLS
	case !got.connected:
		what, hint = "no connection", "check host, port and firewall"
	}
	return &delivery.Failure{Kind: delivery.TimedOut, Error: fmt.Sprintf("%s within %v", what, s.options.Timeout), Hint: hint}
}

func explainLookup(err *net.DNSError) *delivery.Failure {
	what := "unknown host " + err.Name
	if !err.IsNotFound {
		what = fmt.Sprintf("could not look up %s: %s", err.Name, err.Err)
	}
	return &delivery.Failure{Kind: delivery.UnknownHost, Error: what, Hint: "check the spelling of the host and your DNS"}
}

const hintTLS = "check the endpoint's TLS settings, and that its port speaks TLS"

func explainTLS(got answer, err error) *delivery.Failure {
	var (
		unknown   x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		verify    *tls.CertificateVerificationError
		network   *net.OpError
		what      string
		host      = got.from.Host
		hint      = "install a valid certificate, or pass --insecure for a test"
		untrusted = "pass --ca-cert FILE to trust its issuer, or --insecure for a test"
	)
	switch {
	case errors.As(err, &unknown):
		what, hint = "certificate of "+host+" is not trusted: "+unknown.Error(), untrusted
	case errors.As(err, &hostname):
		what = "certificate is not for " + got.from.Hostname() + ": " + hostname.Error()
	case errors.As(err, &invalid):
		what = "certificate of " + host + " is not valid: " + invalid.Error()
	case errors.As(err, &verify):
		what = "certificate of " + host + " is not trusted: " + verify.Err.Error()
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		what, hint = host+" does not speak TLS", "use http:// if the endpoint has no TLS"
	case errors.As(err, &network) && network.Op == "remote error": // how crypto/tls hands on an alert
		what, hint = host+" refused the TLS handshake: "+strings.TrimPrefix(innermost(err), "tls: "), hintTLS
	case got.shaking && isClosed(err):
		what, hint = host+" closed the connection during the TLS handshake", hintTLS
	case strings.HasPrefix(innermost(err), "tls: "):
		what, hint = "TLS with "+host+" failed: "+strings.TrimPrefix(innermost(err), "tls: "), hintTLS
	default:
		return nil
	}
	failure := &delivery.Failure{Kind: delivery.TLS, Error: what, Hint: hint}
	failure.Untrusted = errors.As(err, &unknown) || errors.As(err, &invalid)
	return failure
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
func decode(encoding string, body []byte) (text []byte, cut bool) {
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
		return body, false
	}
	if err != nil {
		return body, false
	}
	text, _ = io.ReadAll(io.LimitReader(reader, maxKept+1)) // what was read before the cut is what there is
	return text[:min(len(text), maxKept)], len(text) > maxKept
}
