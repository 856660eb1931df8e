package receiver_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/receiver"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// proxies are real ones. Their logs have a line for each request that they
// passed on: method, target and the status that came back.
var proxies = map[string]struct {
	config string // front and back address, folder
	args   func(dir string) []string
	log    func(dir string, stdout []byte) ([]byte, error)
}{
	"nginx": {
		config: `daemon off; master_process off; pid %[3]s/pid; error_log %[3]s/error;
events {}
http {
  log_format passed '$request_method $request_uri $upstream_status'; access_log %[3]s/access passed;
  client_body_temp_path %[3]s/b; proxy_temp_path %[3]s/p; fastcgi_temp_path %[3]s/f; uwsgi_temp_path %[3]s/u; scgi_temp_path %[3]s/s;
  proxy_ignore_client_abort on;
  upstream back { server %[2]s; keepalive 4; }
  server { listen %[1]s; location / { proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; } }
}
`,
		args: func(dir string) []string { return []string{"-c", filepath.Join(dir, "config")} },
		log: func(dir string, _ []byte) ([]byte, error) {
			return os.ReadFile(filepath.Join(dir, "access"))
		},
	},
	"haproxy": {
		config: `global
  log stdout format raw local0
defaults
  mode http
  log global
  log-format "%%HM %%HU %%ST %%si"
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend front
  bind %[1]s
  default_backend back
backend back
  server one %[2]s
# %[3]s
`,
		args: func(dir string) []string { return []string{"-f", filepath.Join(dir, "config")} },
		log: func(_ string, stdout []byte) ([]byte, error) {
			var out bytes.Buffer
			for line := range strings.Lines(string(stdout)) {
				if passed, ok := strings.CutSuffix(strings.TrimSpace(line), " 127.0.0.1"); ok {
					out.WriteString(passed + "\n")
				}
			}
			return out.Bytes(), nil
		},
	},
}

// No request is seen differently by a proxy and the receiver behind it: what
// one takes for the end of a request the other does too.
func TestProxiesSeeTheSameRequests(t *testing.T) {
	for name, proxy := range proxies {
		t.Run(name, func(t *testing.T) {
			program, err := exec.LookPath(name)
			if err != nil {
				t.Skipf("no %s on this machine", name)
			}
			var seen records
			handler := receiver.New(receiver.Options{Validator: validator(t, validate.Config{MaxBody: differentialLimit}), Received: func(d delivery.Delivery) {
				seen.mu.Lock()
				defer seen.mu.Unlock()
				seen.lines = append(seen.lines, fmt.Sprintf("%s %s %d", d.Method, d.Path, d.Answered))
			}})
			back, stop := start(t, receiver.Server{Handler: handler})
			dir, front := t.TempDir(), freeAddress(t)
			if err := os.WriteFile(filepath.Join(dir, "config"), fmt.Appendf(nil, proxy.config, front, back, dir), 0o600); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			cmd := exec.Command(program, proxy.args(dir)...)
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			awaitListener(t, front, &out)
			random := rand.New(rand.NewPCG(9112, 3))
			for i := range 600 {
				text := strings.Replace(oddRequest(random)+oddRequest(random), " / ", fmt.Sprintf(" /?n=%d ", i), 1)
				converse(t, front, text, nil)
			}
			converse(t, front, head(fmt.Sprintf("Content-Length: %d\r\n", len(payload)))+string(payload), nil)
			if err := stop(); err != nil {
				t.Error(err)
			}
			_ = cmd.Process.Signal(os.Interrupt) // it may have ended
			_ = cmd.Wait()                       // how it ends says nothing
			log, err := proxy.log(dir, out.Bytes())
			if err != nil {
				t.Fatal(err, out.String())
			}
			passed, got := judged(strings.Split(string(log), "\n")), judged(seen.take())
			if diff := cmp.Diff(passed, got); diff != "" {
				t.Errorf("requests (-%s +receiver):\n%s", name, diff)
			}
			if len(got) < 50 {
				t.Errorf("only %d requests came through\n%s", len(got), out.String())
			}
			t.Logf("%d requests came through", len(got))
		})
	}
}

// judged are the requests that got as far as the handler: the other statuses
// are those of net/http, or of the proxy.
func judged(lines []string) []string {
	var kept []string
	for _, line := range lines {
		for _, status := range []string{" 200", " 404", " 413", " 415", " 422"} {
			if strings.HasPrefix(line, owox.Method+" /") && strings.HasSuffix(line, status) {
				kept = append(kept, line)
			}
		}
	}
	slices.Sort(kept)
	return kept
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // its port is what counts
	return netip.MustParseAddrPort(listener.Addr().String()).String()
}

func awaitListener(t *testing.T, address string, out fmt.Stringer) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close() // it listens
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err, out)
		}
	}
}
