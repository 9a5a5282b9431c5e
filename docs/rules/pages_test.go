package pages

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"weir/rules"
	"weir/rules/strict"
)

// found is all that is wrong in a file of rules and its tests, for a program with one check if the code is of checks.
func found(code, text string) (strict.Findings, []string) {
	var known rules.Known
	if code == "R021" {
		known = rules.Known{"spf": {"SPF_FAIL"}}
	}
	set, findings := rules.Load(fstest.MapFS{"rules.yaml": {Data: []byte(text)}}, "rules.yaml", known)
	if set != nil {
		findings = append(findings, set.CheckCombos()...)
	}
	var codes []string
	for _, f := range findings {
		codes = append(codes, f.Code)
	}
	return findings, codes
}

// example is the YAML below a heading.
func example(t *testing.T, page, heading string) string {
	t.Helper()
	_, after, ok := strings.Cut(page, "\n## "+heading+"\n\n```yaml\n")
	text, _, closed := strings.Cut(after, "```\n")
	if !ok || !closed {
		t.Fatalf("there is no example of what is %s", strings.ToLower(heading))
	}
	return text
}

// Each code has a page; what it shows as wrong is found, and what it shows as right can be used.
func TestPages(t *testing.T) {
	for _, code := range rules.Codes() {
		t.Run(code, func(t *testing.T) {
			page, ok := Page(code)
			if !ok {
				t.Fatalf("write docs/rules/%s.md", code)
			}
			if title := "# " + code + ": " + rules.Title(code) + "\n"; !strings.HasPrefix(page, title) {
				t.Errorf("it does not begin with %q", title)
			}
			if _, wrong := found(code, example(t, page, "Wrong")); !slices.Contains(wrong, code) {
				t.Errorf("what is wrong gives %v", wrong)
			}
			if findings, right := found(code, example(t, page, "Right")); slices.Contains(right, code) || findings.Err() != nil {
				t.Errorf("what is right gives %v", findings)
			}
		})
	}
}

func TestNoPageIsLeftOver(t *testing.T) {
	names, err := fs.Glob(files, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if code := strings.TrimSuffix(name, ".md"); !slices.Contains(rules.Codes(), code) {
			t.Errorf("%s is of no code", name)
		}
	}
}
