package rules

import (
	"fmt"
	"maps"
	"slices"

	"weir/rules/strict"
)

// Score is what a symbol is worth under a policy.
type Score struct {
	Points Points
	Src    strict.Src
}

// PointsOf is what s is worth under the policy, before it grows.
func (p *Policy) PointsOf(s *Symbol) Points {
	if own, ok := p.Scores[s.Name]; ok {
		return own.Points
	}
	return s.Points
}

// Weigh is s as it weighs under the policy for a message with features f.
func (p *Policy) Weigh(s *Symbol, f *Features) *Symbol {
	if own, ok := p.Scores[s.Name]; ok {
		weighed := *s
		weighed.Points, weighed.Src = own.Points, own.Src
		s = &weighed
	}
	return s.For(f)
}

// ModeOf is the mode of s under the policy, which may change how lists and alike messages count. A trial stays one, what
// lets mail pass still does where its kind counts at all, and a list never refuses for what it says in favour.
func (p *Policy) ModeOf(s *Symbol) Mode {
	var mode *Mode
	switch {
	case s.Zone != "":
		mode = p.ZoneMode
	case s.Family == bulkFamily:
		mode = p.BulkMode
	}
	switch {
	case mode == nil || s.Mode == Shadow:
		return s.Mode
	case s.Mode == Allow && *mode != Shadow:
		return Allow
	case *mode == Hard && p.PointsOf(s) < 0:
		return Weighted
	}
	return *mode
}

// worth reads what a policy says of how things count.
func (l *loading) worth(p *Policy, d policyDoc) {
	l.against(d.Zones.Mode, "all answers of all lists")
	if d.Zones.Mode.At.Said() {
		p.ZoneMode = &d.Zones.Mode.V
	}
	switch mode := d.Bulk.Mode; {
	case mode.V == Hard || mode.V == Allow:
		l.hintAt(mode.At, strict.CodeValue, fmt.Sprintf("alike messages cannot be %s under a policy", mode.V), "their mode is weighted or shadow")
	case mode.At.Said():
		p.BulkMode = &mode.V
	}
	switch at := d.Greylist.At; {
	case at.Said() && d.Greylist.V != "off":
		l.hintAt(at, codeGreylist, "a policy has no greylisting of its own", "write `greylist: off`, and nobody waits")
	case at.Said() && l.set.Greylist == nil:
		l.warnAt(at, codeGreylist, "there is no greylisting to switch off", "drop it")
	}
	p.NoGreylist = d.Greylist.V == "off"
	for _, score := range d.Scores {
		l.score(p, score)
	}
}

// score reads what a symbol is worth under a policy.
func (l *loading) score(p *Policy, score entry[Points]) {
	s := l.set.Symbols[score.Key]
	if s == nil {
		l.hintAt(score.At, codeSymbol, fmt.Sprintf("there is no symbol %s that is worth anything", score.At.Quoted()), l.nearestWeighed(score.Key))
		return
	}
	if p.Scores == nil {
		p.Scores = map[string]Score{}
	}
	p.Scores[s.Name] = Score{Points: score.V, Src: score.At.Src()}
	switch {
	case s.Points == score.V:
		l.warnAt(score.At, codeOverride, fmt.Sprintf("%s is worth %s anyway", s.Name, s.Points), "drop it")
	case score.V < 0 && p.ModeOf(s) == Hard:
		l.warnAt(score.At, codeSaved, fmt.Sprintf("%s refuses alone, though it is worth %s here", s.Name, score.V), "what speaks for a message is weighted")
	}
}

// nearestWeighed is a hint for a name that is of no symbol with a weight.
func (l *loading) nearestWeighed(name string) string {
	if l.symbols[name] {
		return "a check reports it, but no rule gives it a score; write a rule with `check:`"
	}
	return strict.DidYouMean(name, slices.Sorted(maps.Keys(l.set.Symbols)))
}
