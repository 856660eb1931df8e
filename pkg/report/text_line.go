package report

import "strings"

const (
	underStatus  = 10 // columns before the status of a delivery
	leastTitle   = 8  // columns that a title gets, if only on a line of its own
	leastAddress = 20
	wideEnough   = 72 // columns for text beside the ids of cases
)

// line joins words, and breaks the line between them on a narrow terminal.
func (t *textReporter) line(words []string, hang int) string {
	return fold(strings.Join(words, "  "), t.columns(), hang) + "\n"
}

// id shortens an id on a terminal, where it is there to be recognised.
func (t *textReporter) id(id string) string {
	if t.verbose || t.columns() == 0 {
		return orDash(id)
	}
	return orDash(brief(id))
}

// title cuts a title to what is left beside words.
func (t *textReporter) title(title string, beside []string) string {
	columns := t.columns()
	if columns == 0 || t.verbose {
		return Escape(title)
	}
	room := columns - width(strings.Join(beside, "  ")+"  ")
	if room < leastTitle {
		room = columns - underStatus
	}
	return tied(head(Escape(title), room, false))
}

// url shortens an address, or a path, for what is on its line beside it: its
// beginning and its end tell more than its scheme and its middle.
func (t *textReporter) url(address string, beside ...string) string {
	columns := t.columns()
	if columns == 0 || t.verbose {
		return Escape(address)
	}
	room := columns - width(strings.Join(beside, "  "))
	if address = Escape(address); width(address) > room {
		address = strings.TrimPrefix(strings.TrimPrefix(address, "https://"), "http://")
	}
	return tied(middle(address, min(max(room, leastAddress), columns-underStatus)))
}

func (t *textReporter) hint(hint string) error {
	return write(t.err, Wrap("hint: "+Escape(hint), t.errColumns())+"\n")
}
