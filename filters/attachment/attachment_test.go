package attachment

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/filters"
	"weir/filters/filtertest"
	"weir/filters/lookup"
	"weir/filters/mime"
	"weir/rules"
)

// cases are the rules of the cases in testdata.
var cases = []rules.Attachment{
	{Symbol: "INVOICE_SCRIPT", Name: regexp.MustCompile(`(?i)invoice`), Types: []string{"zip"}, Member: regexp.MustCompile(`(?i)\.js$`), Below: 1 << 20},
	{Symbol: "DECLARED_PDF", Declared: regexp.MustCompile(`^application/pdf$`)},
	{Symbol: "LARGE", From: 1000},
}

func TestCases(t *testing.T) {
	filtertest.Run(t, func(*lookup.Resolver) filters.Check { return New(cases) })
}

func TestReadmeNamesEverySymbolAndKind(t *testing.T) {
	for _, name := range slices.Concat(New(nil).Symbols, rules.FileKinds) {
		if !strings.Contains(Readme, name) {
			t.Errorf("%s is not in README.md", name)
		}
	}
}

func TestRulesKnowTheKindsThatAreFound(t *testing.T) {
	if !slices.Equal(slices.Sorted(slices.Values(mime.FileKinds())), slices.Sorted(slices.Values(rules.FileKinds))) {
		t.Errorf("found are %q, rules know %q", mime.FileKinds(), rules.FileKinds)
	}
}

// attached is a message with one file.
func attached(name, declared, content string) *filters.Message {
	return filters.ParseMessage(fmt.Appendf(nil, "MIME-Version: 1.0\r\nContent-Type: %s\r\nContent-Disposition: attachment; filename=%q\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n",
		declared, name, base64.StdEncoding.EncodeToString([]byte(content))))
}

func zipOf(t *testing.T, members ...string) string {
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

func TestFiles(t *testing.T) {
	exe := "MZ\x90\x00" + strings.Repeat("\x00", 80)
	ole := "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 80)
	types := "[Content_Types].xml"
	for _, c := range []struct{ name, content, want string }{
		{"photo.jpg", exe, "FILE_PROGRAM FILE_MISNAMED"},
		{"setup.exe", exe, "FILE_PROGRAM"},
		{"data", exe, "FILE_PROGRAM"},
		{"report.pdf", "%PDF-1.7", ""},
		{"report.pdf", "<html><body>x", "FILE_MISNAMED"},
		{"report.pdf", "<html><form action=x>", "FILE_MISNAMED FILE_ACTIVE_PAGE"},
		{"report.pdf", "\x01\x02\x00\x03", ""}, // of no kind that is known
		{"photo.jpg", "\x89PNG\r\n\x1a\n", ""},
		{"letter.doc", "{\\rtf1}", ""},
		{"letter.doc", ole, ""},
		{"letter.docx", zipOf(t, types, "", "word/document.xml", ""), ""},
		{"letter.docx", zipOf(t, types, "", "word/document.xml", "", "word/vbaProject.bin", ole), "FILE_MACROS"},
		{"photos.zip", zipOf(t, "a.jpg", "\xff\xd8\xff"), ""},
		{"photos.zip", zipOf(t, "a.jpg", exe), "FILE_ARCHIVED_PROGRAM"},
		{"photos.zip", zipOf(t, "a.jpg.scr", "x"), "FILE_ARCHIVED_PROGRAM"},
		{"photos.zip", zipOf(t, "inner.zip", zipOf(t, "folder/a.lnk ", "x")), "FILE_ARCHIVED_PROGRAM"},
		{"tool.jar", zipOf(t, "META-INF/MANIFEST.MF", "", "A.class", "\xca\xfe\xba\xbe"), "FILE_PROGRAM"},
		{"page.html", "<html><script>x</script>", "FILE_ACTIVE_PAGE"},
		{"page.html", "<html><p>x", ""},
	} {
		report, err := New(nil).Run(t.Context(), filters.Mail{Message: attached(c.name, "application/octet-stream", c.content)})
		var names []string
		for _, h := range report.Hits {
			names = append(names, h.Symbol)
			if !strings.Contains(h.Detail, c.name) {
				t.Errorf("%s: the detail %q does not name the file", c.name, h.Detail)
			}
		}
		if got := strings.Join(names, " "); err != nil || got != c.want {
			t.Errorf("%s %.20q: %q, want %q, %v", c.name, c.content, got, c.want, err)
		}
	}
}

func TestAllThatARuleSaysHoldsOfOneFile(t *testing.T) {
	good := zipOf(t, "run.js", "x")
	for _, c := range []struct {
		name, content string
		want          bool
	}{
		{"Invoice 7.zip", good, true},
		{"photo.zip", good, false},
		{"Invoice 7.zip", zipOf(t, "run.txt", "x"), false},
		{"Invoice 7.zip", "run.js", false},
	} {
		report, err := New(cases[:1]).Run(t.Context(), filters.Mail{Message: attached(c.name, "application/zip", c.content)})
		got := slices.ContainsFunc(report.Hits, func(h filters.Hit) bool { return h.Symbol == "INVOICE_SCRIPT" })
		if err != nil || got != c.want {
			t.Errorf("%s %.20q: %v, %v", c.name, c.content, got, err)
		}
	}
}

func TestSample(t *testing.T) {
	for _, text := range []string{`a "b".js`, "Content-Type: text/plain; name=x.js\n\nhello"} {
		files := Sample(text).Files()
		if len(files) != 1 || !strings.HasSuffix(files[0].Filename, ".js") && !strings.Contains(files[0].Filename, `"b"`) {
			t.Errorf("%q: %+v", text, files)
		}
	}
	if p := Sample("Content-Type: text/plain; name=x.js\n\nhello").Files()[0]; string(p.Decoded()) != "hello\r\n" {
		t.Errorf("%q", p.Decoded())
	}
}

func TestACancelledRunIsAnErrorNotAMiss(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(cases).Run(ctx, filters.Mail{Message: Sample("a.js")}); err == nil {
		t.Error("no error")
	}
	if report, err := New(cases).Run(ctx, filters.Mail{}); err != nil || len(report.Hits) > 0 {
		t.Errorf("without a message: %v, %v", report, err)
	}
}
