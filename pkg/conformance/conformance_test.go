package conformance_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/owoxhook/owoxhook/pkg/conformance"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// correct is an endpoint of fifteen lines that does all that OWOX needs.
func correct(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "want POST", http.StatusMethodNotAllowed)
		return
	}
	var event struct{ ID, Event string }
	isJSON := r.Header.Get("Content-Type") == "application/json"
	if err := json.NewDecoder(r.Body).Decode(&event); err != nil || !isJSON || event.ID == "" {
		http.Error(w, "want an event", http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// serve starts an endpoint with a certificate that ends at a time.
func serve(t *testing.T, handler http.HandlerFunc, notAfter time.Time) (*url.URL, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-1000 * time.Hour), NotAfter: notAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	endpoint, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return endpoint, pool
}

// check tries all cases and returns what was not met, by id, with its level;
// what could not be tried is "untried".
func check(t *testing.T, options conformance.Options) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := conformance.Check(t.Context(), conformance.Cases(), options, func(r conformance.Result) error {
		switch {
		case !r.Tried:
			got[r.ID] = "untried"
		case !r.Met:
			got[r.ID] = string(r.Level)
			if r.Advice == "" {
				t.Errorf("%s gives no advice", r.ID)
			}
		}
		if r.Seen == "" {
			t.Errorf("%s says nothing of what was seen", r.ID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func first(word string, all ...[]string) map[string]string {
	want := map[string]string{}
	for _, ids := range all {
		for _, id := range ids {
			want[id] = word
		}
	}
	return want
}

func both(a, b map[string]string) map[string]string {
	for id, word := range b {
		a[id] = word
	}
	return a
}

var (
	accepts = []string{
		"accepts-test-failed", "accepts-test-successful", "accepts-failed", "accepts-successful", "accepts-missing-optional",
		"accepts-empty-title", "accepts-relative-url", "accepts-run-type", "accepts-unknown-members", "accepts-duplicate", "accepts-long-errors", "accepts-unicode", "accepts-burst", "keeps-serving",
	}
	soon = time.Now().Add(1000 * time.Hour)
)

func always(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // answers whatever comes
		w.WriteHeader(status)
	}
}

// failsOn answers 500 to what has a text in it.
func failsOn(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte(text)) {
			w.WriteHeader(500)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		correct(w, r)
	}
}

func TestEachBadEndpointFailsItsCases(t *testing.T) {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	var seen sync.Map
	var busy atomic.Int32
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    map[string]string
	}{
		{"a correct one", correct, map[string]string{}},
		{"201 without body", func(w http.ResponseWriter, r *http.Request) {
			answer := httptest.NewRecorder()
			if correct(answer, r); answer.Code == 204 {
				answer.Code = 201
			}
			w.WriteHeader(answer.Code)
		}, map[string]string{}},
		{"always 500", always(500), both(
			first("required", accepts, []string{"survives-unknown-event", "refuses-malformed"}), first("advised", []string{"accepts-same-run-again", "refuses-get"}),
		)},
		{"302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, both(
			first("required", accepts, []string{"answers-directly"}), first("advised", []string{"accepts-same-run-again", "survives-unknown-event", "refuses-malformed", "refuses-get"}),
		)},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) //nolint:errcheck // or the hang-up is not noticed
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, both(both(
			first("required", accepts, []string{"answers-in-time", "survives-unknown-event", "refuses-malformed"}),
			first("advised", []string{"accepts-same-run-again", "refuses-get"}),
		), first("untried", []string{"answers-directly", "keeps-idle-connections"}))},
		{"closes the socket", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, both(both(
			first("required", accepts, []string{"survives-unknown-event", "refuses-malformed"}),
			first("advised", []string{"accepts-same-run-again", "refuses-get"}),
		), first("untried", []string{"answers-directly", "answers-in-time", "keeps-idle-connections"}))},
		{"fails on the second identical id", func(w http.ResponseWriter, r *http.Request) {
			if _, again := seen.LoadOrStore(r.Header.Get(owox.HeaderID), true); again && r.Header.Get(owox.HeaderContentType) == owox.ContentType && r.ContentLength > 300 {
				w.WriteHeader(409)
				return
			}
			correct(w, r)
		}, first("required", []string{"accepts-duplicate"})},
		{"fails on the second identical run", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			var payload owox.Payload
			_ = json.Unmarshal(body, &payload) // what is broken has no run
			id, run := r.Header.Get(owox.HeaderID), payload.Data.Run.ID
			if first, again := seen.LoadOrStore(run, id); again && first != id && run != "" && run != "test-run-id" {
				w.WriteHeader(409)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			correct(w, r)
		}, first("advised", []string{"accepts-same-run-again"})},
		{"wants an absolute URL", failsOn(`"url":"/ui/`), first("required", []string{"accepts-relative-url"})},
		{"wants a title", failsOn(`"title":""`), first("required", []string{"accepts-empty-title"})},
		{"fails on unknown members", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			decoder := json.NewDecoder(bytes.NewReader(body))
			decoder.DisallowUnknownFields()
			var payload owox.Payload
			if err := decoder.Decode(&payload); err != nil && strings.Contains(err.Error(), "unknown field") {
				w.WriteHeader(500)
				return
			}
			if isType := regexp.MustCompile(`"type":"HTTP_DATA"`); isType.Match(body) {
				w.WriteHeader(500)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			correct(w, r)
		}, first("required", []string{"accepts-run-type", "accepts-unknown-members"})},
		{"fails under concurrency", func(w http.ResponseWriter, r *http.Request) {
			defer busy.Add(-1)
			if busy.Add(1) > 3 {
				w.WriteHeader(503)
				return
			}
			time.Sleep(3 * time.Millisecond)
			correct(w, r)
		}, first("required", []string{"accepts-burst"})},
		{"answers HTML", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<html>Welcome</html>") //nolint:errcheck // the client may be gone
		}, first("advised", []string{"refuses-malformed", "refuses-get"})},
		{"answers gzip", func(w http.ResponseWriter, r *http.Request) {
			answer := httptest.NewRecorder()
			correct(answer, r)
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(max(answer.Code, 201))
			if answer.Code != 204 {
				zip := gzip.NewWriter(w)
				io.Copy(zip, answer.Body) //nolint:errcheck // the client may be gone
				zip.Close()               //nolint:errcheck // the client may be gone
			}
		}, map[string]string{}},
		{"2xx for rubbish", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				always(200)(w, r)
				return
			}
			correct(w, r)
		}, first("advised", []string{"refuses-malformed"})},
		{"refuses new event types", func(w http.ResponseWriter, r *http.Request) {
			if _, known := owox.Lookup(owox.EventType(r.Header.Get(owox.HeaderEvent))); !known && r.Method == http.MethodPost && r.ContentLength > 300 {
				w.WriteHeader(422)
				return
			}
			correct(w, r)
		}, first("advised", []string{"survives-unknown-event"})},
		{"crashes on broken JSON", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if r.Method == http.MethodPost && !json.Valid(body) {
				w.WriteHeader(500)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			correct(w, r)
		}, first("required", []string{"refuses-malformed"})},
		{"cannot read long bodies", func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength > 100_000 {
				w.WriteHeader(413)
				return
			}
			correct(w, r)
		}, first("required", []string{"accepts-long-errors"})},
		{"reads only ASCII", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if bytes.ContainsFunc(body, func(c rune) bool { return c > 127 }) {
				w.WriteHeader(500)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			correct(w, r)
		}, first("required", []string{"accepts-unicode"})},
		{"wants every member", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			for _, f := range validate.Payload(body) {
				if f.Rule == validate.ShownMember {
					w.WriteHeader(400)
					return
				}
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			correct(w, r)
		}, first("required", []string{"accepts-missing-optional"})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			endpoint, pool := serve(t, tt.handler, soon)
			options := sender.Options{RootCAs: pool, Timeout: 5 * time.Second}
			if tt.name == "hangs" {
				options.Timeout = 50 * time.Millisecond
			}
			if diff := cmp.Diff(tt.want, check(t, atAddress(options, endpoint))); diff != "" {
				t.Errorf("not met (-want +got):\n%s", diff)
			}
		})
	}
}

// atAddress checks an endpoint by its address, which its certificate is for;
// that the address is a loopback one is looked past.
func atAddress(options sender.Options, endpoint *url.URL) conformance.Options {
	return conformance.Options{Endpoint: endpoint, Sender: options, Idle: 10 * time.Millisecond, Lookup: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("8.8.8.8")}, nil
	}}
}

func TestCertificates(t *testing.T) {
	tests := []struct {
		name     string
		notAfter time.Time
		trusted  bool
		want     string
	}{
		{"fine", soon, true, ""},
		{"13 days left", time.Now().Add(13*24*time.Hour + time.Hour), true, "advised"},
		{"expired", time.Now().Add(-time.Hour), true, "required"},
		{"nobody knows the issuer", soon, false, "required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			endpoint, pool := serve(t, correct, tt.notAfter)
			options := sender.Options{}
			if tt.trusted {
				options.RootCAs = pool
			}
			got := check(t, atAddress(options, endpoint))
			if got["https"] != tt.want {
				t.Errorf("https: %q, want %q", got["https"], tt.want)
			}
			delete(got, "https")
			for id, word := range got {
				if word != "untried" {
					t.Errorf("%s: %s, though only the certificate is wrong", id, word)
				}
			}
			if untried := len(got) > 0; untried != (tt.want == "required") {
				t.Errorf("untried: %v", got)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	endpoint, err := url.Parse("http://127.0.0.1:1/")
	if err != nil {
		t.Fatal(err)
	}
	got := check(t, conformance.Options{Endpoint: endpoint})
	if got["accepts-test-failed"] != "required" || got["https"] != "advised" || got["public-address"] != "advised" {
		t.Errorf("%v", got)
	}
	for _, c := range conformance.Cases() {
		if !c.Offline && c.ID != "accepts-test-failed" && got[c.ID] != "untried" {
			t.Errorf("%s: %q, want untried", c.ID, got[c.ID])
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"8.8.8.8": "", "2001:4860:4860::8888": "", "34.38.103.182": "",
		"127.0.0.1": "advised", "10.0.0.1": "advised", "192.168.1.1": "advised", "172.16.0.1": "advised", "169.254.1.1": "advised", "100.64.0.1": "advised",
		"0.0.0.0": "advised", "203.0.113.1": "advised", "240.0.0.1": "advised", "224.0.0.1": "advised", "::1": "advised", "fe80::1": "advised", "fd00::1": "advised",
		"2001:db8::1": "advised", "::ffff:10.0.0.1": "advised",
	} {
		var only []conformance.Case
		for _, c := range conformance.Cases() {
			if c.ID == "public-address" {
				only = append(only, c)
			}
		}
		options := conformance.Options{
			Endpoint: &url.URL{Scheme: "https", Host: "hook.example.com"},
			Lookup: func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("8.8.4.4"), netip.MustParseAddr(address)}, nil
			},
		}
		err := conformance.Check(t.Context(), only, options, func(r conformance.Result) error {
			if r.Met != (want == "") || !r.Tried {
				t.Errorf("%s: met %v, seen %s", address, r.Met, r.Seen)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// What check delivers as an event is one, and is marked as a test unless real
// events are asked for.
func TestDeliveriesAreValidAndMarked(t *testing.T) {
	for _, isReal := range []bool{false, true} {
		var mu sync.Mutex
		events, burst, most := 0, 0, 0
		endpoint, pool := serve(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			burst++
			most = max(most, burst)
			mu.Unlock()
			defer func() { mu.Lock(); burst--; mu.Unlock() }()
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			findings := validate.Request(r.Method, r.Header, body)
			identity := owox.Identify(body)
			if _, known := owox.Lookup(identity.Event); known && json.Valid(body) && r.Header.Get(owox.HeaderContentType) == owox.ContentType {
				mu.Lock()
				defer mu.Unlock()
				events++
				if !validate.Valid(findings) {
					t.Errorf("invalid delivery: %+v\n%.300s", findings, body)
				}
				if isTestButton := identity.DataMartID == "test-data-mart-id"; identity.IsTest == isReal && !isTestButton {
					t.Errorf("real %v, isTest %v: %.200s", isReal, identity.IsTest, body)
				}
				if r.Header.Get("X-Gateway") != "key" {
					t.Error("the added header is missing")
				}
			}
			correct(w, r)
		}, soon)
		options := atAddress(sender.Options{RootCAs: pool}, endpoint)
		options.Real, options.Headers = isReal, []owox.Header{{Name: "X-Gateway", Value: "key"}}
		if got := check(t, options); len(got) > 0 {
			t.Errorf("%v", got)
		}
		if events < 60 || most > 5 {
			t.Errorf("%d events, at most %d at a time", events, most)
		}
	}
}

func TestCheckEndsWithItsContext(t *testing.T) {
	arrived := make(chan struct{}, 1)
	endpoint, pool := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // or the hang-up is not noticed
		arrived <- struct{}{}
		<-r.Context().Done()
	}, soon)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	results := 0
	delivering := slices.DeleteFunc(conformance.Cases(), func(c conformance.Case) bool { return c.Offline })
	err := conformance.Check(ctx, delivering, atAddress(sender.Options{RootCAs: pool}, endpoint), func(conformance.Result) error { results++; return nil })
	if !errors.Is(err, context.Canceled) || results != 0 {
		t.Errorf("%v after %d results", err, results)
	}
}

func TestCasesAreExplained(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range conformance.Cases() {
		if seen[c.ID] || c.ID == "" || c.Title == "" || c.Delivers == "" || c.Requires == "" || c.Level == "" {
			t.Errorf("%+v is not explained, or twice in the table", c)
		}
		seen[c.ID] = true
	}
}
