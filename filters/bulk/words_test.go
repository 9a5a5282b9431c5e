package bulk

import (
	"bufio"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func words(s string, skip ...string) string {
	var leave names
	for _, w := range skip {
		leave.add([]byte(w))
	}
	x := lexer{folder: newFolder()}
	return strings.TrimSpace(string(x.canonical(s, &leave).buf))
}

// Each pair of lines in testdata/canonical.txt is two writings of a text that a reader takes for the same.
func TestAlikeTexts(t *testing.T) {
	f, err := os.Open("testdata/canonical.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var plain string
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		kind, text, _ := strings.Cut(s.Text(), " ")
		switch kind {
		case "plain":
			plain = words(text)
		case "alike":
			n++
			if got := words(text); got != plain {
				t.Errorf("%s\n is %s\n not %s", text, got, plain)
			}
		case "other":
			n++
			if got := words(text); got == plain {
				t.Errorf("%s is taken for the text above", text)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d cases read", n)
	}
}

func TestRecipientWordsAreLeftOut(t *testing.T) {
	if got, want := words("Dear Henry, it is yours", words("henry")), words("Dear it is yours"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Whatever look-alikes are put for letters, the words stay.
func TestAnyLookalike(t *testing.T) {
	f := newFolder()
	const text = "please verify your mailbox before friday or the account will be suspended jazz quick"
	want := words(text)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var b strings.Builder
		for _, r := range text {
			for _, family := range lookalikes {
				if family.letter == f.fold(r) && rnd.IntN(2) == 0 {
					seen := []rune(family.seen)
					r = seen[rnd.IntN(len(seen))]
					break
				}
			}
			b.WriteRune(r)
			if rnd.IntN(8) == 0 {
				b.WriteRune([]rune("\u200b\u00ad\u200d\u2060\u0301")[rnd.IntN(5)])
			}
		}
		if got := words(b.String()); got != want {
			t.Fatalf("%s\n is %s\n not %s", b.String(), got, want)
		}
	}
}

func TestLookalikesAreInOneFamily(t *testing.T) {
	family := map[rune]rune{}
	for _, l := range lookalikes {
		for _, r := range l.seen {
			if other, found := family[r]; found {
				t.Errorf("%c is taken for %c and for %c", r, other, l.letter)
			}
			family[r] = l.letter
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"", "Hello world", "f-r-e-e m.o.n.e.y", "п\u0440и\u200bвет 0тлично", "ﬁne ㎏ Ⅻ", "日本語 テキスト", "\xff\xfe a\xc3", "a'b c@n $ave", strings.Repeat("a ", 40)} {
		f.Add(s)
	}
	x, cutter := lexer{folder: newFolder()}, newCutter()
	f.Fuzz(func(t *testing.T, s string) {
		out := x.canonical(s, nil)
		if !utf8.Valid(out.buf) && utf8.ValidString(s) {
			t.Fatalf("%q has the words %q", s, out.buf)
		}
		end := int32(0)
		for i, w := range out.words {
			if w.start != end || w.end <= w.start || out.buf[w.end] != ' ' {
				t.Fatalf("%q: word %d is at %v", s, i, w)
			}
			end = w.end + 1
			if strings.ContainsFunc(string(out.at(i)), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsDigit(r) }) {
				t.Fatalf("%q: word %q", s, out.at(i))
			}
		}
		if int(end) != len(out.buf) {
			t.Fatalf("%q: %d bytes of words in %q", s, end, out.buf)
		}
		cutter.ownWords(s)
		lift(s)
	})
}
