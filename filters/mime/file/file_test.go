package file

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// program is how a program of Windows begins.
var program = "MZ\x90\x00\x03" + strings.Repeat("\x00", 60) + "PE\x00\x00"

// zipOf is a zip with members, name and content by turns.
func zipOf(t testing.TB, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		m, err := w.Create(members[i])
		if err == nil {
			_, err = m.Write([]byte(members[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func tarOf(t testing.TB, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		err := w.WriteHeader(&tar.Header{Name: members[i], Mode: 0o600, Size: int64(len(members[i+1])), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = w.Write([]byte(members[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func gzipOf(t testing.TB, name, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name = name
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// locked is a zip whose members all say that they need a password.
func locked(plain string) string {
	b := []byte(plain)
	for i := range b {
		switch {
		case bytes.HasPrefix(b[i:], localHeader):
			b[i+6] |= isEncrypted
		case bytes.HasPrefix(b[i:], centralHeader):
			b[i+8] |= isEncrypted
		}
	}
	return string(b)
}

func TestKindOf(t *testing.T) {
	for _, c := range []struct{ data, want string }{
		{"", ""},
		{program, "exe"},
		{"MZ is the sign of a program", "text"},
		{"\x7fELF\x02", "elf"},
		{"L\x00\x00\x00\x01\x14\x02\x00\x00", "lnk"},
		{"%PDF-1.7\n", "pdf"},
		{"\n\njunk %PDF-1.4\n", "pdf"},
		{"{\\rtf1 text}", "rtf"},
		{"\xff\xd8\xff\xe0\x00\x10JFIF", "jpeg"},
		{"\x89PNG\r\n\x1a\n\x00", "png"},
		{strings.Repeat("\x00", 0x8001) + "CD001", "iso"},
		{"\xef\xbb\xbf <!-- x -->\n<HTML><body>", "html"},
		{"<svg xmlns=x>", "svg"},
		{"<?xml version='1.0'?><a/>", "xml"},
		{"\xff\xfe<\x00h\x00t\x00m\x00l\x00>\x00", "html"},
		{"a < b", "text"},
		{strings.Repeat("д", 600), "text"},
		{"x\x00y", ""},
		{"\xfe\xfd\xfc\xfb\xfa", ""},
		{tarOf(t, "a", "b"), "tar"},
		{"BM\x10\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28", "bmp"},
		{"BM, the place", "text"},
	} {
		if got := KindOf([]byte(c.data)); got != c.want {
			t.Errorf("%.20q: %q, want %q", c.data, got, c.want)
		}
		if c.want != "" && !slices.Contains(Kinds, c.want) {
			t.Errorf("%s is not among the kinds", c.want)
		}
	}
	for _, m := range magics {
		if !slices.Contains(Kinds, m.kind) {
			t.Errorf("%s is not among the kinds", m.kind)
		}
	}
}

func TestLook(t *testing.T) {
	inner := zipOf(t, "evil.exe", program)
	deepest := zipOf(t, "mid.zip", inner)
	ole := "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 100)
	broken := zipOf(t, "a.txt", "x", `dir\b.js`, "y")
	broken = broken[:strings.LastIndex(broken, "PK\x05\x06")]
	for _, c := range []struct{ name, data, want string }{
		{"a zip", zipOf(t, "invoice.pdf", program, "folder/", "", "a.txt", "hello"), "zip [invoice.pdf=exe folder/ a.txt=text]"},
		{"a zip in a zip", zipOf(t, "x.zip", inner), "zip [x.zip=zip x.zip/evil.exe=exe]"},
		{"no deeper", zipOf(t, "x.zip", deepest), "zip more [x.zip=zip x.zip/mid.zip=zip]"},
		{"a tar in a gzip", gzipOf(t, "", tarOf(t, "run.sh", "#!/bin/sh\n")), "gzip [run.sh=script]"},
		{"a named gzip", gzipOf(t, "setup.exe", program), "gzip [setup.exe=exe]"},
		{"a gzip without a name", gzipOf(t, "", program), "gzip [content=exe]"},
		{"a zip in a tar", tarOf(t, "x.zip", inner), "tar [x.zip=zip x.zip/evil.exe=exe]"},
		{"a locked zip", locked(zipOf(t, "secret.exe", program)), "zip encrypted [secret.exe]"},
		{"a zip without directory", broken, "zip more [a.txt dir/b.js]"},
		{"a document", zipOf(t, "[Content_Types].xml", "<?xml?>", "word/document.xml", "<?xml?>"), "docx [[Content_Types].xml=xml word/document.xml=xml]"},
		{"a table with macros", zipOf(t, "[Content_Types].xml", "", "xl/vbaProject.bin", ole), "xlsx macros [[Content_Types].xml xl/vbaProject.bin=ole]"},
		{"an old document", ole, "ole []"},
		{"an old document with macros", ole + string(wide("_VBA_PROJECT")), "ole macros []"},
		{"an old document with macros in a zip", zipOf(t, "a.doc", ole+string(wide("_VBA_PROJECT"))), "zip macros [a.doc=ole]"},
		{"a locked document", ole + string(wide("EncryptedPackage")), "ole encrypted []"},
		{"a page", "<html><body>hello</body>", "html []"},
		{"a page with a form", "<html><FORM action=https://a.example/>", "html active []"},
		{"a drawing with a script", "<svg><script>x</script></svg>", "svg active []"},
		{"a page in a zip", zipOf(t, "a.html", "<script>x</script>"), "zip [a.html=html]"},
		{"a bomb", zipOf(t, "zeros.tar", tarOf(t, "zeros", strings.Repeat("\x00", 20<<20))), "zip more [zeros.tar=tar zeros.tar/zeros]"},
		{"a broken gzip", "\x1f\x8b\x08\xff\xff\xff", "gzip more []"},
		{"a broken zip", "PK\x03\x04xyz", "zip more []"},
	} {
		if got := describe(Look([]byte(c.data))); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// describe is what was found on one line.
func describe(c Content) string {
	words := []string{c.Kind}
	for i, said := range []bool{c.Encrypted, c.Macros, c.Active, c.More} {
		if said {
			words = append(words, []string{"encrypted", "macros", "active", "more"}[i])
		}
	}
	var members []string
	for _, m := range c.Members {
		if m.Kind != "" {
			m.Name += "=" + m.Kind
		}
		members = append(members, m.Name)
	}
	return fmt.Sprintf("%s %v", strings.Join(words, " "), members)
}

func TestManyMembersAreBounded(t *testing.T) {
	var members []string
	for i := range 3 * MaxMembers {
		members = append(members, fmt.Sprintf("%d.txt", i), "x")
	}
	c := Look([]byte(zipOf(t, members...)))
	if len(c.Members) != MaxMembers || !c.More {
		t.Errorf("%d members, more %v", len(c.Members), c.More)
	}
	c = Look([]byte(strings.Repeat("PK\x03\x04", 1<<20)))
	if len(c.Members) > MaxMembers || !c.More {
		t.Errorf("%d members, more %v", len(c.Members), c.More)
	}
}

func FuzzLook(f *testing.F) {
	for _, s := range []string{"", program, zipOf(f, "a", "b"), tarOf(f, "a", "b"), gzipOf(f, "n", tarOf(f, "a", "b")), locked(zipOf(f, "x.zip", zipOf(f, "y", "z")))} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := Look(data)
		if len(c.Members) > MaxMembers || c.Kind != "" && !slices.Contains(Kinds, c.Kind) {
			t.Errorf("%d members of %q", len(c.Members), c.Kind)
		}
	})
}

func BenchmarkLook(b *testing.B) {
	data := []byte(zipOf(b, "a.txt", strings.Repeat("hello ", 10000), "b.txt", "x"))
	b.ReportAllocs()
	for b.Loop() {
		Look(data)
	}
}

func TestOpenZip(t *testing.T) {
	for _, c := range []struct {
		name    string
		members int
		want    bool
	}{{"a.txt", 3, true}, {"../a.txt", 3, true}, {"a.txt", maxDirEntry, true}, {"a.txt", maxDirEntry + 1, false}} {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for range c.members {
			if _, err := w.Create(c.name); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, ok := OpenZip(b.Bytes())
		if ok != c.want || ok && len(r.File) != c.members {
			t.Errorf("%d members called %s: %v", c.members, c.name, ok)
		}
	}
	if _, ok := OpenZip([]byte("no zip")); ok {
		t.Error("opened what is none")
	}
}
