package cmd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/tunnel"
)

// shut is a gate that waits for a test event.
func shut(t *testing.T, next http.HandlerFunc) (g *gate, at string) {
	t.Helper()
	g = newGate(next, "/hook", t.Context().Done())
	g.expect(owox.Sample{Event: owox.RunFailed, Test: true, ID: uuid.New(), Now: time.Now()})
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	return g, server.URL + "/hook"
}

// A public URL is printed only after a test event came through it as it was sent.
func TestPublicURLsAreTried(t *testing.T) {
	cloudflared, err := tunnel.Parse("cloudflared")
	if err != nil {
		t.Fatal(err)
	}
	var inner http.Handler // the gate, behind what a tunnel does
	for name, test := range map[string]struct {
		tunnel http.HandlerFunc
		want   string // of the error; URL stands for the URL
	}{
		"it arrives": {func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Cf-Connecting-Ip", "203.0.113.9")
			inner.ServeHTTP(w, r)
		}, ""},
		"it arrives without the tunnel's header": {
			func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(w, r) },
			"a test event came through URL without the header Cf-Connecting-Ip, which cloudflared should set",
		},
		"somebody else answers": {
			func(http.ResponseWriter, *http.Request) {},
			"time was up after 300ms: no test event came through URL: status 200 came from somebody else",
		},
		"it is changed on its way": {func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(bytes.TrimSpace(body[1:])))
			inner.ServeHTTP(w, r)
		}, "time was up after 300ms: no test event came through URL: status 400 Bad Request"},
		"it comes to another path": {func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = "/"
			inner.ServeHTTP(w, r)
		}, "time was up after 300ms: no test event came through URL: status 400 Bad Request"},
	} {
		t.Run(name, func(t *testing.T) {
			g, _ := shut(t, nil)
			inner = g
			front := httptest.NewServer(test.tunnel)
			defer front.Close()
			p := &public{way: cloudflared, gate: g, patience: 300 * time.Millisecond, quiet: time.Hour, url: front.URL + "/hook"}
			got, err := p.first(t.Context())
			switch want := strings.ReplaceAll(test.want, "URL", p.url); {
			case want == "" && (err != nil || got != p.url):
				t.Errorf("got %q, %v, want %s", got, err, p.url)
			case want != "" && (err == nil || err.Error() != want):
				t.Errorf("got %q, %v, want %s", got, err, want)
			}
		})
	}
}

func TestPublicURLsThatAreNotThereSayWhatToDo(t *testing.T) {
	for kind, want := range map[delivery.FailureKind]string{
		delivery.UnknownHost: "it failed: its name may take minutes to be known here: run listen again",
		delivery.Refused:     "it failed: set GatewayPorts clientspecified in its sshd_config, and open the port",
		delivery.TLS:         "it failed",
	} {
		got := whyNot("http://example.com/hook", delivery.Attempt{Failure: &delivery.Failure{Kind: kind, Error: "it failed"}})
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A tunnel is up again when a test event came through it, and not before.
func TestTunnelsAreTriedBeforeTheyAreUpAgain(t *testing.T) {
	g, _ := shut(t, nil)
	var through atomic.Bool
	arrived := make(chan struct{}, 1000)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		if !through.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		g.ServeHTTP(w, r)
	}))
	defer front.Close()
	way, err := tunnel.Parse("exec:other {port}")
	if err != nil {
		t.Fatal(err)
	}
	notes := make(lineChannel, 100)
	_, cancel := context.WithCancelCause(t.Context())
	p := &public{app: &app{err: notes}, command: "listen", way: way, path: "/hook", gate: g, patience: tryFor, quiet: time.Hour, given: "https://x.example/hook", trial: cancel}
	lost, ended := tunnel.State{Err: errors.New("other lost its connection")}, tunnel.State{Err: errors.New("other ended"), Ended: true}
	p.changed(lost)
	for range 3 { // a program that ends as soon as it has said its URL
		p.changed(ended)
		p.changed(tunnel.State{URL: front.URL})
		<-arrived
	}
	through.Store(true)
	for _, want := range []string{
		"listen: the tunnel is down: other lost its connection",
		"listen: the tunnel is down: other ended",
		"listen: the tunnel is up again, at another URL: give OWOX " + front.URL + "/hook",
	} {
		if got := <-notes; got != want+"\n" {
			t.Errorf("got %q, want %s", got, want)
		}
	}
	p.close()
	if len(notes) > 0 {
		t.Errorf("got %q too", <-notes)
	}
}

// While a tunnel is tried, people are told what keeps it from working.
func TestWhatATunnelWaitsForIsTold(t *testing.T) {
	g, _ := shut(t, nil)
	var status atomic.Int64
	status.Store(530)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	defer front.Close()
	notes := make(lineChannel, 100)
	p := &public{app: &app{err: notes}, gate: g, patience: tryFor, quiet: 5 * time.Millisecond, url: front.URL + "/hook", awaited: "cloudflared to open a tunnel"}
	done := p.tell()
	if got, want := <-notes, "waiting for cloudflared to open a tunnel\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p.trials.Go(func() { _, _ = p.try(ctx) })
	await := func(end string) {
		for note := range notes {
			if strings.HasPrefix(note, "waiting for "+front.URL+": ") && strings.Contains(note, end) {
				return
			}
		}
	}
	await("status 530")
	status.Store(404)
	await("status 404")
	time.Sleep(50 * time.Millisecond) // ten more times to tell, and nothing new
	cancel()
	p.trials.Wait()
	done()
	if len(notes) > 0 {
		t.Errorf("got %q too", <-notes)
	}
	if got, want := whyNotYet("", delivery.Attempt{Failure: &delivery.Failure{Kind: delivery.UnknownHost}}), "its name is not known yet"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// lineChannel passes on what is written to it.
type lineChannel chan string

func (c lineChannel) Write(p []byte) (int, error) {
	c <- string(p)
	return len(p), nil
}

// Only this machine may ask whether a receiver is here: what a client writes does
// not make it one of this machine.
func TestWhatComesThroughATunnelIsKnown(t *testing.T) {
	for _, tt := range []struct {
		way, host, header string
		want              bool
	}{
		{"cloudflared", "127.0.0.1:8787", "", true},
		{"cloudflared", "localhost:8787", "", true},
		{"cloudflared", "localhost:8787", "Cf-Connecting-Ip", false},
		{"ngrok", "[::1]:8787", "", true},
		{"ngrok", "[::1]:8787", "X-Forwarded-For", false},
		{"ssh:me@example.com", "127.0.0.1:8787", "", true},
		{"ssh:me@example.com", "127.0.0.1:8788", "", false},
		{"ssh:me@example.com", "example.com:8787", "", false},
		{"ssh:me@example.com", "127.0.0.1", "", false},
		{"exec:other {port}", "localhost:8787", "Forwarded", false},
	} {
		way, err := tunnel.Parse(tt.way)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodOptions, "*", nil)
		r = r.WithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8787}))
		r.Host = tt.host
		if tt.header != "" {
			r.Header.Set(tt.header, "203.0.113.9")
		}
		if got := (&public{way: way}).isDirect(r); got != tt.want {
			t.Errorf("%+v: got %v", tt, got)
		}
	}
}

// Nothing is received before the URL was printed, and nothing is lost either.
func TestDeliveriesWaitForTheGate(t *testing.T) {
	received := make(chan struct{}, 1)
	g, at := shut(t, func(http.ResponseWriter, *http.Request) { received <- struct{}{} })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	early, err := http.NewRequestWithContext(ctx, http.MethodPost, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := http.DefaultClient.Do(early); err == nil {
		_ = response.Body.Close() // it has none
		t.Errorf("answered %s before the gate was open", response.Status)
	}
	time.AfterFunc(50*time.Millisecond, func() { close(g.open) })
	response, err := http.Post(at, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // it has none
	if len(received) != 1 || response.StatusCode != http.StatusOK {
		t.Errorf("received %d, answered %s, want one that waited", len(received), response.Status)
	}
}

func TestNothingIsAcceptedWhenTheGateStaysShut(t *testing.T) {
	over := make(chan struct{})
	close(over)
	recorder := httptest.NewRecorder()
	newGate(nil, "/", over).ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/", nil))
	if recorder.Code != http.StatusServiceUnavailable {
		t.Errorf("answered %d, want 503", recorder.Code)
	}
}

func TestThePublicPathIsForTheUserAlone(t *testing.T) {
	journal := journalFlags{file: filepath.Join(t.TempDir(), "sub", "j.db")}
	path, err := keptPath(journal)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(journal.file), "public-path")
	if info, err := os.Stat(file); err != nil || readByAll(file) || info.Size() != int64(len(path)+1) || len(path) != 33 {
		t.Errorf("%s: %v, %v", path, info, err)
	}
	if again, err := keptPath(journal); err != nil || again != path {
		t.Errorf("got %q, %v, want %q again", again, err, path)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if again, err := keptPath(journal); readByAll(file) && err == nil {
		t.Errorf("got %q, which others can read", again)
	}
}
