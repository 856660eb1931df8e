package sender

import (
	"net/url"
	"regexp"
	"strings"
)

// Redact returns a URL as it may be printed and kept: values of its query that
// are longer than four characters end after two, and a password is xxxxx. A
// value without a name is shortened like the others. A URL that is malformed
// loses whatever could be a password, also in the place of the port.
func Redact(raw string) string {
	raw, _, _ = strings.Cut(raw, "#")
	if _, err := url.Parse(raw); err != nil {
		raw = hideUser(raw)
	}
	head, query, hasQuery := strings.Cut(raw, "?")
	start := 0 // of the authority, also where the scheme was forgotten
	if slashes := strings.Index(head, "//"); slashes == 0 || slashes > 0 && head[slashes-1] == ':' {
		start = slashes + len("//")
	}
	authority, _, _ := strings.Cut(head[start:], "/")
	path, at := head[start+len(authority):], strings.LastIndexByte(authority, '@')
	user := ""
	if at >= 0 {
		user = redactUser(authority[:at]) + "@"
	}
	head = head[:start] + user + redactPort(authority[at+1:]) + path
	if !hasQuery {
		return head
	}
	params := strings.Split(query, "&")
	for i, param := range params {
		name, value, ok := strings.Cut(param, "=")
		if !ok {
			params[i] = shorten(param)
			continue
		}
		params[i] = name + "=" + shorten(value)
	}
	return head + "?" + strings.Join(params, "&")
}

// hideUser hides everything before the last @ of a URL that nobody can take
// apart.
func hideUser(raw string) string {
	at := strings.LastIndexByte(raw, '@')
	if at < 0 {
		return raw
	}
	scheme, _, ok := strings.Cut(raw[:at], "://")
	if !ok {
		return "…" + raw[at:]
	}
	return scheme + "://…" + raw[at:]
}

// redactUser keeps a name beside a password. A name alone may be a token.
func redactUser(user string) string {
	name, _, ok := strings.Cut(user, ":")
	if !ok {
		return shorten(name)
	}
	return name + ":xxxxx"
}

// redactPort hides what stands in the place of the port and is none.
func redactPort(host string) string {
	address := strings.LastIndexByte(host, ']') + 1
	name, port, ok := strings.Cut(host[address:], ":")
	if !ok || len(port) <= len("65535") && strings.Trim(port, "0123456789") == "" {
		return host
	}
	return host[:address] + name + ":…"
}

func shorten(value string) string {
	runes := []rune(value)
	if len(runes) <= 4 {
		return value
	}
	start, _, _ := strings.Cut(string(runes[:2]), "%") // no half of an escape
	return start + "…"
}

var anyURL = regexp.MustCompile(`[a-z]+://[^\s"]+`)

// redactAll redacts the URLs in the words of an error.
func redactAll(text string) string { return anyURL.ReplaceAllStringFunc(text, Redact) }
