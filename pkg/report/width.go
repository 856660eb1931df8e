package report

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// narrowest is the width that a narrower terminal is taken to have.
const narrowest = 20

func usable(columns int) int {
	if columns <= 0 {
		return 0
	}
	return max(columns, narrowest)
}

// tie stands for a space where a line must not be broken. Escaped text has none.
const tie = "\x00"

// tied keeps the words of a text on one line.
func tied(text string) string { return strings.ReplaceAll(text, " ", tie) }

// Wrap breaks the lines of a text between words, so that they fit a terminal of
// so many columns. What goes on below is indented. 0 is no limit.
func Wrap(text string, columns int) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = fold(line, columns, max(4, len(line)-len(strings.TrimLeft(line, " "))))
	}
	return strings.Join(lines, "\n")
}

// Hang is Wrap for one line, with so many spaces before what goes on below.
func Hang(line string, columns, spaces int) string { return fold(line, columns, spaces) }

// fold breaks a line between words, and within a word that is wider than a line
// of its own. Each line but the first begins with hang spaces.
func fold(line string, columns, hang int) string {
	if columns <= 0 || width(line) <= columns {
		return strings.ReplaceAll(line, tie, " ")
	}
	columns = usable(columns)
	hang = min(hang, columns/2)
	var out strings.Builder
	at := 0 // how wide the present line is
	startLine := func() {
		out.WriteString("\n" + strings.Repeat(" ", hang))
		at = hang
	}
	for line = strings.TrimRight(line, " "); line != ""; {
		word := strings.TrimLeft(line, " ")
		gap := len(line) - len(word)
		word, line = word[:wordLength(word)], word[wordLength(word):]
		if wide := width(word); at+gap+wide > columns && wide <= columns-hang || at+gap >= columns {
			startLine()
		} else {
			out.WriteString(strings.Repeat(" ", gap))
			at += gap
		}
		for word != "" {
			var cluster string
			var wide int
			if cluster, word, wide = next(word); at+wide > columns {
				startLine()
			}
			out.WriteString(cluster)
			at += wide
		}
	}
	return strings.ReplaceAll(out.String(), tie, " ")
}

func wordLength(text string) int {
	if end := strings.IndexByte(text, ' '); end >= 0 {
		return end
	}
	return len(text)
}

// next splits off what a terminal shows as one character, or a colour, which
// takes no column.
func next(text string) (cluster, rest string, columns int) {
	if text[0] == tie[0] {
		return text[:1], text[1:], 1
	}
	if end := 1 + strings.IndexByte(text, 'm'); end > 0 && text[0] == '\x1b' {
		return text[:end], text[end:], 0
	}
	cluster, rest, columns, _ = uniseg.FirstGraphemeClusterInString(text, -1)
	return cluster, rest, columns
}

// width is how many columns of a terminal a text takes.
func width(text string) int {
	if isPlain(text) {
		return len(text)
	}
	sum := 0
	for text != "" {
		var columns int
		_, text, columns = next(text)
		sum += columns
	}
	return sum
}

// isPlain reports whether each byte of a text takes one column.
func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// head returns what of the text fits. An ellipsis stands for what does not, or
// was cut off before.
func head(text string, columns int, cut bool) string {
	if !cut && width(text) <= columns {
		return text
	}
	end := max(0, min(len(text), columns-1))
	if !isPlain(text) {
		end = 0
		for rest, left := text, columns-1; rest != ""; {
			var cluster string
			var wide int
			cluster, rest, wide = next(rest)
			if left -= wide; left < 0 {
				break
			}
			end += len(cluster)
		}
	}
	return text[:end] + "…"
}

// tail is head from the end.
func tail(text string, columns int, cut bool) string {
	over := width(text) - columns
	if !cut && over <= 0 {
		return text
	}
	if isPlain(text) {
		return "…" + text[max(over+1, 0):]
	}
	for over > -1 { // an ellipsis has to fit too
		var wide int
		_, text, wide = next(text)
		over -= wide
	}
	return "…" + text
}

// middle is head that keeps some of the end too.
func middle(text string, columns int) string {
	if width(text) <= columns {
		return text
	}
	left := columns * 2 / 3
	return head(text, left, true) + strings.TrimPrefix(tail(text, columns-left+1, true), "…")
}
