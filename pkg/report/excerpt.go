package report

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"github.com/owoxhook/owoxhook/pkg/validate"
)

const (
	excerptColumns = 90                 // of a line that is shown, the gutter left out
	markedColumns  = excerptColumns / 2 // at most
	excerptBytes   = 256                // on each side of a place: more than these columns
)

// excerpt returns the line of the text that the finding is about, or what fits
// of it around the place, and how many columns to mark behind how many. ok is
// false where there is nothing to show. It takes the same time however long the
// text is.
func (f Finding) excerpt() (line string, column, columns int, ok bool) {
	at := f.Offset - f.Start
	start := at - (f.Column - 1)
	if f.Line == 0 || start < 0 || at > len(f.Text) {
		return "", 0, 0, false
	}
	if at == 0 && validate.IsHTTP(f.Text) { // the place of a header that is missing
		return "", 0, 0, false
	}
	rest, _, _ := bytes.Cut(f.Text[at:min(len(f.Text), at+2*excerptBytes+utf8.UTFMax)], []byte("\n"))
	rest = bytes.TrimRight(rest, "\r")
	_, size := utf8.DecodeRune(rest)
	size = min(max(size, f.Length), len(rest))
	left, cutLeft := lastBytes(f.Text[start:at])
	marked, cutMarked := firstBytes(rest[:size])
	right, cutRight := firstBytes(rest[size:])
	if !utf8.Valid(left) || !utf8.Valid(marked) || !utf8.Valid(right) || len(left)+len(marked) == 0 {
		return "", 0, 0, false
	}
	before, place, after := printed(left), printed(marked), printed(right)
	if cutMarked || width(place) > markedColumns {
		place, after, cutRight = head(place, markedColumns, cutMarked), "", false
	}
	columns = width(place)
	room := excerptColumns - columns
	before = tail(before, max(room-width(after), room/2), cutLeft)
	column = width(before)
	return before + place + head(after, room-column, cutRight), column, max(columns, 1), true
}

// firstBytes returns the bytes that an excerpt may need, in whole characters.
func firstBytes(text []byte) (first []byte, cut bool) {
	if len(text) <= excerptBytes {
		return text, false
	}
	end := excerptBytes
	for end > excerptBytes-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end], true
}

func lastBytes(text []byte) (last []byte, cut bool) {
	if len(text) <= excerptBytes {
		return text, false
	}
	text = text[len(text)-excerptBytes:]
	for start := range utf8.UTFMax {
		if utf8.RuneStart(text[start]) {
			return text[start:], true
		}
	}
	return text, true
}

// printed is text as a terminal shows it, tabs as a few spaces.
func printed(text []byte) string {
	return Escape(strings.ReplaceAll(string(text), "\t", "    "))
}

// head returns what of the text fits. An ellipsis stands for what does not, or
// was cut off before.
func head(text string, columns int, cut bool) string {
	if !cut && width(text) <= columns {
		return text
	}
	end := max(0, min(len(text), columns-1))
	if !isASCII(text) {
		end = 0
		for rest, state, left := text, -1, columns-1; rest != ""; {
			var cluster string
			var wide int
			cluster, rest, wide, state = uniseg.FirstGraphemeClusterInString(rest, state)
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
	if isASCII(text) {
		return "…" + text[max(over+1, 0):]
	}
	for state := -1; over > -1; { // an ellipsis has to fit too
		var wide int
		_, text, wide, state = uniseg.FirstGraphemeClusterInString(text, state)
		over -= wide
	}
	return "…" + text
}

// width is how many columns of a terminal a text takes.
func width(text string) int {
	if isASCII(text) {
		return len(text)
	}
	return uniseg.StringWidth(text)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
