package sender_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// The command is run by a real shell and a real curl, and must deliver the same
// bytes once.
func TestCurlCommandDeliversTheSameBytes(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl on this machine")
	}
	type request struct {
		Target, Header string
		Body           string
	}
	var mu sync.Mutex // curl, in between, orders nothing for the race detector
	var got []request
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		value := "absent"
		if len(r.Header["X-Odd"]) > 0 {
			value = r.Header.Get("X-Odd")
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, request{r.RequestURI, value, string(body)})
	}))
	defer server.Close()
	payload := string(owox.Documented(owox.RunFailed))
	for name, tt := range map[string]request{
		"plain":                   {"/", "1", payload},
		"globs":                   {"/?x={a}&y=[1-3]", "{a,b} [1-2]", payload},
		"a glob in the path":      {"/hook/{id}", "1", payload},
		"dots in the path":        {"/a/../b/./c", "1", payload},
		"quotes":                  {"/?q='%22", `'a' "b"`, `{"a":"it's \"quoted\""}`},
		"a shell's own":           {"/?q=$(touch${IFS}x)`id`&a=b;c|d", "$HOME `id` $(id) \\ !", `{"a":"$HOME $(id) !! \\"}`},
		"an empty header":         {"/", "", payload},
		"a body like a file":      {"/", "1", "@/etc/passwd"},
		"line breaks in a body":   {"/", "1", "{\r\n\"a\":\n1}\n"},
		"unicode":                 {"/?q=%C3%A9", "é", `{"a":"é🎉\u0000"}`},
		"an empty body":           {"/", "1", ""},
		"percent and plus":        {"/a%20b?c=%2B+d", "100% + 1", `{"a":"100%"}`},
		"something like a flag":   {"/--url", "-H --data", "--data"},
		"bytes that are not text": {"/", "1", "{\"a\":\"\xff\xfe\"}"},
	} {
		t.Run(name, func(t *testing.T) {
			mu.Lock()
			got = nil
			mu.Unlock()
			target, err := url.Parse(server.URL + tt.Target)
			if err != nil {
				t.Fatal(err)
			}
			r := sender.NewRequest(target, []byte(tt.Body)).WithHeader(owox.Header{Name: "X-Odd", Value: tt.Header})
			shell := exec.Command("sh", "-c", r.Curl())
			shell.Dir = t.TempDir()
			if out, err := shell.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			mu.Lock()
			defer mu.Unlock()
			want := tt
			want.Target = target.RequestURI()
			if diff := cmp.Diff([]request{want}, got); diff != "" {
				t.Errorf("%s(-want +got):\n%s", r.Curl(), diff)
			}
		})
	}
}

func TestShellQuoteIsReadBackByAShell(t *testing.T) {
	for _, text := range []string{"", "plain", "http://127.0.0.1:1/", "a b", "it's", `"`, "$(touch x)", "`id`", "a\nb", "!", "*", "~", "#5", "a;b", "é", "-n", "\\"} {
		out, err := exec.Command("sh", "-c", "printf %s "+sender.ShellQuote(text)).Output()
		if err != nil || string(out) != text {
			t.Errorf("ShellQuote(%q) = %s is read back as %q, %v", text, sender.ShellQuote(text), out, err)
		}
	}
}
