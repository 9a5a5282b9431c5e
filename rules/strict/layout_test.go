package strict

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite what is wanted in testdata/layout")

func layoutFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/layout/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	return files
}

// A file is laid out as the one beside it with .want; one that is even already stays as it is.
func TestLayout(t *testing.T) {
	for _, file := range layoutFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Layout(text, file)
		if err != nil {
			t.Fatal(err)
		}
		path := strings.TrimSuffix(file, ".yaml") + ".want"
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
		crlf, err := Layout(append([]byte("\uFEFF"), bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))...), file)
		if err != nil || !bytes.Equal(crlf, want) {
			t.Errorf("%s with the line ends of Windows: %v\n%s", file, err, cmp.Diff(string(want), string(crlf)))
		}
	}
}

// The files of weir itself are even, and no larger one is left as it is for want of being understood.
func TestLayoutOfOurFiles(t *testing.T) {
	for _, file := range []string{"../defaults.yaml", "../catalogue.yaml", "../testdata/example.good.yaml", "../testdata/language.good.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Layout(text, file)
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %v\n%s", file, err, cmp.Diff(string(text), string(got)))
		}
	}
}

func TestLayoutRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"a: [":              "error",
		"a: 1\n---\nb: 2\n": "a second document",
		"# nothing\n":       "says nothing",
		"a: x\u2028b: y\n":  "only YAML knows",
		"a: 'x\n\n\rb'\n":   "only YAML knows",
	} {
		if got, err := Layout([]byte(text), "x.yaml"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}

// A text that differs in a value, a comment, or in what no value shows, does not say the same.
func TestSaysTheSame(t *testing.T) {
	const text = "a: 1 # one\nb: [x, y] # two\n"
	for other, want := range map[string]bool{
		"a:   1   # one\n\nb: [x,  y] # two\n": true,
		"a: 1 # one\nb: [x, z] # two\n":        false,
		"a: 1 # one\nb: [x, y] # three\n":      false,
		"a: 1\nb: [x, y] # two\n":              false,
		"a: 1 # on e\nb: [x, y] # two\n":       false,
		"a: 1 # one\nb: [x, y,] # two\n":       false,
		"a: 1 # one\nb: ['x', y] # two\n":      false,
		"a: 1 # one\n\"b\": [x, y] # two\n":    false,
	} {
		one, _ := Parse([]byte(text), "a.yaml")
		two, findings := Parse([]byte(other), "b.yaml")
		if two == nil {
			t.Fatal(findings)
		}
		if saysTheSame(one, two) != want {
			t.Errorf("%q says the same as %q: %v", other, text, !want)
		}
	}
}

// Whatever the file, what comes out says the same, and is even: laid out again it stays as it is.
func FuzzLayout(f *testing.F) {
	for _, file := range layoutFiles(f) {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{"- a\n-\n  - b: |+\n\n   x\n\n# c\n", "a:\n- b: >2-\n\n     c\n    d\n", "{a: [b,\n c]} # d\n", "a: !t\n  - &b c\n  - *b\n", "? a\n: b\n", "%YAML 1.2\n---\na\n...\n", "a: \"b\\\n  c \n\n d\"\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		once, err := Layout(text, "x.yaml")
		if err != nil {
			return
		}
		var before, after map[string]any
		was, is := Decode(text, "x.yaml", &before), Decode(once, "x.yaml", &after)
		if diff := cmp.Diff(before, after); diff != "" || len(was) != len(is) {
			t.Errorf("%q\n%q\n%v\n%v\n%s", text, once, was, is, diff)
		}
		if twice, err := Layout(once, "x.yaml"); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%q is laid out as %q, then as %q, %v", text, once, twice, err)
		}
	})
}
