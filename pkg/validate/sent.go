package validate

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// asSent reads a body that is written as the sender writes it: compact, and
// nothing but known members in the order of the field table. Most bodies are.
// It notes what read would note; ok is false, and nothing is noted, when
// anything is out of the ordinary, and then read must look at it.
func (p *pass) asSent() (ok bool) {
	if p.badUTF8 {
		return false
	}
	end := p.objectAsSent(p.layout.envelope, 0)
	if end != len(p.body) {
		clear(p.spans)
		return false
	}
	p.root = span{0, end, '{'}
	return true
}

// identity returns what identifies the event of a body that was read as sent.
// Its texts share one string.
func (p *pass) identity() owox.Identity {
	l := p.layout
	rows := [...]int{l.id, l.projectID, l.dataMartID, l.title, l.runID, l.runStatus}
	var short [256]byte
	var ends [len(rows)]int
	all := short[:0]
	for i, row := range rows {
		if p.spans[row].kind == '"' {
			all = append(all, p.text(row)...)
		}
		ends[i] = len(all)
	}
	whole, start := string(all), 0
	next := func(i int) (text string) {
		text, start = whole[start:ends[i]], ends[i]
		return text
	}
	who := owox.Identity{
		ID: next(0), ProjectID: next(1), DataMartID: next(2), Title: next(3), RunID: next(4), RunStatus: next(5),
		IsTest: p.spans[l.isTest].kind == 't',
	}
	if event := l.eventIndex(p.text(l.event)); event >= 0 {
		who.Event = l.events[event].Type
	} else if p.spans[l.event].kind == '"' {
		who.Event = owox.EventType(p.text(l.event))
	}
	return who
}

// notAsSent is the end of what is not written as the sender writes it.
const notAsSent = -1

// objectAsSent reads the object that starts at an offset and returns its end.
func (p *pass) objectAsSent(n *node, at int) (end int) {
	if at >= len(p.body) || p.body[at] != '{' {
		return notAsSent
	}
	at++
	for _, child := range n.members {
		if !bytes.HasPrefix(p.body[at:], child.prefix) {
			continue
		}
		s := p.valueAsSent(child, at+len(child.prefix))
		if s.end == notAsSent || s.end >= len(p.body) {
			return notAsSent
		}
		p.spans[child.row] = s
		at = s.end + 1
		switch p.body[s.end] {
		case '}':
			return at
		case ',':
		default:
			return notAsSent
		}
	}
	return notAsSent
}

func (p *pass) valueAsSent(n *node, at int) span {
	if at >= len(p.body) {
		return span{end: notAsSent}
	}
	s := span{start: at, end: notAsSent, kind: n.kind}
	switch c := p.body[at]; {
	case c == '"':
		s.kind, s.end = '"', endOfString(p.body, at)
	case c == '{' && n.kind == '{':
		s.end = p.objectAsSent(n, at)
	case c == '[' && n.kind == '[' && n.field.Items == owox.String:
		s.end = endOfStrings(p.body, at)
	case '0' <= c && c <= '9':
		s.kind, s.end = '0', endOfDigits(p.body, at)
	case c == 't' && bytes.HasPrefix(p.body[at:], []byte("true")):
		s.kind, s.end = 't', at+len("true")
	}
	return s
}

// endOfDigits returns the end of a number that is nothing but digits, or
// notAsSent where its first is a 0 too many.
func endOfDigits(body []byte, at int) int {
	end := at
	for end < len(body) && '0' <= body[end] && body[end] <= '9' {
		end++
	}
	if body[at] == '0' && end > at+1 {
		return notAsSent
	}
	return end
}

// endOfStrings returns the end of an array that has one string or more.
func endOfStrings(body []byte, at int) int {
	for {
		at = endOfString(body, at+1)
		switch {
		case at == notAsSent || at >= len(body):
			return notAsSent
		case body[at] == ']':
			return at + 1
		case body[at] != ',':
			return notAsSent
		}
	}
}

// endOfString returns the end of the string that starts at an offset, its
// closing quote included. Its escapes may be those of one character.
func endOfString(body []byte, at int) int {
	if at >= len(body) || body[at] != '"' {
		return notAsSent
	}
	for at++; ; {
		at += plainBytes(body[at:])
		switch {
		case at >= len(body):
			return notAsSent
		case body[at] == '"':
			return at + 1
		case body[at] != '\\' || at+1 >= len(body) || bytes.IndexByte([]byte(`"\/bfnrt`), body[at+1]) < 0:
			return notAsSent
		}
		at += 2
	}
}

// plainBytes counts the bytes in front of the first quote, backslash or
// control character, eight at a time.
func plainBytes(text []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	at := 0
	for ; at+8 <= len(text); at += 8 {
		word := binary.LittleEndian.Uint64(text[at:])
		quote, backslash := word^(ones*'"'), word^(ones*'\\')
		// A byte's high bit is set where it is 0, or below a space. Borrows
		// reach only bytes behind the first one found.
		found := ((quote - ones) &^ quote) | ((backslash - ones) &^ backslash) | ((word - ones*' ') &^ word)
		if found &= highs; found != 0 {
			return at + bits.TrailingZeros64(found)/8
		}
	}
	for at < len(text) && text[at] != '"' && text[at] != '\\' && text[at] >= ' ' {
		at++
	}
	return at
}
