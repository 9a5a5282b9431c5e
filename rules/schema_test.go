package rules

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"weir/rules/strict"
)

// Each key has a description, and each description a key.
func TestKeysAreDescribed(t *testing.T) {
	schema := Schema()
	described := strict.About(aboutKeys)
	used := map[string]bool{}
	for _, path := range schema.Keys() {
		last := "." + path[strings.LastIndexByte(path, '.')+1:]
		switch {
		case described[path] != "":
			used[path] = true
		case described[last] != "":
			used[last] = true
		default:
			t.Errorf("the key %s is not described in keys.txt", path)
		}
	}
	for path := range described {
		if !used[path] {
			t.Errorf("keys.txt describes %s, which is no key", path)
		}
	}
}

// What loads fits the schema, and what has unknown keys or wrong kinds of values does not.
func TestSchema(t *testing.T) {
	schema := compiled(t)
	files := []string{"defaults.yaml"}
	for _, name := range append(cases(t, "*.good.yaml"), cases(t, "*.warn.yaml")...) {
		files = append(files, filepath.Join("testdata", name))
	}
	for _, path := range files {
		if err := schema.Validate(document(t, path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, wrong := range []string{
		"scores: 3", "version: one", "rules: [{ id: A, wieght: 1 }]", "rules: { id: A }", "thresholds: { tag: none }",
		"zones: [{ answers: [{ mode: loud }] }]", "lists: { a: { inlin: [x] } }", "policies: [{ thresholds: { tag: [1] } }]",
		"greylist: { wait: 5 minutes }", "outgoing: { stop: never }",
	} {
		var v any
		if err := yaml.Unmarshal([]byte(wrong), &v); err != nil {
			t.Fatal(err)
		}
		if schema.Validate(v) == nil {
			t.Errorf("%q fits the schema", wrong)
		}
	}
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(Schema())
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("rules.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("rules.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// document reads YAML as an editor's checker sees it: as JSON.
func document(t *testing.T, path string) any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}
