package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/rules"
	"weir/scoring/verdictlog"
)

// overlapFlags say which records `dns overlap` reads, and how many pairs it shows.
type overlapFlags struct {
	log   logFlags
	rules string
	show  int
}

func (a *app) dnsOverlapCommand() *cobra.Command {
	var f overlapFlags
	c := &cobra.Command{
		Use:   "overlap [QUERY]",
		Short: "Say from the verdict log which DNS lists say the same",
		Long: `Counts in the verdict log what each list of the rules had listed of a message or its sender, and for each pair of lists how
often both had, and how often one alone. A verdict in which one of the two gave no answer does not count for the pair. A list
whose listings another one nearly always has too adds nothing. QUERY is as for weir log.`,
		Example:            "  weir dns overlap --since 7d\n  weir dns overlap -action:reject",
		DisableFlagParsing: true, // because of words such as -rule:X
		RunE:               withWords(func(ctx context.Context, words []string) error { return a.dnsOverlap(ctx, f, words) }),
	}
	f.log.bind(c)
	c.Flags().StringVar(&f.rules, "rules", "", "the lists are those of the rules in `FILE`")
	c.Flags().IntVar(&f.show, "show", 20, "show `N` pairs, those that are most alike")
	return c
}

func (a *app) dnsOverlap(ctx context.Context, f overlapFlags, words []string) error {
	q, err := f.log.query(words, time.Now())
	if err != nil {
		return exit{exitUsage, err}
	}
	dir, err := a.verdictDir(f.log.dir)
	if err != nil {
		return err
	}
	var files []string
	if f.rules != "" {
		files = []string{f.rules}
	}
	set, err := a.namedRules(files)
	if err != nil {
		return err
	}
	o := newOverlap(set)
	if err := verdictlog.Search(ctx, dir, q, func(r *verdictlog.Record) error { o.add(r); return nil }); err != nil {
		return err
	}
	return a.printOverlap(o, f.show)
}

// overlap counts which lists had listed the same. The lists are those of one set of rules, so there are few.
type overlap struct {
	set    *rules.Set
	judged int
	lists  map[string]*listTally
	pairs  map[[2]string]*pairTally // the names in order
}

// listTally is what one list had listed, as `dns overlap --json` prints it.
type listTally struct {
	List   string `json:"list"`
	Listed int    `json:"listed"`
	Alone  int    `json:"alone"` // of these, what no other list had
}

// pairTally is what two lists had listed where both gave an answer.
type pairTally struct {
	Lists [2]string  `json:"lists"`
	Both  int        `json:"both"`
	Only  [2]int     `json:"only"`  // the first alone, the second alone
	Share [2]float64 `json:"share"` // how much of the first's listings the second has too, and the other way
}

func newOverlap(set *rules.Set) *overlap {
	o := &overlap{set: set, lists: map[string]*listTally{}, pairs: map[[2]string]*pairTally{}}
	for _, z := range set.Zones {
		o.lists[z.ID] = &listTally{List: z.ID}
	}
	return o
}

// add counts r, if rules have judged it.
func (o *overlap) add(r *verdictlog.Record) {
	if r.Verdict.Policy == "" {
		return
	}
	o.judged++
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
func (o *overlap) pair(id, other string) (p *pairTally, at int) {
	names := [2]string{id, other}
	if other < id {
		names, at = [2]string{other, id}, 1
	}
	if p = o.pairs[names]; p == nil {
		p = &pairTally{Lists: names}
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

// sorted are the lists, those that listed most first.
func (o *overlap) sorted() []*listTally {
	return slices.SortedFunc(maps.Values(o.lists), func(a, b *listTally) int {
		return cmp.Or(cmp.Compare(b.Listed, a.Listed), cmp.Compare(a.List, b.List))
	})
}

// alike are the pairs that had something in common, most alike first.
func (o *overlap) alike() []pairTally {
	var all []pairTally
	for _, p := range o.pairs {
		if p.Both == 0 {
			continue
		}
		for i := range p.Only {
			p.Share[i] = float64(p.Both) / float64(p.Both+p.Only[i])
		}
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b pairTally) int {
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

// idle says of which list of the pair the other one has nearly everything; of both the one that has listed less.
func (p pairTally) idle() (idle, other int, ok bool) {
	says := func(i int) bool { return p.Both+p.Only[i] >= fewListings && p.Share[i] >= addsNothing }
	switch {
	case says(0) && (!says(1) || p.Only[0] < p.Only[1]):
		return 0, 1, true
	case says(1):
		return 1, 0, true
	}
	return 0, 0, false
}

func (a *app) printOverlap(o *overlap, show int) error {
	lists, alike := o.sorted(), o.alike()
	if a.json {
		for _, l := range lists {
			if err := a.printJSON(l); err != nil {
				return err
			}
		}
		for _, p := range alike {
			if err := a.printJSON(p); err != nil {
				return err
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "listed\talone\t list")
	for _, l := range lists {
		fmt.Fprintf(table, "%d\t%d\t %s\n", l.Listed, l.Alone, l.List)
	}
	fmt.Fprintln(table)
	shown := alike[:min(len(alike), max(show, 0))]
	if len(shown) > 0 {
		fmt.Fprintln(table, "both\tonly first\tonly second\tof first\tof second\t lists")
	}
	for _, p := range shown {
		fmt.Fprintf(table, "%d\t%d\t%d\t%.1f%%\t%.1f%%\t %s %s\n", p.Both, p.Only[0], p.Only[1], 100*p.Share[0], 100*p.Share[1], p.Lists[0], p.Lists[1])
	}
	if err := table.Flush(); err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	if more := len(alike) - len(shown); more > 0 {
		fmt.Fprintf(a.out, "… and %s more\n", count(more, "pair"))
	}
	fmt.Fprintf(a.out, "of %s\n", count(o.judged, "verdict"))
	for _, p := range alike {
		if i, other, ok := p.idle(); ok {
			fmt.Fprintf(a.out, "%s adds little: %.0f %% of its %d listings are in %s too\n",
				p.Lists[i], 100*p.Share[i], p.Both+p.Only[i], p.Lists[other])
		}
	}
	return nil
}
