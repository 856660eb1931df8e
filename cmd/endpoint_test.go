package cmd

import (
	"bytes"
	"testing"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// Of a host that it does not like net/http makes another one, or none.
func TestHostsAreSentAsTheyAreOrRefused(t *testing.T) {
	for host, ok := range map[string]bool{
		"example.com": true, "EXAMPLE.com:": true, "a_b.example:8080": true, "127.0.0.1": true, "[::1]": true, "[::1]:80": true,
		"a\tb": false, "a b": false, "[::1": false, "::1": false, "[::1]x": false, "[a]": false, "a[b]": false, `a"b`: false, "a<b": false, "a/b": false,
		"a?b": false, "a#b": false, "me@a": false, "a:b": false, "a,b:c:1": false, "[fe80::1%25eth0]": false, "bücher.example": false, "": false,
	} {
		h, err := parseHeader("Host: " + host)
		if (err == nil) != ok {
			t.Errorf("Host: %s: error %v, want one: %v", host, err, !ok)
		}
		if err != nil {
			continue
		}
		at, err := parseEndpoint("http://127.0.0.1/")
		if err != nil {
			t.Fatal(err)
		}
		wire, err := sender.NewRequest(at, nil).WithHeader(h).Wire()
		if want := "\r\nHost: " + host + "\r\n"; err != nil || !bytes.Contains(wire, []byte(want)) {
			t.Errorf("sent is %q, %v, want %q in it", wire, err, want)
		}
	}
}

func TestHostsOfURLsAreSentOrRefused(t *testing.T) {
	for address, want := range map[string]string{
		"http://example.com": "example.com", "http://[::1]:80/": "[::1]:80", "http://bücher.example/": "xn--bcher-kva.example", "http://[fe80::1%25eth0]/": "[fe80::1]",
		"http://a<b/": "", `http://a"b/`: "", "http://a[b]/": "", "http://[::1/": "", "http://a\tb/": "", "http://a:b:80/": "", "http://:80/": "",
	} {
		at, err := parseEndpoint(address)
		if (err == nil) != (want != "") {
			t.Errorf("%s: error %v, want one: %v", address, err, want == "")
		}
		if err != nil {
			continue
		}
		wire, err := sender.NewRequest(at, owox.Documented(owox.RunFailed)).Wire()
		if !bytes.Contains(wire, []byte("\r\nHost: "+want+"\r\n")) {
			t.Errorf("%s: sent is %q, %v, want host %s", address, wire, err, want)
		}
	}
}
