package scoring

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/rules"
)

func TestWaterfallEndsAtTheSum(t *testing.T) {
	steps := Waterfall([]Line{{Rule: "A", Points: 400}, {Rule: "B", Points: -150}, {Rule: "cap:f", Points: -50}})
	var sums []rules.Points
	for _, s := range steps {
		sums = append(sums, s.Sum)
	}
	if !slices.Equal(sums, []rules.Points{400, 250, 200}) {
		t.Errorf("sums %v", sums)
	}
}

func TestSmallestChange(t *testing.T) {
	symbols := []rules.Symbol{
		{Name: "BIG", Points: 1000}, {Name: "MID", Points: 400}, {Name: "SMALL", Points: 200}, {Name: "TINY", Points: 100},
		{Name: "GOOD", Points: -300},
		{Name: "IP1", Points: 700, Family: "ip"}, {Name: "IP2", Points: 800, Family: "ip"},
		{Name: "BULK", Points: 1600, Family: "bulk"}, {Name: "WANTED", CapAt: &rules.Cap{Family: "bulk"}},
		{Name: "FRIEND", Mode: rules.Allow}, {Name: "FRIEND2", Points: -100, Mode: rules.Allow},
		{Name: "HARD", Points: 700, Mode: rules.Hard}, {Name: "HARD2", Mode: rules.Hard},
		{Name: "M1", Points: 700, OneOf: "m"}, {Name: "M2", Points: 650, OneOf: "m"}, {Name: "M3", Points: 100, OneOf: "m"},
	}
	cases := []struct {
		name    string
		hits    []string
		without []string // nil: there is no change
		action  rules.Action
		points  rules.Points
	}{
		{"nothing", nil, nil, 0, 0},
		{"nothing that would matter", []string{"SMALL", "TINY"}, nil, 0, 0},
		{"one addend", []string{"MID", "SMALL", "TINY"}, []string{"MID"}, rules.Pass, 300},
		{"the heaviest of two that would do", []string{"BIG", "MID", "SMALL"}, []string{"BIG"}, rules.Tag, 600},
		{"two addends", []string{"BIG", "BULK"}, []string{"BULK"}, rules.Tag, 1000},
		{"a good symbol", []string{"MID", "SMALL", "TINY", "GOOD"}, []string{"GOOD"}, rules.Tag, 700},
		{"a hard symbol", []string{"HARD"}, []string{"HARD"}, rules.Pass, 0},
		{"a hard symbol and a heavy one", []string{"HARD", "BULK"}, []string{"BULK", "HARD"}, rules.Pass, 0},
		{"two hard symbols", []string{"HARD", "HARD2"}, []string{"HARD", "HARD2"}, rules.Pass, 0},
		{"a friend", []string{"HARD", "FRIEND"}, []string{"FRIEND"}, rules.Reject, 700},
		{"two friends", []string{"BULK", "FRIEND", "FRIEND2"}, []string{"FRIEND2", "FRIEND"}, rules.Reject, 1600},
		{"a friend who was not needed", []string{"TINY", "FRIEND"}, nil, 0, 0},
		{"a capped family falls less than its symbol", []string{"IP1", "IP2"}, []string{"IP2", "IP1"}, rules.Pass, 0},
		{"what caps a family", []string{"BULK", "WANTED"}, []string{"WANTED"}, rules.Reject, 1600},
		{"another of the group counts then", []string{"M1", "M2", "M3"}, []string{"M1", "M2"}, rules.Pass, 100},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			set, p := ruleset(slices.Clone(symbols)...)
			set.Caps = []rules.Cap{{Family: "ip", Points: 1000}}
			v := Judge(set, p, hits(c.hits...))
			change, ok := SmallestChange(v.Why, v.Thresholds)
			if ok != (c.without != nil) || !slices.Equal(change.Without, c.without) || ok && (change.Action != c.action || change.Points != c.points || !change.Least) {
				t.Errorf("of %s at %s: %v %+v", v.Action, v.Points, ok, change)
			}
		})
	}
}

func TestManySymbolsAreBounded(t *testing.T) {
	var lines []Line
	for i := range 400 {
		lines = append(lines, Line{Rule: string(rune('A'+i/26)) + string(rune('a'+i%26)), Points: 100})
	}
	_, p := ruleset()
	change, ok := SmallestChange(lines, p.Thresholds)
	if !ok || change.Least || len(change.Without) != 386 || change.Points != 1400 {
		t.Errorf("%v, %d symbols, %s points", ok, len(change.Without), change.Points)
	}
}

// What is said of a verdict must come true when it is judged again, and nothing smaller may do.
func TestSmallestChangeComesTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// A cap that takes hold only when another symbol of a group counts is not in the lines, so there are not both.
		families, groups := []string{"", "f"}, []string{""}
		capped := rapid.Bool().Draw(t, "capped")
		if !capped {
			groups = []string{"", "", "m"}
		}
		var symbols []rules.Symbol
		var all []string
		for i := range rapid.IntRange(1, 7).Draw(t, "symbols") {
			name := string(rune('A' + i))
			all = append(all, name)
			symbols = append(symbols, rules.Symbol{
				Name: name, Points: rules.Points(rapid.IntRange(-600, 1200).Draw(t, "points")),
				Family: rapid.SampledFrom(families).Draw(t, "family"), OneOf: rapid.SampledFrom(groups).Draw(t, "group"),
				Mode: rapid.SampledFrom([]rules.Mode{rules.Weighted, rules.Weighted, rules.Hard, rules.Allow}).Draw(t, "mode"),
			})
		}
		set, p := ruleset(symbols...)
		if capped {
			set.Caps = []rules.Cap{{Family: "f", Points: rules.Points(rapid.IntRange(0, 900).Draw(t, "cap"))}}
		}
		v := Judge(set, p, hits(all...))
		change, ok := SmallestChange(v.Why, v.Thresholds)
		judged := func(out []string) Verdict {
			kept := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(out, s) })
			return Judge(set, p, hits(kept...))
		}
		if ok {
			if again := judged(change.Without); again.Action != change.Action || again.Points != change.Points || again.Action == v.Action {
				t.Fatalf("%+v, but it is %s at %s (before %s)", change, again.Action, again.Points, v.Action)
			}
		}
		for mask := range 1 << len(all) {
			var out []string
			for i, name := range all {
				if mask&(1<<i) != 0 {
					out = append(out, name)
				}
			}
			if smaller := !ok || len(out) < len(change.Without); smaller && judged(out).Action != v.Action {
				t.Fatalf("%v would do, found %v %+v", out, ok, change)
			}
		}
	})
}

// Each margin leads to its action, and nothing nearer leads to another than there was.
func TestMarginsAreTheNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := rules.Thresholds{
			Tag: rules.Threshold{Points: 60}, Subject: rules.Threshold{Points: 75, Off: rapid.Bool().Draw(t, "no subject")},
			Defer: rules.Threshold{Points: 90, Off: rapid.Bool().Draw(t, "off")}, Reject: rules.Threshold{Points: 150},
		}
		points := rules.Points(rapid.IntRange(-50, 200).Draw(t, "points"))
		action := ActionFor(limits, points)
		margins := Margins(points, limits)
		if want := map[bool]int{true: 1, false: 2}[action == rules.Pass || action == rules.Reject]; len(margins) != want {
			t.Fatalf("%s at %s: %v", action, points, margins)
		}
		for _, m := range margins {
			if ActionFor(limits, points+m.Points) != m.Action || m.Action == action {
				t.Fatalf("%s at %s: %v", action, points, m)
			}
			step := rules.Points(1)
			if m.Points < 0 {
				step = -1
			}
			if ActionFor(limits, points+m.Points-step) != action {
				t.Fatalf("%s at %s: %v is not the nearest", action, points, m)
			}
		}
	})
}

// Where all sets of a size are too many to try, whoever lets a message pass is still found first.
func TestAFriendOfManyIsFound(t *testing.T) {
	lines := []Line{{Rule: "FRIEND"}, {Rule: "allow:FRIEND"}, {Rule: "HARD"}, {Rule: "hard:HARD"}}
	for i := range 400 {
		lines = append(lines, Line{Rule: string(rune('A'+i/26)) + string(rune('a'+i%26)), Points: -100})
	}
	_, p := ruleset()
	if change, ok := SmallestChange(lines, p.Thresholds); !ok || !slices.Equal(change.Without, []string{"FRIEND"}) || change.Action != rules.Reject {
		t.Errorf("%v %+v", ok, change)
	}
}
