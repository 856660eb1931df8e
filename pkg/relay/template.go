package relay

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html"
	"strings"
	"text/template"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

//go:embed templates
var templates embed.FS

// Template makes the body of a request from a [Message].
type Template struct {
	template *template.Template
	mustJSON bool
}

// ParseTemplate reads a template in the syntax of text/template. Besides the
// members of a [Message] it has json, which quotes a value.
func ParseTemplate(name, text string) (*Template, error) {
	parsed, err := template.New(name).Option("missingkey=error").Funcs(functions("")).Parse(text)
	if err != nil {
		return nil, placed(err)
	}
	return &Template{template: parsed}, nil
}

// placed returns an error of text/template that begins with its place.
func placed(err error) error { return errors.New(strings.TrimPrefix(err.Error(), "template: ")) }

// BuiltIn returns the template of a service.
func (s Service) BuiltIn() *Template {
	text, _ := templates.ReadFile("templates/" + string(s) + ".tmpl") // embedded
	parsed, _ := ParseTemplate(string(s), string(text))               // tested
	return s.Own(parsed)
}

// Own returns a template of the user's for a service, which takes JSON alone.
func (s Service) Own(t *Template) *Template { return &Template{t.template, true} }

// body returns the body for a message. A secret is what a service wants inside
// of it.
func (t *Template) body(m Message, secret string) ([]byte, error) {
	copied, err := t.template.Clone()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := copied.Funcs(functions(secret)).Execute(&out, m); err != nil {
		return nil, fmt.Errorf("cannot make a message: %w", placed(err))
	}
	if value := jsontext.Value(out.Bytes()); t.mustJSON && !value.IsValid() {
		return nil, fmt.Errorf("the template %s does not make JSON: quote values with json", t.template.Name())
	}
	return out.Bytes(), nil
}

// functions are what templates can call.
func functions(secret string) template.FuncMap {
	return template.FuncMap{
		"json": func(value any) (string, error) {
			text, err := json.Marshal(value, jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
			return string(text), err
		},
		"secret":     func() string { return secret },
		"html":       html.EscapeString,
		"markdown":   markdown,
		"cut":        func(most int, text string) string { return cut(text, most) },
		"slackText":  slackText,
		"slackFacts": slackFacts,
		"slackCode":  func(text string) string { return "```" + slackText(text) + "```" },
		"slackRuns":  slackRuns,
		"chatText":   chatText,
		"codes":      codes,
		"runs":       runs,
	}
}

// slackText escapes the three characters that Slack asks for.
func slackText(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "```", "'''").Replace(text)
}

// chatText replaces what Google Chat makes a mention or a link of: it has no way
// to escape it, and shows &lt; as that.
func chatText(text string) string { return strings.NewReplacer("<", "‹", ">", "›").Replace(text) }

func slackFacts(facts []Fact) string {
	var lines []string
	for _, f := range facts {
		lines = append(lines, "*"+f.Name+"*  "+slackText(f.Value))
	}
	return strings.Join(lines, "\n")
}

// maxSection is how many characters Slack takes in a section.
const maxSection = 3000

// slackRuns lists the first runs of a window, as many as fit once they are escaped.
func slackRuns(m Message) string {
	for {
		text := slackText(runs(m))
		if utf8.RuneCountInString(text) <= maxSection || len(m.Runs) == 1 {
			return text
		}
		m.Runs, m.More = m.Runs[:len(m.Runs)-1], m.More+1
	}
}

// markdown escapes what Markdown would read as more than text.
func markdown(text string) string {
	var out strings.Builder
	for _, r := range text {
		if strings.ContainsRune("\\`*_[]<>#", r) {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
		if r == '\n' {
			out.WriteByte('\n') // one alone is no line break
		}
	}
	return out.String()
}

// codes writes texts as Markdown that shows them as they are.
func codes(texts []string) string {
	var out []string
	for _, text := range texts {
		out = append(out, "```\n"+strings.ReplaceAll(text, "```", "'''")+"\n```")
	}
	return strings.Join(out, "\n")
}

// runs lists the first runs of a window.
func runs(m Message) string {
	var lines []string
	for _, r := range m.Runs {
		line := "• " + r.Title()
		if len(r.Errors) > 0 {
			first, _, _ := strings.Cut(r.Errors[0], "\n")
			line += ": " + cut(first, maxFact)
		}
		lines = append(lines, line)
	}
	if m.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", m.More))
	}
	return strings.Join(lines, "\n")
}
