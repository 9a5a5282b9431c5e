package rules

import "weir/rules/strict"

// reachable reports thresholds that all positive points together do not reach. Up to the default thresholds that is
// a warning: a set of few rules may use the usual scale, and may refuse by hard answers alone. A threshold that was
// raised beyond all points is an error.
func (l *loading) reachable() {
	failed := l.findings.Err() != nil // then warnings may only follow from the errors
	for _, stated := range l.stated {
		most := l.most(stated.policy)
		for _, t := range stated.thresholds.all() {
			if !t.At.Said() || t.V.Off || t.V.Points <= most {
				continue
			}
			f := t.At.Finding(codeReach, "unreachable: all that speaks against a message adds up to %s at most, below %s", most, t.V.Points)
			f.Hint = "lower it, or write off"
			if t.V.Points <= defaultThresholds.Reject.Points {
				f.Severity = strict.Warning
			}
			if f.Severity == strict.Warning && failed {
				continue
			}
			l.add(f)
		}
	}
}

// most is the largest sum of points that a message can have under p: all positive points, of answers of which only
// the heaviest counts that one, and no family above its cap.
func (l *loading) most(p *Policy) Points {
	families := map[string]Points{}
	heaviest := map[string]*Symbol{}
	for _, s := range l.set.Symbols {
		switch mode, points, h := p.ModeOf(s), p.PointsOf(s), heaviest[s.OneOf]; {
		case mode == Shadow || mode == Allow || points <= 0:
		case s.OneOf == "":
			families[s.Family] += points
		case h == nil || points > p.PointsOf(h):
			heaviest[s.OneOf] = s
		}
	}
	for _, s := range heaviest {
		families[s.Family] += p.PointsOf(s)
	}
	for _, c := range l.set.Caps {
		families[c.Family] = min(families[c.Family], c.Points)
	}
	var sum Points
	for _, points := range families {
		sum += points
	}
	return sum
}
