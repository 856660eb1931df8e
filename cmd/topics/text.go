package topics

import (
	"strings"
	"unicode/utf8"

	"github.com/owoxhook/owoxhook/pkg/report"
)

// wide is how many columns prose has where a terminal has more, or none is there.
const wide = 80

// Text returns a topic for a terminal of so many columns; 0: any. Examples are
// not broken, because they are to be copied. bold makes headings bold, or not.
func (t Topic) Text(columns int, bold func(string) string) string {
	return text(t.Source(), columns, bold)
}

func text(source string, columns int, bold func(string) string) string {
	if columns <= 0 || columns > wide {
		columns = wide
	}
	var out strings.Builder
	out.WriteString(bold(titleOf(source)) + "\n")
	var before kind
	for _, b := range parse(source, func(topic string) string { return "`owoxhook help " + topic + "`" }) {
		if b.kind != item || before != item {
			out.WriteString("\n")
		}
		before = b.kind
		switch b.kind {
		case heading:
			out.WriteString(report.Hang(bold(b.text), columns, 0) + "\n")
		case code:
			for line := range strings.Lines(b.text) {
				out.WriteString(strings.TrimRight("    "+line, " \n") + "\n")
			}
		case table:
			writeTable(&out, b, columns)
		case item:
			out.WriteString(report.Hang("- "+spans(b.text), columns, 2) + "\n")
		default:
			out.WriteString(report.Hang(spans(b.text), columns, 0) + "\n")
		}
	}
	return out.String()
}

// narrow is the widest first column that others stand beside.
const narrow = 20

// writeTable writes the first cell of each row, and the others beside or below.
func writeTable(out *strings.Builder, b block, columns int) {
	first, aside := 0, true
	for _, row := range b.rows {
		first = max(first, utf8.RuneCountInString(row[0]))
		aside = aside && len(row) == 2
	}
	if aside && first <= narrow {
		for _, row := range b.rows {
			gap := strings.Repeat(" ", first-utf8.RuneCountInString(row[0])+2)
			out.WriteString(report.Hang("  "+spans(row[0])+gap+spans(row[1]), columns, first+4) + "\n")
		}
		return
	}
	for _, row := range b.rows {
		out.WriteString(report.Hang("  "+spans(row[0]), columns, 2) + "\n")
		for _, cell := range b.named(row) {
			out.WriteString(report.Hang("      "+spans(cell), columns, 6) + "\n")
		}
	}
}

// spans leaves code between backticks, and drops the asterisks of what is
// emphasized elsewhere.
func spans(text string) string {
	parts := strings.Split(text, "`")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = strings.ReplaceAll(parts[i], "*", "")
	}
	return strings.Join(parts, "`")
}
