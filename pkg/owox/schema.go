package owox

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Schema returns a JSON Schema 2020-12 document for the payload of any
// documented event, indented and with a final newline. It says everything
// about accepting a payload that a schema can express.
func Schema() []byte {
	return schemaDocument("OWOX Data Marts webhook payload", func(w *schemaWriter) {
		w.array("oneOf", func() { // which code generators read as a union of types
			for _, e := range events {
				w.object("", func() { w.member("$ref", "#/$defs/"+e.Type.Name()) })
			}
		})
		w.object("$defs", func() {
			w.formats()
			for _, e := range events {
				w.object(e.Type.Name(), func() {
					w.member("title", e.Type.Short())
					w.shape(Shape(), e)
				})
			}
		})
	})
}

// EventSchema returns a JSON Schema 2020-12 document for the payload of one
// documented event, as [Schema] does, or nil for an event that is not
// documented.
func EventSchema(t EventType) []byte {
	e, ok := Lookup(t)
	if !ok {
		return nil
	}
	return schemaDocument("OWOX Data Marts webhook payload: "+t.Short(), func(w *schemaWriter) {
		w.shape(Shape(), e)
		w.object("$defs", w.formats)
	})
}

func schemaDocument(title string, body func(*schemaWriter)) []byte {
	var out bytes.Buffer
	w := &schemaWriter{jsontext.NewEncoder(&out, jsontext.WithIndent("  "))}
	w.object("", func() {
		w.member("$schema", "https://json-schema.org/draft/2020-12/schema")
		w.member("title", title)
		body(w)
	})
	return out.Bytes()
}

// schemaWriter writes nested objects. Names and values are ours and valid, and
// the encoder writes into memory: no call can fail.
type schemaWriter struct{ enc *jsontext.Encoder }

func (w *schemaWriter) text(s string)         { _ = w.enc.WriteToken(jsontext.String(s)) }
func (w *schemaWriter) raw(name, json string) { w.text(name); _ = w.enc.WriteValue([]byte(json)) }
func (w *schemaWriter) member(name, s string) { w.text(name); w.text(s) }

func (w *schemaWriter) object(name string, body func()) {
	w.nest(name, jsontext.BeginObject, jsontext.EndObject, body)
}

func (w *schemaWriter) array(name string, body func()) {
	w.nest(name, jsontext.BeginArray, jsontext.EndArray, body)
}

func (w *schemaWriter) nest(name string, begin, end jsontext.Token, body func()) {
	if name != "" {
		w.text(name)
	}
	_ = w.enc.WriteToken(begin)
	body()
	_ = w.enc.WriteToken(end)
}

// shape writes the schema of an object and its members in one event.
func (w *schemaWriter) shape(m *Member, e Event) {
	w.member("type", string(m.Type))
	if m.Doc != "" {
		w.member("description", m.Doc)
	}
	var members, required []*Member
	for _, child := range m.Members {
		if child.Presence == Observed || !child.In(e.Type) {
			continue
		}
		members = append(members, child)
		if child.Presence == Required {
			required = append(required, child)
		}
	}
	if len(required) > 0 {
		w.array("required", func() {
			for _, child := range required {
				w.text(child.Name())
			}
		})
	}
	w.object("properties", func() {
		for _, child := range members {
			w.object(child.Name(), func() {
				if child.Type == Object {
					w.shape(child, e)
				} else {
					w.scalar(child.Field, e)
				}
			})
		}
	})
}

// scalar writes the schema of a member that is not an object.
func (w *schemaWriter) scalar(f Field, e Event) {
	w.member("type", string(f.Type))
	w.member("description", f.Doc)
	if constant := f.Constant(e); constant != "" {
		w.raw("const", constant)
	} else if example := f.Example(e); example != "" {
		w.raw("examples", "["+example+"]")
	}
	switch {
	case f.Format != "":
		w.member("$ref", "#/$defs/"+f.definition())
	case f.Type == Integer:
		w.raw("minimum", strconv.Itoa(0))
	case f.Type == Array:
		w.object("items", func() { w.member("type", string(f.Items)) })
	}
}

const orEmpty = "OrEmpty"

// definition returns the name of the definition for the field's format.
func (f Field) definition() string {
	if f.Presence == Shown && !f.Format.Match(nil) {
		return string(f.Format) + orEmpty
	}
	return string(f.Format)
}

// formats writes the definitions of the formats that fields have.
func (w *schemaWriter) formats() {
	for _, f := range formats {
		w.definition(string(f.name), f.doc, f.pattern)
		w.definition(string(f.name)+orEmpty, f.doc+", or empty", "^$|"+f.pattern)
	}
}

func (w *schemaWriter) definition(name, doc, pattern string) {
	if !slices.ContainsFunc(fields, func(f Field) bool { return f.definition() == name }) {
		return
	}
	w.object(name, func() {
		w.member("type", string(String))
		w.member("description", doc)
		w.member("pattern", pattern)
	})
}
