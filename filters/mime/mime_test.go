package mime

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the .want files anew")

// TestCases reads testdata/NN-name.eml (lines end with CRLF unless the file has some of its own) and compares with
// testdata/NN-name.want: the tree of parts, text, links and oddities.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		base := strings.TrimSuffix(file, ".eml")
		t.Run(filepath.Base(base), func(t *testing.T) {
			got := render(readMessage(t, file))
			if *update {
				if err := os.WriteFile(base+".want", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(base + ".want")
			if err != nil {
				t.Fatalf("go test -update writes it: %v", err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func readMessage(t testing.TB, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.IndexByte(raw, '\r') < 0 {
		raw = bytes.ReplaceAll(raw, []byte{'\n'}, []byte("\r\n"))
	}
	return raw
}

// LF and CRLF must read alike.
func TestLineEnds(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.eml")
	for _, file := range files {
		raw := readMessage(t, file)
		bare := bytes.ReplaceAll(raw, []byte("\r\n"), []byte{'\n'})
		if bytes.IndexByte(bare, '\r') >= 0 {
			continue
		}
		a, b := Parse(raw).Visible(), Parse(bare).Visible()
		if a.Text != b.Text || fmt.Sprint(a.URLs) != fmt.Sprint(b.URLs) {
			t.Errorf("%s: with CRLF %q\nwith LF %q", file, a.Text, b.Text)
		}
	}
}

func render(raw []byte) string {
	var b strings.Builder
	d := Parse(raw)
	for _, f := range d.Root.Fields {
		if f.Name == "Subject" || f.Name == "From" || strings.HasPrefix(f.Name, "X-") {
			fmt.Fprintf(&b, "%s: %q\n", f.Name, f.Value)
		}
	}
	renderPart(&b, d.Root, "")
	v := d.Visible()
	if v.Text != "" {
		fmt.Fprintf(&b, "text:\n  %s\n", strings.ReplaceAll(strings.TrimRight(v.Text, "\n"), "\n", "\n  "))
	}
	if v.Hidden > 0 {
		fmt.Fprintf(&b, "hidden: %d\n", v.Hidden)
	}
	for _, u := range v.URLs {
		fmt.Fprintf(&b, "url: %s %s %s %q\n", u.Scheme, u.Host, u.Path, u.Text)
	}
	if len(v.Skeleton) > 0 {
		fmt.Fprintf(&b, "elements: %s\n", strings.Join(v.Skeleton, " "))
	}
	for _, o := range append(d.Oddities(), v.Oddities...) {
		fmt.Fprintf(&b, "odd: %s %s\n", o.Name, o.Detail)
	}
	return b.String()
}

func renderPart(b *strings.Builder, p *Part, indent string) {
	words := []string{p.ContentType}
	for name, value := range map[string]string{"charset=": p.Charset} {
		if value != "" {
			words = append(words, name+value)
		}
	}
	for _, word := range []string{p.Encoding, p.Disposition} {
		if word != "" {
			words = append(words, word)
		}
	}
	if p.Filename != "" {
		words = append(words, fmt.Sprintf("%q", p.Filename))
	}
	if len(p.Parts) == 0 {
		words = append(words, fmt.Sprintf("%d->%d", len(p.Raw), len(p.Decoded())))
	}
	fmt.Fprintf(b, "%s- %s\n", indent, strings.Join(words, " "))
	for _, child := range append(p.Parts, p.files...) {
		renderPart(b, child, indent+"  ")
	}
}
