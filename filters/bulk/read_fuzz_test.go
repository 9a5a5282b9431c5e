package bulk

import (
	"bytes"
	"strings"
	"testing"

	"weir/filters"
)

const armour = "-----BEGIN PGP "

// What is cut from a text leaves no more of it, in bytes and lines, and what has no armour any more stays as it is.
func FuzzOwnWords(f *testing.F) {
	cutter := newCutter()
	f.Fuzz(func(t *testing.T, s string) {
		bare := unsigned(s)
		if len(bare) > len(s) || strings.Count(bare, "\n") > strings.Count(s, "\n") {
			t.Errorf("%q without armour is %q", s, bare)
		}
		if again := unsigned(bare); !strings.Contains(bare, armour) && again != bare {
			t.Errorf("%q, and %q the second time", bare, again)
		}
		own := cutter.ownWords(s)
		if len(own) > len(bare) || strings.Count(own, "\n") > strings.Count(bare, "\n") {
			t.Errorf("%q has the own words %q", s, own)
		}
		saysNothingNew(t, s, bare)
		saysNothingNew(t, bare, own)
	})
}

// saysNothingNew is for a text of which each line stands in another.
func saysNothingNew(t *testing.T, whole, part string) {
	t.Helper()
	for line := range strings.SplitSeq(part, "\n") {
		if !strings.Contains(whole, line) {
			t.Errorf("%q is not of %q", line, whole)
		}
	}
}

// A report quotes a piece of itself, which begins where a header has ended; without a header it quotes nothing.
func FuzzReport(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		quoted := below(s)
		if !strings.HasSuffix(s, quoted) {
			t.Fatalf("%q quotes %q", s, quoted)
		}
		if first, _, _ := strings.Cut(quoted, "\n"); strings.TrimSpace(first) != "" {
			t.Errorf("%q quotes %q, which begins with no empty line", s, quoted)
		}
		if header := "Received: x\nFrom: y\n\tz\nTo: z\n\n"; below(header+s) != "\n"+s {
			t.Errorf("%q below a header is %q", s, below(header+s))
		}
		m := filters.Mail{Message: filters.ParseMessage([]byte(s)), Envelope: &filters.Envelope{To: []string{"ann@a.example"}}}
		quoted, is := report(m)
		if is != isReport(m) || !is && quoted != "" {
			t.Errorf("%q quotes %q: %v", s, quoted, is)
		}
	})
}

// What lasts of a PDF is no longer than it, lasts, and does not depend on its dates.
func FuzzLasting(f *testing.F) {
	f.Fuzz(func(t *testing.T, pdf []byte) {
		whole := bytes.Clone(pdf)
		kept := lasting(pdf)
		if !bytes.Equal(pdf, whole) {
			t.Fatalf("%q has become %q", whole, pdf)
		}
		if len(kept) > len(pdf) {
			t.Errorf("%d bytes of %d", len(kept), len(pdf))
		}
		rest := append(whole, strings.Repeat(" ", 200)...) // more than a value that has begun before may have
		one, two := append(bytes.Clone(rest), "/ModDate (1)"...), append(bytes.Clone(rest), "/ModDate (22)"...)
		if !bytes.Equal(lasting(one), lasting(two)) {
			t.Errorf("%q and %q", lasting(one), lasting(two))
		}
	})
}
