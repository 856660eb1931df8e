package payloads

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// read collects what Read finds in an input of which text is the content.
func read(t *testing.T, input, text string, limit int) []string {
	t.Helper()
	var got []string
	err := Read(t.Context(), strings.NewReader(input), Options{Limit: limit}, func(p Payload) error {
		kind := "json"
		if p.IsHTTP {
			kind = "http"
		}
		shown := string(p.Text)
		if len(shown) > 40 {
			shown = shown[:37] + "..."
		}
		got = append(got, kind+" "+strings.Repeat("+", p.Line)+shown)
		if text[p.Offset:min(len(text), p.Offset+len(p.Text))] != string(p.Text) {
			t.Errorf("offset %d is not where %q stands", p.Offset, p.Text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestInputsAreToldByContent(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	tests := []struct {
		name, text string
		limit      int
		want       []string
	}{
		{"nothing", "", 99, []string{"json "}},
		{"blank lines", "\n \n", 99, []string{"json "}},
		{"one line", "{}\n", 99, []string{"json {}"}},
		{"no last newline", "{}", 99, []string{"json {}"}},
		{"lines", "{}\n\n[1]\r\n2", 99, []string{"json {}", "json ++[1]", "json +++2"}},
		{"a document", "{\n\"a\": 1\n}\n", 99, []string{"json {\n\"a\": 1\n}\n"}},
		{"a document after blank lines", "\n\n{\n}", 99, []string{"json ++{\n}"}},
		{"a broken first line", "{,\n{}\n{}\n", 99, []string{"json {,", "json +{}", "json ++{}"}},
		{"a broken last line", "{}\n{", 99, []string{"json {}", "json +{"}},
		{"a broken document", "{,\n1\n", 99, []string{"json {,\n1\n"}},
		{"a request", "POST / HTTP/1.1\n\n{}", 99, []string{"http POST / HTTP/1.1\n\n{}"}},
		{"a request with a body a line", "POST / HTTP/1.1\n{}\n", 99, []string{"http POST / HTTP/1.1\n{}\n"}},
		{"a long line", "{}\n\"" + long + "\"\n{}\n", 300_000, []string{"json {}", `json +"` + long[:36] + "...", "json ++{}"}},
		{"a line over the limit", "{}\n" + long + "\n{}\n", 20, []string{"json {}", "json +" + long[:21], "json ++{}"}},
		{"a line at the limit", "{}\n" + long[:20] + "\n{}\n", 20, []string{"json {}", "json +" + long[:20], "json ++{}"}},
		{"a first line over the limit", long + "\n{}\n", 20, []string{"json " + long[:21], "json +{}"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, read(t, tt.text, tt.text, tt.limit)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{"", "{}\n{}\n", "{\n}\n", "POST / HTTP/1.1\n\n{}", "{,\n{}\n", "\r\n\xff", "\x00\n{}\n", "\x1f\x8b\x08"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(text, "\x1f\x8b") { // places count in what is in it
			_ = Read(t.Context(), strings.NewReader(text), Options{Limit: 64}, func(Payload) error { return nil })
			return
		}
		want := read(t, text, text, 64)
		if diff := cmp.Diff(want, read(t, compressed(t, text), text, 64)); diff != "" {
			t.Errorf("compressed (-plain +gzip):\n%s", diff)
		}
	})
}

func TestSeveralRequestsInAFile(t *testing.T) {
	request := func(n int, body string) string {
		return fmt.Sprintf("POST /%d HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s", n, len(body), body)
	}
	text := request(1, "{}") + "\r\n" + request(2, "{\n}") + "\r\n\r\n" + request(3, "") + "\n"
	var got []string
	err := Read(t.Context(), strings.NewReader(text), Options{Limit: 99}, func(p Payload) error {
		if !p.IsHTTP || text[p.Offset:p.Offset+len(p.Text)] != string(p.Text) || strings.Count(text[:p.Offset], "\n") != p.Line {
			t.Errorf("%q is not at line %d, offset %d", p.Text, p.Line, p.Offset)
		}
		body, err := p.Body()
		got = append(got, string(body.Text))
		return err
	})
	if diff := cmp.Diff([]string{"{}", "{\n}", ""}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
