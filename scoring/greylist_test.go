package scoring

import (
	"testing"

	"weir/rules"
)

func TestStrangersWaitInTheBandOnly(t *testing.T) {
	for _, c := range []struct {
		about  string
		points rules.Points
		hits   []string
		change func(*rules.Set, *rules.Policy)
		action rules.Action
	}{
		{"below the band", 399, []string{"P", rules.GreylistNew}, nil, rules.Pass},
		{"its beginning", 400, []string{"P", rules.GreylistNew}, nil, rules.Defer},
		{"where it would be tagged", 999, []string{"P", rules.GreylistNew}, nil, rules.Defer},
		{"its end", 1000, []string{"P", rules.GreylistNew}, nil, rules.Tag},
		{"refused anyway", 1500, []string{"P", rules.GreylistNew}, func(s *rules.Set, _ *rules.Policy) { s.Greylist.Below = 2000 }, rules.Reject},
		{"refused alone", 500, []string{"P", "HARD", rules.GreylistNew}, nil, rules.Reject},
		{"no stranger", 500, []string{"P"}, nil, rules.Pass},
		{"listed as good", 500, []string{"P", "GOOD", rules.GreylistNew}, nil, rules.Pass},
		{"good for another reason", 500, []string{"P", "FINE", rules.GreylistNew}, nil, rules.Defer},
		{"nothing is refused", 500, []string{"P", rules.GreylistNew}, func(_ *rules.Set, p *rules.Policy) { p.Thresholds.Reject.Off = true }, rules.Pass},
		{"not for these", 500, []string{"P", rules.GreylistNew}, func(_ *rules.Set, p *rules.Policy) { p.NoGreylist = true }, rules.Pass},
		{"switched off", 500, []string{"P", rules.GreylistNew}, func(s *rules.Set, _ *rules.Policy) { s.Greylist = nil }, rules.Pass},
	} {
		set, p := ruleset(rules.Symbol{Name: "P", Points: c.points}, rules.Symbol{Name: rules.GreylistNew}, rules.Symbol{Name: "HARD", Mode: rules.Hard},
			rules.Symbol{Name: "GOOD", Zone: "WL", Points: -10}, rules.Symbol{Name: "FINE", Points: -10})
		set.Greylist = &rules.Greylist{From: 400, Below: 1000}
		if c.change != nil {
			c.change(set, p)
		}
		v := Judge(set, p, hits(c.hits...))
		if v.Action != c.action || sum(v.Why) != v.Points {
			t.Errorf("%s: %s at %s, want %s: %v", c.about, v.Action, v.Points, c.action, v.Why)
		}
		if r := Bounds(set, p, hits(c.hits...), nil); r.Low.Action != c.action || r.High.Action != c.action {
			t.Errorf("%s: from %s to %s with nothing open", c.about, r.Low.Action, r.High.Action)
		}
		if change, ok := SmallestChange(v.Why, p.Thresholds); v.Action == rules.Defer && (!ok || len(change.Without) != 1 || change.Without[0] != rules.GreylistNew || change.Action > rules.Tag) {
			t.Errorf("%s: the smallest change is %+v", c.about, change)
		}
	}
}
