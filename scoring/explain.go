package scoring

import (
	"cmp"
	"slices"
	"strings"

	"weir/rules"
)

// Step is a line of a verdict with the sum so far.
type Step struct {
	Line
	Sum rules.Points `json:"sum"`
}

// Waterfall adds lines up one by one.
func Waterfall(lines []Line) []Step {
	steps := make([]Step, len(lines))
	var sum rules.Points
	for i, l := range lines {
		sum += l.Points
		steps[i] = Step{l, sum}
	}
	return steps
}

// Change is a set of symbols without which a verdict would have been another one.
type Change struct {
	Without []string     `json:"without"`
	Action  rules.Action `json:"action"` // without them
	Points  rules.Points `json:"score"`  // without them
	Least   bool         `json:"least"`  // no smaller set would do
}

// maxTrials bounds how many sets of symbols SmallestChange tries. With thirty symbols all sets of four are within it.
const maxTrials = 100_000

// SmallestChange finds the smallest set of symbols without which the action would differ, or false if there is none
// that it can find. Of sets of one size it takes the one with the heaviest symbols.
//
// It works from the lines of the verdict alone. Two things are not in them: a symbol that holds because of another one
// (`when:`) counts on without it, and a cap that was not in force is not known, should it be without some symbols.
func SmallestChange(lines []Line, t rules.Thresholds) (Change, bool) {
	a := newAccount(lines, t)
	action, _ := a.without(nil)
	s := search{account: a, action: action, trials: maxTrials}
	useful := s.useful()
	for size := 1; size <= len(useful); size++ {
		if s.choose(make([]int, 0, size), useful, size) {
			return s.found, true
		}
	}
	if s.trials > 0 {
		return Change{}, false
	}
	return s.greedy()
}

// account is the lines of a verdict taken apart, to be added up again without some of them.
type account struct {
	symbols    []Line // heaviest first
	hard       map[string]bool
	allow      map[string]bool
	waits      string                  // the symbol without which greylisting would not defer, or ""
	caps       map[string]rules.Points // by family, those that were in force
	cappedBy   map[string]string       // by family, the symbol whose presence caps it
	thresholds rules.Thresholds
}

func newAccount(lines []Line, t rules.Thresholds) *account {
	s := &account{hard: map[string]bool{}, allow: map[string]bool{}, caps: map[string]rules.Points{}, cappedBy: map[string]string{}, thresholds: t}
	over := map[string]rules.Points{}
	for _, l := range lines {
		kind, of, correction := strings.Cut(l.Rule, ":")
		switch {
		case !correction:
			s.symbols = append(s.symbols, l)
			if l.Caps != "" {
				s.cappedBy[l.Caps] = l.Rule
			}
		case kind == hardKind:
			s.hard[of] = true
		case kind == allowKind:
			s.allow[of] = true
		case kind == greylistKind:
			s.waits = of
		case kind == "cap":
			over[of] = l.Points
		}
	}
	slices.SortStableFunc(s.symbols, func(a, b Line) int {
		return cmp.Or(cmp.Compare(weight(b.Points), weight(a.Points)), byWeight(a, b))
	})
	_, sums := s.add(nil)
	for family, points := range over {
		s.caps[family] = sums[family] + points
	}
	return s
}

// add adds up the symbols that are not left out, before caps, and the positive points of each family. Of symbols in one
// group the heaviest counts, which comes first.
func (s *account) add(out []int) (all rules.Points, families map[string]rules.Points) {
	families = map[string]rules.Points{}
	taken := map[string]bool{}
	for i, l := range s.symbols {
		if slices.Contains(out, i) || l.OneOf != "" && taken[l.OneOf] {
			continue
		}
		taken[l.OneOf] = true
		all += l.Points
		if l.Points > 0 && l.Family != "" {
			families[l.Family] += l.Points
		}
	}
	return all, families
}

// without judges again with the symbols of the given indices left out.
func (s *account) without(out []int) (rules.Action, rules.Points) {
	points, families := s.add(out)
	gone := func(name string) bool {
		return slices.ContainsFunc(out, func(i int) bool { return s.symbols[i].Rule == name })
	}
	for family, most := range s.caps {
		if by := s.cappedBy[family]; by == "" || !gone(by) {
			points -= max(0, families[family]-most)
		}
	}
	holds := func(names map[string]bool) bool {
		for name := range names {
			if !gone(name) {
				return true
			}
		}
		return false
	}
	switch {
	case holds(s.allow):
		return rules.Pass, points
	case holds(s.hard):
		return rules.Reject, points
	}
	if s.waits != "" && !gone(s.waits) {
		return rules.Defer, points // its band is not in the lines
	}
	return ActionFor(s.thresholds, points), points
}

// search looks for a set of symbols without which the action is another.
type search struct {
	*account
	action rules.Action
	trials int // left
	found  Change
}

// useful is the indices of the symbols that bear on the verdict at all.
func (s *search) useful() []int {
	var all []int
	for i, l := range s.symbols {
		if l.Points != 0 || l.Caps != "" || s.forces(l.Rule) || s.waits == l.Rule {
			all = append(all, i)
		}
	}
	return all
}

// forces reports whether a symbol refuses or lets pass alone.
func (s *account) forces(symbol string) bool { return s.hard[symbol] || s.allow[symbol] }

// choose tries all sets of the given size that extend chosen by some of the indices in more.
func (s *search) choose(chosen, more []int, size int) bool {
	if len(chosen) == size {
		s.trials--
		return s.try(chosen, true)
	}
	for i := 0; len(more)-i >= size-len(chosen) && s.trials > 0; i++ {
		if s.choose(append(chosen, more[i]), more[i+1:], size) {
			return true
		}
	}
	return false
}

func (s *search) try(chosen []int, least bool) bool {
	action, points := s.without(chosen)
	if action == s.action {
		return false
	}
	s.found = Change{Action: action, Points: points, Least: least}
	for _, i := range chosen {
		s.found.Without = append(s.found.Without, s.symbols[i].Rule)
	}
	return true
}

// greedy leaves out what speaks for the action, symbols that decide alone first, then the heaviest, until it is another.
func (s *search) greedy() (Change, bool) {
	for _, against := range []bool{true, false} {
		var chosen []int
		for i, l := range s.symbols {
			if against == s.hard[l.Rule] && s.forces(l.Rule) {
				chosen = append(chosen, i)
			}
		}
		for i, l := range s.symbols {
			if s.try(chosen, false) {
				return s.found, true
			}
			if l.Points > 0 == against && l.Points != 0 && !slices.Contains(chosen, i) {
				chosen = append(chosen, i)
			}
		}
		if s.try(chosen, false) {
			return s.found, true
		}
	}
	return Change{}, false
}

// Alone are the symbols each of which alone made the action what it is: without it, it would have been another one. The
// limits of SmallestChange hold here too.
func Alone(lines []Line, t rules.Thresholds) []string {
	a := newAccount(lines, t)
	action, _ := a.without(nil)
	var alone []string
	for i, l := range a.symbols {
		if other, _ := a.without([]int{i}); other != action {
			alone = append(alone, l.Rule)
		}
	}
	return alone
}

// Margin is how far a sum is from another action: with so many points more or fewer, of whatever weight, or with a
// threshold moved as far, it would have been that action.
type Margin struct {
	Action rules.Action `json:"action"`
	Points rules.Points `json:"score"` // to add; negative to take away
}

// Margins are the nearest other actions to points, above and below, where there are any.
func Margins(points rules.Points, t rules.Thresholds) []Margin {
	const least rules.Points = 1
	var below, above []rules.Points
	for _, action := range rules.Actions() {
		switch one := t.Of(action); {
		case one.Off:
		case one.Points <= points:
			below = append(below, one.Points)
		default:
			above = append(above, one.Points)
		}
	}
	all := []Margin{}
	if len(above) > 0 {
		next := slices.Min(above)
		all = append(all, Margin{ActionFor(t, next), next - points})
	}
	if len(below) > 0 {
		last := slices.Max(below) - least
		all = append(all, Margin{ActionFor(t, last), last - points})
	}
	return all
}
