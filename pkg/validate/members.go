package validate

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// judge looks at the documented members, wherever they stood in the body. A
// member is missing only from an object that was read to its end.
func (p *pass) judge(headers *identity) {
	if p.root.kind != 0 && p.root.kind != '{' {
		p.add(MemberType, "", p.root, typeName(owox.Object), kindName(p.root.kind))
		return
	}
	event := p.layout.eventIndex(p.text(p.layout.event))
	p.members(p.layout.envelope, p.root, event)
	p.judgeTimes()
	if headers != nil {
		p.agree(*headers)
	}
}

// members validates the members of an object in the event, an index of
// layout.events or -1.
func (p *pass) members(parent *node, object span, event int) {
	for _, n := range parent.members {
		s := p.spans[n.row]
		documented := event < 0 || !n.absent[event]
		switch {
		case s.kind == 0:
			if object.kind == '{' && documented && (event >= 0 || n.field.Events == nil) {
				p.missing(n, object)
			}
		case !documented:
			p.add(UndocumentedMember, n.field.Path, s, memberOf+p.layout.events[event].Type.Short(), "")
		case n.field.Presence == owox.Observed:
			p.add(UndocumentedMember, n.field.Path, s, "", "known from real deliveries")
		case !isOfKind(s.kind, n.kind):
			p.add(MemberType, n.field.Path, s, typeName(n.field.Type), kindName(s.kind))
		default:
			p.judgeValue(n, s, event)
		}
		if n.kind == '{' {
			p.members(n, s, event)
		}
	}
}

func (p *pass) missing(n *node, object span) {
	switch n.field.Presence {
	case owox.Required:
		p.add(EnvelopeMember, n.field.Path, point(object.start), typeName(n.field.Type), "")
	case owox.Shown:
		p.add(ShownMember, n.field.Path, point(object.start), typeName(n.field.Type), "")
	}
}

// judgeValue validates a value of the right type.
func (p *pass) judgeValue(n *node, s span, event int) {
	switch {
	case n.constants != nil:
		p.judgeConstant(n, s, event)
	case n.field.Presence == owox.Shown && p.isEmpty(s):
		p.add(ShownMemberNotEmpty, n.field.Path, s, "", p.show(s))
	case n.field.Format != "":
		p.judgeFormat(n, s)
	case n.kind == '0' && !isWholeNumber(p.body[s.start:s.end]):
		p.add(WholeNumber, n.field.Path, s, "a whole number that is not negative", p.show(s))
	case n.kind == '0' && !isExact(p.body[s.start:s.end]):
		p.add(NumberIsExact, n.field.Path, s, atMost+strconv.Itoa(maxExact), p.show(s))
	case n.kind == '[':
		p.judgeElements(n)
	}
}

func (p *pass) judgeConstant(n *node, s span, event int) {
	text := p.text(n.row)
	for i, constant := range n.constants {
		if string(text) == constant && (event < 0 || i == event) {
			return
		}
	}
	p.add(n.rule, n.field.Path, s, p.wanted(n, event), p.show(s))
}

// wanted returns what the value of a member with constants must be.
func (p *pass) wanted(n *node, event int) string {
	switch {
	case n.rule == EventDocumented:
		return anEventType
	case n.rule == StatusMatchesEvent && event < 0:
		return "the status of a documented event"
	case n.rule == StatusMatchesEvent:
		e := p.layout.events[event]
		return n.field.Constant(e) + withEvent + e.Type.Short()
	default:
		return n.field.Constant(p.layout.events[0])
	}
}

func (p *pass) judgeFormat(n *node, s span) {
	path, text := n.field.Path, p.text(n.row)
	switch {
	case !n.field.Format.Match(text):
		p.add(n.rule, path, s, n.field.Format.Doc(), p.show(s))
	case n.field.Format == owox.Timestamp && !owox.IsSenderTimestamp(text):
		p.add(TimeAsSent, path, s, "UTC with milliseconds and Z", p.show(s))
	case n.field.Format == owox.URL && !owox.IsAbsoluteURL(text):
		p.add(URLAbsolute, path, s, "an absolute URL", p.show(s))
	}
}

func (p *pass) judgeElements(n *node) {
	for _, e := range p.elements {
		if e.row == n.row {
			p.add(MemberType, n.field.Path+"."+strconv.Itoa(e.index), e.span, typeName(n.field.Items), kindName(e.kind))
		}
	}
}

// judgeTimes holds the times of a real event's run against each other.
func (p *pass) judgeTimes() {
	l := p.layout
	started, ok := p.time(l.startedAt)
	if !ok || p.spans[l.isTest].kind == 't' {
		return
	}
	finished, ok := p.time(l.finishedAt)
	if !ok {
		return
	}
	elapsed := finished.Sub(started)
	if elapsed < 0 {
		p.add(FinishedAfterStarted, owox.PathFinishedAt, p.spans[l.finishedAt],
			"no earlier than "+owox.PathStartedAt, (-elapsed).String()+" before "+owox.PathStartedAt)
	}
	duration := p.spans[l.durationMS]
	text := p.body[duration.start:duration.end]
	if duration.kind != '0' || !isWholeNumber(text) || p.layout.eventIndex(p.text(l.event)) < 0 {
		return
	}
	milliseconds, err := strconv.ParseFloat(string(text), 64)
	if err == nil && milliseconds != float64(elapsed.Milliseconds()) {
		p.add(DurationMatchesTimes, owox.PathDurationMS, duration, strconv.FormatInt(elapsed.Milliseconds(), 10), p.show(duration))
	}
}

func (p *pass) time(row int) (time.Time, bool) {
	if p.spans[row].kind != '"' {
		return time.Time{}, false
	}
	return owox.ParseTimestamp(p.text(row))
}

// text returns a scalar's text, of a string its content. It is valid until the
// next call of text or unquote.
func (p *pass) text(row int) []byte {
	s := p.spans[row]
	if s.kind == '"' {
		return p.unquote(p.body[s.start:s.end])
	}
	return p.body[s.start:s.end]
}

func (p *pass) isEmpty(s span) bool {
	switch s.kind {
	case '"':
		return s.end-s.start == len(`""`)
	case '[':
		return len(bytes.TrimSpace(p.body[s.start+1:s.end-1])) == 0
	default:
		return false
	}
}

const maxShown = 80

// show returns the JSON text of a value, cut to a length that can be read.
func (p *pass) show(s span) string { return clip(p.body[s.start:s.end]) }

func clip[T string | []byte](text T) string {
	if len(text) <= maxShown {
		return string(text)
	}
	end := maxShown
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return string(text[:end]) + "..."
}

// isWholeNumber reports whether JSON number text has a whole value of 0 or
// more. It reads digits instead of converting, so no exponent is too large.
func isWholeNumber(text []byte) bool {
	if endOfDigits(text, 0) == len(text) {
		return true
	}
	mantissa, exponent := text, 0
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		mantissa = text[:e]
		exponent = clampedInt(text[e+1:])
	}
	negative := mantissa[0] == '-'
	whole, fraction, _ := bytes.Cut(bytes.TrimPrefix(mantissa, []byte("-")), []byte("."))
	fraction = bytes.TrimRight(fraction, "0")
	if len(fraction) == 0 && len(bytes.TrimLeft(whole, "0")) == 0 {
		return true // zero, whatever its sign and exponent
	}
	zeros := 0
	if len(fraction) == 0 {
		zeros = len(whole) - len(bytes.TrimRight(whole, "0"))
	}
	return !negative && exponent+zeros >= len(fraction)
}

// maxExact is the largest whole number up to which readers that use IEEE 754
// doubles keep every one.
const maxExact = 1<<53 - 1

// isExact reports whether a whole number is at most maxExact.
func isExact(text []byte) bool {
	if len(text) < len("9007199254740991") && endOfDigits(text, 0) == len(text) {
		return true
	}
	number, err := strconv.ParseFloat(string(text), 64)
	return err == nil && number <= maxExact
}

// clampedInt reads a signed number; one that is out of range becomes a very
// large or very small one.
func clampedInt(text []byte) int {
	const limit = 1 << 30
	n, _ := strconv.ParseInt(string(text), 10, 64) // out of range: the nearest int64
	return int(min(max(n, -limit), limit))
}
