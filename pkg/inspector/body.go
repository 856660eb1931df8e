package inspector

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// How much of a body a page shows; all of it can be downloaded.
const (
	maxLines  = 3000
	maxIndent = 6 // of findings, which want room
)

// bodyView is a body in lines, with findings below the lines that they are about.
type bodyView struct {
	JSON    bool // the lines are pretty-printed JSON, not the bytes that came
	Lines   []line
	Omitted int // lines that are not shown
}

type line struct {
	Indent   string
	Depth    int // of the indent, as far as findings follow it
	Spans    []span
	Findings []finding
	Inner    []line // the JSON in a string
}

// finding is a finding with its number on the page, and what to do about it.
type finding struct {
	validate.Finding
	Number int
	Fix    string
}

// lenient reads whatever can be read as JSON at all.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// newBody shows a body as JSON, or as it is where it is something else.
func newBody(body []byte, findings []finding) bodyView {
	p := printer{decoder: jsontext.NewDecoder(bytes.NewReader(body), lenient...)}
	v := bodyView{JSON: p.print() == nil}
	if v.JSON {
		p.place(findings)
		v.Lines = p.lines
	} else {
		v.Lines = rawLines(body, findings)
	}
	if len(v.Lines) > maxLines {
		v.Omitted = len(v.Lines) - maxLines
		v.Lines = v.Lines[:maxLines]
	}
	return v
}

// printer makes lines of JSON tokens, and remembers where they came from.
type printer struct {
	decoder *jsontext.Decoder
	lines   []line
	tokens  []token
}

// token is a token's place in the body and on the page. Its first span is what
// a finding about it marks.
type token struct{ start, line, span int }

var errTrailing = errors.New("something follows the value")

// print fails where the input is not one JSON value.
func (p *printer) print() error {
	p.lines = append(p.lines, line{})
	for {
		kind := p.decoder.PeekKind()
		depth := p.decoder.StackDepth()
		if depth == 0 && len(p.tokens) > 0 {
			if _, err := p.decoder.ReadToken(); !errors.Is(err, io.EOF) {
				return errTrailing
			}
			return nil
		}
		parent, index := p.decoder.StackIndex(depth)
		isName := parent == '{' && index%2 == 0
		closes := kind == '}' || kind == ']'
		p.lineFor(parent, index, depth, closes)
		raw, err := p.read(kind)
		if err != nil {
			return err
		}
		p.add(raw, class(kind, isName))
		if isName && !closes {
			p.text(": ")
		}
		p.inner(kind, raw, isName)
	}
}

// read returns the bytes of the next token.
func (p *printer) read(kind jsontext.Kind) ([]byte, error) {
	switch kind {
	case '{', '[', '}', ']':
		_, err := p.decoder.ReadToken()
		return []byte{byte(kind)}, err
	default:
		return p.decoder.ReadValue()
	}
}

// lineFor starts a line where the next token wants one.
func (p *printer) lineFor(parent jsontext.Kind, index int64, depth int, closes bool) {
	isValue := parent == '{' && index%2 == 1
	if depth == 0 || isValue && !closes || closes && index == 0 {
		return
	}
	if !closes && index > 0 {
		p.text(",")
	}
	if closes {
		depth--
	}
	p.lines = append(p.lines, line{Indent: strings.Repeat("  ", depth), Depth: min(depth, maxIndent)})
}

func (p *printer) add(raw []byte, class string) {
	last := &p.lines[len(p.lines)-1]
	p.tokens = append(p.tokens, token{int(p.decoder.InputOffset()) - len(raw), len(p.lines) - 1, len(last.Spans)})
	last.Spans = append(last.Spans, spans(class, string(raw))...)
}

func (p *printer) text(text string) {
	last := &p.lines[len(p.lines)-1]
	last.Spans = append(last.Spans, span{"mark", text})
}

// inner shows an error message that is JSON as JSON.
func (p *printer) inner(kind jsontext.Kind, raw []byte, isName bool) {
	errorsAt := "/" + strings.ReplaceAll(owox.PathErrors, ".", "/") + "/"
	if kind != '"' || isName || !strings.HasPrefix(string(p.decoder.StackPointer()), errorsAt) {
		return
	}
	text, _ := jsontext.AppendUnquote(nil, raw) // what is not UTF-8 is replaced
	if text = bytes.TrimSpace(text); len(text) < 2 || text[0] != '{' && text[0] != '[' {
		return
	}
	nested := printer{decoder: jsontext.NewDecoder(bytes.NewReader(text), lenient...)}
	if nested.print() == nil {
		p.lines[len(p.lines)-1].Inner = nested.lines
	}
}

func class(kind jsontext.Kind, isName bool) string {
	switch {
	case isName && kind == '"':
		return "name"
	case kind == '"':
		return "string"
	case kind == '0':
		return "number"
	case kind == 't', kind == 'f', kind == 'n':
		return "word"
	default:
		return "mark"
	}
}

// place puts findings below the lines of the tokens that they are about.
func (p *printer) place(findings []finding) {
	for _, f := range findings {
		at, found := slices.BinarySearchFunc(p.tokens, f.Offset, func(t token, offset int) int { return t.start - offset })
		if !found {
			at--
		}
		t := p.tokens[max(at, 0)]
		l := &p.lines[t.line]
		l.Findings = append(l.Findings, f)
		if t.span < len(l.Spans) {
			l.Spans[t.span].Class += " marked " + f.Severity.String()
		}
	}
}

// rawLines shows bytes as they came, with what findings are about marked.
func rawLines(body []byte, findings []finding) []line {
	var lines []line
	start := 0
	for text := range bytes.Lines(body) {
		end := start + len(text)
		var l line
		plain := start
		for _, f := range findings {
			if f.Offset < start || f.Offset >= end && end < len(body) {
				continue
			}
			l.Findings = append(l.Findings, f)
			if from := min(f.Offset, end); from >= plain {
				to := min(from+max(f.Length, 1), end)
				l.Spans = append(l.Spans, spans("", string(body[plain:from]))...)
				for _, s := range spans("", string(body[from:to])) {
					l.Spans = append(l.Spans, span{s.Class + " marked " + f.Severity.String(), s.Text})
				}
				plain = to
			}
		}
		l.Spans = append(l.Spans, spans("", strings.TrimSuffix(string(body[plain:end]), "\n"))...)
		lines = append(lines, l)
		start = end
	}
	if len(lines) == 0 {
		return []line{{Findings: findings}}
	}
	return lines
}
