package conformance_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/owoxhook/owoxhook/pkg/conformance"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// one tries a single case.
func one(t *testing.T, id string, options conformance.Options) conformance.Result {
	t.Helper()
	var result conformance.Result
	cases := slices.DeleteFunc(conformance.Cases(), func(c conformance.Case) bool { return c.ID != id })
	err := conformance.Check(t.Context(), cases, options, func(r conformance.Result) error { result = r; return nil })
	if err != nil || result.ID == "" {
		t.Fatalf("%s: %v", id, err)
	}
	return result
}

func TestIdleConnections(t *testing.T) {
	announces := func(name, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(name, value)
			correct(w, r)
		}
	}
	tests := []struct {
		name    string
		closes  time.Duration // the endpoint, after so much idleness
		idle    time.Duration
		handler http.HandlerFunc
		met     bool
		seen    string
	}{
		{"kept", time.Hour, 100 * time.Millisecond, correct, true, "still open after 90ms of idleness"},
		{"kept by an endpoint that answers 500", time.Hour, 100 * time.Millisecond, always(500), true, "still open after 90ms of idleness"},
		{"closed without a word", 100 * time.Millisecond, time.Second, correct, false, "closed within 900ms of idleness"},
		{"closed before what was announced", 100 * time.Millisecond, 5 * time.Second, announces("Keep-Alive", "timeout=1, max=100"), false, "closed within 900ms of idleness, announced with Keep-Alive: timeout=1, max=100"},
		{"closed as announced", 3 * time.Second, 5 * time.Second, announces("Keep-Alive", "timeout=1"), true, "still open after 900ms of idleness, announced with Keep-Alive: timeout=1"},
		{"zero is no announcement", 100 * time.Millisecond, time.Second, announces("Keep-Alive", "timeout=0"), false, "closed within 900ms of idleness"},
		{"closed before what no duration holds", 100 * time.Millisecond, time.Second, announces("Keep-Alive", "timeout=9223372036854775807"), false, "closed within 900ms of idleness"},
		{"closed before what is longer than needed", 100 * time.Millisecond, time.Second, announces("Keep-Alive", "timeout=60"), false, "closed within 900ms of idleness"},
		{"closed with each answer", time.Hour, time.Hour, announces("Connection", "close"), true, "so none idles"},
		{"HTTP/1.0", time.Hour, time.Hour, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			io.WriteString(conn, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n") //nolint:errcheck // the client may be gone
			conn.Close()                                                         //nolint:errcheck // the client may be gone
		}, true, "so none idles"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(tt.handler)
			server.Config.IdleTimeout = tt.closes
			server.Start()
			defer server.Close()
			endpoint, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			got := one(t, "keeps-idle-connections", conformance.Options{Endpoint: endpoint, Idle: tt.idle})
			if !got.Tried || got.Met != tt.met || !strings.Contains(got.Seen, tt.seen) || got.Level != conformance.Advised {
				t.Errorf("tried %v, met %v, %s: %q; want met %v: %q", got.Tried, got.Met, got.Level, got.Seen, tt.met, tt.seen)
			}
			if !got.Met && !strings.Contains(got.Advice, "lost") {
				t.Errorf("advice %q does not say what is lost", got.Advice)
			}
		})
	}
}

// The wait goes on beside the other cases.
func TestIdleConnectionsTakeNoTimeOfTheirOwn(t *testing.T) {
	endpoint, pool := serve(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(10 * time.Millisecond)
		correct(w, r)
	}, soon)
	options := atAddress(sender.Options{RootCAs: pool}, endpoint)
	options.Idle = 200 * time.Millisecond // the other cases take longer
	err := conformance.Check(t.Context(), conformance.Cases(), options, func(r conformance.Result) error {
		if r.ID == "keeps-idle-connections" && (!r.Met || r.Duration > 100*time.Millisecond) {
			t.Errorf("met %v, %q, and the check waited for it another %v", r.Met, r.Seen, r.Duration)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestURLs(t *testing.T) {
	unknown := &net.DNSError{Err: "no such host", IsNotFound: true}
	tests := []struct {
		url    string
		lookup error
		want   string // "": met
		seen   string
	}{
		{"https://example.com/hook?key=s3cret", nil, "", "https, and example.com resolves"},
		{"http://example.com/", nil, "", "http, and example.com resolves"},
		{"https://user:s3cret@example.com/", nil, "required", "a user name or password in the URL"},
		{"https://user@example.com/", nil, "required", "a user name or password in the URL"},
		{"ftp://example.com/", nil, "required", "the scheme is ftp"},
		{"https://nowhere.example.com/", unknown, "required", "unknown host nowhere.example.com"},
		{"https://example.com/", &net.DNSError{Err: "server misbehaving", IsTemporary: true}, "untried", "cannot look up example.com: lookup : server misbehaving"},
	}
	for _, tt := range tests {
		endpoint, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		r := one(t, "url-is-usable", conformance.Options{Endpoint: endpoint, Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("8.8.8.8")}, tt.lookup
		}})
		got := ""
		switch {
		case !r.Tried:
			got = "untried"
		case !r.Met:
			got = string(r.Level)
		}
		if got != tt.want || r.Seen != tt.seen {
			t.Errorf("%s: %q, seen %q; want %q, %q", tt.url, got, r.Seen, tt.want, tt.seen)
		}
		if strings.Contains(r.Seen+r.Advice, "s3cret") {
			t.Errorf("%s: %q shows the secret", tt.url, r.Seen+r.Advice)
		}
	}
}

// What OWOX does not try again is lost, and the advice tells.
func TestBrokenConnectionsLoseEvents(t *testing.T) {
	refused := &url.URL{Scheme: "http", Host: "127.0.0.1:1", Path: "/"}
	closing, pool := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, soon)
	for _, endpoint := range []*url.URL{refused, closing} {
		for _, id := range []string{"accepts-failed", "accepts-burst"} {
			r := one(t, id, atAddress(sender.Options{RootCAs: pool}, endpoint))
			if r.Met || !strings.Contains(r.Advice, "the event is lost") {
				t.Errorf("%s, %s: met %v, advice %q", id, r.Seen, r.Met, r.Advice)
			}
		}
	}
}
