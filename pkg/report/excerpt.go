package report

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/owoxhook/owoxhook/pkg/validate"
)

const (
	excerptColumns = 90  // of a line that is shown at most, the gutter left out
	excerptBytes   = 256 // on each side of a place: more than these columns
)

// excerpt returns the line of the text that the finding is about, or what of it
// fits so many columns around the place, and how many columns to mark behind how
// many. ok is false where there is nothing to show. It takes the same time
// however long the text is.
func (f Finding) excerpt(most int) (line string, column, columns int, ok bool) {
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
	if marked := most / 2; cutMarked || width(place) > marked {
		place, after, cutRight = head(place, marked, cutMarked), "", false
	}
	columns = width(place)
	room := most - columns
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
