package bulk

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// some is a text of n words that nobody else writes.
func some(r *rand.Rand, n int) string {
	return eachWord(strings.TrimSpace(strings.Repeat("x ", n)), func(string) string { return junk(r) })
}

// withFile is a mail of text with a file beside it.
func withFile(text, kind, name string, data []byte) mail {
	return mail{kind: "multipart/mixed; boundary=b", body: "--b\n\n" + text + "\n--b\nContent-Type: " + kind +
		"\nContent-Disposition: attachment; filename=" + name + "\nContent-Transfer-Encoding: base64\n\n" +
		base64.StdEncoding.EncodeToString(data) + "\n--b--\n"}
}

func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// pdf is one whose program writes dates and an identifier anew into each copy.
func pdf(r *rand.Rand, content []byte) []byte {
	return fmt.Appendf(nil, "%%PDF-1.4\n/CreationDate (D:%d) /ModDate (D:%d)\n%s\n/ID [<%x> <%x>]\n%%%%EOF\n%d", r.Uint64(), r.Uint64(), content, r.Uint64(), r.Uint64(), r.Uint64())
}

// archive is one whose members are called something else each time and stand in another order.
func archive(t *testing.T, r *rand.Rand, members ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	for _, m := range members {
		w, err := z.CreateHeader(&zip.FileHeader{Name: junk(r), Modified: time.Unix(int64(r.Uint32()), 0)})
		if err == nil {
			_, err = w.Write(m)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A file that many send with other words each time is a campaign; cards, signatures and pictures beside a text are not.
func TestFilesInCommon(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	content, other := noise(r, 20_000), noise(r, 6_000)
	for name, c := range map[string]struct {
		one  func() mail
		want bool
	}{
		"a PDF":               {func() mail { return withFile(some(r, 6), "application/pdf", "a.pdf", pdf(r, content)) }, true},
		"a PDF beside a text": {func() mail { return withFile(some(r, 40), "application/pdf", "a.pdf", pdf(r, content)) }, true},
		"an archive":          {func() mail { return withFile(some(r, 40), "application/zip", "a.zip", archive(t, r, content, other)) }, true},
		"PDFs that differ":    {func() mail { return withFile(some(r, 6), "application/pdf", "a.pdf", pdf(r, noise(r, 20_000))) }, false},
		"archives that differ": {func() mail {
			return withFile(some(r, 6), "application/zip", "a.zip", archive(t, r, content, noise(r, 99)))
		}, false},
		"a small file": {func() mail { return withFile(some(r, 40), "application/pdf", "a.pdf", content[:2000]) }, false},
		"a card":       {func() mail { return withFile(some(r, 40), "text/vcard", "a.vcf", content) }, false},
		"a signature":  {func() mail { return withFile(some(r, 40), "application/pkcs7-signature", "smime.p7s", content) }, false},
		"a logo":       {func() mail { return withFile(some(r, 40), "image/png", "a.png", content) }, false},
	} {
		s := newStream(t, seeded())
		for n := 1; n <= 6; n++ {
			got := alike(s.see(c.one()))
			if c.want && got != n || !c.want && got > 1 {
				t.Errorf("%s: message %d is alike %d", name, n, got)
			}
		}
	}
}

// What a company sends along with all its letters is no evidence; the same message with another file is another one.
func TestFilesOfASender(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	terms := noise(r, 20_000)
	for name, one := range map[string]func() mail{
		"terms":        func() mail { return withFile(some(r, 30), "application/pdf", "terms.pdf", pdf(r, terms)) },
		"terms, short": func() mail { return withFile(some(r, 4), "application/pdf", "terms.pdf", pdf(r, terms)) },
		"scanned pages": func() mail {
			return withFile("Please find attached the scanned page of the device on floor two.", "application/pdf", "scan.pdf", noise(r, 9000))
		},
	} {
		s := newStream(t, seeded())
		for n := range 8 {
			m := one()
			m.auth = "firm.example"
			if got := alike(s.see(m)); got > 1 {
				t.Errorf("%s: message %d is alike %d", name, n, got)
			}
		}
	}
}
