package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape makes text from outside safe for a terminal. Control characters,
// line breaks, invalid bytes and characters that change the direction of text
// become escapes such as \x1b or \u202e.
func Escape(text string) string {
	if !needsEscape(text) {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[i])
		case !isUnsafe(r):
			out.WriteString(text[i : i+size])
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteString(`\t`)
		case r < 0x100:
			fmt.Fprintf(&out, `\x%02x`, r)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		i += size
	}
	return out.String()
}

func needsEscape(text string) bool {
	plain := 0 // most text is ASCII without controls
	for plain < len(text) && ' ' <= text[plain] && text[plain] < 0x7f {
		plain++
	}
	for i, r := range text[plain:] {
		if isUnsafe(r) || r == utf8.RuneError && !strings.HasPrefix(text[plain+i:], "\ufffd") {
			return true
		}
	}
	return false
}

// isUnsafe reports whether a terminal obeys a character instead of showing it:
// controls, line and paragraph separators, and the marks of bidirectional text.
func isUnsafe(r rune) bool {
	return unicode.IsControl(r) || r == 0x2028 || r == 0x2029 || unicode.Is(unicode.Bidi_Control, r)
}
