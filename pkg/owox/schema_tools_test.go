package owox

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tool returns a command that finds the npm packages in the folder that .ci/run
// fills.
func tool(t *testing.T, dir, name string, args ...string) *exec.Cmd {
	t.Helper()
	modules := filepath.Join(os.Getenv("CI_NPM"), "node_modules")
	if program := filepath.Join(modules, ".bin", name); exists(program) {
		name = program
	}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "NODE_PATH="+modules)
	return cmd
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func needTools(t *testing.T) {
	t.Helper()
	if os.Getenv("CI_NPM") == "" {
		t.Skip("CI_NPM names no folder with npm packages: .ci/run sets it")
	}
}

const ajvScript = `
const Ajv = require("ajv/dist/2020").default;
const [schema, good, bad] = ["schema", "good", "bad"].map((name) => JSON.parse(require("fs").readFileSync(name + ".json")));
const validate = new Ajv({ strict: true }).compile(schema);
if (!validate(good)) console.log(validate.errors);
if (validate(bad)) console.log("accepts bad.json");`

const pythonScript = `
import json, jsonschema, pathlib
schema, good, bad = (json.loads(pathlib.Path(name + ".json").read_text()) for name in ("schema", "good", "bad"))
validator = jsonschema.Draft202012Validator(schema)
validator.check_schema(schema)
validator.validate(good)
if validator.is_valid(bad): print("accepts bad.json")`

// Strict tools must compile the schemas without a word, accept the documented
// examples, and refuse another status.
func TestStrictToolsTakeTheSchemas(t *testing.T) {
	needTools(t)
	for _, e := range events {
		for which, schema := range map[string][]byte{"any": Schema(), "own": EventSchema(e.Type)} {
			dir := t.TempDir()
			good := documented(e.Type).JSON()
			for name, text := range map[string][]byte{
				"schema.json": schema, "good.json": good, "bad.json": bytes.Replace(good, []byte(e.Status), []byte("LOST"), 1),
			} {
				if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			name := e.Type.Name() + " " + which
			t.Run("Ajv "+name, func(t *testing.T) {
				quiet(t, tool(t, dir, "node", "-e", ajvScript))
			})
			t.Run("sourcemeta "+name, func(t *testing.T) {
				for _, args := range [][]string{{"metaschema", "schema.json"}, {"validate", "schema.json", "good.json"}} {
					if out, err := tool(t, dir, "jsonschema", args...).CombinedOutput(); err != nil {
						t.Errorf("%v: %v\n%s", args, err, out)
					}
				}
				if out, err := tool(t, dir, "jsonschema", "validate", "schema.json", "bad.json").CombinedOutput(); err == nil {
					t.Errorf("accepts bad.json\n%s", out)
				}
			})
			t.Run("python "+name, func(t *testing.T) {
				if err := tool(t, dir, "python3", "-c", "import jsonschema").Run(); err != nil {
					t.Skip("python3 cannot import jsonschema")
				}
				quiet(t, tool(t, dir, "python3", "-W", "error", "-c", pythonScript))
			})
		}
	}
}

// quiet wants a command to succeed without a word.
func quiet(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %v\n%s", cmd.Args, err, out)
	}
}

// The golden file is what TypeScript makes of the schema.
func TestSchemaGivesCleanTypes(t *testing.T) {
	needTools(t)
	golden := filepath.Join("..", "..", "testdata", "schema", "payload.d.ts")
	cmd := tool(t, ".", "json2ts")
	cmd.Stdin = bytes.NewReader(Schema())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if *update {
		if err := os.WriteFile(golden, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(out), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
