package inspector

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// isInvisible reports whether a character changes text without being seen:
// controls, line and paragraph separators, and formats such as the marks of
// bidirectional text, but for the one that joins emoji.
func isInvisible(r rune) bool {
	return r != '\u200d' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) || r == '\u2028' || r == '\u2029'
}

// span is a piece of text with the class that colours it.
type span struct{ Class, Text string }

// spans splits text at characters that are not seen, and names these.
func spans(class, text string) []span {
	var pieces []span
	plain := 0
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		if broken := r == utf8.RuneError && size == 1; broken || isInvisible(r) && r != '\n' {
			if plain < at {
				pieces = append(pieces, span{class, text[plain:at]})
			}
			pieces = append(pieces, span{"unseen", name(r, text[at], broken)})
			plain = at + size
		}
		at += size
	}
	if plain < len(text) {
		pieces = append(pieces, span{class, text[plain:]})
	}
	return pieces
}

func name(r rune, first byte, broken bool) string {
	switch {
	case broken:
		return fmt.Sprintf(`\x%02x`, first)
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r == '\n':
		return `\n`
	case r > 0xffff:
		return fmt.Sprintf(`\u{%x}`, r)
	default:
		return fmt.Sprintf(`\u%04x`, r)
	}
}

// show returns text with what is not seen written as escapes.
func show(text any) string {
	var out strings.Builder
	for _, s := range spans("", strings.ReplaceAll(fmt.Sprint(text), "\n", "\u2028")) {
		out.WriteString(s.Text)
	}
	return strings.ReplaceAll(out.String(), `\u2028`, `\n`)
}
