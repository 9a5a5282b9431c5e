package config

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"weir/rules/strict"
)

// Each key of weir.yaml has a description, and each description a key.
func TestConfigKeysAreDescribed(t *testing.T) {
	described := strict.About(aboutKeys)
	used := map[string]bool{}
	for _, path := range Schema().Keys() {
		last := path
		for described[last] == "" && last != "" { // ".servers[].addr", ".addr"
			_, rest, _ := strings.Cut(strings.TrimPrefix(last, "."), ".")
			if last = "." + rest; rest == "" {
				last = ""
			}
		}
		if last == "" {
			t.Errorf("the key %s is not described in keys.txt", path)
		}
		used[last] = true
	}
	for path := range described {
		if !used[path] {
			t.Errorf("keys.txt describes %s, which is no key", path)
		}
	}
}

// What the decoder takes fits the schema, and what it does not take does not. JSON is YAML as well.
func TestConfigSchema(t *testing.T) {
	text, err := json.Marshal(Schema())
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("weir.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("weir.json")
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]bool{
		`{"version": 1, "hostname": "mx1.example.org", "listen": [{"addr": ":25", "name": "mx", "tls": "starttls", "proxy_protocol": true}]}`: true,
		`{"backend": {"addrs": ["127.0.0.1:10025"], "timeout": "1m", "idle_connections": 4}, "scan_budget": "8s", "greet_pause": 0}`:          true,
		`{"routes": [{"domains": ["*"], "mx": true, "backend": {"servers": [{"addr": "a.example:25", "weight": 2}]}}]}`:                       true,
		`{"limits": {"message_size": "25MiB", "sessions": 100}, "trusted": {"proxies": ["192.0.2.0/24"]}, "admin": null}`:                     true,
		`{"store": {"memory": {"max": "1GiB"}, "redis": {"addrs": ["127.0.0.1:6379"], "password": "x", "tls": false}}}`:                       true,
		`{"listen": {"addr": ":25"}}`:                   false,
		`{"listen": [{"adr": ":25"}]}`:                  false,
		`{"limits": {"message_size": "25 megabytes"}}`:  false,
		`{"limits": {"sessions": "many"}}`:              false,
		`{"scan_budget": "8 seconds"}`:                  false,
		`{"store": {"redis": {"tls": "sometimes"}}}`:    false,
		`{"backend": {"servers": [{"priority": 1.5}]}}`: false,
		`{"thresholds": {"tag": 6}}`:                    false,
	} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		conf := Defaults()
		found := strict.Decode([]byte(file), "weir.yaml", &conf)
		if fits := schema.Validate(v); (fits == nil) != want || (found.Err() == nil) != want {
			t.Errorf("%s\nby the schema: %v\nby the decoder: %v", file, fits, found.Err())
		}
	}
}
