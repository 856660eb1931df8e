package validate

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

// Severity says how much a finding matters. Off is below all others and
// silences a rule.
type Severity uint8

// The severities, in rising order.
const (
	Off Severity = iota
	Info
	Warning
	Error
)

var severityNames = [...]string{Off: "off", Info: "info", Warning: "warning", Error: "error"}

// String returns the severity's name.
func (s Severity) String() string { return severityNames[s] }

// SeverityNames returns the names that [ParseSeverity] reads, highest first.
func SeverityNames() []string {
	names := slices.Clone(severityNames[:])
	slices.Reverse(names)
	return names
}

// ParseSeverity reads the name of a severity.
func ParseSeverity(name string) (Severity, error) {
	for s := Off; s <= Error; s++ {
		if s.String() == name {
			return s, nil
		}
	}
	return Off, fmt.Errorf("unknown severity %q", name)
}

// MarshalText writes the severity's name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the severity's name.
func (s *Severity) UnmarshalText(name []byte) (err error) {
	*s, err = ParseSeverity(string(name))
	return err
}

// Finding is one thing that validation has to say. Its JSON form is part of
// what owoxhook promises to scripts.
type Finding struct {
	// Line and Column count from 1, the column in bytes as compilers do. Offset
	// counts bytes from the start of what was validated. A finding about a header
	// of a parsed request has no line and the offset -1.
	Line   int `json:"line,omitzero"`
	Column int `json:"column,omitzero"`
	Offset int `json:"offset"`
	// Length is how many bytes the value, member name or header line at Offset
	// has; 0 where the place is a point.
	Length int `json:"length,omitzero"`
	// Path leads to the member, with dots between names and indexes, such as
	// "data.run.errors.0", or is the name of a header. It is empty for the
	// payload as a whole.
	Path     string   `json:"path"`
	Rule     string   `json:"rule"` // the id of the rule, see Rules
	Severity Severity `json:"severity"`
	// Message is the finding in a sentence, made of the other members.
	Message string `json:"message"`
	// Want is what was expected, and Got what was found instead: a JSON value
	// as it stands in the payload, a header's value in quotes, or words such
	// as "a string". Long values are cut. Either is empty where it has nothing
	// to add.
	Want string `json:"want,omitzero"`
	Got  string `json:"got,omitzero"`
	// Earlier is the number in a journal of the delivery that came before; 0: it
	// is unknown, or the finding is about something else.
	Earlier int64 `json:"earlier,omitzero"`
}

// Valid reports whether there is no finding of severity [Error].
func Valid(findings []Finding) bool {
	return !slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == Error })
}

// add appends a finding, without its words, unless its rule is off.
func (v *Validator) add(findings []Finding, f Finding) []Finding {
	f.Severity = v.rows[f.Rule].Severity
	if f.Severity == Off {
		return findings
	}
	return append(findings, f)
}

// finish sorts findings by offset and fills in their words, and their lines
// and columns of text.
func (v *Validator) finish(findings []Finding, text []byte) []Finding {
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(a.Offset, b.Offset) })
	line, start, at := 1, 0, 0
	for i := range findings {
		f := &findings[i]
		f.Message = v.rows[f.Rule].words(*f)
		if f.Offset < 0 {
			continue
		}
		passed := text[at:f.Offset]
		line += bytes.Count(passed, []byte("\n"))
		if last := bytes.LastIndexByte(passed, '\n'); last >= 0 {
			start = at + last + 1
		}
		at = f.Offset
		f.Line, f.Column = line, at-start+1
	}
	return findings
}
