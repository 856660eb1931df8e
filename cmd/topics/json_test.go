package topics

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// objects are the structs of JSON objects in the code: by the type that they
// say, their members, and in turn those of a member's own struct.
type objects struct {
	structs map[string]*ast.StructType
	found   map[string]map[string][]string
	counts  map[string]bool
}

func (o *objects) members(s *ast.StructType) map[string][]string {
	members := map[string][]string{}
	for _, field := range s.Fields.List {
		tag := ""
		if field.Tag != nil {
			text, _ := strconv.Unquote(field.Tag.Value)
			tag = reflect.StructTag(text).Get("json")
		}
		name, options, _ := strings.Cut(tag, ",")
		inner := o.structs[typeName(field.Type)]
		switch {
		case options == "inline":
			maps.Copy(members, o.members(inner))
		case inner != nil && name != "findings":
			members[name] = keys(o.members(inner))
		case name != "":
			members[name] = nil
		}
	}
	return members
}

// typeName is the last name of a type, without what points at it or lists it.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.ArrayType:
		return typeName(e.Elt)
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	default:
		return ""
	}
}

// literal notes an object that is made, or the name of a count.
func (o *objects) literal(l *ast.CompositeLit) {
	name := typeName(l.Type)
	s, ok := l.Type.(*ast.StructType)
	if !ok {
		s = o.structs[name]
	}
	for i, element := range l.Elts {
		key, value := "", element
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			key, value = typeName(pair.Key), pair.Value
		} else if i == 0 {
			key = "Type" // the first field of every object
		}
		text, ok := value.(*ast.BasicLit)
		if !ok || text.Kind != token.STRING {
			continue
		}
		word, _ := strconv.Unquote(text.Value)
		switch {
		case key == "Name" && (l.Type == nil || name == "Count"): // of a count, alone or in a list
			o.counts[word] = true
		case key == "Type" && s != nil:
			members := o.members(s)
			if _, isObject := members["type"]; isObject {
				delete(members, "type")
				if o.found[word] == nil {
					o.found[word] = map[string][]string{}
				}
				maps.Copy(o.found[word], members)
			}
		}
	}
}

func objectsOfTheCode(t *testing.T) *objects {
	t.Helper()
	o := &objects{map[string]*ast.StructType{}, map[string]map[string][]string{}, map[string]bool{}}
	var parsed []*ast.File
	for _, pattern := range []string{"../*.go", "../../pkg/report/*.go", "../../pkg/validate/finding.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, file)
			ast.Inspect(file, func(n ast.Node) bool {
				if spec, ok := n.(*ast.TypeSpec); ok {
					if s, ok := spec.Type.(*ast.StructType); ok {
						o.structs[spec.Name.Name] = s
					}
				}
				return true
			})
		}
	}
	for _, file := range parsed {
		ast.Inspect(file, func(n ast.Node) bool {
			if l, ok := n.(*ast.CompositeLit); ok {
				o.literal(l)
			}
			return true
		})
	}
	return o
}

func TestMembersAreThoseOfTheCode(t *testing.T) {
	o, tables := objectsOfTheCode(t), tablesOf(t, "json")
	summary := tables["summary"]
	delete(tables, "summary")
	if got, want := keys(tables), keys(o.found); !slices.Equal(got, want) {
		t.Errorf("the topic has the objects %q, want %q", got, want)
	}
	for name, members := range o.found {
		if got, want := keys(tables[name]), keys(members); !slices.Equal(got, want) {
			t.Errorf("%s has the members %q in the topic, want %q", name, got, want)
		}
		for member, inner := range members {
			named := quotedIn(tables[name][member])
			for _, word := range inner {
				if !slices.Contains(named, word) {
					t.Errorf("the topic does not name the member %s of %s of %s", word, member, name)
				}
			}
		}
	}
	counts := map[string]bool{}
	for _, cell := range summary {
		for _, name := range quotedIn(cell) {
			counts[name] = true
		}
	}
	delete(counts, "listen") // whose counts relay has too
	if got, want := keys(counts), keys(o.counts); !slices.Equal(got, want) {
		t.Errorf("summary has the counts %q in the topic, want %q", got, want)
	}
}
