package validate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/owoxhook/owoxhook/pkg/owox"
)

// pass is one walk over the tokens of a body. It notes where each documented
// member stands, so that members can be validated at the end, when the event is
// known wherever it stands. Passes are reused: a valid body costs no
// allocation.
type pass struct {
	v        *Validator
	layout   *layout
	dec      *jsontext.Decoder
	reader   bytes.Buffer
	base     int // offset in body at which the decoder started
	body     []byte
	escapes  bool // some string may have a backslash
	badUTF8  bool
	findings []Finding

	path     []segment
	spans    []span // by row of the field table
	root     span
	elements []element // of documented arrays, of the wrong type
	scratch  []byte
}

// segment is one step of the path to the current value.
type segment struct {
	name  []byte // quoted, as it stands in the body; nil in an array
	index int
}

// span is where a value stands in the body. Kind 0: the member was not seen.
type span struct {
	start, end int
	kind       jsontext.Kind
}

type element struct {
	row, index int
	span
}

// The pass finds duplicate names and invalid UTF-8 itself, so that they do not
// end it.
var decoderOptions = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

func newPass(v *Validator) *pass {
	p := &pass{v: v, layout: theLayout()}
	p.spans = make([]span, p.layout.rows)
	p.dec = jsontext.NewDecoder(&p.reader, decoderOptions...)
	return p
}

// payload validates a body, with the headers that it must agree with unless they
// are nil, and notes what identifies the event unless who is nil. The findings
// have no lines yet.
func (v *Validator) payload(body []byte, headers *identity, who *owox.Identity) []Finding {
	if len(body) > v.maxBody {
		if who != nil {
			*who = owox.Identify(body)
		}
		return v.add(nil, Finding{Rule: BodySize, Offset: v.maxBody, Want: atMost + strconv.Itoa(v.maxBody) + " bytes"})
	}
	p := v.passes.Get().(*pass)
	defer v.passes.Put(p)
	p.reset(body)
	asSent := p.asSent()
	if !asSent {
		p.read()
	}
	switch {
	case who == nil:
	case asSent:
		*who = p.identity()
	default:
		*who = owox.Identify(body)
	}
	p.judge(headers)
	findings := p.findings
	p.findings, p.body = nil, nil
	return findings
}

func (p *pass) reset(body []byte) {
	p.body, p.base = body, 0
	p.escapes = bytes.IndexByte(body, '\\') >= 0
	p.badUTF8 = !utf8.Valid(body)
	p.path = p.path[:0]
	p.elements = p.elements[:0]
	p.root = span{}
	clear(p.spans)
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// read walks over the body to its end or to where it stops being JSON.
func (p *pass) read() {
	if bytes.HasPrefix(p.body, byteOrderMark) {
		p.base = len(byteOrderMark)
		p.add(JSONSyntax, "", span{end: p.base}, "", gotMark)
	}
	rest := p.body[p.base:]
	if len(bytes.TrimSpace(rest)) == 0 {
		p.add(JSONSyntax, "", point(len(p.body)), "", gotNothing)
		return
	}
	p.reader = *bytes.NewBuffer(rest)
	p.dec.Reset(&p.reader, decoderOptions...)
	root, err := p.value(p.layout.envelope)
	if err != nil {
		p.syntaxError(err)
		return
	}
	p.root = root
	if rest := p.body[p.offset():]; len(bytes.TrimLeft(rest, " \t\r\n")) > 0 {
		s := span{start: len(p.body) - len(bytes.TrimLeft(rest, " \t\r\n")), end: len(bytes.TrimRight(p.body, " \t\r\n"))}
		p.add(TrailingData, "", s, "", p.show(s))
	}
}

func (p *pass) offset() int { return p.base + int(p.dec.InputOffset()) }

func (p *pass) add(rule, path string, s span, want, got string) {
	p.findings = p.v.add(p.findings, Finding{Rule: rule, Path: path, Offset: s.start, Length: s.end - s.start, Want: want, Got: got})
}

// point is a place without a length.
func point(offset int) span { return span{start: offset, end: offset} }

func (p *pass) syntaxError(err error) {
	offset, what := len(p.body), err.Error()
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		offset, what = min(p.base+int(syntax.ByteOffset), len(p.body)), syntax.Err.Error()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		offset, what = len(p.body), "the payload is cut off"
	}
	if offset < len(p.body) && p.body[offset] == ',' {
		what = "unexpected ','"
	}
	p.add(JSONSyntax, p.pathText(), point(offset), "", strings.TrimPrefix(what, "jsontext: "))
}

// value reads the next value. n is its place in the contract, or nil.
func (p *pass) value(n *node) (span, error) {
	switch kind := p.dec.PeekKind(); kind {
	case '{', '[':
		return p.container(n, kind)
	default:
		text, err := p.dec.ReadValue()
		if err != nil {
			return span{}, err
		}
		end := p.offset()
		s := span{end - len(text), end, kind}
		if kind == '"' {
			p.checkString(text, s.start)
		}
		return s, nil
	}
}

func (p *pass) container(n *node, kind jsontext.Kind) (span, error) {
	if len(p.path) >= MaxDepth {
		return p.tooDeep(kind)
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return span{}, err
	}
	start := p.offset() - 1
	var err error
	switch {
	case kind == '[':
		err = p.array(n)
	case n != nil && n.kind == '{':
		err = p.object(n)
	default:
		err = p.object(nil)
	}
	if err != nil {
		return span{}, err
	}
	_, err = p.dec.ReadToken()
	return span{start, p.offset(), kind}, err
}

// tooDeep passes over a value that is nested too deep.
func (p *pass) tooDeep(kind jsontext.Kind) (span, error) {
	start := p.offset()
	start += bytes.IndexByte(p.body[start:], byte(kind))
	p.add(NestingDepth, p.pathText(), point(start), atMost+strconv.Itoa(MaxDepth)+" levels", "")
	err := p.dec.SkipValue()
	return span{start, p.offset(), kind}, err
}

func (p *pass) array(n *node) error {
	for i := 0; p.dec.PeekKind() != ']'; i++ {
		p.path = append(p.path, segment{index: i})
		s, err := p.value(nil)
		if err != nil {
			return err
		}
		if n != nil && n.kind == '[' && !isOfKind(s.kind, kindOf(n.field.Items)) {
			p.elements = append(p.elements, element{n.row, i, s})
		}
		p.path = p.path[:len(p.path)-1]
	}
	return nil
}

// object reads the members of an object; n is nil where the contract knows
// nothing of it. Known names are told apart by their row, others by a set.
func (p *pass) object(n *node) error {
	var others names
	next := 0
	for p.dec.PeekKind() != '}' {
		quoted, err := p.dec.ReadValue()
		if err != nil {
			return err
		}
		at := span{start: p.offset() - len(quoted), end: p.offset()}
		p.checkString(quoted, at.start)
		p.path = append(p.path, segment{name: quoted})
		name := p.unquote(quoted)
		child := n.child(name, &next)
		again := child != nil && p.spans[child.row].kind != 0
		if again {
			p.forget(child) // the last one counts, as for most readers
		}
		switch {
		case again, child == nil && !others.add(name):
			p.add(MemberUnique, p.pathText(), at, "", "")
		case child == nil && n != nil:
			p.add(UndocumentedMember, p.pathText(), at, "", "")
		}
		s, err := p.value(child)
		if err != nil {
			return err
		}
		if child != nil {
			p.spans[child.row] = s
		}
		p.path = p.path[:len(p.path)-1]
	}
	return nil
}

// forget takes back what was noted of a member.
func (p *pass) forget(n *node) {
	p.spans[n.row] = span{}
	p.elements = slices.DeleteFunc(p.elements, func(e element) bool { return e.row == n.row })
	for _, child := range n.members {
		p.forget(child)
	}
}

// names is a set of member names. Small objects do with a list.
type names struct {
	list []string
	set  map[string]struct{}
}

const smallObject = 16

// add reports whether the name is new.
func (s *names) add(name []byte) bool {
	if s.set == nil && len(s.list) < smallObject {
		for _, known := range s.list {
			if known == string(name) {
				return false
			}
		}
		s.list = append(s.list, string(name))
		return true
	}
	if s.set == nil {
		s.set = make(map[string]struct{}, 2*smallObject)
		for _, known := range s.list {
			s.set[known] = struct{}{}
		}
	}
	if _, known := s.set[string(name)]; known {
		return false
	}
	s.set[string(name)] = struct{}{}
	return true
}

// unquote returns the content of a quoted string. It is valid until the next
// call.
func (p *pass) unquote(quoted []byte) []byte {
	inner := quoted[1 : len(quoted)-1]
	if !p.escapes && !p.badUTF8 || bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	// An error is about invalid UTF-8, which has a rule of its own.
	p.scratch, _ = jsontext.AppendUnquote(p.scratch[:0], quoted)
	return p.scratch
}

func (p *pass) checkString(quoted []byte, offset int) {
	if p.badUTF8 {
		p.checkUTF8(quoted, offset)
	}
	if p.escapes {
		p.checkSurrogates(quoted, offset)
	}
}

// checkUTF8 reports each run of invalid bytes once.
func (p *pass) checkUTF8(quoted []byte, offset int) {
	for i := 0; i < len(quoted); {
		r, size := utf8.DecodeRune(quoted[i:])
		if r != utf8.RuneError || size != 1 {
			i += size
			continue
		}
		start := i
		for i < len(quoted) && r == utf8.RuneError && size == 1 {
			i++
			r, size = utf8.DecodeRune(quoted[i:])
		}
		p.add(UTF8, p.pathText(), span{start: offset + start, end: offset + i}, "", fmt.Sprintf("% x", quoted[start:min(i, start+8)]))
	}
}

func (p *pass) checkSurrogates(quoted []byte, offset int) {
	for i := 0; i < len(quoted); i++ {
		if quoted[i] != '\\' {
			continue
		}
		unit := codeUnit(quoted[i:])
		switch {
		case unit >= 0xd800 && unit < 0xdc00:
			if low := codeUnit(quoted[i+6:]); low >= 0xdc00 && low < 0xe000 {
				i += 11
				continue
			}
			fallthrough
		case unit >= 0xdc00 && unit < 0xe000:
			p.add(LoneSurrogate, p.pathText(), span{start: offset + i, end: offset + i + 6}, "", string(quoted[i:i+6]))
			i += 5
		default:
			i++
		}
	}
}

// codeUnit reads an escape such as \ud800 at the start of the text; it returns
// 0 when there is none.
func codeUnit(text []byte) uint64 {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return unit
}

// pathText writes the current path with dots. A dot within a name gets a
// backslash, as in a --set.
func (p *pass) pathText() string {
	var out strings.Builder
	for i, s := range p.path {
		if i > 0 {
			out.WriteByte('.')
		}
		if s.name == nil {
			out.WriteString(strconv.Itoa(s.index))
			continue
		}
		name, _ := jsontext.AppendUnquote(nil, s.name)
		out.WriteString(strings.ReplaceAll(string(name), ".", `\.`))
	}
	return out.String()
}
