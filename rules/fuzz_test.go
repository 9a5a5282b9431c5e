package rules

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"
)

// Whatever the operator writes, loading ends soon, does not panic, and says where each finding is. A set that loads
// can be used.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"*.good.yaml", "*.bad.yaml", "*.warn.yaml"} {
		paths, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	known := testKnown()
	f.Fuzz(func(t *testing.T, text []byte) {
		fsys := fstest.MapFS{"rules.yaml": {Data: text}, "list": {Data: text}, "inc/more.yaml": {Data: text}}
		started := time.Now()
		set, findings := Loader{FS: fsys, Known: known, Now: now}.Load("rules.yaml")
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("loading %d bytes took %s", len(text), took)
		}
		if (set == nil) != (findings.Err() != nil) {
			t.Errorf("set is nil: %v, errors: %v", set == nil, findings.Err())
		}
		for _, finding := range findings {
			if finding.Src.File == "" || finding.Src.Line < 1 || finding.Src.Col < 1 || Title(finding.Code) == "" || finding.Text == "" {
				t.Errorf("a finding without place or text: %#v", finding)
			}
			_ = finding.String()
		}
		if set == nil {
			return
		}
		set.CheckCombos()
		set.RejectMessage([]string{"x"}, "id")
		set.DeferMessage([]string{"x"}, "id")
		if set.PolicyFor(Whose{Rcpt: "a@b.example"}) == nil || set.PolicyFor(Whose{Rcpt: ""}) == nil {
			t.Error("a recipient without policy")
		}
	})
}
