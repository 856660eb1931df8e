package cmd

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/owoxhook/owoxhook/pkg/report"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

func newHealthcheckCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck [URL]",
		Short: "Check that a receiver answers, for containers and supervisors",
		Long: `Ask a receiver whether it is there, and exit with 0 if it answers and with 1 if
it does not. The request is OPTIONS *, which is about the server and not about a
path: the receiver neither prints, counts nor keeps it.

Without a URL, it asks the receiver that the configuration describes, with addr
and tls-cert. The certificate is not verified: nothing secret is sent.`,
		Example: `  owoxhook healthcheck

  # a receiver on another port
  owoxhook healthcheck http://127.0.0.1:9000`,
		Args: atMost(1, "one URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			receiver, err := a.receiverURL(args)
			if err != nil {
				return err
			}
			asJSON, err := a.wantsJSON()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), healthTimeout)
			defer cancel()
			err = runHealthcheck(ctx, receiver)
			if asJSON {
				a.stdout.needsReader(false)
				err = errors.Join(a.printLine(healthJSON{"health", sender.Redact(receiver.String()), err == nil}), err)
			}
			return err
		},
	}
}

type healthJSON struct {
	Type string `json:"type"`
	URL  string `json:"url"`
	OK   bool   `json:"ok"`
}

const healthTimeout = 3 * time.Second

// receiverURL returns the URL of an argument, or of the receiver that is
// configured.
func (a *app) receiverURL(args []string) (*url.URL, error) {
	if len(args) > 0 {
		receiver, err := parseEndpoint(args[0])
		if err != nil {
			return nil, usageError{err}
		}
		return receiver, nil
	}
	addr := cmp.Or(a.config.text("addr"), defaultAddr)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, usagef("addr %q: %w: want HOST:PORT", addr, err)
	}
	if ip, _ := netip.ParseAddr(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	receiver := &url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
	if a.config.text("tls-cert") != "" {
		receiver.Scheme = "https"
	}
	return receiver, nil
}

func runHealthcheck(ctx context.Context, receiver *url.URL) error {
	server := url.URL{Scheme: receiver.Scheme, Host: receiver.Host, Path: "*"}
	request, err := http.NewRequestWithContext(ctx, http.MethodOptions, server.String(), nil)
	if err != nil {
		return err
	}
	request.URL = &server                                                                                         // which a parser would give the path /*
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // nothing secret is sent
	response, err := transport.RoundTrip(request)
	if err != nil {
		return judgedf("nothing answers at %s: %w", report.Escape(sender.Redact(receiver.String())), err)
	}
	defer response.Body.Close() //nolint:errcheck // nothing is read
	if response.StatusCode != http.StatusOK {
		hint := ""
		if response.StatusCode == http.StatusBadRequest && receiver.Scheme == "http" {
			hint = ": if it is an https one, set " + variable("tls-cert") + " instead of --tls-cert, or pass its URL"
		}
		return judgedf("%s answers %s, not as a receiver does%s", report.Escape(sender.Redact(receiver.String())), response.Status, hint)
	}
	return nil
}
