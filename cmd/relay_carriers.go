package cmd

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/relay"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// connect returns what delivers to an endpoint, and the headers to set. Those
// that configuration has for endpoints of OWOX are for applications alone, and
// those of flags are not for services.
func (m *targetMaker) connect(ctx context.Context, t *relay.Target, n namedTarget, to target, kind string) (*sender.Sender, []owox.Header, error) {
	flags := m.flags.endpoint
	ownHeaders := flags.changed(keyHeader)
	switch {
	case !n.flags:
		flags, ownHeaders = endpointFlags{headers: n.config.Header, timeout: t.Limit, insecure: n.config.Insecure, caCert: n.config.CACert}, true
	case kind != kindApplication:
		flags = endpointFlags{timeout: flags.timeout}
		for name, take := range map[string]func(){
			keyHeader:   func() { flags.headers = m.flags.endpoint.headers },
			keyInsecure: func() { flags.insecure = m.flags.endpoint.insecure },
			keyCACert:   func() { flags.caCert = m.flags.endpoint.caCert },
		} {
			if m.flags.endpoint.changed(name) && (name != keyHeader || kind == kindTemplate) {
				take()
			}
		}
	}
	if ownHeaders {
		var err error
		if flags.headers, err = m.app.headerSecrets(flags.headers); err != nil {
			return nil, nil, err
		}
	}
	options, headers, err := flags.options(ctx, m.app, to)
	if err != nil {
		return nil, nil, err
	}
	t.Limit = options.Timeout
	options.Relayed = true
	s := sender.New(options)
	m.senders = append(m.senders, s)
	return s, headers, nil
}

func (m *targetMaker) application(ctx context.Context, t *relay.Target, n namedTarget) error {
	if t.Group > 0 {
		return usagef("an application gets deliveries as they came: leave out group")
	}
	to, err := m.app.resolveEndpoint([]string{n.config.To})
	if err == nil {
		err = m.app.allowReal(ctx, to, m.flags.yes)
	}
	if err != nil {
		return err
	}
	s, headers, err := m.connect(ctx, t, n, to, kindApplication)
	if err != nil {
		return err
	}
	t.Name = cmp.Or(t.Name, strings.TrimPrefix(n.config.To, "@"))
	if !isTargetName(t.Name) {
		t.Name = nameOf(to.url)
	}
	t.Carrier = relay.Application(s, to.url, headers)
	return nil
}

// nameOf makes a name of a URL.
func nameOf(u *url.URL) string {
	name := strings.Trim(notInName().ReplaceAllString(strings.ToLower(u.Host+u.Path), "-"), "-")
	return strings.Trim(name[:min(len(name), maxTargetName)], "-")
}

func (m *targetMaker) service(ctx context.Context, t *relay.Target, n namedTarget, service relay.Service, word string) error {
	t.Name = cmp.Or(t.Name, string(service))
	secret, err := m.app.secret(word, n.flags)
	if err != nil {
		return err
	}
	body := service.BuiltIn()
	if m.flags.templates != "" {
		own, err := readTemplate(filepath.Join(m.flags.templates, string(service)+".tmpl"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err == nil {
			body = service.Own(own)
		}
	}
	address := secret
	if service == relay.PagerDuty {
		if t.Group > 0 {
			return usagef("PagerDuty groups alerts itself: leave out group")
		}
		if address, secret, err = pagerDuty(secret); err != nil {
			return err
		}
		if len(t.Events) == 0 && !t.Recovered {
			t.Events, t.Recovered = []owox.EventType{owox.RunFailed}, true
		}
	} else {
		secret = ""
	}
	to, err := parseEndpoint(address)
	if err != nil {
		return usagef("what follows %s: is not the URL of a channel: want one that starts with https://", service)
	}
	s, headers, err := m.connect(ctx, t, n, target{url: to, from: typed}, string(service))
	if err != nil {
		return err
	}
	t.Pause = service.Pause()
	t.Carrier = relay.Messages(s, to, headers, body, secret)
	return nil
}

var pagerDutyKey = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\w-]+$`) })

// pagerDuty takes apart the key of a service of PagerDuty, and the URL that may
// stand before it.
func pagerDuty(secret string) (address, key string, err error) {
	address, key, ok := strings.Cut(secret, "#")
	if !ok {
		address, key = relay.PagerDutyURL, secret
	}
	if !pagerDutyKey().MatchString(key) {
		return "", "", usagef("what follows pagerduty: is not the key of an integration, nor a URL with #KEY: a key has letters and digits alone")
	}
	return address, key, nil
}

func (m *targetMaker) template(ctx context.Context, t *relay.Target, n namedTarget, word string) error {
	if n.config.Template == "" {
		return usagef("template: makes its body from a template: pass --template, or template: in the file")
	}
	body, err := readTemplate(n.config.Template)
	if err != nil {
		return err
	}
	address, err := m.app.secret(word, false)
	if err != nil {
		return err
	}
	to, err := parseEndpoint(address)
	if err != nil { // its words may quote a secret
		return usagef("what follows template: is not a URL: want one that starts with https://")
	}
	s, headers, err := m.connect(ctx, t, n, target{url: to, from: typed}, kindTemplate)
	if err != nil {
		return err
	}
	t.Name = cmp.Or(t.Name, nameOf(&url.URL{Host: to.Host}))
	t.Carrier = relay.Messages(s, to, headers, body, "")
	return nil
}
