package validate

import (
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// layout is the field table made ready for the walk.
type layout struct {
	envelope *node
	rows     int
	events   []owox.Event

	// Rows of the members that are spoken of by name.
	id, event, isTest, startedAt, finishedAt, durationMS int
	projectID, dataMartID, title, runID, runStatus       int
}

// node is a member of the payload with what is asked of it at hand.
type node struct {
	name      string
	prefix    []byte // the name as the sender writes it in front of the value
	row       int    // in the field table; -1: the envelope
	field     owox.Field
	kind      jsontext.Kind // of its values; of booleans 't'
	absent    []bool        // by event: not documented for it
	constants []string      // by event: the only value allowed, unquoted; or nil
	rule      string        // that a wrong value breaks
	members   []*node
}

// theLayout is built once and never changed.
var theLayout = sync.OnceValue(func() *layout {
	l := &layout{rows: len(owox.Fields()), events: owox.Events()}
	l.envelope = l.node(owox.Shape())
	named := map[string]*int{
		owox.PathID: &l.id, owox.PathEvent: &l.event, owox.PathIsTest: &l.isTest,
		owox.PathStartedAt: &l.startedAt, owox.PathFinishedAt: &l.finishedAt, owox.PathDurationMS: &l.durationMS,
		owox.PathProjectID: &l.projectID, owox.PathDataMartID: &l.dataMartID, owox.PathTitle: &l.title,
		owox.PathRunID: &l.runID, owox.PathRunStatus: &l.runStatus,
	}
	for row, f := range owox.Fields() {
		if at := named[f.Path]; at != nil {
			*at = row
		}
	}
	return l
})

// The rule that a value breaks which is not the one allowed, or not of the
// format.
var (
	constantRules = map[string]string{
		owox.PathVersion:   VersionDocumented,
		owox.PathEvent:     EventDocumented,
		owox.PathIsTest:    IsTestTrue,
		owox.PathRunStatus: StatusMatchesEvent,
	}
	formatRules = map[owox.Format]string{
		owox.UUID:      IDIsUUID,
		owox.Timestamp: TimeFormat,
		owox.URL:       URLSyntax,
	}
)

func (l *layout) node(m *owox.Member) *node {
	n := &node{
		name: m.Name(), prefix: []byte(strconv.Quote(m.Name()) + ":"), row: m.Index,
		field: m.Field, kind: kindOf(m.Type), rule: formatRules[m.Format],
	}
	for _, event := range l.events {
		n.absent = append(n.absent, !m.In(event.Type))
		if constant := m.Constant(event); constant != "" {
			if text, err := strconv.Unquote(constant); err == nil {
				constant = text
			}
			n.constants = append(n.constants, constant)
			n.rule = constantRules[m.Path]
		}
	}
	for _, child := range m.Members {
		n.members = append(n.members, l.node(child))
	}
	return n
}

// eventIndex returns the place of an event type among the documented ones, or
// -1.
func (l *layout) eventIndex(name []byte) int {
	for i := range l.events {
		if string(l.events[i].Type) == string(name) {
			return i
		}
	}
	return -1
}

// child finds a member by name, trying first the one after the last found:
// the sender keeps the order of the table.
func (n *node) child(name []byte, next *int) *node {
	if n == nil {
		return nil
	}
	for i := range n.members {
		at := (*next + i) % len(n.members)
		if n.members[at].name == string(name) {
			*next = at + 1
			return n.members[at]
		}
	}
	return nil
}

// kindOf returns the kind of the values of a documented type, of booleans that
// of true.
func kindOf(t owox.Type) jsontext.Kind {
	switch t {
	case owox.Object:
		return '{'
	case owox.Array:
		return '['
	case owox.String:
		return '"'
	case owox.Boolean:
		return 't'
	default:
		return '0'
	}
}

// isOfKind reports whether a value of one kind is what a member of another
// wants.
func isOfKind(value, want jsontext.Kind) bool {
	return value == want || value == 'f' && want == 't'
}

// kindName says a kind in words.
func kindName(kind jsontext.Kind) string {
	switch kind {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 'n':
		return "null"
	default:
		return "a boolean"
	}
}

// typeName says a documented type in words.
func typeName(t owox.Type) string {
	switch t {
	case owox.Object, owox.Array:
		return "an " + string(t)
	case owox.Integer:
		return "a whole number"
	default:
		return "a " + string(t)
	}
}
