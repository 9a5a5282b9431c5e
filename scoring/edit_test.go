package scoring

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/rules"
)

// What is said of an edit must come true when the verdict is judged again under it, and no smaller change of a weight may do.
func TestSmallestEditsComeTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capped := rapid.Bool().Draw(t, "capped")
		groups, least := []string{""}, 0
		if capped {
			least = 2
		} else {
			groups = []string{"", "m"}
		}
		var symbols []rules.Symbol
		var all []string
		for i := range rapid.IntRange(1+least, 5).Draw(t, "symbols") {
			all = append(all, string(rune('A'+i)))
			symbols = append(symbols, rules.Symbol{
				Name: all[i], Points: rules.Points(rapid.IntRange(-20, 40).Draw(t, "points")),
				Family: rapid.SampledFrom([]string{"f", "f", ""}).Draw(t, "family"), OneOf: rapid.SampledFrom(groups).Draw(t, "group"),
			})
		}
		limits := rules.Thresholds{Tag: rules.Threshold{Points: 20}, Subject: rules.Threshold{Points: 30}, Defer: rules.Threshold{Off: true}, Reject: rules.Threshold{Points: 45}}
		judge := func(symbols []rules.Symbol, limits rules.Thresholds, cap rules.Points) Verdict {
			set, p := ruleset(symbols...)
			p.Thresholds = limits
			if capped {
				set.Caps = []rules.Cap{{Family: "f", Points: cap}}
			}
			return Judge(set, p, hits(all...))
		}
		most := rules.Points(rapid.IntRange(0, 30).Draw(t, "cap"))
		v := judge(symbols, limits, most)
		if capped && !slices.ContainsFunc(v.Why, func(l Line) bool { return l.Rule == "cap:f" }) {
			return // a cap that was not in force is not in the lines
		}
		with := func(name string, is rules.Points) Verdict {
			edited, moved := slices.Clone(symbols), limits
			for i := range edited {
				if edited[i].Name == name {
					edited[i].Points = is
				}
			}
			switch name {
			case "threshold:tag":
				moved.Tag.Points = is
			case "threshold:subject":
				moved.Subject.Points = is
			case "threshold:reject":
				moved.Reject.Points = is
			}
			return judge(edited, moved, most)
		}
		edits := SmallestEdits(v.Why, limits)
		for _, e := range edits {
			if got := with(e.Rule, e.Is); got.Action != e.Action || e.Action == v.Action {
				t.Fatalf("%+v, but it is %s at %s (before %s at %s)", e, got.Action, got.Points, v.Action, v.Points)
			}
		}
		for _, m := range Margins(v.Points, limits) {
			if !slices.ContainsFunc(edits, func(e Edit) bool { return e.Action == m.Action && e.Rule[0] == 't' }) {
				t.Fatalf("no threshold leads to %s: %+v", m.Action, edits)
			}
			i := slices.IndexFunc(edits, func(e Edit) bool { return e.Action == m.Action && e.Rule[0] != 't' })
			for _, s := range symbols {
				for d := rules.Points(1); d < 70 && (i < 0 || d < edits[i].size()); d++ {
					for _, is := range []rules.Points{s.Points - d, s.Points + d} {
						if with(s.Name, is).Action == m.Action {
							t.Fatalf("%s at %s would be %s, found %+v (before %s at %s)", s.Name, is, m.Action, edits, v.Action, v.Points)
						}
					}
				}
			}
		}
	})
}
