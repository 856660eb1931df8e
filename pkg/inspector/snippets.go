package inspector

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/owoxhook/owoxhook/pkg/delivery"
	"github.com/owoxhook/owoxhook/pkg/sender"
)

// snippet is a program that delivers a delivery again.
type snippet struct{ Name, Title, Text string }

func (i *Inspector) snippets(d delivery.Delivery) []snippet {
	request := sender.Again(i.receiverURL(), d)
	return []snippet{
		{"curl", "curl", request.Curl()},
		{"fetch", "JavaScript", fetchSnippet(request)},
		{"python", "Python", pythonSnippet(request)},
		{"replay", "owoxhook", i.options.Replay(d.Sequence) + "\n"},
	}
}

// fetchSnippet is a module for runtimes that let programs set every header.
func fetchSnippet(r sender.Request) string {
	var out strings.Builder
	fmt.Fprintf(&out, "const answer = await fetch(%s, {\n  method: %s,\n  headers: [\n", quote(r.URL.String()), quote(r.Method))
	for _, h := range r.Headers {
		fmt.Fprintf(&out, "    [%s, %s],\n", quote(h.Name), quote(h.Value))
	}
	body := quote(string(r.Body))
	if !utf8.Valid(r.Body) {
		body = fmt.Sprintf("Uint8Array.from(atob(%q), c => c.charCodeAt(0))", base64.StdEncoding.EncodeToString(r.Body))
	}
	fmt.Fprintf(&out, "  ],\n  body: %s,\n});\nconsole.log(answer.status, await answer.text());\n", body)
	return out.String()
}

func pythonSnippet(r sender.Request) string {
	var out strings.Builder
	fmt.Fprintf(&out, "import urllib.error\nimport urllib.request\n\nrequest = urllib.request.Request(%s, method=%s, headers={\n", pythonText(r.URL.String()), pythonText(r.Method))
	for _, h := range r.Headers {
		fmt.Fprintf(&out, "    %s: %s,\n", pythonText(h.Name), pythonText(h.Value))
	}
	fmt.Fprintf(&out, "}, data=%s)\ntry:\n    answer = urllib.request.urlopen(request)\nexcept urllib.error.HTTPError as error:\n    answer = error\nprint(answer.status, answer.read().decode())\n", pythonBytes(r.Body))
	return out.String()
}

// quote writes text as a string of JavaScript.
func quote(text string) string {
	quoted, _ := jsontext.AppendQuote(nil, text) // what is not UTF-8 is replaced
	return string(quoted)
}

func pythonText(text string) string {
	literal := pythonBytes([]byte(text))
	for _, r := range text {
		if r >= utf8.RuneSelf {
			return literal + ".decode()"
		}
	}
	return strings.TrimPrefix(literal, "b")
}

// pythonBytes writes bytes as Python does.
func pythonBytes(text []byte) string {
	var out strings.Builder
	out.WriteString(`b"`)
	for _, b := range text {
		switch {
		case b == '"' || b == '\\':
			out.WriteByte('\\')
			out.WriteByte(b)
		case b < ' ' || b >= 0x7f:
			fmt.Fprintf(&out, `\x%02x`, b)
		default:
			out.WriteByte(b)
		}
	}
	return out.String() + `"`
}
