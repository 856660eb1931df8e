package sender

import (
	"net/url"
	"slices"
	"strings"

	"github.com/owoxhook/owoxhook/pkg/delivery"
)

// perConnection are headers that belong to a connection, not to a delivery.
var perConnection = []string{
	"Host", "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Content-Length", "Expect",
}

// Again makes the request that delivers a received delivery again: the same
// bytes and headers, and the query strings of both URLs.
func Again(to *url.URL, d delivery.Delivery) Request {
	target := *to
	if _, query, ok := strings.Cut(d.Path, "?"); ok && query != "" {
		target.RawQuery = strings.TrimPrefix(target.RawQuery+"&"+query, "&")
	}
	request := Request{Method: d.Method, URL: &target, Body: d.Body}
	for _, h := range d.Headers {
		if !slices.ContainsFunc(perConnection, func(name string) bool { return strings.EqualFold(name, h.Name) }) {
			request.Headers = append(request.Headers, h)
		}
	}
	return request
}
