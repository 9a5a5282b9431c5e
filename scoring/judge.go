package scoring

import (
	"cmp"
	"fmt"
	"slices"

	"weir/filters"
	"weir/rules"
)

// What begins the names of the lines of no points that say what decided.
const (
	hardKind     = "hard"
	greylistKind = "greylist"
	allowKind    = "allow"
)

// maxReasons is how many public texts a reply names.
const maxReasons = 3

// Judge weighs facts by the rules of set under policy p. Order and repetition of hits do not matter; symbols that
// set does not know are worth nothing, but may be read by conditions.
func Judge(set *rules.Set, p *rules.Policy, f Facts) Verdict {
	v := Verdict{Thresholds: p.Thresholds, Policy: p.ID, By: ByScore}
	found := details(f.Hits)
	v.Problems = combine(set, p, found, f)

	var counted []*rules.Symbol
	for name, detail := range found {
		symbol := set.Symbols[name]
		if symbol == nil {
			continue
		}
		symbol = p.Weigh(symbol, &f.Features)
		line := lineOf(symbol, detail)
		if p.ModeOf(symbol) == rules.Shadow {
			v.Shadow = append(v.Shadow, line)
			continue
		}
		v.Why = append(v.Why, line)
		counted = append(counted, symbol)
	}
	slices.SortFunc(v.Why, byWeight)
	slices.SortFunc(v.Shadow, byWeight)
	slices.SortFunc(counted, func(a, b *rules.Symbol) int {
		return cmp.Or(cmp.Compare(b.Points, a.Points), cmp.Compare(a.Name, b.Name))
	})

	v.Why = append(v.Why, onlyHeaviest(counted)...)
	v.Why = append(v.Why, capped(set.Caps, counted, v.Why)...)
	for _, l := range v.Why {
		v.Points += l.Points
	}
	v.Action = ActionFor(p.Thresholds, v.Points)
	v.force(p, counted)
	v.greylist(greylistFor(set, p, f), p, counted)
	v.allow(p, counted)
	v.Reasons = reasons(p, counted)
	return v
}

func lineOf(s *rules.Symbol, detail string) Line {
	l := Line{Rule: s.Name, Points: s.Points, Detail: detail, Src: s.Src.String(), Family: s.Family, OneOf: s.OneOf}
	if s.CapAt != nil {
		l.Caps = s.CapAt.Family
	}
	return l
}

// details maps each symbol to its evidence. Of a repeated symbol the smaller text is kept, whatever the order.
func details(hits []filters.Hit) map[string]string {
	found := make(map[string]string, len(hits)+4)
	for _, h := range hits {
		if old, seen := found[h.Symbol]; !seen || h.Detail < old {
			found[h.Symbol] = h.Detail
		}
	}
	return found
}

// combine adds the `when:` symbols that hold to found. One that counts against a message must hold whatever the lists that
// failed would have said: that a list does not answer is held against nobody.
func combine(set *rules.Set, p *rules.Policy, found map[string]string, f Facts) []filters.Problem {
	var problems []filters.Problem
	var sure map[string]presence
	if len(f.Failed) > 0 {
		sure = presences(set, f, nil, true)
	}
	has := func(symbol string) bool { _, ok := found[symbol]; return ok }
	for _, c := range set.Combos {
		holds, err := c.When.Holds(has, &f.Features)
		switch {
		case err != nil:
			problems = append(problems, filters.Problem{
				Check: "when", Rule: c.Symbol, Kind: filters.KindFailed, Detail: err.Error(),
			})
		case holds && (sure == nil || sure[c.Symbol] == present || favours(p, set.Symbols[c.Symbol], f)):
			found[c.Symbol] = ""
		}
	}
	return problems
}

// favours reports whether s can do a message no harm.
func favours(p *rules.Policy, s *rules.Symbol, f Facts) bool {
	return s != nil && p.ModeOf(s) != rules.Hard && (p.ModeOf(s) == rules.Allow || p.Weigh(s, &f.Features).Points < 0)
}

func byWeight(a, b Line) int {
	return cmp.Or(cmp.Compare(b.Points, a.Points), cmp.Compare(a.Rule, b.Rule))
}

// onlyHeaviest takes back the points of all but the heaviest symbol, good or bad, of each OneOf group.
func onlyHeaviest(symbols []*rules.Symbol) []Line {
	heaviest := map[string]*rules.Symbol{}
	for _, s := range symbols {
		if h := heaviest[s.OneOf]; s.OneOf != "" && (h == nil || weight(s.Points) > weight(h.Points)) {
			heaviest[s.OneOf] = s
		}
	}
	var back []Line
	for _, s := range symbols {
		if h := heaviest[s.OneOf]; h != nil && h != s {
			back = append(back, Line{
				Rule: "max:" + s.Name, Points: -s.Points, Src: s.Src.String(),
				Detail: fmt.Sprintf("of %s only the heaviest answer counts, %s", s.OneOf, h.Name),
			})
		}
	}
	return back
}

func weight(p rules.Points) rules.Points { return max(p, -p) }

// capped returns the lines that bring each family's positive points down to its cap. A cap is said by `caps:` or by
// the presence of a symbol that caps its family; the lowest holds.
func capped(caps []rules.Cap, symbols []*rules.Symbol, lines []Line) []Line {
	inForce := slices.Clone(caps)
	for _, s := range symbols {
		if s.CapAt != nil {
			inForce = append(inForce, *s.CapAt)
		}
	}
	sums := positiveSums(symbols, lines)
	slices.SortStableFunc(inForce, func(a, b rules.Cap) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Points, b.Points))
	})
	var down []Line
	for i, c := range inForce {
		lowest := i == 0 || inForce[i-1].Family != c.Family
		if over := sums[c.Family] - c.Points; lowest && over > 0 {
			down = append(down, Line{
				Rule: "cap:" + c.Family, Points: -over, Src: c.Src.String(),
				Detail: fmt.Sprintf("%s together count at most %s", c.Family, c.Points),
			})
		}
	}
	return down
}

// positiveSums adds up the positive points of each family, less what OneOf groups took back.
func positiveSums(symbols []*rules.Symbol, lines []Line) map[string]rules.Points {
	back := map[string]rules.Points{}
	for _, l := range lines {
		if name, ok := cutMax(l.Rule); ok {
			back[name] = l.Points
		}
	}
	sums := map[string]rules.Points{}
	for _, s := range symbols {
		if s.Points > 0 {
			sums[s.Family] += s.Points + back[s.Name]
		}
	}
	return sums
}

func cutMax(rule string) (string, bool) {
	const prefix = "max:"
	if len(rule) > len(prefix) && rule[:len(prefix)] == prefix {
		return rule[len(prefix):], true
	}
	return "", false
}

// ActionFor is the action that points lead to when nothing forces another.
func ActionFor(t rules.Thresholds, p rules.Points) rules.Action {
	switch {
	case t.Reject.Reached(p):
		return rules.Reject
	case t.Defer.Reached(p):
		return rules.Defer
	case t.Subject.Reached(p):
		return rules.Subject
	case t.Tag.Reached(p):
		return rules.Tag
	}
	return rules.Pass
}

// force makes the verdict a refusal when a hard symbol counts, with a line of no points for each.
func (v *Verdict) force(p *rules.Policy, symbols []*rules.Symbol) {
	for _, s := range symbols {
		if p.ModeOf(s) != rules.Hard {
			continue
		}
		v.Action, v.By = rules.Reject, ByHard
		v.Why = append(v.Why, Line{Rule: hardKind + ":" + s.Name, Detail: s.Name + " refuses alone", Src: s.Src.String()})
	}
}

// greylistFor is the greylisting of set; nil, for none, while a list has failed that might know the sender as good.
func greylistFor(set *rules.Set, p *rules.Policy, f Facts) *rules.Greylist {
	if set.Greylist != nil && slices.ContainsFunc(f.unsaid(set), func(name string) bool {
		s := set.Symbols[name]
		return p.ModeOf(s) != rules.Shadow && p.Weigh(s, &f.Features).Points < 0
	}) {
		return nil
	}
	return set.Greylist
}

// greylist defers a stranger's message in the band of greylisting. Nobody waits whom a list knows as good, or whose
// recipients want no greylisting or refuse nothing.
func (v *Verdict) greylist(g *rules.Greylist, p *rules.Policy, symbols []*rules.Symbol) {
	if g == nil || p.NoGreylist || v.Action >= rules.Defer || p.Thresholds.Reject.Off || v.Points < g.From || v.Points >= g.Below {
		return
	}
	listedGood := func(s *rules.Symbol) bool { return s.Zone != "" && s.Points < 0 }
	stranger := func(s *rules.Symbol) bool { return s.Name == rules.GreylistNew }
	if !slices.ContainsFunc(symbols, stranger) || slices.ContainsFunc(symbols, listedGood) {
		return
	}
	v.Action = rules.Defer
	v.Why = append(v.Why, Line{Rule: greylistKind + ":" + rules.GreylistNew, Src: g.Src.String(),
		Detail: fmt.Sprintf("strangers wait from %s to below %s", g.From, g.Below)})
}

// allow makes the verdict a pass when a symbol counts that lets mail pass, with a line of no points for each. The lines of
// what it was stronger than stay.
func (v *Verdict) allow(p *rules.Policy, symbols []*rules.Symbol) {
	for _, s := range symbols {
		if p.ModeOf(s) != rules.Allow {
			continue
		}
		v.Action, v.By = rules.Pass, ByAllow
		v.Why = append(v.Why, Line{Rule: allowKind + ":" + s.Name, Detail: s.Name + " lets it pass", Src: s.Src.String()})
	}
}

// reasons picks the public texts of what spoke against the sender, the hard first, then the heaviest.
func reasons(p *rules.Policy, symbols []*rules.Symbol) []string {
	var out []string
	add := func(wanted func(*rules.Symbol) bool) {
		for _, s := range symbols {
			if s.Public != "" && wanted(s) && !slices.Contains(out, s.Public) && len(out) < maxReasons {
				out = append(out, s.Public)
			}
		}
	}
	add(func(s *rules.Symbol) bool { return p.ModeOf(s) == rules.Hard })
	add(func(s *rules.Symbol) bool { return s.Points > 0 })
	return out
}
