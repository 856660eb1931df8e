package owox

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite generated and golden files")

// TestPayloadTypesAreGenerated holds payload_gen.go against the field table.
func TestPayloadTypesAreGenerated(t *testing.T) {
	want := payloadTypes(t)
	if *update {
		if err := os.WriteFile("payload_gen.go", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("payload_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("payload_gen.go is stale: run go generate ./pkg/owox")
	}
}

func payloadTypes(t *testing.T) []byte {
	var out bytes.Buffer
	out.WriteString("// Code generated from the field table by go generate. DO NOT EDIT.\n\npackage owox\n\nimport \"time\"\n")
	writeStruct(&out, "Payload", "the body of a delivery, for reading it with a JSON package", Shape())
	source, err := format.Source(out.Bytes())
	if err != nil {
		t.Fatalf("generated code: %v\n%s", err, out.Bytes())
	}
	return source
}

func writeStruct(out *bytes.Buffer, name, doc string, m *Member) {
	fmt.Fprintf(out, "\n// %s is %s.\ntype %s struct {\n", name, doc, name)
	for _, child := range m.Members {
		fmt.Fprintf(out, "%s %s `json:%q` // %s\n", goName(child.Name()), goType(child), child.Name()+",omitzero", child.Doc)
	}
	out.WriteString("}\n")
	for _, child := range m.Members {
		if child.Type == Object {
			writeStruct(out, goName(child.Name()), "the object "+child.Path+" of a payload", child)
		}
	}
}

// goType gives a whole number a pointer: zero rows are not the same as unknown.
func goType(m *Member) string {
	switch {
	case m.Type == Object:
		return goName(m.Name())
	case m.Type == Array:
		return "[]string"
	case m.Type == Integer:
		return "*int64"
	case m.Type == Boolean:
		return "bool"
	case m.Format == Timestamp:
		return "time.Time"
	default:
		return "string"
	}
}

func goName(name string) string {
	name = strings.ToUpper(name[:1]) + name[1:]
	for _, word := range []string{"Id", "Url", "Ms"} {
		if strings.HasSuffix(name, word) {
			name = strings.TrimSuffix(name, word) + strings.ToUpper(word)
		}
	}
	return name
}
