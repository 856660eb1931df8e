package tunnel_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/owoxhook/owoxhook/pkg/tunnel"
	"github.com/owoxhook/owoxhook/testdata/tunnels"
)

// The test binary is the programs too, under their names.
func TestMain(m *testing.M) {
	programs := map[string]func(){"cloudflared": tunnels.Cloudflared, "ngrok": tunnels.Ngrok, "other": tunnels.Other, "opener": opener}
	if program := programs[strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")]; program != nil {
		program()
		return
	}
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(self), "programs")
	if err != nil {
		panic(err)
	}
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	for name := range programs {
		if err := os.Link(self, filepath.Join(dir, name+suffix)); err != nil {
			panic(err)
		}
	}
	_ = os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir) // it is temporary
		os.Exit(code)
	}))
}

// opener opens a tunnel, prints its URL, and waits.
func opener() {
	way, err := tunnel.Parse("cloudflared")
	if err != nil {
		panic(err)
	}
	opened, err := tunnel.Open(context.Background(), tunnel.Options{Way: way, Target: "127.0.0.1:1"})
	if err != nil {
		panic(err)
	}
	fmt.Println(opened.URL())
	select {}
}

// application answers with the headers that tunnels write.
func application(t *testing.T) (target string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.URL.Path+" "+string(body)+" "+r.Header.Get("Cf-Connecting-Ip")+" "+strings.Join(r.Header["X-Forwarded-For"], ", "))
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// open opens a tunnel that reports its states, and is closed with the test.
func open(t *testing.T, how string, options tunnel.Options) (opened *tunnel.Tunnel, states <-chan tunnel.State, err error) {
	t.Helper()
	if options.Way, err = tunnel.Parse(how); err != nil {
		t.Fatal(err)
	}
	if options.Target == "" {
		options.Target = application(t)
	}
	changes := make(chan tunnel.State, 10)
	options.Changed = func(s tunnel.State) { changes <- s }
	opened, err = tunnel.Open(t.Context(), options)
	if err == nil {
		t.Cleanup(opened.Close)
	}
	return opened, changes, err
}

// post is answered through a tunnel.
func post(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, Timeout: 10 * time.Second}
	response, err := client.Post(url, "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func next(t *testing.T, states <-chan tunnel.State) tunnel.State {
	t.Helper()
	select {
	case s := <-states:
		return s
	case <-time.After(20 * time.Second):
		t.Fatal("no state was reported")
		return tunnel.State{}
	}
}

func TestRequestsComeThroughPrograms(t *testing.T) {
	for how, want := range map[string]string{
		"cloudflared":       "/hook hello " + tunnels.Client + " " + tunnels.Client,
		"ngrok":             "/hook hello  " + tunnels.Client,
		"exec:other {port}": "/hook hello  ",
	} {
		t.Run(how, func(t *testing.T) {
			opened, _, err := open(t, how, tunnel.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := post(t, opened.URL()+"/hook"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestSlowProgramsAreWaitedFor(t *testing.T) {
	t.Setenv(tunnels.ModeVariable, tunnels.ModeSlow)
	opened, _, err := open(t, "cloudflared", tunnel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := post(t, opened.URL()+"/hook"); !strings.HasPrefix(got, "/hook hello") {
		t.Errorf("got %q", got)
	}
}

func TestProgramsThatFailSayWhy(t *testing.T) {
	t.Setenv(tunnels.ModeVariable, tunnels.ModeFails)
	for how, want := range map[string]string{
		"cloudflared":                 `cloudflared ended with exit status 1: failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": dial tcp: lookup api.trycloudflare.com: no such host`,
		"ngrok":                       "ngrok ended with exit status 1: authentication failed: Usage of ngrok requires a verified account and authtoken.",
		"exec:other {port}":           "other ended with exit status 1: it printed no https URL (only https counts): nothing goes here",
		"exec:no-such-program {port}": "cannot start no-such-program: " + exec.ErrNotFound.Error(),
	} {
		_, _, err := open(t, how, tunnel.Options{})
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", how, err, want)
		}
	}
}

func TestLostConnectionsAreReported(t *testing.T) {
	for how, why := range map[string]string{
		"cloudflared": "cloudflared lost its connection",
		"ngrok":       "ngrok lost its connection: read EOF from remote peer",
	} {
		t.Run(how, func(t *testing.T) {
			opened, states, err := open(t, how, tunnel.Options{})
			if err != nil {
				t.Fatal(err)
			}
			post(t, opened.URL()+tunnels.PathLose)
			if s := next(t, states); s.Err == nil || s.Err.Error() != why {
				t.Errorf("got %+v, want %s", s, why)
			}
			if s := next(t, states); s.Err != nil || s.URL != opened.URL() {
				t.Errorf("got %+v, want the same URL %s", s, opened.URL())
			}
		})
	}
}

func TestAProgramThatEndsIsStartedAgain(t *testing.T) {
	opened, states, err := open(t, "cloudflared", tunnel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	if _, err := client.Get(opened.URL() + tunnels.PathDie); err == nil {
		t.Error("it still lives")
	}
	if s := next(t, states); s.Err == nil || s.Err.Error() != "cloudflared ended with exit status 1" || !s.Ended {
		t.Errorf("got %+v, want its end", s)
	}
	s := next(t, states)
	if s.Err != nil || s.URL == opened.URL() {
		t.Fatalf("got %+v, want another URL than %s", s, opened.URL())
	}
	if got := post(t, s.URL+"/again"); !strings.HasPrefix(got, "/again hello") {
		t.Errorf("got %q", got)
	}
}

func TestNobodyWaitsForAProgramLongerThanTheContext(t *testing.T) {
	t.Setenv(tunnels.ModeVariable, tunnels.ModeMute)
	way, err := tunnel.Parse("cloudflared")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := tunnel.Open(ctx, tunnel.Options{Way: way, Target: "127.0.0.1:1"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestWhatIsWaitedForIsKnown(t *testing.T) {
	t.Setenv(tunnels.ModeVariable, tunnels.ModePlain)
	way, err := tunnel.Parse("exec:other {port}")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const want = "it printed no https URL (only https counts): listening at http://localhost:1"
	_, err = tunnel.Open(ctx, tunnel.Options{Way: way, Target: "127.0.0.1:1", Waiting: func(why string) {
		if why == want {
			cancel()
		}
	}})
	if err == nil || err.Error() != "context canceled: other opened no tunnel: "+want {
		t.Errorf("got %v, want it to say %s", err, want)
	}
}

func TestCloseEndsProgramsThatIgnoreSignals(t *testing.T) {
	t.Setenv(tunnels.ModeVariable, tunnels.ModeStubborn)
	opened, _, err := open(t, "cloudflared", tunnel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	opened.Close()
	if conn, err := net.Dial("tcp", strings.TrimPrefix(opened.URL(), "https://")); err == nil {
		_ = conn.Close()
		t.Error("the program is still there")
	}
}

func TestWhatIsNoWayIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"frp":                     `"frp" is not a way to open a tunnel`,
		"":                        `"" is not a way to open a tunnel`,
		"exec:":                   "exec:: want a command with {port} in it, such as exec:lt --port {port}",
		"exec:lt --port 80":       "exec:lt --port 80: want a command with {port} in it, such as exec:lt --port {port}",
		"exec:{port}":             "exec:{port}: want a command with {port} in it, such as exec:lt --port {port}",
		"ssh:":                    "ssh:: want ssh:USER@HOST or ssh:USER@HOST:PORT",
		"ssh:me@":                 "ssh:me@: want ssh:USER@HOST or ssh:USER@HOST:PORT",
		"ssh:me@host:http":        "ssh:me@host:http: want ssh:USER@HOST or ssh:USER@HOST:PORT",
		"ssh:me@host:99999":       "ssh:me@host:99999: want ssh:USER@HOST or ssh:USER@HOST:PORT",
		"ssh:me@host:0":           "ssh:me@host:0: want ssh:USER@HOST or ssh:USER@HOST:PORT",
		"ssh:me@host:":            "ssh:me@host:: want ssh:USER@HOST or ssh:USER@HOST:PORT",
		`exec:sh -c 'a b' {port}`: `exec:sh -c 'a b' {port}: quotes are not read, as words are split at spaces and there is no shell: put the command into a script`,
		`exec:lt "{port}"`:        `exec:lt "{port}": quotes are not read, as words are split at spaces and there is no shell: put the command into a script`,
		"ssh:me@host/path":        "ssh:me@host/path: want ssh:USER@HOST or ssh:USER@HOST:PORT",
	} {
		if _, err := tunnel.Parse(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}
