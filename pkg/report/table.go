package report

import (
	"slices"
	"strings"
)

// Fit is what becomes of a column where a terminal is too narrow for a table.
type Fit int

// The kinds of columns.
const (
	Keep Fit = iota // stays as wide as it is, where that is possible at all
	Cut             // ends with an ellipsis
	Fold            // goes on below: only the last columns do
	ID              // as much of an id as tells it from the others; on any terminal
)

const (
	leastColumns = 8  // of a column that was made narrower
	leastProse   = 30 // of text that goes on below
	tableGap     = "  "
)

// Table aligns the cells of rows. text/tabwriter, which counts characters and
// not what they take on a terminal, can neither align nor shorten wide ones.
type Table struct {
	fits []Fit
	rows [][]string
}

// NewTable returns a table whose columns fit a terminal in these ways.
func NewTable(fits ...Fit) *Table { return &Table{fits: fits} }

// Add adds a row with a cell for each column. Its text may come from outside.
func (t *Table) Add(cells ...string) {
	for i, cell := range cells {
		cells[i] = Escape(cell)
	}
	t.rows = append(t.rows, cells)
}

// Format returns the table for a terminal of so many columns; 0 is no limit.
func (t *Table) Format(columns int) string {
	rows, above := t.rows, len(t.fits)
	if columns = usable(columns); columns > 0 {
		rows = t.withShortIDs()
	}
	widths := t.widths(rows)
	natural := slices.Clone(widths)
	shrink(widths, t.fits, columns)
	for i, fit := range t.fits { // columns of prose are the last ones
		if fit == Fold && widths[i] < min(natural[i], leastProse) {
			above = slices.Index(t.fits, Fold)
			widths = natural[:above]
			shrink(widths, t.fits, columns)
			break
		}
	}
	var out strings.Builder
	for _, row := range rows {
		t.format(&out, row[:above], widths)
		for _, cell := range row[above:] {
			if cell != "" {
				out.WriteString(fold("    "+cell, columns, 4) + "\n")
			}
		}
	}
	return out.String()
}

func (t *Table) withShortIDs() [][]string {
	column := slices.Index(t.fits, ID)
	if column < 0 {
		return t.rows
	}
	rows, ids := make([][]string, len(t.rows)), make([]string, len(t.rows))
	for n, row := range t.rows {
		rows[n], ids[n] = slices.Clone(row), row[column]
	}
	for n, id := range shortIDs(ids) {
		rows[n][column] = id
	}
	return rows
}

func (t *Table) widths(rows [][]string) []int {
	widths := make([]int, len(t.fits))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], width(cell))
		}
	}
	return widths
}

// shrink takes columns from the widest cells: from text, then from ids, and then
// from any.
func shrink(widths []int, fits []Fit, columns int) {
	over := len(tableGap)*(len(widths)-1) - columns
	for _, w := range widths {
		over += w
	}
	for ; columns > 0 && over > 0; over-- {
		widest, rank := 0, -1
		for i, w := range widths {
			mine := 0
			if w > leastColumns {
				mine = giving[fits[i]]
			}
			if mine > rank || mine == rank && w > widths[widest] {
				widest, rank = i, mine
			}
		}
		widths[widest]--
	}
}

// giving ranks the columns that become narrower before others do.
var giving = [...]int{Keep: 0, ID: 1, Cut: 2, Fold: 2}

// format adds a row, as many lines as its tallest cell has.
func (t *Table) format(out *strings.Builder, row []string, widths []int) {
	lines, height := make([][]string, len(row)), 1
	for i, cell := range row {
		switch t.fits[i] {
		case Fold:
			lines[i] = strings.Split(fold(cell, widths[i], 0), "\n")
		case ID:
			lines[i] = []string{middle(cell, widths[i])}
		default:
			lines[i] = []string{head(cell, widths[i], false)}
		}
		height = max(height, len(lines[i]))
	}
	for n := range height {
		var line strings.Builder
		for i := range row {
			cell := ""
			if n < len(lines[i]) {
				cell = lines[i][n]
			}
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-width(cell)) + tableGap)
			}
		}
		if n == 0 {
			out.WriteString(line.String() + "\n")
		} else {
			out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		}
	}
}
