package report

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape makes text from outside safe for a terminal, and for the log of a CI
// system. Control characters, line breaks, invalid bytes and characters that
// change the direction of text become escapes such as \x1b or \u202e, and so does
// a character of what would be a command: ::error::, at the beginning of a line,
// or ##[error] anywhere. Escaping twice is escaping once.
func Escape(text string) string {
	text = escapeCommands(text)
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

// EscapeLines is [Escape] for text of several lines.
func EscapeLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Escape(strings.TrimSuffix(line, "\r"))
	}
	return strings.Join(lines, "\n")
}

var (
	anywhere = regexp.MustCompile(`##([A-Za-z]*\[)`)      // GitHub, Azure Pipelines, TeamCity
	atStart  = regexp.MustCompile(`^([\s\pZ]*):(:[\w-])`) // GitHub
)

// escapeCommands escapes what CI systems take for commands in what they log.
func escapeCommands(text string) string {
	if strings.Contains(text, "##") {
		text = anywhere.ReplaceAllString(text, `\x23#$1`)
	}
	if strings.Contains(text, "::") && !isAddress(text) {
		text = atStart.ReplaceAllString(text, `$1\x3a$2`)
	}
	return text
}

// isAddress tells ::1, of IP version 6, from ::add::.
func isAddress(text string) bool {
	address, err := netip.ParseAddr(text)
	return err == nil && address.Zone() == ""
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
