package receiver

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

func plainRequest(extra string) string {
	var out strings.Builder
	out.WriteString("POST /hook?a=%20b HTTP/1.1\r\nhost: 127.0.0.1:8787\r\nconnection: keep-alive\r\n")
	for _, h := range owox.Headers("550e8400-e29b-41d4-a716-446655440000", string(owox.RunFailed)) {
		fmt.Fprintf(&out, "%s: %s\r\n", h.Name, h.Value)
	}
	return out.String() + extra + "content-length: 2\r\n\r\n{}"
}

// likeNetHTTP holds a plain request against what net/http makes of it.
func likeNetHTTP(t *testing.T, text string) (ok bool) {
	t.Helper()
	p := newPlain(1000)
	if !p.parse([]byte(text)) {
		return false
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatalf("%q is plain, but net/http says %v", text, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != text[p.head:p.size] {
		t.Errorf("%q: body %q, net/http has %q, %v", text, text[p.head:p.size], body, err)
	}
	if r.Method != owox.Method || r.RequestURI != p.target || r.URL.Path != p.path() || r.ProtoMinor != 1 || r.Close || len(r.TransferEncoding) > 0 {
		t.Errorf("%q: target %q, path %q, net/http has %q, %+v", text, p.target, p.path(), r.RequestURI, r)
	}
	if !sameHeaders(p.headers, r) {
		t.Errorf("%q: headers %v, net/http has %v", text, p.headers, r.Header)
	}
	want := http.Header{}
	for key := range p.header {
		want[key] = append([]string{}, r.Header[key]...)
	}
	if diff := cmp.Diff(want, p.header); diff != "" {
		t.Errorf("%q (-net/http +plain):\n%s", text, diff)
	}
	for _, key := range []string{"Content-Encoding", "Expect", "Upgrade", "Trailer"} {
		if r.Header[key] != nil {
			t.Errorf("%q is plain, but has %s", text, key)
		}
	}
	return true
}

func TestRequestsAsSentArePlain(t *testing.T) {
	for _, text := range []string{
		plainRequest(""), plainRequest("accept: */*\r\nX-Forwarded-For: 192.0.2.1\r\nx-forwarded-for: 192.0.2.2\r\nX-Empty:\r\nX-Tab: \ta\tb\t \r\n"),
		plainRequest("") + plainRequest(""),
		strings.Replace(plainRequest(""), "connection: keep-alive\r\n", "", 1),
	} {
		if !likeNetHTTP(t, text) {
			t.Errorf("not plain: %q", text)
		}
	}
}

func TestWhatNetHTTPMustLookAtIsNotPlain(t *testing.T) {
	whole := plainRequest("")
	change := func(old, with string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("%q is not there to be changed", old)
		}
		return strings.Replace(whole, old, with, 1)
	}
	for name, text := range map[string]string{
		"nothing":             "",
		"half a head":         whole[:40],
		"half a body":         whole[:len(whole)-1],
		"another method":      change("POST", "PUT"),
		"HTTP/1.0":            change("HTTP/1.1", "HTTP/1.0"),
		"no path":             change("/hook", "*"),
		"an absolute target":  change("/hook", "http://a/hook"),
		"an escape":           change("/hook", "/ho%6fk"),
		"a space":             change("/hook", "/ho ok"),
		"a control":           change("/hook", "/ho\x01ok"),
		"no host":             change("host: 127.0.0.1:8787\r\n", ""),
		"two hosts":           change("host: 127.0.0.1:8787\r\n", "host: a\r\nhost: a\r\n"),
		"an odd host":         change("127.0.0.1:8787", "a/b"),
		"an empty host":       change("127.0.0.1:8787", ""),
		"close":               change("keep-alive", "close"),
		"two lengths":         change("content-length: 2", "content-length: 2\r\ncontent-length: 2"),
		"a signed length":     change("content-length: 2", "content-length: +2"),
		"a long length":       change("content-length: 2", "content-length: 99999999999999999999"),
		"no length":           change("content-length: 2\r\n", ""),
		"no body":             change("content-length: 2", "content-length: 0"),
		"over the limit":      change("content-length: 2\r\n\r\n", "content-length: 1001\r\n\r\n"+strings.Repeat(" ", 1001)),
		"chunked":             plainRequest("Transfer-Encoding: chunked\r\n"),
		"compressed":          plainRequest("content-encoding: gzip\r\n"),
		"expectations":        plainRequest("expect: 100-continue\r\n"),
		"an upgrade":          plainRequest("upgrade: h2c\r\n"),
		"trailers":            plainRequest("trailer: x\r\n"),
		"a folded line":       plainRequest("x: a\r\n b\r\n"),
		"a space in a name":   plainRequest("x : a\r\n"),
		"no colon":            plainRequest("x\r\n"),
		"no name":             plainRequest(": a\r\n"),
		"a bare line feed":    plainRequest("x: a\nb: c\r\n"),
		"a control in a line": plainRequest("x: a\x00\r\n"),
		"line feeds only":     strings.ReplaceAll(whole, "\r\n", "\n"),
	} {
		if likeNetHTTP(t, text) {
			t.Errorf("%s is plain: %q", name, text)
		}
	}
}

func TestPlainForgetsTheRequestBefore(t *testing.T) {
	p := newPlain(1000)
	if !p.parse([]byte(plainRequest(""))) || !p.parse([]byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1")) {
		t.Fatal("not plain")
	}
	if p.header.Get(owox.HeaderID) != "" || len(p.headers) != 2 || p.target != "/" {
		t.Errorf("%+v", p)
	}
}

func FuzzPlain(f *testing.F) {
	f.Add(plainRequest(""))
	f.Add(plainRequest("a: b\r\nX-Forwarded-For: c\r\n"))
	f.Add("POST / HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 1\r\n\r\n1")
	f.Fuzz(func(t *testing.T, text string) { likeNetHTTP(t, text) })
}

func BenchmarkPlain(b *testing.B) {
	text := []byte(plainRequest(""))
	p := newPlain(1000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if !p.parse(bytes.Clone(text)) {
			b.Fatal("not plain")
		}
	}
}
