package validate_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/tidwall/sjson"

	"github.com/owoxhook/owoxhook/pkg/owox"
	"github.com/owoxhook/owoxhook/pkg/validate"
)

// beyondSchema are the rules that a schema cannot express: a payload that
// breaks only these is right for the schema.
var beyondSchema = map[string]validate.Severity{
	validate.MemberUnique: validate.Off,
	validate.UTF8:         validate.Off,
	validate.NestingDepth: validate.Off,
}

func compile(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(owox.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("payload.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("payload.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// mutant makes a payload that is a sample with up to four changes.
func mutant(r *rand.Rand) string {
	events := owox.Events()
	sample := owox.Sample{Event: events[r.IntN(len(events))].Type, Test: r.IntN(2) == 0}
	payload := string(sample.JSON())
	for range r.IntN(5) {
		payload = mutate(r, payload)
	}
	return payload
}

var rawValues = []string{
	`null`, `true`, `false`, `0`, `-0`, `-1`, `1`, `1.0`, `1.5`, `1e3`, `15e-1`, `20e-1`, `-2e2`, `60000`, `123456789012345678901234567890`, `9007199254740993`, `1e400`,
	`""`, `"1"`, `"2"`, `"x"`, `"FAILED"`, `"SUCCESSFUL"`, `"FA\u0049LED"`, `"failed"`, `"\u0031"`,
	`"550e8400-e29b-41d4-a716-446655440000"`, `"550E8400-E29B-41D4-A716-446655440000"`, `"550e8400e29b41d4a716446655440000"`,
	`"2024-02-29T10:30:00.000Z"`, `"2023-02-29T10:30:00.000Z"`, `"2024-01-15T10:30Z"`, `"20240115T103000+0200"`, `"2024-01-15"`, `"2024-01-15T10:30:00.000z"`,
	`"https://app.owox.com/x"`, `"/ui/x"`, `"a b"`, `"%zz"`, `"https://\u00e4.example/"`, `"a\nb"`,
	`{}`, `{"id":"x"}`, `[]`, `["a"]`, `["a",1]`, `[null]`, `[[]]`,
}

func mutate(r *rand.Rand, payload string) string {
	fields := owox.Fields()
	path := fields[r.IntN(len(fields))].Path
	if r.IntN(10) == 0 {
		path += fmt.Sprintf(".%d", r.IntN(3))
	}
	value := rawValues[r.IntN(len(rawValues))]
	if r.IntN(4) == 0 {
		value = fmt.Sprintf("%q", owox.Events()[r.IntN(2)].Type)
	}
	var out string
	var err error
	if r.IntN(3) == 0 {
		out, err = sjson.Delete(payload, path)
	} else {
		out, err = sjson.SetRaw(payload, path, value)
	}
	if err != nil {
		return payload
	}
	return out
}

// TestValidatorAgreesWithSchema holds the validator and the schema against
// each other: they must accept and refuse the same payloads.
func TestValidatorAgreesWithSchema(t *testing.T) {
	schema := compile(t)
	validator, err := validate.New(validate.Config{Severities: beyondSchema})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	accepted, refused := 0, 0
	for range 20_000 {
		payload := mutant(r)
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(payload)))
		if err != nil {
			t.Fatalf("%s: %v", payload, err)
		}
		schemaErr := schema.Validate(value)
		findings := validator.Payload([]byte(payload))
		if validate.Valid(findings) != (schemaErr == nil) {
			t.Fatalf("they disagree about %s\nvalidator: %q\nschema: %v", payload, say(findings), schemaErr)
		}
		if schemaErr == nil {
			accepted++
		} else {
			refused++
		}
	}
	t.Logf("accepted %d, refused %d", accepted, refused)
	if accepted < 2000 || refused < 2000 {
		t.Errorf("accepted %d and refused %d payloads: too few of one kind to mean much", accepted, refused)
	}
}
