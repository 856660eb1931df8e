package cmd

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

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
	later    bool
	yes      bool
}

func (f *forwardFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.to, "forward-to", "", "forward deliveries to the application at `URL`, and answer as it does")
	flags.StringArrayVar(&f.endpoint.headers, "forward-header", nil, "set a header of forwarded deliveries: `'NAME: VALUE'`")
	f.endpoint.timeout = owox.Timeout
	f.endpoint.bindTLS(cmd, "forward-")
	flags.BoolVar(&f.invalid, "forward-invalid", false, "forward invalid deliveries too")
	flags.BoolVar(&f.later, "answer-first", false, "answer as soon as a delivery is kept, then forward it")
	bindYes(cmd, &f.yes)
}

// replayCommand returns the command that delivers a delivery again to where it
// should have gone. It is for people's shells: only its number is the
// delivery's. A URL that may have a secret in it is left to them.
func (f forwardFlags) replayCommand(journal journalFlags) func(sequence int64) string {
	command := "owoxhook replay %d"
	if journal.file != "" {
		command += " --journal " + strings.ReplaceAll(sender.ShellQuote(journal.redacted()), "%", "%%")
	}
	to := f.to
	if at, err := url.Parse(to); !strings.HasPrefix(to, "@") && (err != nil || at.User != nil || at.RawQuery != "") {
		to = "" // the flag wants a value: the command asks for it
	} else {
		to = strings.ReplaceAll(sender.ShellQuote(to), "%", "%%")
	}
	command = strings.TrimSpace(command + " --to " + to)
	return func(sequence int64) string { return fmt.Sprintf(command, sequence) }
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

	answered bool // by --respond or --answer-first: the application's answer does not count
}

// newForwarder returns nil where nothing is to be forwarded.
func (a *app) newForwarder(ctx context.Context, flags forwardFlags, secure bool) (*forwarder, error) {
	if flags.to == "" {
		if flags.invalid || flags.later || len(flags.endpoint.headers) > 0 || flags.endpoint.insecure || flags.endpoint.caCert != "" {
			return nil, usagef("--answer-first, --forward-header, --forward-insecure, --forward-ca-cert and --forward-invalid go with --forward-to: pass it too")
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
	options.Relayed, options.BodyWait = true, forwardBodyWait
	return &forwarder{app: a, to: to.url, headers: headers, invalid: flags.invalid, proto: proto, sender: sender.New(options)}, nil
}

// forwardBodyWait is how long the body of the application's answer is waited for:
// it goes on to the sender, whose own time runs.
const forwardBodyWait = time.Second

func (f *forwarder) close() {
	if f != nil {
		f.sender.Close()
	}
}

// forward delivers to the application and returns its answer. The outcome is
// kept after it.
func (f *forwarder) forward(ctx context.Context, d *delivery.Delivery) (receiver.Answer, bool) {
	if !d.Valid() && !f.invalid {
		return receiver.Answer{}, false
	}
	request := sender.Again(f.to, *d)
	request.Headers = slices.DeleteFunc(request.Headers, claimsOrigin)
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
	answer := passOn(attempt)
	if attempt.Cut {
		f.app.note("listen: the application's answer to %s is cut off: it is longer than 64 KiB or did not end within %v; only its status goes back", d.ID, forwardBodyWait)
	}
	if f.journal != nil {
		answered := answer.Status
		if f.answered {
			answered = d.Answered
		}
		if err := f.journal.KeepForward(d.Sequence, at, attempt, answered); err != nil {
			f.app.note("listen: %v", journalError(err))
		}
	}
	return answer, true
}

// claimsOrigin reports whether a header is one by which applications are told
// where a request came from. None goes on but those set here; servers that make
// variables of headers take an underscore for a hyphen.
func claimsOrigin(h owox.Header) bool {
	name := strings.ReplaceAll(strings.ToLower(h.Name), "_", "-")
	return strings.HasPrefix(name, "x-forwarded-") || slices.Contains(originHeaders, name)
}

var originHeaders = []string{"forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "x-cluster-client-ip", "x-original-forwarded-for"}

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

// passOn returns the application's answer: 502 when it cannot be reached or its
// status is not that of an answer, 504 when it is too slow. An answer that is cut
// off keeps its status, which is all that counts for OWOX. What we say ourselves
// tells a stranger nothing about the application.
func passOn(a delivery.Attempt) receiver.Answer {
	const notTaken = "the application did not take the delivery"
	switch {
	case a.Failure != nil && a.Failure.Kind == delivery.TimedOut:
		return ownAnswer(http.StatusGatewayTimeout, notTaken)
	case a.Status < 200 || a.Status > 999: // net/http writes no others as a final status
		return ownAnswer(http.StatusBadGateway, notTaken)
	case a.Cut:
		return ownAnswer(a.Status, "the application's answer was cut off")
	default:
		return receiver.Answer{Status: a.Status, ContentType: owox.HeaderValue(a.Headers, owox.HeaderContentType), Body: a.Body}
	}
}

func ownAnswer(status int, text string) receiver.Answer {
	return receiver.Answer{Status: status, ContentType: "text/plain; charset=utf-8", Body: []byte(text + "\n")}
}
