package owox

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Schema returns a JSON Schema 2020-12 document for the payload of any
// documented event, indented and with a final newline. It says everything
// about accepting a payload that a schema can express.
func Schema() []byte {
	return schemaDocument("OWOX Data Marts webhook payload", func(w *schemaWriter) {
		w.member("type", string(Object))
		w.array("required", func() { w.text(PathEvent) })
		w.object("properties", func() {
			w.object(PathEvent, func() {
				w.array("enum", func() {
					for _, e := range events {
						w.text(string(e.Type))
					}
				})
			})
		})
		w.array("allOf", func() {
			for _, e := range events {
				w.object("", func() { w.whenEvent(e) })
			}
		})
		w.object("$defs", func() {
			w.formats()
			for _, e := range events {
				w.object(e.Type.Name(), func() { w.shape(Shape(), e) })
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

// whenEvent applies an event's definition to payloads of that event.
func (w *schemaWriter) whenEvent(e Event) {
	w.object("if", func() {
		w.object("properties", func() {
			w.object(PathEvent, func() { w.member("const", string(e.Type)) })
		})
	})
	w.object("then", func() { w.member("$ref", "#/$defs/"+e.Type.Name()) })
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
	case f.Format != "" && f.Presence == Shown:
		w.array("anyOf", func() {
			w.object("", func() { w.member("const", "") })
			w.object("", func() { w.member("$ref", "#/$defs/"+string(f.Format)) })
		})
	case f.Format != "":
		w.member("$ref", "#/$defs/"+string(f.Format))
	case f.Type == Integer:
		w.raw("minimum", strconv.Itoa(0))
	case f.Type == Array:
		w.object("items", func() { w.member("type", string(f.Items)) })
	}
}

func (w *schemaWriter) formats() {
	for _, f := range formats {
		w.object(string(f.name), func() {
			w.member("description", f.doc)
			w.member("pattern", f.pattern)
		})
	}
}
