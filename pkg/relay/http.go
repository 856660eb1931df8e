package relay

import (
	"context"
	"encoding/base64"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// Service is a service that takes messages.
type Service string

// The services.
const (
	Slack      Service = "slack"
	GoogleChat Service = "google-chat"
	Discord    Service = "discord"
	Teams      Service = "teams"
	PagerDuty  Service = "pagerduty"
)

// Services returns the services in the order of their names.
func Services() []Service { return []Service{Discord, GoogleChat, PagerDuty, Slack, Teams} }

// Pause is the time between two messages that a service asks for. What is
// above its limit gets 429 with a Retry-After, which is obeyed as well.
func (s Service) Pause() time.Duration {
	switch s {
	case Slack, GoogleChat:
		return time.Second
	case Teams:
		return 250 * time.Millisecond
	case Discord:
		return 400 * time.Millisecond
	default:
		return 0
	}
}

// PagerDutyURL is where PagerDuty takes events, unless they stay in the EU.
const PagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

// Application returns the carrier to an application, which gets deliveries as
// they came: the same bytes and headers, and the query strings of both URLs.
func Application(s *sender.Sender, to *url.URL, headers []owox.Header) Carrier {
	return carrier{sender: s, shown: sender.Redact(to.String()), own: headers, secrets: secretsOf(to, headers), request: func(b Batch) (sender.Request, error) {
		request := sender.Again(to, b.Deliveries[0])
		for _, h := range headers {
			request = request.WithHeader(h)
		}
		return request, nil
	}}
}

// Messages returns the carrier that posts messages. All of the URL but its host
// is secret. The secret is what the template finds there, such as a key.
func Messages(s *sender.Sender, to *url.URL, headers []owox.Header, t *Template, secret string) Carrier {
	shown := to.Scheme + "://" + to.Host + "/…"
	more := []string{secret, to.RequestURI(), to.EscapedPath()}
	if last := path.Base(to.EscapedPath()); len(last) >= minSecret { // the token, to most services
		more = append(more, last)
	}
	secrets := secretsOf(to, headers, more...)
	return carrier{sender: s, shown: shown, own: headers, secrets: secrets, request: func(b Batch) (sender.Request, error) {
		body, err := t.body(newMessage(b), secret)
		contentType := "text/plain; charset=utf-8"
		if jsontext.Value(body).IsValid() {
			contentType = "application/json; charset=utf-8"
		}
		request := sender.Request{URL: to, Headers: []owox.Header{{Name: owox.HeaderContentType, Value: contentType}}, Body: body}
		for _, h := range append([]owox.Header{{Name: owox.HeaderUserAgent, Value: "owoxhook"}}, headers...) {
			request = request.WithHeader(h)
		}
		return request, err
	}}
}

// carrier makes attempts over HTTP.
type carrier struct {
	sender  *sender.Sender
	shown   string        // the URL as it may be shown
	own     []owox.Header // that are set, whose values may be secret
	secrets []string      // that are in requests and must not be shown
	request func(Batch) (sender.Request, error)
}

// Carry implements [Carrier].
func (c carrier) Carry(ctx context.Context, b Batch) delivery.Attempt {
	request, err := c.request(b)
	var attempt delivery.Attempt
	if err != nil {
		attempt.Failure = &delivery.Failure{Kind: delivery.Other, Error: err.Error(), Hint: "mend the template and start relay again: what failed is tried again by the schedule, or at once with owoxhook relay retry --target NAME"}
	} else {
		attempt = c.sender.Deliver(ctx, request, nil).Last()
	}
	attempt.ID, attempt.Event, attempt.URL = b.Deliveries[0].ID, b.Deliveries[0].Event, c.shown
	if attempt.Failure != nil {
		attempt.Failure.Error, attempt.Failure.Hint = c.hide(attempt.Failure.Error), c.hide(attempt.Failure.Hint)
	}
	attempt.Body = []byte(c.hide(string(attempt.Body))) // answers may repeat secrets
	for n := range attempt.Headers {
		attempt.Headers[n].Value = c.hide(attempt.Headers[n].Value)
	}
	return attempt
}

// Show implements [Carrier].
func (c carrier) Show(b Batch) (string, error) {
	request, err := c.request(b)
	if err != nil {
		return "", err
	}
	shown := "POST " + c.shown + "\n"
	for _, h := range request.Headers {
		value := h.Value
		if slices.ContainsFunc(c.own, func(own owox.Header) bool { return strings.EqualFold(own.Name, h.Name) }) {
			value = "…"
		}
		shown += h.Name + ": " + value + "\n"
	}
	return c.hide(shown + "\n" + string(request.Body)), nil
}

// minSecret is the length from which values of headers and queries are hidden:
// shorter ones are in any text.
const minSecret = 6

// plainHeaders have no secrets.
var plainHeaders = []string{"accept", "content-type", "host", "user-agent"}

// secretsOf returns what is secret in a URL and in headers that are set, and
// more: values, also unescaped and without the word in front of credentials. The
// longest are first, since one may be in another.
func secretsOf(to *url.URL, headers []owox.Header, more ...string) []string {
	var found []string
	for _, h := range headers {
		if !slices.Contains(plainHeaders, strings.ToLower(h.Name)) {
			_, credentials, _ := strings.Cut(h.Value, " ")
			found = append(found, h.Value, credentials)
		}
	}
	for param := range strings.SplitSeq(to.RawQuery, "&") {
		_, value, ok := strings.Cut(param, "=")
		if !ok {
			value = param
		}
		plain, _ := url.QueryUnescape(value) // of none that is malformed
		found = append(found, value, plain)
	}
	user := to.User.Username()
	password, ok := to.User.Password()
	found = append(found, password, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	if !ok { // a name alone may be a token
		found = append(found, user)
	}
	found = slices.DeleteFunc(found, func(secret string) bool { return len(secret) < minSecret })
	more = slices.DeleteFunc(more, func(secret string) bool { return len(secret) < 2 })
	return slices.SortedFunc(slices.Values(append(found, more...)), func(a, b string) int { return len(b) - len(a) })
}

// hide takes secrets out of a text.
func (c carrier) hide(text string) string {
	for _, secret := range c.secrets {
		text = strings.ReplaceAll(text, secret, "…")
	}
	return text
}
