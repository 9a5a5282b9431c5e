package replay

import (
	"slices"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

// Lose judges the facts of r twice under set: as they are, and without the symbols for which lost holds. It reports false
// if r keeps no facts. A symbol that set looks for and the rules of r did not counts as not found, both times.
func Lose(set *rules.Set, r *verdictlog.Record, lost func(symbol string) bool) (with, without scoring.Verdict, ok bool) {
	if r.Facts == nil {
		return with, without, false
	}
	all := scoring.Facts{Features: r.Facts.Features, Failed: r.Facts.Failed}
	for _, name := range r.Facts.Symbols {
		all.Hits = append(all.Hits, filters.Hit{Symbol: name})
	}
	p := policyOf(set, r.Envelope, whoseOf(r.Envelope, r.Session), r.Verdict.Policy)
	with = scoring.Judge(set, p, all)
	all.Hits = slices.DeleteFunc(all.Hits, func(h filters.Hit) bool { return lost(h.Symbol) })
	return with, scoring.Judge(set, p, all), true
}
