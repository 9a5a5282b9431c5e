package pattern

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// oddExpressions are those in which two regexp libraries are most likely to differ.
var oddExpressions = []string{
	`^`, `$`, `\A`, `\z`, `^$`, `(?-m)^fund`, `(?m)a|^bank$`, `\Afund|bank\z`, `\Qfund`, `(?m)^fund$`, `(?m)^$`, `^fund`, `fund$`, `\bfund\b`, `\Bund\b`, `(?i)FUND`, `(?i)ſ`, `(?i)k`,
	`.`, `(?s).`, `(?s)^.*$`, `^.*$`, `[^a]`, `\s`, `\S`, `\d{3,}`, `\W`, `[[:punct:]]`, `\x{FFFD}`, `[\x00-\x08]`,
	`\p{Latin}[\p{Cyrillic}\p{Greek}]|[\p{Cyrillic}\p{Greek}]\p{Latin}`, `\p{Lu}{5}`, `\P{L}`, `[\x{1F4B0}\x{1F911}]`,
	`(?i)перевод`, `(?i)выигра[лт]`, `(a|b)*c`, `(?U)a+`, `a{0}`, `(?:)`, `x*`, `(?i:transfer)\s+of`, `fund.{0,30}bank`,
	`bank[^\n]{0,40}next`, `\Qa.b\E`, `(?P<word>kin)`, `^(?i:dear)`, `[Ѐ-ӿ]{4,}`, `é`, `\n`, `\r`, `\t`, `a\nb`, `$\n^`,
}

var vocabulary = strings.Split("fund,FUND,funds,Bank,bank,dear,Dear,transfer of,next of kin,kin,lottery,\n,\r\n,\t,  ,.,!!!,a.b,abc,bbbc,"+
	"1234,€,é,ſtop,K,Bаnk,перевод,ПЕРЕВОД,выиграл,Рассылка,💰,\x00,\x07,\xff,\xc3,\uFFFD,\u200b,http://a.example/x,x", ",")

func randomText(r *rand.Rand, words int) string {
	var b strings.Builder
	for range words {
		b.WriteString(vocabulary[r.IntN(len(vocabulary))])
		if r.IntN(3) > 0 {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// manyExpressions are n made-up rules like those of real rule sets.
func manyExpressions(n int) []string {
	verbs := []string{"claim", "verify", "confirm", "transfer", "release", "unlock", "update", "collect", "review", "renew"}
	things := []string{"prize", "account", "password", "parcel", "fund", "invoice", "wallet", "refund", "mailbox", "card"}
	forms := []string{`(?i)\b%s (?:your|the) %s\b`, `(?i)%s.{0,20}%s`, `\b%s[a-z]{0,5}\s+%s\d{2,6}`, `(?i)(?:%s|now) +%s[.!]`}
	var all []string
	for i := range n {
		form := forms[i%len(forms)]
		tail := ""
		if i >= 400 {
			tail = fmt.Sprintf(` no%d`, i)
		}
		all = append(all, fmt.Sprintf(form, verbs[i/len(forms)%10], things[i/40%10])+tail)
	}
	return all
}

func mustFind(t testing.TB, expressions []string, single bool) *finder {
	t.Helper()
	f, err := newFinder(expressions, single)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// patient is a finder that reads every text to its end, however slow the machine is.
func patient(f *finder) *finder {
	for i := range f.sets {
		f.sets[i].effort = time.Hour
	}
	return f
}

func mustSearch(t testing.TB, f *finder, texts []string) []match {
	matches, err := f.find(t.Context(), texts)
	if err != nil {
		t.Error(err)
	}
	return matches
}

// plain is what a finder must find, by the plainest means.
func plain(expressions []*regexp.Regexp, texts []string) []int {
	var found []int
	for i, re := range expressions {
		if slices.ContainsFunc(texts, re.MatchString) {
			found = append(found, i)
		}
	}
	return found
}

func numbers(matches []match) []int {
	var found []int
	for _, m := range matches {
		found = append(found, m.expression)
	}
	return found
}

func compareWithPlain(t *testing.T, f *finder, expressions, texts []string) {
	t.Helper()
	matches := mustSearch(t, f, texts)
	got, want := numbers(matches), plain(f.expressions, texts)
	if !slices.Equal(got, want) {
		t.Errorf("in %q:\n found %v\nwanted %v", texts, named(expressions, got), named(expressions, want))
	}
	for _, m := range matches {
		if n := utf8.RuneCountInString(m.excerpt); n > maxExcerpt || strings.ContainsAny(m.excerpt, "\r\n\t\x00") {
			t.Errorf("excerpt of %d characters: %q", n, m.excerpt)
		}
	}
}

func named(expressions []string, numbers []int) []string {
	var names []string
	for _, n := range numbers {
		names = append(names, expressions[n])
	}
	return names
}

func TestFinderAgreesWithRegexp(t *testing.T) {
	expressions := append(slices.Clone(oddExpressions), manyExpressions(200)...)
	single, several := patient(mustFind(t, expressions, true)), patient(mustFind(t, expressions, false))
	if len(single.sets) == 0 || len(several.sets) == 0 {
		t.Fatal("no set is used")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		compareWithPlain(t, single, expressions, []string{randomText(r, r.IntN(60))})
		texts := make([]string, 1+r.IntN(5))
		for i := range texts {
			texts[i] = randomText(r, r.IntN(8))
		}
		compareWithPlain(t, several, expressions, texts)
	}
}

func TestFinderAgreesWithRegexpOnTestdata(t *testing.T) {
	files, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no messages: %v", err)
	}
	expressions := append(slices.Clone(oddExpressions), manyExpressions(100)...)
	single, several := patient(mustFind(t, expressions, true)), patient(mustFind(t, expressions, false))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		compareWithPlain(t, single, expressions, []string{string(data)})
		compareWithPlain(t, several, expressions, strings.Split(string(data), "\n"))
	}
}

func FuzzFinderAgreesWithRegexp(f *testing.F) {
	for _, text := range []string{"", "fund", "a\nb", "Dear\r\n\r\nBаnk\x00\xff fund", "\u212a ſ K перевод 💰", "bank\n...\nnext", "\xd0 \xed\xa0\x80"} {
		f.Add(text)
	}
	single, several := patient(mustFind(f, oddExpressions, true)), patient(mustFind(f, oddExpressions, false))
	f.Fuzz(func(t *testing.T, text string) {
		compareWithPlain(t, single, oddExpressions, []string{text})
		compareWithPlain(t, several, oddExpressions, strings.Split(text, "|"))
	})
}

func TestTooLargeTogetherIsSplitAndTooLargeAloneIsTriedAlone(t *testing.T) {
	expressions := []string{`(?i)\pL{20}`, `c`}
	f, err := newFinderWithin(256<<10, expressions, true)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(f.alone, 0) || len(f.sets) == 0 {
		t.Errorf("alone %v, sets %d", f.alone, len(f.sets))
	}
	compareWithPlain(t, f, expressions, []string{strings.Repeat("x", 20) + "c"})
}

func TestEvidenceHasABudgetButHitsDoNot(t *testing.T) {
	var expressions []string
	for i := range 30 {
		expressions = append(expressions, fmt.Sprintf("needle%d$", i), fmt.Sprintf("needle%d", i))
	}
	text := strings.Repeat("hay ", searchBudget/40)
	for i := range 30 {
		text += fmt.Sprintf("needle%d ", i)
	}
	matches := mustSearch(t, mustFind(t, expressions, true), []string{text})
	if len(matches) != 30 {
		t.Fatalf("%d matches, want 30", len(matches))
	}
	if matches[0].excerpt == "" || matches[29].excerpt != "" {
		t.Errorf("excerpts %q and %q", matches[0].excerpt, matches[29].excerpt)
	}
}

// A text that is made against the sets is not read on for ever.
func TestASearchEndsWithItsContext(t *testing.T) {
	f := mustFind(t, manyExpressions(3*maxSet), true)
	if len(f.sets) < 3 {
		t.Fatalf("%d sets", len(f.sets))
	}
	text := "claim your prize, now prize."
	if all := mustSearch(t, f, []string{text}); len(all) < 2 {
		t.Fatalf("%d matches", len(all))
	}
	ctx := &ending{Context: t.Context(), left: 2}
	matches, err := f.find(ctx, []string{text})
	if !errors.Is(err, context.Canceled) || len(matches) == 0 || matches[0].excerpt != "" {
		t.Errorf("%v, %v", matches, err)
	}
}

// ending is a context that is cancelled after it was asked left times.
type ending struct {
	context.Context
	left int
}

func (e *ending) Err() error {
	if e.left--; e.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestExcerpt(t *testing.T) {
	text := "Dear friend,\r\n\tI am a\x00 banker\u202e; " + strings.Repeat("я", 100)
	for _, c := range []struct {
		what string
		want string
	}{
		{"Dear", "Dear friend, I am…"},
		{"banker", "…iend, I am a banker�; яяяяяяяяяяяяя…"},
		{strings.Repeat("я", 100), "…am a banker�; " + strings.Repeat("я", 44) + "…"},
	} {
		at := strings.Index(text, c.what)
		got := excerptOf(text, at, at+len(c.what))
		if got != c.want || utf8.RuneCountInString(got) > maxExcerpt {
			t.Errorf("%.20q: %q, want %q", c.what, got, c.want)
		}
	}
}

// benchText is n bytes of made-up prose.
func benchText(n int) string {
	r := rand.New(rand.NewPCG(3, 4))
	words := strings.Fields("the of and to in we order your you is for on that with this be are from our will account have at as please " +
		"delivery can price all if any more has new see their which item they one time update when here was how week free about meeting " +
		"project report review team tomorrow thanks regards attached document number street invoice payment customer service email phone")
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(words[r.IntN(len(words))])
		if r.IntN(12) == 0 {
			b.WriteString(".\n")
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()[:n]
}

func BenchmarkBody10KB(b *testing.B) {
	texts := []string{benchText(10 << 10)}
	for _, n := range []int{3, 30, 300, 3000} {
		expressions := manyExpressions(n)
		b.Run(fmt.Sprintf("compile-%d", n), func(b *testing.B) {
			for b.Loop() {
				mustFind(b, expressions, true)
			}
		})
		f := mustFind(b, expressions, true)
		b.Run(fmt.Sprintf("find-%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mustSearch(b, f, texts)
			}
			b.ReportMetric(float64(len(mustSearch(b, f, texts))), "hits")
		})
		b.Run(fmt.Sprintf("parallel-%d", n), func(b *testing.B) {
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					mustSearch(b, f, texts)
				}
			})
		})
	}
}

// manyLiterals are n texts without an operator, each another, of the words of manyExpressions.
func manyLiterals(n int) []string {
	word := regexp.MustCompile(`[a-z]{4,}`)
	all := manyExpressions(n)
	for i, e := range all {
		words := word.FindAllString(strings.ReplaceAll(e, `\b`, ""), -1)
		all[i] = fmt.Sprintf("(?i)%s no%d", strings.Join(words, " "), i)
	}
	return all
}

// BenchmarkLiterals is what 3,000 rules of plain words cost beside as many of expressions.
func BenchmarkLiterals(b *testing.B) {
	texts := []string{benchText(10 << 10)}
	for kind, expressions := range map[string][]string{"expressions": manyExpressions(3000), "literals": manyLiterals(3000)} {
		b.Run(kind, func(b *testing.B) {
			f := mustFind(b, expressions, true)
			mustSearch(b, f, texts)
			began := cpu(b)
			for b.Loop() {
				mustSearch(b, f, texts)
			}
			b.ReportMetric(float64((cpu(b)-began).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(len(mustSearch(b, f, texts))), "hits")
		})
	}
}

func BenchmarkHeader(b *testing.B) {
	texts := []string{"Re: the delivery of your order 12345 is on its way"}
	for _, n := range []int{1, 2, 4, 6, 8, 12, 16, 32, 100} {
		expressions := manyExpressions(n)
		for _, mode := range []string{"set", "alone"} {
			f := mustFind(b, expressions, false)
			all := slices.Collect(func(yield func(int) bool) {
				for i := range n {
					yield(i)
				}
			})
			f.alone, f.sets = all, nil
			if mode == "set" {
				f.alone = nil
				f.gather(all)
			}
			b.Run(fmt.Sprintf("%s-%d", mode, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					mustSearch(b, f, texts)
				}
			})
		}
	}
}

// hostile is a text made of the rules' own words in ever new order, so that the sets' states are of little use again and
// many expressions match late.
func hostile(r *rand.Rand, n int) string {
	words := strings.Fields("claim verify confirm transfer release unlock update collect review renew prize account password parcel fund invoice no 12 ! your the now")
	var text strings.Builder
	for text.Len() < n {
		text.WriteString(words[r.IntN(len(words))][r.IntN(2):])
		text.WriteString("    "[r.IntN(4):])
	}
	return text.String()[:n]
}

// BenchmarkHostile is what texts that are made against the rules cost, beside ordinary ones of the same size.
func BenchmarkHostile(b *testing.B) {
	for _, expressions := range []int{300, 3000} {
		for _, size := range []int{64 << 10, 512 << 10} {
			for kind, text := range map[string]func(*rand.Rand) string{
				"ordinary": func(*rand.Rand) string { return benchText(size) },
				"hostile":  func(r *rand.Rand) string { return hostile(r, size) },
			} {
				b.Run(fmt.Sprintf("%s-%d-%dKiB", kind, expressions, size>>10), func(b *testing.B) {
					f := mustFind(b, manyExpressions(expressions), true)
					mustSearch(b, f, []string{benchText(warm)})
					r := rand.New(rand.NewPCG(5, 6))
					began := cpu(b)
					for b.Loop() {
						_, _ = f.find(b.Context(), []string{text(r)})
					}
					b.ReportMetric(float64((cpu(b)-began).Microseconds())/1000/float64(b.N), "cpu-ms/op")
				})
			}
		}
	}
}

// cpu is how long this process has run.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
