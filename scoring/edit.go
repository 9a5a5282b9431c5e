package scoring

import (
	"cmp"
	"slices"

	"weir/rules"
)

// Edit is a change of one number of the rules by which alone a verdict would have come to another action.
type Edit struct {
	Rule   string       `json:"rule"` // a symbol, or "threshold:reject"
	Was    rules.Points `json:"was"`
	Is     rules.Points `json:"is"`
	Action rules.Action `json:"action"`
}

func (e Edit) size() rules.Points { return weight(e.Is - e.Was) }

// SmallestEdits finds for each action next to that of a verdict the smallest change of a weight, if one leads there, and
// then that of a threshold. Caps and groups of which the heaviest counts are reckoned with, as the lines of the verdict
// show them; the limits of SmallestChange hold here too. The verdict must have been decided by its score.
func SmallestEdits(lines []Line, t rules.Thresholds) []Edit {
	a := newAccount(lines, t)
	_, points := a.without(nil)
	all := []Edit{}
	for _, m := range Margins(points, t) {
		if e, ok := a.smallestWeight(m); ok {
			all = append(all, e)
		}
		if e, ok := thresholdFor(m, points, t); ok {
			all = append(all, e)
		}
	}
	return all
}

// smallestWeight is the smallest change of the points of one symbol that leads to the action of m.
func (s *account) smallestWeight(m Margin) (best Edit, ok bool) {
	_, families := s.add(nil)
	for i, l := range s.symbols {
		over := max(0, families[l.Family]-s.capOf(l.Family)) // what its cap takes back
		targets := []rules.Points{l.Points + m.Points, l.Points + m.Points - over, m.Points + max(0, l.Points-over)}
		for _, o := range s.symbols { // in whose place it would count, or below which it would no longer
			if o.OneOf != "" && o.OneOf == l.OneOf && o.Rule != l.Rule {
				targets = append(targets, o.Points+m.Points, o.Points+m.Points-over, o.Points+1, o.Points-1, o.Points, -o.Points, 1-o.Points, -o.Points-1)
			}
		}
		for _, is := range targets {
			e := Edit{Rule: l.Rule, Was: l.Points, Is: is, Action: m.Action}
			if (!ok || e.size() < best.size()) && s.edited(i, is) == m.Action {
				best, ok = e, true
			}
		}
	}
	return best, ok
}

// capOf is the cap of a family that was in force, or more than can be reached.
func (s *account) capOf(family string) rules.Points {
	if most, ok := s.caps[family]; ok {
		return most
	}
	const beyond = 1 << 30
	return beyond
}

// edited is the action if the symbol of an index had other points.
func (s *account) edited(i int, is rules.Points) rules.Action {
	other := *s
	other.symbols = slices.Clone(s.symbols)
	other.symbols[i].Points = is
	slices.SortStableFunc(other.symbols, func(a, b Line) int {
		return cmp.Or(cmp.Compare(weight(b.Points), weight(a.Points)), byWeight(a, b))
	})
	action, _ := other.without(nil)
	return action
}

// thresholdFor is the smallest change of a threshold that leads to the action of m, if one alone does.
func thresholdFor(m Margin, points rules.Points, t rules.Thresholds) (Edit, bool) {
	crossed, is := points+m.Points, points
	if m.Points < 0 {
		crossed, is = crossed+1, points+1 // the threshold that was reached
	}
	moved := t
	for _, action := range slices.Backward(rules.Actions()) { // of equal ones the gravest acts
		if one := moved.Of(action); !one.Off && one.Points == crossed {
			one.Points = is
			return Edit{"threshold:" + action.String(), crossed, is, m.Action}, ActionFor(moved, points) == m.Action
		}
	}
	return Edit{}, false
}
