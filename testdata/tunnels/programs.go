// Package tunnels has programs that behave as cloudflared and ngrok do, and an
// SSH server, for tests: what they write, the headers that they set, and how they
// fail. Their public side is an https server on loopback.
package tunnels

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The variable says what a program is to do in place of opening a tunnel.
const (
	ModeVariable = "TUNNEL_MODE"
	ModeFails    = "fails"    // says why, and ends
	ModeUnready  = "unready"  // the public side answers 530 for a second
	ModeSlow     = "slow"     // opens it after a second
	ModeMute     = "mute"     // says nothing
	ModeForeign  = "foreign"  // the public side answers by itself
	ModeRefusing = "refusing" // the public side is not there
	ModeStubborn = "stubborn" // ignores SIGTERM
	ModePlain    = "plain"    // has no https
	ModeBrief    = "brief"    // ends as soon as it has said its URL
)

// Paths of the public side that have a program do something.
const (
	PathLose = "/.lose" // loses its connection, and gets it back
	PathDie  = "/.die"  // ends
)

// Client is the address from which the public side says that requests come: that
// in the header Test-Client, or this one.
const Client = "203.0.113.9"

// CertificatePEM is the certificate of the public side.
func CertificatePEM() []byte {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// Cloudflared behaves as cloudflared tunnel --url.
func Cloudflared() {
	info := func(text string) {
		fmt.Fprintln(os.Stderr, time.Now().UTC().Format(time.RFC3339), "INF", text)
	}
	index := slices.Index(os.Args, "--url")
	if index < 0 || os.Args[1] != "tunnel" {
		fmt.Fprintln(os.Stderr, "Incorrect Usage")
		os.Exit(1)
	}
	info("Thank you for trying Cloudflare Tunnel. Follow https://developers.cloudflare.com/cloudflare-one/connections/connect-apps")
	info("Requesting new quick Tunnel on trycloudflare.com...")
	lost := func() { info("Lost connection with the edge connIndex=0") }
	registered := func() {
		info("Registered tunnel connection connIndex=0 connection=bb527b3a-8a27-467b-9fca-84972898be5c event=0 ip=198.41.200.13 location=fra03 protocol=quic")
	}
	signals := prepare(`failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": dial tcp: lookup api.trycloudflare.com: no such host`)
	public := edge(os.Args[index+1], func(r *http.Request, client string) {
		r.Header.Set("Cf-Connecting-Ip", client)
		r.Header.Add("X-Forwarded-For", client)
	}, lost, registered)
	info("+--------------------------------------------------------------------------------------------+")
	info("|  Your quick Tunnel has been created! Visit it at (it may take some time to be reachable):  |")
	info("|  " + public + "                                                                   |")
	info("+--------------------------------------------------------------------------------------------+")
	registered()
	await(signals, func() { info("Unregistered tunnel connection connIndex=0") })
}

// Ngrok behaves as ngrok http --log stdout --log-format json.
func Ngrok() {
	entry := func(level, message string, more map[string]any) {
		fields := map[string]any{"lvl": level, "msg": message, "t": time.Now().Format(time.RFC3339)}
		for name, value := range more {
			fields[name] = value
		}
		_ = json.NewEncoder(os.Stdout).Encode(fields) // nobody may read it
	}
	if !slices.Equal(os.Args[3:], []string{"--log", "stdout", "--log-format", "json"}) || os.Args[1] != "http" {
		fmt.Fprintln(os.Stderr, "ERROR:  unknown flag")
		os.Exit(1)
	}
	entry("info", "starting web service", map[string]any{"obj": "web", "addr": "127.0.0.1:4040"})
	if os.Getenv(ModeVariable) == ModeFails {
		entry("eror", "failed to auth", map[string]any{"err": "authentication failed: Usage of ngrok requires a verified account and authtoken.\n\nSign up for an account: https://dashboard.ngrok.com/signup\r\n\r\nERR_NGROK_4018\r\n"})
	}
	signals := prepare("ERROR:  authentication failed: Usage of ngrok requires a verified account and authtoken.\nERROR:\nERROR:  ERR_NGROK_4018\nERROR:  https://ngrok.com/docs/errors/err_ngrok_4018\nERROR:")
	lost := func() {
		entry("eror", "session closed, starting reconnect loop", map[string]any{"err": "read EOF from remote peer"})
	}
	established := func() { entry("info", "client session established", nil) }
	established()
	public := edge("http://"+os.Args[2], func(r *http.Request, client string) {
		r.Header.Add("X-Forwarded-For", client)
	}, lost, established)
	entry("info", "started tunnel", map[string]any{"name": "command_line", "addr": "http://" + os.Args[2], "url": public})
	await(signals, func() {})
}

// prepare does what comes before the tunnel is open, and listens for signals.
func prepare(failure string) <-chan os.Signal {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	switch os.Getenv(ModeVariable) {
	case ModeFails:
		fmt.Fprintln(os.Stderr, failure)
		os.Exit(1)
	case ModeSlow:
		time.Sleep(time.Second)
	case ModeMute:
		await(signals, func() {})
	}
	return signals
}

// edge is the public side of a tunnel.
func edge(target string, mark func(r *http.Request, client string), lost, back func()) (public string) {
	to, err := url.Parse(target)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	mode, began := os.Getenv(ModeVariable), time.Now()
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		if r.In.RequestURI == "*" {
			r.Out.URL.Path = "*" // as it came
		}
		client := Client
		if said := r.In.Header.Get("Test-Client"); said != "" {
			client = said
		}
		r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
		mark(r.Out, client)
	}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == PathLose:
			lost()
			time.AfterFunc(200*time.Millisecond, back)
		case r.URL.Path == PathDie:
			os.Exit(1)
		case mode == ModeUnready && time.Since(began) < time.Second:
			w.WriteHeader(530)
		case mode == ModeForeign:
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	server.Config.DisableGeneralOptionsHandler = true // those are for the receiver
	server.StartTLS()
	if mode == ModeRefusing {
		server.Listener.Close() //nolint:errcheck,gosec // nobody connects
	}
	return server.URL
}

// await ends the program as signals ask.
func await(signals <-chan os.Signal, last func()) {
	for range signals {
		if os.Getenv(ModeVariable) != ModeStubborn {
			last()
			os.Exit(0)
		}
	}
}

// Other behaves as programs that nobody knows: other PORT says its URL in a
// sentence.
func Other() {
	signals := prepare("nothing goes here")
	public := edge("http://127.0.0.1:"+os.Args[1], func(*http.Request, string) {}, func() {}, func() {})
	if os.Getenv(ModeVariable) == ModePlain {
		fmt.Println("listening at http://localhost:1")
		await(signals, func() {})
	}
	fmt.Println("documentation: http://example.com/; your url is: " + strings.TrimSuffix(public, "/") + ".")
	if os.Getenv(ModeVariable) == ModeBrief {
		return
	}
	await(signals, func() {})
}
