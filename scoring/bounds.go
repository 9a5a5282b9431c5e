package scoring

import (
	"cmp"
	"maps"
	"slices"

	"weir/rules"
)

// Range is what a verdict can still become: no outcome of what is open is below Low or above High. It may be wider than
// what is possible, never narrower.
type Range struct{ Low, High Extreme }

// Extreme is one end of a Range. Its action and its points need not go together.
type Extreme struct {
	Action rules.Action
	Points rules.Points
}

// Certain reports whether every outcome leads to the same action.
func (r Range) Certain() bool { return r.Low.Action == r.High.Action }

// Bounds is the range of what Judge makes of f and any of the open symbols besides. The features of f must be final.
func Bounds(set *rules.Set, p *rules.Policy, f Facts, open []string) Range {
	counted := candidates(set, p, f, presences(set, f, open, true))
	r := sums(set.Caps, counted)
	r.Low.Action, r.High.Action = ActionFor(p.Thresholds, r.Low.Points), ActionFor(p.Thresholds, r.High.Points)
	switch modeOf(p, counted, rules.Hard) {
	case present:
		r.Low.Action, r.High.Action = rules.Reject, rules.Reject
	case possible:
		r.High.Action = rules.Reject
	}
	r.greylist(greylistFor(set, p, f), p, counted)
	switch modeOf(p, counted, rules.Allow) {
	case present:
		r.Low.Action, r.High.Action = rules.Pass, rules.Pass
	case possible:
		r.Low.Action = rules.Pass
	}
	return r
}

// Sure are the `when:` symbols that hold for f, whichever of the open symbols hold besides. The features of f must be final.
func Sure(set *rules.Set, f Facts, open []string) []string {
	var names []string
	all := presences(set, f, open, true)
	for _, c := range set.Combos {
		if all[c.Symbol] == present {
			names = append(names, c.Symbol)
		}
	}
	return names
}

// Refuses reports whether a hard symbol refuses a message of which only client, sender and first recipient are known,
// whatever the message turns out to be. A symbol that lets mail pass lifts the refusal if it is known by now; open ones do
// not, so those that could should be waited for.
func Refuses(set *rules.Set, p *rules.Policy, f Facts, open []string) bool {
	counted := candidates(set, p, f, presences(set, f, open, false))
	return modeOf(p, counted, rules.Hard) == present && modeOf(p, counted, rules.Allow) != present
}

// Refusers are the symbols that refuse alone under p, and those on which a condition depends that does.
func Refusers(set *rules.Set, p *rules.Policy) map[string]bool { return leadingTo(set, p, rules.Hard) }

// Allowers are the symbols that let mail pass under p, whatever refuses it, and those on which a condition depends that
// does.
func Allowers(set *rules.Set, p *rules.Policy) map[string]bool { return leadingTo(set, p, rules.Allow) }

// leadingTo are the symbols of a mode under p, and those on which a condition of that mode depends.
func leadingTo(set *rules.Set, p *rules.Policy, mode rules.Mode) map[string]bool {
	all := map[string]bool{}
	for name, s := range set.Symbols {
		if p.ModeOf(s) == mode {
			all[name] = true
		}
	}
	for _, c := range slices.Backward(set.Combos) { // each comes after those it reads
		for _, name := range c.When.Symbols {
			all[name] = all[name] || all[c.Symbol]
		}
	}
	return all
}

// earlyFeatures are those that are final before the message has come.
var earlyFeatures = []string{"user", "helo", "tls", "from", "listener"}

// presence is how sure it is that a symbol holds.
type presence uint8

const (
	absent presence = iota
	possible
	present
)

// presences says of every symbol that may hold how sure that is, when the open symbols are not known, nor the features of
// the message if it has not come whole. It takes them to be independent of each other.
func presences(set *rules.Set, f Facts, open []string, whole bool) map[string]presence {
	all := make(map[string]presence, len(f.Hits)+len(open)+4)
	for _, name := range open {
		all[name] = possible
	}
	unsaid := f.unsaid(set)
	for _, name := range unsaid {
		all[name] = possible
	}
	for _, h := range f.Hits {
		all[h.Symbol] = present
	}
	for _, c := range set.Combos { // each comes after those it reads
		if is := outcome(c.When, all, &f.Features, whole); is > all[c.Symbol] {
			all[c.Symbol] = is
		}
	}
	for _, name := range unsaid {
		if all[name] == possible && !slices.Contains(open, name) {
			delete(all, name) // only conditions ask what it would have been
		}
	}
	return all
}

// unsaid are the symbols of the lists that failed.
func (f Facts) unsaid(set *rules.Set) []string {
	if len(f.Failed) == 0 {
		return nil
	}
	var names []string
	for name, s := range set.Symbols {
		if s.Zone != "" && slices.Contains(f.Failed, s.Zone) {
			names = append(names, name)
		}
	}
	return names
}

// maxTried bounds the possible symbols of one condition of which all combinations are tried.
const maxTried = 6

// outcome is whether a condition holds for every, some or no combination of the possible symbols that it reads. One that
// cannot be evaluated does not hold.
func outcome(c *rules.Condition, all map[string]presence, f *rules.Features, whole bool) presence {
	var tried []string
	for _, name := range c.Symbols {
		if all[name] == possible {
			tried = append(tried, name)
		}
	}
	isLater := func(feature string) bool { return !slices.Contains(earlyFeatures, feature) }
	if len(tried) > maxTried || !whole && slices.ContainsFunc(c.Features(), isLater) {
		return possible
	}
	times := 0
	for combination := range 1 << len(tried) {
		holds, err := c.Holds(func(name string) bool {
			if i := slices.Index(tried, name); i >= 0 {
				return combination>>i&1 == 1
			}
			return all[name] == present
		}, f)
		if err == nil && holds {
			times++
		}
	}
	switch times {
	case 0:
		return absent
	case 1 << len(tried):
		return present
	}
	return possible
}

// candidate is a symbol that counts if it holds.
type candidate struct {
	*rules.Symbol
	is presence
}

// candidates are the symbols of set that count under p and may hold, with the points that they have then.
func candidates(set *rules.Set, p *rules.Policy, f Facts, all map[string]presence) []candidate {
	counted := make([]candidate, 0, len(all))
	for name, is := range all {
		if s := set.Symbols[name]; s != nil && is != absent && p.ModeOf(s) != rules.Shadow {
			counted = append(counted, candidate{p.Weigh(s, &f.Features), is})
		}
	}
	return counted
}

// modeOf is how sure it is that one of the symbols has a mode under p.
func modeOf(p *rules.Policy, counted []candidate, mode rules.Mode) presence {
	return presenceOf(counted, func(s *rules.Symbol) bool { return p.ModeOf(s) == mode })
}

// presenceOf is how sure it is that one of the wanted symbols holds.
func presenceOf(counted []candidate, wanted func(*rules.Symbol) bool) presence {
	is := absent
	for _, c := range counted {
		if wanted(c.Symbol) {
			is = max(is, c.is)
		}
	}
	return is
}

// span is between which bounds points lie.
type span struct{ low, high rules.Points }

func (s span) plus(o span) span { return span{s.low + o.low, s.high + o.high} }

// sums is between which points the candidates add up. Points in favour count in full; those against count, family by
// family, up to the lowest cap, which may depend on a symbol that is only possible.
func sums(caps []rules.Cap, counted []candidate) Range {
	var good span
	against := map[string]span{}
	for _, g := range groups(counted) {
		mine, theirs := g.span()
		good = good.plus(mine)
		for family, s := range theirs {
			against[family] = against[family].plus(s)
		}
	}
	lowest, surely := map[string]rules.Points{}, map[string]rules.Points{} // caps that may hold, and that do
	for _, c := range caps {
		lower(lowest, c)
		lower(surely, c)
	}
	for _, c := range counted {
		if c.CapAt != nil {
			lower(lowest, *c.CapAt)
			if c.is == present {
				lower(surely, *c.CapAt)
			}
		}
	}
	total := good
	for family := range lowest {
		against[family] = against[family].plus(span{}) // a cap below zero needs no symbol
	}
	for family, s := range against {
		total = total.plus(span{capAt(s.low, lowest, family), capAt(s.high, surely, family)})
	}
	return Range{Low: Extreme{Points: total.low}, High: Extreme{Points: total.high}}
}

func lower(caps map[string]rules.Points, c rules.Cap) {
	if old, ok := caps[c.Family]; !ok || c.Points < old {
		caps[c.Family] = c.Points
	}
}

func capAt(p rules.Points, caps map[string]rules.Points, family string) rules.Points {
	if most, ok := caps[family]; ok {
		return min(p, most)
	}
	return p
}

// group is symbols of which only the heaviest counts; a symbol without such others is one alone.
type group []candidate

func groups(counted []candidate) []group {
	var all []group
	shared := map[string]group{}
	for _, c := range counted {
		if c.OneOf == "" {
			all = append(all, group{c})
		} else {
			shared[c.OneOf] = append(shared[c.OneOf], c)
		}
	}
	return slices.AppendSeq(all, maps.Values(shared))
}

// span is what the symbol that counts can add in favour, and against by family.
func (g group) span() (good span, against map[string]span) {
	can := slices.DeleteFunc(slices.Clone(g), g.outdone)
	some := slices.ContainsFunc(g, func(c candidate) bool { return c.is == present })
	within := func(points func(candidate) rules.Points) span {
		all := make([]rules.Points, 0, len(can)+1)
		for _, c := range can {
			all = append(all, points(c))
		}
		if !some {
			all = append(all, 0)
		}
		return span{slices.Min(all), slices.Max(all)}
	}
	against = map[string]span{}
	for _, of := range can {
		if of.Points > 0 {
			against[of.Family] = within(func(c candidate) rules.Points {
				if c.Family != of.Family {
					return 0
				}
				return max(c.Points, 0)
			})
		}
	}
	return within(func(c candidate) rules.Points { return min(c.Points, 0) }), against
}

// outdone reports whether a symbol that surely holds takes the place of c.
func (g group) outdone(c candidate) bool {
	return slices.ContainsFunc(g, func(o candidate) bool {
		return o.is == present && cmp.Or(cmp.Compare(weight(c.Points), weight(o.Points)), cmp.Compare(c.Points, o.Points), cmp.Compare(o.Name, c.Name)) < 0
	})
}

// greylist widens the actions by the deferring of strangers, which happens in a band of the sum.
func (r *Range) greylist(g *rules.Greylist, p *rules.Policy, counted []candidate) {
	if g == nil || p.NoGreylist || p.Thresholds.Reject.Off {
		return
	}
	stranger := presenceOf(counted, func(s *rules.Symbol) bool { return s.Name == rules.GreylistNew })
	good := presenceOf(counted, func(s *rules.Symbol) bool { return s.Zone != "" && s.Points < 0 })
	switch {
	case stranger == absent || good == present || r.High.Points < g.From || r.Low.Points >= g.Below:
		return
	case stranger == present && good == absent && r.Low.Points >= g.From && r.High.Points < g.Below:
		r.Low.Action = max(r.Low.Action, rules.Defer)
	}
	r.High.Action = max(r.High.Action, rules.Defer)
}

// Early is what a verdict did not wait for, and between which sums it would have come to lie.
type Early struct {
	Open []Open       `json:"open"`
	Low  rules.Points `json:"low"`
	High rules.Points `json:"high"`
}

// Open is a check that had not answered, and all that it might have reported.
type Open struct {
	Check   string   `json:"check"`
	Rule    string   `json:"rule,omitempty"` // the zone, if it is one of several
	Symbols []string `json:"symbols"`
}
