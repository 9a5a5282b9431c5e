package pattern

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A text that the sets cannot read is read as far as the effort goes: what was found there is a hit, and the rest is no silence.
func TestATextMadeAgainstTheSetsIsReadInPart(t *testing.T) {
	expressions := append(manyExpressions(300), `(?i)next of kin`, `the last word$`)
	f := mustFind(t, expressions, true)
	text := "Dear next of kin, " + hostile(rand.New(rand.NewPCG(7, 8)), 4<<20) + " the last word"
	matches, err := f.find(t.Context(), []string{text})
	var slow *tooSlow
	if !errors.As(err, &slow) || slow.of != len(text) || slow.read < probe || slow.read >= len(text) {
		t.Fatalf("error %v", err)
	}
	at := slices.IndexFunc(matches, func(m match) bool { return m.expression == 300 })
	if at < 0 || !strings.Contains(matches[at].excerpt, "next of kin") {
		t.Errorf("found %v", matches)
	}
	for _, m := range matches {
		if !f.expressions[m.expression].MatchString(text[:slow.read+overlap]) {
			t.Errorf("%s does not match", expressions[m.expression])
		}
	}
}

func TestAShortTextIsReadWhole(t *testing.T) {
	expressions := append(manyExpressions(300), `the last word$`)
	f := mustFind(t, expressions, true)
	text := hostile(rand.New(rand.NewPCG(7, 8)), probed-20) + " the last word"
	if matches := mustSearch(t, f, []string{text}); len(matches) == 0 || matches[len(matches)-1].expression != 300 {
		t.Errorf("%d found, and not the last", len(matches))
	}
}

// What lies across pieces, or at the ends of a long text, is found as in a short one, and nothing else.
func TestLongTextsAreReadAsShortOnes(t *testing.T) {
	expressions := append(slices.Clone(oddExpressions), `needle{3}`, `(?s)needle.*needleeend`, `^needle`, `needle$`, `я{40}`)
	f := patient(mustFind(t, expressions, true))
	r := rand.New(rand.NewPCG(9, 10))
	filler := strings.ReplaceAll(benchText(3*probe), "e", "é")
	for range 6 {
		at := atRune(filler, probe-3+r.IntN(6))
		compareWithPlain(t, f, expressions, []string{filler[:at] + "needleee" + filler[at:] + "needleeend"})
		compareWithPlain(t, f, expressions, []string{filler[:at] + strings.Repeat("я", 35+r.IntN(10)) + filler[at:] + "needle"})
	}
}
