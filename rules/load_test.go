package rules

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/rules/strict"
)

var update = flag.Bool("update", false, "rewrite the expected findings in testdata")

// now is the clock of all tests.
var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// testKnown is what checks report in the tests: a few symbols, and those that the builtin rules name.
func testKnown() Known {
	known := Known{"spf": {"SPF_FAIL", "SPF_PASS"}, "dkim": {"DKIM_VALID", "DKIM_NONE"}}
	for _, m := range regexp.MustCompile(`id: ([A-Z0-9_]+),.* check: ([a-z]+)`).FindAllStringSubmatch(builtinText, -1) {
		known[m[2]] = append(known[m[2]], m[1])
	}
	return known
}

func loadFrom(fsys fs.FS, file string) (*Set, strict.Findings) {
	return Loader{FS: fsys, Known: testKnown(), Now: now}.Load(file)
}

// loadText loads rules from a text.
func loadText(t *testing.T, text string) *Set {
	t.Helper()
	set, findings := loadFrom(fstest.MapFS{"rules.yaml": {Data: []byte(text)}}, "rules.yaml")
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

func cases(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases %s: %v", pattern, err)
	}
	for i, p := range paths {
		paths[i] = filepath.Base(p)
	}
	return paths
}

func TestGoodFiles(t *testing.T) {
	for _, file := range cases(t, "*.good.yaml") {
		t.Run(file, func(t *testing.T) {
			set, findings := loadFrom(os.DirFS("testdata"), file)
			if len(findings) > 0 {
				t.Fatalf("findings in a good file:\n%v", findings)
			}
			if failed := set.CheckCombos(); len(failed) > 0 {
				t.Errorf("proofs fail:\n%v", failed)
			}
		})
	}
}

// A bad file gives its findings, all of them, and no set; a warn file gives warnings and a set.
func TestBadFiles(t *testing.T) {
	for _, file := range append(cases(t, "*.bad.yaml"), cases(t, "*.warn.yaml")...) {
		t.Run(file, func(t *testing.T) {
			set, findings := loadFrom(os.DirFS("testdata"), file)
			if isBad := strings.HasSuffix(file, ".bad.yaml"); (set == nil) != isBad || (findings.Err() != nil) != isBad {
				t.Errorf("set is nil: %v, errors: %v", set == nil, findings.Err())
			}
			compareFindings(t, strings.TrimSuffix(file, ".yaml")+".want", findings)
		})
	}
}

func compareFindings(t *testing.T, wantFile string, findings strict.Findings) {
	t.Helper()
	var got strings.Builder
	for _, f := range findings {
		if Title(f.Code) == "" {
			t.Errorf("the code %q has no title: %v", f.Code, f)
		}
		got.WriteString(f.String() + "\n")
	}
	path := filepath.Join("testdata", wantFile)
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
