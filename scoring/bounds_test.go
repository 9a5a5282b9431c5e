package scoring

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"weir/filters"
	"weir/rules"
)

// conditions is a set of conditions over the names S0 to S7, which are given their worth by drawnSet.
const conditions = `version: 1
rules:
  - { id: S0, about: s, check: a, score: 1 }
  - { id: S1, about: s, check: a, score: 1 }
  - { id: S2, about: s, check: a, score: 1 }
  - { id: S3, about: s, check: a, score: 1 }
  - { id: S4, about: s, check: a, score: 1 }
  - { id: S5, about: s, check: a, score: 1 }
  - { id: S6, about: s, check: a, score: 1 }
  - { id: S7, about: s, check: a, score: 1 }
  - { id: C_AND, about: c, when: S0 and S1, score: 1 }
  - { id: C_NOT, about: c, when: not S2, score: 1 }
  - { id: C_OF, about: c, when: C_NOT and (S3 or C_AND), score: 1 }
  - { id: C_SIZE, about: c, when: S4 and size > 100, score: 1 }
  - { id: C_ODD, about: c, when: S5 and 10 % size > 5, score: 1 }
  - { id: C_BULK, about: c, when: bulk.alike > 5 or S6, score: 1 }
  - { id: C_MANY, about: c, when: S0 and S1 and S2 and S3 and S4 or not S5, score: 1 }
  - { id: C_HELO, about: c, when: helo == "x" and not S7, score: 1 }
`

var reportable = []string{"S0", "S1", "S2", "S3", "S4", "S5", "S6", "S7", rules.GreylistNew, "C_NOT", "NOBODY_WEIGHS"}

func loadConditions(t testing.TB) *rules.Set {
	t.Helper()
	known := rules.Known{"a": slices.Clone(reportable[:8])}
	set, findings := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(conditions)}}, "r.yaml", known)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

var somePoints = rapid.Map(rapid.IntRange(-20, 30), func(n int) rules.Points { return rules.Points(n * 50) })

// drawnSet is loaded with worth, groups, caps and greylisting at random.
func drawnSet(t *rapid.T, loaded *rules.Set) (*rules.Set, *rules.Policy) {
	set := *loaded
	set.Symbols = map[string]*rules.Symbol{}
	family := rapid.SampledFrom([]string{"", "f", "bulk"})
	names := append(slices.Sorted(maps.Keys(loaded.Symbols)), rules.GreylistNew)
	for _, name := range names {
		s := &rules.Symbol{Name: name, Points: somePoints.Draw(t, name), Family: family.Draw(t, "family")}
		s.OneOf = rapid.SampledFrom([]string{"", "", "", "one", "two"}).Draw(t, "one of")
		s.Mode = rapid.SampledFrom([]rules.Mode{rules.Weighted, rules.Weighted, rules.Weighted, rules.Weighted, rules.Weighted, rules.Shadow, rules.Hard, rules.Allow}).Draw(t, "mode")
		if rapid.IntRange(0, 3).Draw(t, "zone") == 0 {
			s.Zone = "Z"
		}
		if rapid.IntRange(0, 5).Draw(t, "caps") == 0 {
			s.CapAt = &rules.Cap{Family: family.Draw(t, "of"), Points: somePoints.Draw(t, "at")}
		}
		if rapid.IntRange(0, 5).Draw(t, "grows") == 0 && s.Zone == "" { // answers of lists do not grow
			s.Grow = 10
		}
		if rapid.IntRange(0, 9).Draw(t, "weighed") > 0 {
			set.Symbols[name] = s
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "caps") {
		set.Caps = append(set.Caps, rules.Cap{Family: family.Draw(t, "of"), Points: somePoints.Draw(t, "at")})
	}
	if rapid.Bool().Draw(t, "greylist") {
		from := somePoints.Draw(t, "from")
		set.Greylist = &rules.Greylist{From: from, Below: from + 50*rules.Points(rapid.IntRange(1, 30).Draw(t, "band"))}
	}
	threshold := func(name string) rules.Threshold {
		return rules.Threshold{Points: somePoints.Draw(t, name), Off: rapid.IntRange(0, 3).Draw(t, "off") == 0}
	}
	p := &rules.Policy{ID: "p", Thresholds: rules.Thresholds{Tag: threshold("tag"), Subject: threshold("subject"), Defer: threshold("defer"), Reject: threshold("reject")}}
	if rapid.IntRange(0, 2).Draw(t, "zones") == 0 {
		mode := rapid.SampledFrom([]rules.Mode{rules.Weighted, rules.Hard, rules.Shadow}).Draw(t, "mode")
		p.ZoneMode = &mode
	}
	if rapid.IntRange(0, 2).Draw(t, "bulk") == 0 {
		mode := rapid.SampledFrom([]rules.Mode{rules.Weighted, rules.Shadow}).Draw(t, "mode")
		p.BulkMode = &mode
	}
	p.NoGreylist = rapid.IntRange(0, 3).Draw(t, "no greylist") == 0
	p.Scores = map[string]rules.Score{}
	for _, name := range names {
		if rapid.IntRange(0, 4).Draw(t, "own") == 0 {
			p.Scores[name] = rules.Score{Points: somePoints.Draw(t, name)}
		}
	}
	return &set, p
}

func drawnFacts(t *rapid.T) (f Facts, open []string) {
	f = hits(rapid.SliceOfDistinct(rapid.SampledFrom(reportable), rapid.ID[string]).Draw(t, "hits")...)
	f.Features.Size = rapid.SampledFrom([]int{0, 2, 500}).Draw(t, "size")
	f.Features.Bulk.Alike = rapid.SampledFrom([]int{0, 9}).Draw(t, "alike")
	f.Features.Bulk.AlikeStrict = rapid.IntRange(0, 20).Draw(t, "alike strict")
	f.Features.Helo = rapid.SampledFrom([]string{"", "x"}).Draw(t, "helo")
	return f, rapid.SliceOfNDistinct(rapid.SampledFrom(reportable), 0, 5, rapid.ID[string]).Draw(t, "open")
}

// check checks a property more often than usual: what it is about seldom bears on a message drawn at random.
func check(t *testing.T, property func(*rapid.T)) {
	for range 8 {
		rapid.Check(t, property)
	}
}

// outcomes calls each with f and every subset of the open symbols.
func outcomes(f Facts, open []string, each func(Facts)) {
	for subset := range 1 << len(open) {
		all := f
		all.Hits = slices.Clone(f.Hits)
		for i, name := range open {
			if subset>>i&1 == 1 {
				all.Hits = append(all.Hits, filters.Hit{Symbol: name})
			}
		}
		each(all)
	}
}

// Whatever open checks report, the verdict lies within the bounds; and where nothing is open they are the verdict.
func TestEveryOutcomeLiesWithinTheBounds(t *testing.T) {
	loaded := loadConditions(t)
	certain, all := 0, 0
	check(t, func(t *rapid.T) {
		set, p := drawnSet(t, loaded)
		f, open := drawnFacts(t)
		r := Bounds(set, p, f, open)
		outcomes(f, open, func(f Facts) {
			v := Judge(set, p, f)
			if v.Points < r.Low.Points || v.Points > r.High.Points || v.Action < r.Low.Action || v.Action > r.High.Action {
				t.Fatalf("with %v it is %s at %s, outside of %+v", f.Hits, v.Action, v.Points, r)
			}
		})
		v := Judge(set, p, f)
		if exact := (Range{Extreme{v.Action, v.Points}, Extreme{v.Action, v.Points}}); Bounds(set, p, f, nil) != exact {
			t.Fatalf("with nothing open it is %+v, want %+v", Bounds(set, p, f, nil), exact)
		}
		if all++; len(open) > 0 && r.Certain() {
			certain++
		}
	})
	if certain < all/20 {
		t.Errorf("%d of %d were certain: that shows little", certain, all)
	}
}

// Without conditions, hard symbols, groups over families and caps that depend on symbols, the bounds are reached.
func TestBoundsAreReached(t *testing.T) {
	loaded := loadConditions(t)
	check(t, func(t *rapid.T) {
		set, p := drawnSet(t, loaded)
		set.Combos, set.Greylist, p.ZoneMode, p.BulkMode = nil, nil, nil, nil
		for _, s := range set.Symbols {
			s.CapAt, s.Mode = nil, rules.Weighted
			if s.OneOf != "" {
				s.Family = s.OneOf
			}
		}
		f, open := drawnFacts(t)
		first := Judge(set, p, f)
		got := Range{Extreme{first.Action, first.Points}, Extreme{first.Action, first.Points}}
		outcomes(f, open, func(all Facts) {
			v := Judge(set, p, all)
			got.Low = Extreme{min(got.Low.Action, v.Action), min(got.Low.Points, v.Points)}
			got.High = Extreme{max(got.High.Action, v.Action), max(got.High.Points, v.Points)}
		})
		if r := Bounds(set, p, f, open); r != got {
			t.Fatalf("bounds %+v, reached are %+v", r, got)
		}
	})
}

// Who is refused before the message has come would be refused whatever it is, unless something lets it pass of which
// nothing could be known then.
func TestARefusalWithoutTheMessageIsFinal(t *testing.T) {
	loaded := loadConditions(t)
	refused := 0
	check(t, func(t *rapid.T) {
		set, p := drawnSet(t, loaded)
		f, open := drawnFacts(t)
		if !Refuses(set, p, f, open) {
			return
		}
		refused++
		for _, h := range f.Hits {
			if s := set.Symbols[h.Symbol]; s != nil && p.ModeOf(s) == rules.Allow {
				t.Fatalf("refused, but %s lets it pass", h.Symbol)
			}
		}
		f.Features.Size, f.Features.Bulk.Alike = rapid.IntRange(0, 1000).Draw(t, "later size"), rapid.IntRange(0, 10).Draw(t, "later alike")
		outcomes(f, open, func(all Facts) {
			if v := Judge(set, p, all); v.By != ByAllow && (v.Action != rules.Reject || v.By != ByHard) {
				t.Fatalf("refused, but with %v it is %s", all, v.Action)
			}
		})
	})
	if refused == 0 {
		t.Error("nothing was refused, so nothing is shown")
	}
}

// A symbol that is none of the refusers and allowers never changes whether anything refuses alone.
func TestWhoCannotRefuseNeedNotBeWaitedFor(t *testing.T) {
	loaded := loadConditions(t)
	check(t, func(t *rapid.T) {
		set, p := drawnSet(t, loaded)
		f, open := drawnFacts(t)
		refusers, allowers := Refusers(set, p), Allowers(set, p)
		open = slices.DeleteFunc(open, func(name string) bool { return refusers[name] || allowers[name] })
		by := Judge(set, p, f).By
		outcomes(f, open, func(all Facts) {
			if v := Judge(set, p, all); v.By != by {
				t.Fatalf("with %v it is decided by %s, without by %s", all.Hits, v.By, by)
			}
		})
	})
}

// Greylisting defers in a band of the sum, strangers only, and nobody whom a list knows as good.
func TestBoundsOfGreylisting(t *testing.T) {
	const tag, wait, reject = rules.Tag, rules.Defer, rules.Reject
	set, p := ruleset(
		rules.Symbol{Name: rules.GreylistNew}, rules.Symbol{Name: "FOUR", Points: 400}, rules.Symbol{Name: "TWO", Points: 200},
		rules.Symbol{Name: "TEN", Points: 1000}, rules.Symbol{Name: "GOOD", Points: -50, Zone: "Z"}, rules.Symbol{Name: "HARD", Mode: rules.Hard},
	)
	set.Greylist = &rules.Greylist{From: 400, Below: 1000}
	for _, c := range []struct {
		hits, open []string
		low, high  rules.Action
	}{
		{[]string{rules.GreylistNew, "FOUR"}, []string{"TWO"}, wait, wait},
		{[]string{"FOUR", "TWO"}, []string{rules.GreylistNew}, tag, wait},
		{[]string{"FOUR", "TWO"}, nil, tag, tag},
		{[]string{rules.GreylistNew, "TWO"}, []string{"FOUR"}, rules.Pass, wait},
		{[]string{rules.GreylistNew, "FOUR", "TWO"}, []string{"GOOD"}, rules.Pass, wait},
		{[]string{rules.GreylistNew, "FOUR", "TWO", "GOOD"}, nil, rules.Pass, rules.Pass},
		{[]string{rules.GreylistNew, "FOUR", "TWO"}, []string{"TEN"}, tag, reject},
		{[]string{rules.GreylistNew, "TEN"}, []string{"TWO"}, tag, tag},
		{[]string{rules.GreylistNew, "FOUR"}, []string{"HARD"}, wait, reject},
		{[]string{rules.GreylistNew, "FOUR", "HARD"}, []string{"TWO"}, reject, reject},
	} {
		if r := Bounds(set, p, hits(c.hits...), c.open); r.Low.Action != c.low || r.High.Action != c.high {
			t.Errorf("%v and perhaps %v: from %s to %s, want from %s to %s", c.hits, c.open, r.Low.Action, r.High.Action, c.low, c.high)
		}
	}
}

func BenchmarkBounds(b *testing.B) {
	var symbols []rules.Symbol
	var open []string
	for i := range 30 {
		s := rules.Symbol{Name: fmt.Sprintf("S%02d", i), Points: rules.Points(10 * i), Family: "f", OneOf: fmt.Sprintf("zone %d", i/4)}
		symbols = append(symbols, s)
		if i%2 == 0 {
			open = append(open, s.Name)
		}
	}
	set, p := ruleset(symbols...)
	set.Caps = []rules.Cap{{Family: "f", Points: 500}}
	f := hits("S01", "S03", "S05", "S07", "S11")
	b.ReportAllocs()
	for b.Loop() {
		Bounds(set, p, f, open)
	}
}

// What lets mail pass does so from the moment it is known, and lifts no refusal before.
func TestBoundsOfAllowing(t *testing.T) {
	set, p := ruleset(
		rules.Symbol{Name: "FRIEND", Mode: rules.Allow}, rules.Symbol{Name: "HARD", Mode: rules.Hard}, rules.Symbol{Name: "TEN", Points: 1000},
	)
	for _, c := range []struct {
		hits, open []string
		low, high  rules.Action
		refuses    bool
	}{
		{[]string{"HARD"}, nil, rules.Reject, rules.Reject, true},
		{[]string{"HARD"}, []string{"FRIEND"}, rules.Pass, rules.Reject, true},
		{[]string{"HARD", "FRIEND"}, []string{"TEN"}, rules.Pass, rules.Pass, false},
		{[]string{"FRIEND"}, []string{"HARD", "TEN"}, rules.Pass, rules.Pass, false},
		{[]string{"TEN"}, []string{"FRIEND"}, rules.Pass, rules.Tag, false},
	} {
		r := Bounds(set, p, hits(c.hits...), c.open)
		if refuses := Refuses(set, p, hits(c.hits...), c.open); r.Low.Action != c.low || r.High.Action != c.high || refuses != c.refuses {
			t.Errorf("%v and perhaps %v: from %s to %s, refused before the message: %v", c.hits, c.open, r.Low.Action, r.High.Action, refuses)
		}
	}
}
