package sender

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// Curl returns a command for a POSIX shell that sends the same request with
// curl, whatever is in its URL, headers and body, but for NUL bytes in a body:
// no shell can pass them on.
func (r Request) Curl() string {
	var out strings.Builder
	// curl reads [1-3] and {a} in a URL as several, and makes /a/../b shorter.
	fmt.Fprintf(&out, "curl --globoff --path-as-is --compressed --request %s %s", cmp.Or(r.Method, owox.Method), ShellQuote(r.URL.String()))
	for _, h := range r.Headers {
		line := h.Name + ": " + h.Value
		if h.Value == "" {
			line = h.Name + ";" // with a colon curl would leave it out
		}
		fmt.Fprintf(&out, " \\\n  --header %s", ShellQuote(line))
	}
	// Unlike --data and --data-binary it reads no file for a body that starts with @.
	fmt.Fprintf(&out, " \\\n  --data-raw %s\n", ShellQuote(string(r.Body)))
	return out.String()
}

// ShellQuote returns a text as one word of a POSIX shell, which means nothing
// but itself there. Words that need no quotes get none.
func ShellQuote(text string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/.:_-@%+,=", r)
	}
	if text != "" && strings.TrimLeftFunc(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
