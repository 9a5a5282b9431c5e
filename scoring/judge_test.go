package scoring

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/filters"
	"weir/rules"
	"weir/rules/strict"
)

// ruleset makes a set of symbols with thresholds tag 6 and reject 15.
func ruleset(symbols ...rules.Symbol) (*rules.Set, *rules.Policy) {
	set := &rules.Set{Symbols: map[string]*rules.Symbol{}}
	for i := range symbols {
		set.Symbols[symbols[i].Name] = &symbols[i]
	}
	p := &rules.Policy{ID: "default", Thresholds: rules.NoThresholds()}
	p.Thresholds.Tag, p.Thresholds.Reject = rules.Threshold{Points: 600}, rules.Threshold{Points: 1500}
	return set, p
}

func hits(names ...string) Facts {
	var f Facts
	for _, n := range names {
		f.Hits = append(f.Hits, filters.Hit{Symbol: n, Detail: "seen"})
	}
	return f
}

func sum(lines []Line) (total rules.Points) {
	for _, l := range lines {
		total += l.Points
	}
	return total
}

func TestJudge(t *testing.T) {
	weighted, shadow, hard := rules.Weighted, rules.Shadow, rules.Hard
	symbols := []rules.Symbol{
		{Name: "A", Points: 400}, {Name: "B", Points: 250}, {Name: "GOOD", Points: -300},
		{Name: "IP1", Points: 700, Family: "dns_ip"}, {Name: "IP2", Points: 800, Family: "dns_ip"},
		{Name: "OK_IP", Points: -500, Family: "dns_ip"},
		{Name: "Z_HARD", Points: 700, Mode: rules.Hard, Zone: "Z", Public: "listed at z.test"},
		{Name: "R_HARD", Points: 100, Mode: rules.Hard},
		{Name: "TRIAL", Points: 900, Mode: rules.Shadow},
		{Name: "BULK", Points: 1600, Family: "bulk"},
		{Name: "WANTED", CapAt: &rules.Cap{Family: "bulk"}},
		{Name: "FRIEND", Mode: rules.Allow}, {Name: "WL", Points: -200, Mode: rules.Allow, Zone: "WL"}, {Name: "GOOD_IP", Points: -50, Zone: "WL"},
		{Name: "M1", Points: 400, OneOf: "M"}, {Name: "M2", Points: 300, OneOf: "M"}, {Name: "M3", Points: -450, OneOf: "M"},
	}
	cases := []struct {
		name   string
		hits   []string
		zones  *rules.Mode
		action rules.Action
		points rules.Points
		by     By
	}{
		{"nothing", nil, nil, rules.Pass, 0, ByScore},
		{"below tag", []string{"A"}, nil, rules.Pass, 400, ByScore},
		{"tag", []string{"A", "B"}, nil, rules.Tag, 650, ByScore},
		{"saved by a good symbol", []string{"A", "B", "GOOD"}, nil, rules.Pass, 350, ByScore},
		{"repeated hits count once", []string{"A", "A", "A", "A"}, nil, rules.Pass, 400, ByScore},
		{"unknown symbols are worth nothing", []string{"NOBODY"}, nil, rules.Pass, 0, ByScore},
		{"a family is capped", []string{"IP1", "IP2"}, nil, rules.Tag, 1000, ByScore},
		{"a cap holds positive points only", []string{"IP1", "IP2", "OK_IP"}, nil, rules.Pass, 500, ByScore},
		{"hard refuses alone", []string{"Z_HARD"}, nil, rules.Reject, 700, ByHard},
		{"a policy weighs zones", []string{"Z_HARD"}, &weighted, rules.Tag, 700, ByScore},
		{"a policy tries zones", []string{"Z_HARD"}, &shadow, rules.Pass, 0, ByScore},
		{"a policy for zones leaves rules alone", []string{"R_HARD"}, &weighted, rules.Reject, 100, ByHard},
		{"a trial scores nothing", []string{"TRIAL"}, nil, rules.Pass, 0, ByScore},
		{"bulk refuses", []string{"BULK"}, nil, rules.Reject, 1600, ByScore},
		{"a friend passes whatever the sum", []string{"BULK", "FRIEND"}, nil, rules.Pass, 1600, ByAllow},
		{"and whatever refuses alone", []string{"Z_HARD", "R_HARD", "FRIEND"}, nil, rules.Pass, 800, ByAllow},
		{"an answer lets mail pass and counts", []string{"BULK", "WL"}, nil, rules.Pass, 1400, ByAllow},
		{"also where a policy has lists refuse", []string{"WL"}, &hard, rules.Pass, -200, ByAllow},
		{"but not where it tries them", []string{"BULK", "WL"}, &shadow, rules.Reject, 1600, ByScore},
		{"a list refuses nobody of whom it says good things", []string{"GOOD_IP"}, &hard, rules.Pass, -50, ByScore},
		{"wanted bulk is counted, not scored", []string{"BULK", "WANTED"}, nil, rules.Pass, 0, ByScore},
		{"only the heaviest of a group", []string{"M1", "M2"}, nil, rules.Pass, 400, ByScore},
		{"the heaviest may be a good one", []string{"M1", "M2", "M3"}, nil, rules.Pass, -450, ByScore},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			set, p := ruleset(slices.Clone(symbols)...)
			set.Caps = []rules.Cap{{Family: "dns_ip", Points: 1000}}
			p.ZoneMode = c.zones
			v := Judge(set, p, hits(c.hits...))
			if v.Action != c.action || v.Points != c.points || v.By != c.by {
				t.Errorf("got %s at %s by %s, want %s at %s by %s: %v", v.Action, v.Points, v.By, c.action, c.points, c.by, v.Why)
			}
			if sum(v.Why) != v.Points {
				t.Errorf("lines sum to %s, not %s", sum(v.Why), v.Points)
			}
		})
	}
}

func TestAPolicyHasItsOwnPoints(t *testing.T) {
	mode := rules.Hard
	for name, c := range map[string]struct {
		scores map[string]rules.Points
		hits   []string
		action rules.Action
		points rules.Points
	}{
		"lighter":               {map[string]rules.Points{"A": 100}, []string{"A"}, rules.Pass, 100},
		"others are as for all": {map[string]rules.Points{"A": 100}, []string{"B"}, rules.Tag, 700},
		"for nothing":           {map[string]rules.Points{"B": 0}, []string{"A", "B"}, rules.Pass, 400},
		"in favour":             {map[string]rules.Points{"A": -200}, []string{"A", "B"}, rules.Pass, 500},
		"within the cap":        {map[string]rules.Points{"C": 3000}, []string{"C"}, rules.Tag, 1000},
		"heaviest of a group":   {map[string]rules.Points{"M2": 500}, []string{"M1", "M2"}, rules.Pass, 500},
		"a list refuses":        {nil, []string{"LISTED"}, rules.Reject, 100},
		"not if in favour here": {map[string]rules.Points{"LISTED": -100}, []string{"LISTED"}, rules.Pass, -100},
		"it grows from there":   {map[string]rules.Points{"FLOOD": 1000}, []string{"FLOOD"}, rules.Tag, 762},
	} {
		t.Run(name, func(t *testing.T) {
			set, p := ruleset(rules.Symbol{Name: "A", Points: 400}, rules.Symbol{Name: "B", Points: 700},
				rules.Symbol{Name: "C", Points: 100, Family: "f"}, rules.Symbol{Name: "FLOOD", Points: 100, Grow: 10},
				rules.Symbol{Name: "M1", Points: 400, OneOf: "M"}, rules.Symbol{Name: "M2", Points: 300, OneOf: "M"},
				rules.Symbol{Name: "LISTED", Points: 100, Zone: "Z"})
			set.Caps = []rules.Cap{{Family: "f", Points: 1000}}
			p.ZoneMode, p.Scores = &mode, map[string]rules.Score{}
			for symbol, points := range c.scores {
				p.Scores[symbol] = rules.Score{Points: points, Src: strict.Src{File: "own.yaml", Line: 3, Col: 1}}
			}
			f := hits(c.hits...)
			f.Features.Bulk.AlikeStrict = 20
			v := Judge(set, p, f)
			if v.Action != c.action || v.Points != c.points || sum(v.Why) != c.points {
				t.Errorf("%s at %s: %v", v.Action, v.Points, v.Why)
			}
			for _, l := range v.Why {
				if _, own := p.Scores[l.Rule]; own != (l.Src == "own.yaml:3:1") {
					t.Errorf("%s is said to be worth %s by %s", l.Rule, l.Points, l.Src)
				}
			}
			if refuses := Refusers(set, p)["LISTED"]; refuses == (c.scores["LISTED"] < 0) {
				t.Errorf("the list is said to refuse alone: %v", refuses)
			}
			if set.Symbols["A"].Points != 400 {
				t.Error("the points for all have changed")
			}
		})
	}
}

func TestAPolicyChangesHowAlikeMessagesCount(t *testing.T) {
	weighted, shadow := rules.Weighted, rules.Shadow
	for _, c := range []struct {
		hit    string
		mode   *rules.Mode
		action rules.Action
		points rules.Points
	}{
		{"MANY", nil, rules.Tag, 700}, {"MANY", &weighted, rules.Tag, 700}, {"MANY", &shadow, rules.Pass, 0},
		{"FLOOD", nil, rules.Reject, 800}, {"FLOOD", &weighted, rules.Tag, 800}, {"FLOOD", &shadow, rules.Pass, 0},
		{"TRIED", &weighted, rules.Pass, 0}, {"LETTER", &weighted, rules.Pass, 0}, {"OTHER", &shadow, rules.Tag, 900}, {"LISTED", &shadow, rules.Tag, 900},
	} {
		set, p := ruleset(rules.Symbol{Name: "MANY", Points: 700, Family: "bulk"}, rules.Symbol{Name: "FLOOD", Points: 800, Family: "bulk", Mode: rules.Hard},
			rules.Symbol{Name: "TRIED", Points: 900, Family: "bulk", Mode: rules.Shadow}, rules.Symbol{Name: "LETTER", Family: "bulk", Mode: rules.Allow},
			rules.Symbol{Name: "OTHER", Points: 900, Family: "f"}, rules.Symbol{Name: "LISTED", Points: 900, Zone: "Z"})
		p.BulkMode = c.mode
		if v := Judge(set, p, hits(c.hit)); v.Action != c.action || v.Points != c.points || (v.By == ByAllow) != (c.hit == "LETTER") {
			t.Errorf("%s as %v: %s at %s by %s", c.hit, c.mode, v.Action, v.Points, v.By)
		}
	}
}

func TestReasonsNameTheHardFirstAndAtMostThree(t *testing.T) {
	set, p := ruleset(
		rules.Symbol{Name: "A", Points: 900, Public: "a"}, rules.Symbol{Name: "B", Points: 800, Public: "b"},
		rules.Symbol{Name: "C", Points: 700, Public: "c"}, rules.Symbol{Name: "D", Points: 950},
		rules.Symbol{Name: "H", Points: 10, Mode: rules.Hard, Public: "h"}, rules.Symbol{Name: "G", Points: -10, Public: "g"},
		rules.Symbol{Name: "T", Points: 990, Mode: rules.Shadow, Public: "t"})
	v := Judge(set, p, hits("A", "B", "C", "D", "G", "H", "T"))
	if !slices.Equal(v.Reasons, []string{"h", "a", "b"}) {
		t.Errorf("reasons %v", v.Reasons)
	}
}

func TestThresholdOffIsNeverReached(t *testing.T) {
	set, p := ruleset(rules.Symbol{Name: "A", Points: 9000})
	p.Thresholds.Reject.Off = true
	if v := Judge(set, p, hits("A")); v.Action != rules.Tag {
		t.Errorf("got %s, want tag", v.Action)
	}
}

// Whatever the symbols, caps and groups: the lines sum to the points, and the order of hits changes nothing.
func TestJudgeIsASumAndIgnoresOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		families, groups := []string{"", "f", "g"}, []string{"", "", "m", "n"}
		var symbols []rules.Symbol
		var names []string
		for i := range rapid.IntRange(1, 12).Draw(t, "symbols") {
			name := string(rune('A' + i))
			names = append(names, name)
			symbols = append(symbols, rules.Symbol{
				Name: name, Points: rules.Points(rapid.IntRange(-900, 900).Draw(t, "points")),
				Family: rapid.SampledFrom(families).Draw(t, "family"), OneOf: rapid.SampledFrom(groups).Draw(t, "group"),
				Mode: rules.Mode(rapid.IntRange(0, 3).Draw(t, "mode")),
			})
		}
		set, p := ruleset(symbols...)
		set.Caps = []rules.Cap{{Family: "f", Points: rules.Points(rapid.IntRange(0, 500).Draw(t, "cap"))}}
		f := hits(rapid.SliceOf(rapid.SampledFrom(names)).Draw(t, "hits")...)

		v := Judge(set, p, f)
		if sum(v.Why) != v.Points {
			t.Fatalf("lines sum to %s, not %s: %v", sum(v.Why), v.Points, v.Why)
		}
		rand.Shuffle(len(f.Hits), func(i, j int) { f.Hits[i], f.Hits[j] = f.Hits[j], f.Hits[i] })
		again := Judge(set, p, f)
		if again.Action != v.Action || again.By != v.By || !slices.Equal(again.Why, v.Why) || !slices.Equal(again.Shadow, v.Shadow) {
			t.Fatalf("order changed the verdict: %+v, then %+v", v, again)
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	set, p := ruleset(rules.Symbol{Name: "A", Points: 400}, rules.Symbol{Name: "B", Points: 250, Family: "f"},
		rules.Symbol{Name: "C", Points: -100}, rules.Symbol{Name: "D", Points: 300, Family: "f", Public: "d"})
	set.Caps = []rules.Cap{{Family: "f", Points: 400}}
	f := hits("A", "B", "C", "D", "E")
	b.ReportAllocs()
	for b.Loop() {
		Judge(set, p, f)
	}
}

// The points of a window that grows follow the count, in the sum as in the line, and never pass the window's worth.
func TestPointsGrow(t *testing.T) {
	set, p := ruleset(rules.Symbol{Name: "BULK", Points: 800, Family: "bulk", Grow: 20}, rules.Symbol{Name: "FIX", Points: 100})
	set.Caps = []rules.Cap{{Family: "bulk", Points: 700}}
	for alike, want := range map[int]rules.Points{20: 370 + 100, 40: 609 + 100, 100: 700 + 100, 1_000_000: 700 + 100} {
		f := hits("BULK", "FIX")
		f.Features.Bulk.AlikeStrict = alike
		if v := Judge(set, p, f); v.Points != want || sum(v.Why) != want {
			t.Errorf("at %d: %s, lines add up to %s, want %s", alike, v.Points, sum(v.Why), want)
		}
	}
	if set.Symbols["BULK"].Points != 800 {
		t.Error("the set itself has changed")
	}
}
