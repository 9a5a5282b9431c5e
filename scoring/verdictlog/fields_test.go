package verdictlog

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// What Fields reads of an object is what a decoder reads of it; of anything else it reads something or nothing, and ends.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, ` { "a" : [1,{"b":"]}"}] , "c":"\\\"" } `, `{"a":{"b":null},"d":-1.5e3}`, `{"a"`, `{"a":"`, `{"a":1,}`, `{"a":}`, `[`, `{"":""}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		got := map[string]string{}
		ok := Fields(object, func(name, value []byte) { got[string(Text([]byte(`"`+string(name)+`"`)))] = string(value) })
		var want map[string]json.RawMessage
		if !utf8.Valid(object) || json.Unmarshal(object, &want) != nil || want == nil {
			return
		}
		if !ok || len(got) != len(want) {
			t.Fatalf("%v, %d fields, want %d", ok, len(got), len(want))
		}
		for name, value := range want {
			if got[name] != string(value) {
				t.Fatalf("%q: %q, want %q", name, got[name], value)
			}
		}
	})
}
