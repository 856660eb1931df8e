package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/owoxhook/owoxhook/pkg/validate"
)

func (t *textReporter) finding(f Finding) error {
	var out strings.Builder
	out.WriteString(t.message(Escape(f.File)+":", f.Finding))
	if f.Severity >= validate.Warning && t.isNew(excerpted{f.File, f.Offset}) {
		t.excerpt(&out, "", f)
	}
	return write(t.out, out.String())
}

// message reads as a compiler's does, so that editors can jump to the place: what
// is before the words stays in one piece.
func (t *textReporter) message(before string, f validate.Finding) string {
	hang := 4
	if before == "    " {
		hang = 8
	}
	if f.Line > 0 {
		before += strconv.Itoa(f.Line) + ":" + strconv.Itoa(f.Column) + ": "
	}
	before += t.severity(f.Severity)(f.Severity.String()) + ":"
	text := " " + Escape(f.Message) + " " + t.paint.dim("["+Escape(f.Rule)+"]")
	columns := t.columns()
	if columns > 0 && width(before) > columns-hang {
		return before + "\n" + fold(strings.Repeat(" ", hang-1)+text, columns, hang) + "\n"
	}
	return fold(tied(before)+text, columns, hang) + "\n"
}

func (t *textReporter) severity(s validate.Severity) func(string) string {
	switch s {
	case validate.Error:
		return t.paint.bad
	case validate.Warning:
		return t.paint.warn
	default:
		return t.paint.info
	}
}

func (t *textReporter) isNew(at excerpted) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	isNew := at != t.last
	t.last = at
	return isNew
}

// excerpt adds the line that a finding is about, with the place marked below
// it.
func (t *textReporter) excerpt(out *strings.Builder, indent string, f Finding) {
	number := strconv.Itoa(f.Line)
	most := excerptColumns
	if columns := t.columns(); columns > 0 {
		most = min(most, columns-len(indent+"    | "+number))
	}
	line, column, columns, ok := f.excerpt(most)
	if !ok {
		return
	}
	fmt.Fprintf(out, "%s   %s %s\n", indent, t.paint.dim(number+" |"), line)
	fmt.Fprintf(out, "%s   %s %s%s\n", indent, t.paint.dim(strings.Repeat(" ", len(number))+" |"),
		strings.Repeat(" ", column), t.severity(f.Severity)(strings.Repeat("^", columns)))
}
