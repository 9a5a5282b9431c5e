package verdictlog

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"weir/rules"
	"weir/scoring"
)

// Stats counts what rules did in many records. The zero Stats is ready; one goroutine uses it.
type Stats struct {
	Judged int // records that rules have judged
	rules  map[string]*RuleStats
	pairs  map[[2]string]int
	took   map[string]int64 // by check, microseconds
}

// RuleStats is what one symbol did.
type RuleStats struct {
	Rule  string  `json:"rule"`
	Hits  int     `json:"hits"`
	Rate  float64 `json:"rate"`  // of all that was judged
	Alone int     `json:"alone"` // how often the action would have been another one without it

	Wrong     int    `json:"wrong,omitempty"`      // how often it alone made worse what people said is ham
	LastWrong string `json:"last_wrong,omitempty"` // the newest of those
}

// Pair is two symbols that come together so often that one of them says nothing more.
type Pair struct {
	Rules    [2]string `json:"rules"`
	Together int       `json:"together"`
	Either   int       `json:"either"`
}

// Bounds of Stats.
const (
	maxPairs      = 1 << 20 // that are counted
	fewTogether   = 10      // less often proves nothing
	nearlyAlways  = 0.95
	fewJudged     = 20 // of fewer nothing can be said to hold always
	alwaysPresent = 0.95
)

// Add counts r, if rules have judged it.
func (s *Stats) Add(r *Record) {
	if r.Verdict.Policy == "" {
		return
	}
	if s.rules == nil {
		s.rules, s.pairs, s.took = map[string]*RuleStats{}, map[[2]string]int{}, map[string]int64{}
	}
	s.Judged++
	present := Symbols(r)
	for i, a := range present {
		rule := s.rules[a]
		if rule == nil {
			rule = &RuleStats{Rule: a}
			s.rules[a] = rule
		}
		rule.Hits++
		for _, b := range present[i+1:] {
			pair := [2]string{a, b}
			if n := s.pairs[pair]; n > 0 || len(s.pairs) < maxPairs {
				s.pairs[pair] = n + 1
			}
		}
	}
	for _, name := range scoring.Alone(r.Hits, r.Verdict.Thresholds.Rules()) {
		rule := s.rules[name]
		rule.Alone++
		if r.Learned == Ham && r.Verdict.Action > rules.Pass && against(r, name) {
			rule.Wrong++
			rule.LastWrong = max(rule.LastWrong, r.ID)
		}
	}
	for check, took := range r.Timing.Checks {
		s.took[check] += took
	}
}

// against reports whether a symbol of r spoke against the sender.
func against(r *Record, symbol string) bool {
	return slices.ContainsFunc(r.Hits, func(l scoring.Line) bool { return l.Rule == symbol && l.Points >= 0 })
}

// Cost is what a check took of each message, in microseconds: its answer from DNS is waited for, not worked for.
type Cost struct {
	Check  string `json:"check"`
	Micros int64  `json:"us"`
}

// Costs are the checks, those that take longest first.
func (s *Stats) Costs() []Cost {
	all := []Cost{}
	for check, took := range s.took {
		all = append(all, Cost{check, took / int64(s.Judged)})
	}
	slices.SortFunc(all, func(a, b Cost) int { return cmp.Or(cmp.Compare(b.Micros, a.Micros), cmp.Compare(a.Check, b.Check)) })
	return all
}

// Symbols are all symbols of r, whatever they are worth, in order.
func Symbols(r *Record) []string {
	var all []string
	if r.Facts != nil {
		all = slices.Clone(r.Facts.Symbols)
	}
	for _, l := range slices.Concat(r.Hits, r.Shadow) {
		if !strings.Contains(l.Rule, ":") {
			all = append(all, l.Rule)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Rules are the symbols that were seen, those first that most often were wrong, then those that most often decided, then the most frequent.
func (s *Stats) Rules() []RuleStats {
	var all []RuleStats
	for _, r := range s.rules {
		one := *r
		one.Rate = float64(r.Hits) / float64(s.Judged)
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b RuleStats) int {
		return cmp.Or(cmp.Compare(b.Wrong, a.Wrong), cmp.Compare(b.Alone, a.Alone), cmp.Compare(b.Hits, a.Hits), cmp.Compare(a.Rule, b.Rule))
	})
	return all
}

// Always are the symbols that hold for nearly every message.
func (s *Stats) Always() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.rules)) {
		if s.Judged >= fewJudged && float64(s.rules[name].Hits) >= alwaysPresent*float64(s.Judged) {
			all = append(all, name)
		}
	}
	return all
}

// Never are those of the names that held for no message.
func (s *Stats) Never(names []string) []string {
	return slices.DeleteFunc(slices.Sorted(slices.Values(names)), func(name string) bool { return s.rules[name] != nil })
}

// Redundant are the pairs of symbols that nearly always come together, the most frequent first. Symbols that are always
// there are left out.
func (s *Stats) Redundant() []Pair {
	always := s.Always()
	var all []Pair
	for names, together := range s.pairs {
		p := Pair{names, together, s.rules[names[0]].Hits + s.rules[names[1]].Hits - together}
		if together >= fewTogether && float64(together) >= nearlyAlways*float64(p.Either) &&
			!slices.Contains(always, names[0]) && !slices.Contains(always, names[1]) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(b.Together, a.Together), cmp.Compare(a.Rules[0], b.Rules[0]), cmp.Compare(a.Rules[1], b.Rules[1]))
	})
	return all
}
