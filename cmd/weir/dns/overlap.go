package dns

import (
	"cmp"
	"maps"
	"slices"

	"weir/rules"
	"weir/scoring/verdictlog"
)

// Overlap counts which lists had listed the same. The lists are those of one set of rules, so there are few.
type Overlap struct {
	set    *rules.Set
	Judged int
	lists  map[string]*Tally
	pairs  map[[2]string]*Pair // the names in order
}

// Tally is what one list had listed, as `dns overlap --json` prints it.
type Tally struct {
	List   string `json:"list"`
	Listed int    `json:"listed"`
	Alone  int    `json:"alone"` // of these, what no other list had
}

// Pair is what two lists had listed where both gave an answer.
type Pair struct {
	Lists [2]string  `json:"lists"`
	Both  int        `json:"both"`
	Only  [2]int     `json:"only"`  // the first alone, the second alone
	Share [2]float64 `json:"share"` // how much of the first's listings the second has too, and the other way
}

// NewOverlap makes one of the lists of set, to which records are to be added.
func NewOverlap(set *rules.Set) *Overlap {
	o := &Overlap{set: set, lists: map[string]*Tally{}, pairs: map[[2]string]*Pair{}}
	for _, z := range set.Zones {
		o.lists[z.ID] = &Tally{List: z.ID}
	}
	return o
}

// Add counts r, if rules have judged it.
func (o *Overlap) Add(r *verdictlog.Record) {
	if r.Verdict.Policy == "" {
		return
	}
	o.Judged++
	listed, silent := zonesListing(o.set, r), map[string]bool{}
	for _, p := range r.Errors {
		silent[p.Rule] = true
	}
	for _, id := range listed {
		o.lists[id].Listed++
		if len(listed) == 1 {
			o.lists[id].Alone++
		}
		for other := range o.lists {
			if other == id || silent[id] || silent[other] {
				continue
			}
			switch has := slices.Contains(listed, other); {
			case !has:
				p, i := o.pair(id, other)
				p.Only[i]++
			case id < other: // once for both
				p, _ := o.pair(id, other)
				p.Both++
			}
		}
	}
}

// pair is the tally of two lists, and where in it the first of them stands.
func (o *Overlap) pair(id, other string) (p *Pair, at int) {
	names := [2]string{id, other}
	if other < id {
		names, at = [2]string{other, id}, 1
	}
	if p = o.pairs[names]; p == nil {
		p = &Pair{Lists: names}
		o.pairs[names] = p
	}
	return p, at
}

// zonesListing are the lists of set that had listed something of r, in the order of their ids.
func zonesListing(set *rules.Set, r *verdictlog.Record) []string {
	var all []string
	for _, name := range verdictlog.Symbols(r) {
		if s := set.Symbols[name]; s != nil && s.Zone != "" {
			all = append(all, s.Zone)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Lists are the lists, those that listed most first.
func (o *Overlap) Lists() []*Tally {
	return slices.SortedFunc(maps.Values(o.lists), func(a, b *Tally) int {
		return cmp.Or(cmp.Compare(b.Listed, a.Listed), cmp.Compare(a.List, b.List))
	})
}

// Pairs are the pairs that had something in common, most alike first.
func (o *Overlap) Pairs() []Pair {
	var all []Pair
	for _, p := range o.pairs {
		if p.Both == 0 {
			continue
		}
		for i := range p.Only {
			p.Share[i] = float64(p.Both) / float64(p.Both+p.Only[i])
		}
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(max(b.Share[0], b.Share[1]), max(a.Share[0], a.Share[1])), cmp.Compare(b.Both, a.Both),
			slices.Compare(a.Lists[:], b.Lists[:]))
	})
	return all
}

// Bounds of saying that a list adds nothing.
const (
	fewListings = 20 // of fewer nothing is said
	addsNothing = 0.95
)

// Idle says of which list of the pair the other one has nearly everything; of both the one that has listed less.
func (p Pair) Idle() (idle, other int, ok bool) {
	says := func(i int) bool { return p.Both+p.Only[i] >= fewListings && p.Share[i] >= addsNothing }
	switch {
	case says(0) && (!says(1) || p.Only[0] < p.Only[1]):
		return 0, 1, true
	case says(1):
		return 1, 0, true
	}
	return 0, 0, false
}
