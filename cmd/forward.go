package cmd

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/journal"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// forwardFlags say where deliveries go on to.
type forwardFlags struct {
	to       string
	endpoint endpointFlags
	invalid  bool
	yes      bool
}

func (f *forwardFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.to, "forward-to", "", "deliver to the application at this `URL`, and answer as it does")
	flags.StringArrayVar(&f.endpoint.headers, "forward-header", nil, "set a header of what is forwarded: `'NAME: VALUE'`")
	f.endpoint.timeout = owox.Timeout
	f.endpoint.bindTLS(cmd, "forward-")
	flags.BoolVar(&f.invalid, "forward-invalid", false, "forward invalid deliveries too")
	bindYes(cmd, &f.yes)
}

// forwarder passes deliveries on to an application.
type forwarder struct {
	app     *app
	to      *url.URL
	headers []owox.Header
	invalid bool
	proto   string
	sender  *sender.Sender
	journal *journal.Journal // nil: nothing is kept

	rehearsed bool // the answers are those of --respond
}

// newForwarder returns nil where nothing is to be forwarded.
func (a *app) newForwarder(ctx context.Context, flags forwardFlags, secure bool) (*forwarder, error) {
	if flags.to == "" {
		if flags.invalid || len(flags.endpoint.headers) > 0 || flags.endpoint.insecure || flags.endpoint.caCert != "" {
			return nil, usagef("--forward-header, --forward-insecure, --forward-ca-cert and --forward-invalid go with --forward-to: say where to")
		}
		return nil, nil //nolint:nilnil // nothing to forward is not an error
	}
	to, err := a.resolveEndpoint([]string{flags.to})
	if err == nil {
		err = a.allowReal(ctx, to, flags.yes)
	}
	if err != nil {
		return nil, err
	}
	options, headers, err := flags.endpoint.options(ctx, a, to)
	if err != nil {
		return nil, err
	}
	proto := "http"
	if secure {
		proto = "https"
	}
	return &forwarder{app: a, to: to.url, headers: headers, invalid: flags.invalid, proto: proto, sender: sender.New(options)}, nil
}

func (f *forwarder) close() {
	if f != nil {
		f.sender.Close()
	}
}

// forward delivers to the application and returns its answer: 502 when it
// cannot be reached, 504 when it is too slow. The outcome is kept after it.
func (f *forwarder) forward(ctx context.Context, d *delivery.Delivery) (receiver.Answer, bool) {
	if !d.Valid() && !f.invalid {
		return receiver.Answer{}, false
	}
	request := resend(f.to, *d)
	request = request.WithHeader(owox.Header{Name: headerForwardedFor, Value: forwardedFor(*d)})
	request = request.WithHeader(owox.Header{Name: "X-Forwarded-Proto", Value: f.proto})
	request = request.WithHeader(owox.Header{Name: "X-Forwarded-Host", Value: owox.HeaderValue(d.Headers, "Host")})
	for _, h := range f.headers {
		request = request.WithHeader(h)
	}
	at := f.app.now()
	attempt := f.sender.Deliver(ctx, request, nil).Last()
	if failure := attempt.Failure; failure != nil && strings.Contains(failure.Hint, "--insecure") {
		failure.Hint = "pass --forward-ca-cert FILE to trust the application's certificate, or --forward-insecure to trust any"
		f.app.note("hint: %s", failure.Hint)
	}
	d.Forwarded = &attempt
	answer := receiver.Answer{Status: attempt.Status, ContentType: owox.HeaderValue(attempt.Headers, owox.HeaderContentType), Body: attempt.Body}
	switch {
	case attempt.Failure != nil && attempt.Failure.Kind == delivery.TimedOut:
		answer = ownAnswer(http.StatusGatewayTimeout, attempt)
	case attempt.Status == 0 || attempt.Failure != nil && attempt.Failure.Kind == delivery.Reset:
		answer = ownAnswer(http.StatusBadGateway, attempt)
	}
	if f.journal != nil {
		answered := answer.Status
		if f.rehearsed {
			answered = d.Answered
		}
		if err := f.journal.KeepForward(d.Sequence, at, attempt, answered); err != nil {
			f.app.note("listen: %v", journalError(err))
		}
	}
	return answer, true
}

// forwardedFor adds the address that the delivery came from to those that it
// says it came by: whoever adds none can be made to vouch for a forged one.
func forwardedFor(d delivery.Delivery) string {
	var addresses []string
	for _, h := range d.Headers {
		if strings.EqualFold(h.Name, headerForwardedFor) && h.Value != "" {
			addresses = append(addresses, h.Value)
		}
	}
	return strings.Join(append(addresses, d.Peer), ", ")
}

const headerForwardedFor = "X-Forwarded-For"

func ownAnswer(status int, a delivery.Attempt) receiver.Answer {
	return receiver.Answer{Status: status, ContentType: "text/plain; charset=utf-8", Body: []byte("the application did not take the delivery: " + a.Failure.Error + "\n")}
}

// perConnection are headers that belong to a connection, not to a delivery.
var perConnection = []string{
	"Host", "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Content-Length", "Expect",
}

// resend makes the request that delivers a received delivery again: the same
// bytes and headers, and the query strings of both URLs.
func resend(to *url.URL, d delivery.Delivery) sender.Request {
	target := *to
	if _, query, ok := strings.Cut(d.Path, "?"); ok && query != "" {
		target.RawQuery = strings.TrimPrefix(target.RawQuery+"&"+query, "&")
	}
	request := sender.Request{Method: d.Method, URL: &target, Body: d.Body}
	for _, h := range d.Headers {
		if !slices.ContainsFunc(perConnection, func(name string) bool { return strings.EqualFold(name, h.Name) }) {
			request.Headers = append(request.Headers, h)
		}
	}
	return request
}
