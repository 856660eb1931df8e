package sender_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

func TestRedact(t *testing.T) {
	for raw, want := range map[string]string{
		"https://example.com/hook":                        "https://example.com/hook",
		"https://example.com/hook?a=b&c=1234":             "https://example.com/hook?a=b&c=1234",
		"https://example.com/hook?token=s3cr3t&a=b#there": "https://example.com/hook?token=s3…&a=b",
		"https://example.com/?s3cr3t":                     "https://example.com/?s3…",
		"https://example.com/?a=%20%20%20":                "https://example.com/?a=…",
		"https://example.com/?a=x=s3cr3t":                 "https://example.com/?a=x=…",
		"https://example.com/?":                           "https://example.com/?",
		"https://me:s3cr3t@example.com/a@b?c=d@e":         "https://me:xxxxx@example.com/a@b?c=d@e",
		"https://me:s3@cr3t@example.com/":                 "https://me:xxxxx@example.com/",
		"https://s3cr3ttoken@example.com/":                "https://s3…@example.com/",
		"https://me:s3/cr3t@example.com/":                 "https://…@example.com/",
		"https://me:s3?cr3t@example.com/":                 "https://…@example.com/",
		"me:s3cr3t@exa mple":                              "me:xxxxx@exa mple",
		"http://me:pw@h:s3cr3t/x":                         "http://…@h:…/x",
		"http://me:s3cr3t":                                "http://me:…",
		"http://me:20261231":                              "http://me:…",
		"http://[::1]:s3cr3t/?a=b":                        "http://[::1]:…/?a=b",
		"http://[::1]:80/?täglich=überall":                "http://[::1]:80/?täglich=üb…",
		"/there?token=s3cr3t":                             "/there?token=s3…",
		"":                                                "",
	} {
		if got := sender.Redact(raw); got != want {
			t.Errorf("%q is shown as %q, want %q", raw, got, want)
		}
	}
}

func TestAttemptsDoNotShowSecretsOfURLs(t *testing.T) {
	endpoint := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/there?token=s3cr3t", http.StatusFound)
	})
	s := sender.New(sender.Options{})
	defer s.Close()
	for _, raw := range []string{
		endpoint + "/?token=s3cr3t", "http://me:s3cr3t@127.0.0.1:1/?token=s3cr3t", "ftp://me:s3cr3t@h/?token=s3cr3t", "//me:s3cr3t@h/?token=s3cr3t",
	} {
		got := s.Deliver(t.Context(), requestTo(t, raw), nil).Last()
		if got.OK() || strings.Contains(got.URL+got.Failure.Error+got.Failure.Hint, "cr3t") {
			t.Errorf("%s: attempt at %s: %+v, want a failure without the secret", raw, got.URL, got.Failure)
		}
	}
}

func TestUserAndPasswordAreBasicAuthentication(t *testing.T) {
	wire, err := requestTo(t, "http://me:pw@example.com/").Wire()
	if err != nil || !strings.Contains(string(wire), "\r\nAuthorization: Basic bWU6cHc=\r\n") {
		t.Errorf("%s, %v", wire, err)
	}
	wire, err = requestTo(t, "http://me:pw@example.com/").WithHeader(owox.Header{Name: "authorization", Value: "own"}).Wire()
	if err != nil || !strings.Contains(string(wire), "\r\nauthorization: own\r\n") || strings.Contains(string(wire), "Basic") {
		t.Errorf("with a header of one's own: %s, %v", wire, err)
	}
}

func TestQueriesAreEscapedOnTheWire(t *testing.T) {
	request := requestTo(t, "http://example.com/")
	request.URL = &url.URL{Scheme: "http", Host: "example.com", Path: "/a b", RawQuery: "a=b c\r\nX: y&ü=%20+'{}"}
	wire, err := request.Wire()
	if want := "POST /a%20b?a=b%20c%0D%0AX:%20y&%C3%BC=%20+'{} HTTP/1.1\r\n"; err != nil || !strings.HasPrefix(string(wire), want) {
		t.Errorf("%s, %v, want %q", wire, err, want)
	}
}

// What is the user's own stays with the scheme, host and port it was meant for;
// what OWOX sends goes along.
func TestPrivateHeadersStayWithTheFirstHost(t *testing.T) {
	var first, second http.Header
	other := serve(t, func(_ http.ResponseWriter, r *http.Request) { second = r.Header })
	for name, to := range map[string]string{"another host": other + "/x", "the same host": "/x"} {
		first, second = nil, nil
		endpoint := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if first == nil {
				first = r.Header
				http.Redirect(w, r, to, http.StatusTemporaryRedirect)
				return
			}
			second = r.Header
		})
		request := requestTo(t, strings.Replace(endpoint, "http://", "http://me:pw@", 1))
		for _, h := range []owox.Header{{Name: "x-own", Value: "1"}, {Name: "Cookie", Value: "a=b"}, {Name: "X-Shared", Value: "1"}, {Name: owox.HeaderUserAgent, Value: "mine"}} {
			request = request.WithHeader(h)
		}
		request.Private = []string{"X-Own", owox.HeaderUserAgent}
		s := sender.New(sender.Options{FollowRedirects: true})
		got := s.Deliver(t.Context(), request, nil).Last()
		s.Close()
		if !got.OK() || strings.Contains(got.Note, "did not get Authorization, Cookie, x-own") == (to == "/x") {
			t.Errorf("%s: %+v, note %q", name, got.Failure, got.Note)
		}
		for _, header := range []string{"Authorization", "X-Own", "Cookie"} {
			if first.Get(header) == "" || (second.Get(header) == "") == (to == "/x") {
				t.Errorf("%s: %s is %q, then %q", name, header, first.Get(header), second.Get(header))
			}
		}
		for _, header := range []string{owox.HeaderID, owox.HeaderEvent, owox.HeaderContentType, owox.HeaderUserAgent, "X-Shared", "Accept"} {
			if !slices.Equal(first.Values(header), second.Values(header)) || first.Get(header) == "" {
				t.Errorf("%s: %s is %q, then %q", name, header, first.Get(header), second.Get(header))
			}
		}
	}
}
