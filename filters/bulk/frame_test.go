package bulk

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// framed returns a page that looks like that of a case, with other words and links.
func framed(t *testing.T, r *rand.Rand, host string, words func() string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/skeleton/01-other-words.txt")
	if err != nil {
		t.Fatal(err)
	}
	page, _, _ := strings.Cut(strings.TrimPrefix(string(b), "-- first --\n"), "-- second --\n")
	for _, old := range []string{
		"A loan for your plans", "We lend to everyone.", "No paper is asked for.", "Paid within a day.", "Sent to you as a visitor.", ">Go on<", ">Leave<",
	} {
		new := words()
		if strings.HasPrefix(old, ">") {
			new = ">" + junk(r) + "<"
		}
		page = strings.ReplaceAll(page, old, new)
	}
	return strings.ReplaceAll(page, "a.example", host)
}

// lines yields words of a letter in any order, of which all but one in so many are replaced.
func lines(r *rand.Rand, letter string, oneIn int) func() string {
	words := strings.Fields(letter)
	return func() string {
		var b strings.Builder
		for range 16 {
			w := words[r.IntN(len(words))]
			if r.IntN(oneIn) > 0 {
				w = junk(r)
			}
			b.WriteString(w + " ")
		}
		return b.String()
	}
}

// Copies with a skeleton in common and little text are counted, by the loose grade; with the text alone they are not.
func TestSkeletonBesideText(t *testing.T) {
	letter := texts(t, "letters")["seminar.txt"]
	count := func(look string) (alike, sure int) {
		s, r := newStream(t, seeded()), rand.New(rand.NewPCG(3, 4))
		for n := range 14 {
			page := framed(t, r, fmt.Sprintf("%s.example", junk(r)), lines(r, letter, 2))
			if look == "changed" {
				page = strings.NewReplacer("px", fmt.Sprintf("%dpx", n), `="`, fmt.Sprintf(`="%d`, n+1)).Replace(page)
			}
			got := s.see(mail{body: page, kind: "text/html; charset=utf-8"}).Facts.Bulk
			alike, sure = max(alike, got.Alike), max(sure, got.AlikeStrict)
		}
		return alike, sure
	}
	kept, sure := count("kept")
	changed, _ := count("changed")
	if kept < 10 || changed > 2 || sure > 1 {
		t.Errorf("%d of 14 are alike, %d surely, and %d with skeletons of their own", kept, sure, changed)
	}
}

// A skeleton alone is evidence only with a campaign that is known to be bad.
func TestSkeletonAlone(t *testing.T) {
	for name, c := range map[string]struct {
		trap string
		from mail
		want bool
	}{
		"a trap":                      {trap: "trap0@corp.example", want: true},
		"no trap":                     {},
		"a trap, proven senders":      {trap: "trap0@corp.example", from: mail{auth: "proven"}},
		"a trap, links of one's own":  {trap: "trap0@corp.example", from: mail{from: "own"}},
		"a trap, and links of a tool": {trap: "trap0@corp.example", from: mail{header: "tool"}},
	} {
		s, r := newStream(t, seeded()), rand.New(rand.NewPCG(3, 4))
		most, sure := 0, 0
		for n := range 24 {
			host := junk(r) + ".example"
			m := mail{kind: "text/html; charset=utf-8", from: "info@" + junk(r) + ".example"}
			switch {
			case n%8 == 0:
				m.to = c.trap
			case c.from.auth != "":
				m.auth = m.from[len("info@"):]
			case c.from.from != "":
				m.from = "info@" + host
			}
			if c.from.header != "" {
				host = "click.tool.example"
			}
			m.body = framed(t, r, host, lines(r, "x", 1e9))
			got := s.see(m).Facts.Bulk
			most, sure = max(most, got.Alike), max(sure, got.AlikeStrict)
		}
		if most > 3 != c.want || c.want && most < 24 || sure > 1 { // three copies go to traps, whoever else is not counted with them
			t.Errorf("%s: %d alike, %d surely", name, most, sure)
		}
	}
}

// Many who write with one tool are not alike: shops with their newsletters, whether proven or not, and however many have
// seen its skeleton before.
func TestNewslettersOfOneTool(t *testing.T) {
	for _, proven := range []bool{false, true} {
		s, r := newStream(t, seeded()), rand.New(rand.NewPCG(3, 4))
		for n := range 30 {
			shop := junk(r) + ".example"
			m := mail{
				kind: "text/html; charset=utf-8", from: "news@" + shop, header: "List-Unsubscribe: <https://click.tool.example/" + junk(r) + ">\r\n",
				body: framed(t, r, "www."+shop, lines(r, "our news and offers from the store", 8)),
			}
			if proven {
				m.auth = shop
			}
			if got := s.see(m).Facts.Bulk; got.Alike != 1 {
				t.Errorf("newsletter %d, proven %v: %+v", n, proven, got)
			}
		}
	}
}
