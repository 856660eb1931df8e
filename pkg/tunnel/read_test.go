package tunnel

import (
	"fmt"
	"strings"
	"testing"
)

// What is shown of several lines is the one that tells.
func TestReasonsAreNotHiddenByWhatFollows(t *testing.T) {
	for name, tt := range map[string]struct {
		read  reader
		lines []string
		want  string
	}{
		"ngrok without a token": {readNgrok, []string{
			`{"lvl":"eror","msg":"failed to auth","err":"authentication failed: Usage of ngrok requires a verified account"}`,
			"ERROR:  authentication failed: Usage of ngrok requires a verified account and authtoken.", "ERROR:",
			"ERROR:  ERR_NGROK_4018", "ERROR:  https://ngrok.com/docs/errors/err_ngrok_4018",
		}, "authentication failed: Usage of ngrok requires a verified account and authtoken."},
		"ngrok with another trouble since": {readNgrok, []string{
			"ERROR:  old", `{"lvl":"info","msg":"client session established"}`, "ERROR:  new", "ERROR:  ERR_NGROK_1",
		}, "new"},
		"cloudflared with usage": {readCloudflared, []string{
			"Incorrect Usage: flag provided but not defined: -url", "NAME:", "cloudflared tunnel - Use Cloudflare Tunnel",
		}, "Incorrect Usage: flag provided but not defined: -url"},
		"any program": {readAny, []string{"lt 2.0", "Error: no such host", "at connect (lt.js:1)", "Node.js v22"}, "Error: no such host | at connect (lt.js:1) | Node.js v22"},
	} {
		state, read := progress{down: func(error) {}}, tt.read()
		for _, line := range tt.lines {
			state.add(read(line))
		}
		if state.why != tt.want {
			t.Errorf("%s: got %q, want %q", name, state.why, tt.want)
		}
	}
}

// The lines are those of real programs.
func TestLogsAreRead(t *testing.T) {
	for _, tt := range []struct {
		name string
		read reader
		line string
		want event
	}{
		{"cloudflared's URL", readCloudflared, "2022-11-11T19:57:58Z INF |  https://four-dashed-word-url.trycloudflare.com                                     |", event{url: "https://four-dashed-word-url.trycloudflare.com"}},
		{"its documentation", readCloudflared, "2022-11-11T19:57:55Z INF Thank you for trying Cloudflare Tunnel. (https://developers.cloudflare.com/cloudflare-one/connections/connect-apps)", event{}},
		{"its connection", readCloudflared, "2026-09-30T07:31:18Z INF Registered tunnel connection connIndex=0 connection=bb527b3a-8a27-467b-9fca-84972898be5c event=0 ip=2606:4700:a8::1 location=del04 protocol=quic", event{up: true}},
		{"its loss", readCloudflared, "2026-09-30T07:31:18Z INF Lost connection with the edge connIndex=0", event{down: true}},
		{"its end", readCloudflared, "2026-09-30T07:31:18Z INF Unregistered tunnel connection connIndex=0", event{down: true}},
		{"its trouble", readCloudflared, `2026-09-30T07:31:18Z ERR Failed to dial a quic connection error="timeout: no recent network activity"`, event{why: `Failed to dial a quic connection error="timeout: no recent network activity"`}},
		{"its failure", readCloudflared, `failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": dial tcp: lookup api.trycloudflare.com on 127.0.0.11:53: no such host`, event{why: `failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": dial tcp: lookup api.trycloudflare.com on 127.0.0.11:53: no such host`}},
		{"its libraries' trouble", readCloudflared, "2022/11/11 19:57:58 failed to sufficiently increase receive buffer size", event{}},
		{"its words", readCloudflared, "Incorrect Usage: flag provided but not defined: -url", event{why: "Incorrect Usage: flag provided but not defined: -url"}},
		{"ngrok's URL", readNgrok, `{"t":"2026-09-12T20:25:17+0200","lvl":"info","msg":"started tunnel","obj":"tunnels","name":"command_line","addr":{"Scheme":"http","Host":"127.0.0.1:9700"},"url":"https://94b1-82-67-199-224.ngrok-free.app"}`, event{url: "https://94b1-82-67-199-224.ngrok-free.app", up: true}},
		{"its first URL, of old", readNgrok, `{"lvl":"info","msg":"started tunnel","name":"command_line (http)","url":"http://94b1.ngrok.io"}`, event{why: "http://94b1.ngrok.io"}},
		{"its session", readNgrok, `{"lvl":"info","msg":"client session established","obj":"csess","id":"1c907e548f56"}`, event{up: true}},
		{"its loss", readNgrok, `{"lvl":"eror","msg":"session closed, starting reconnect loop","obj":"csess","err":"read EOF from remote peer"}`, event{down: true, why: "read EOF from remote peer"}},
		{"its failure", readNgrok, `{"lvl":"eror","msg":"failed to auth","err":"authentication failed: Usage of ngrok requires a verified account and authtoken.\n\nERR_NGROK_4018\r\n"}`, event{why: "authentication failed: Usage of ngrok requires a verified account and authtoken."}},
		{"its words", readNgrok, "ERROR:  unknown flag: --log", event{why: "unknown flag: --log"}},
		{"anybody's URL", readAny, "your url is: https://wet-dogs-run.loca.lt", event{url: "https://wet-dogs-run.loca.lt", up: true}},
		{"in colour", readAny, "\x1b[32mForwarding HTTP traffic from https://x.serveo.net\x1b[0m", event{url: "https://x.serveo.net", up: true}},
		{"within a sentence", readAny, "(see https://x.example.com).", event{url: "https://x.example.com", up: true}},
		{"no https", readAny, "listening at http://localhost:1", event{why: "listening at http://localhost:1"}},
	} {
		if got := tt.read()(tt.line); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestLinesAreRead(t *testing.T) {
	var got []string
	out := &lines{each: func(line string) { got = append(got, line) }}
	for _, part := range []string{"on", "e\r\n\ntwo\n", strings.Repeat("x", maxLine+1), "three\nfo", "ur"} {
		fmt.Fprint(out, part) //nolint:errcheck // it cannot fail
	}
	out.end()
	if want := "one two three four"; strings.Join(got, " ") != want {
		t.Errorf("got %.100q, want %s", got, want)
	}
}

func TestURLsOfServicesAreBare(t *testing.T) {
	for text, want := range map[string]bool{
		"https://8a7d5aa0.lhr.life": true, "https://x.serveo.net": true, "http://x.ssi.sh:8080": true,
		"https://admin.localhost.run/": false, "https://localhost.run/docs/": false, "https://localhost.run": false, "https://x.example.com?ref=y": false,
	} {
		if got := isBare(text, "localhost.run"); got != want {
			t.Errorf("isBare(%s) = %v, want %v", text, got, want)
		}
	}
}
