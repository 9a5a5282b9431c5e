package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/cmd/weir/dns"
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
	o := dns.NewOverlap(set)
	if err := verdictlog.Search(ctx, dir, q, func(r *verdictlog.Record) error { o.Add(r); return nil }); err != nil {
		return err
	}
	return a.printOverlap(o, f.show)
}

func (a *app) printOverlap(o *dns.Overlap, show int) error {
	lists, alike := o.Lists(), o.Pairs()
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
	fmt.Fprintf(a.out, "of %s\n", count(o.Judged, "verdict"))
	for _, p := range alike {
		if i, other, ok := p.Idle(); ok {
			fmt.Fprintf(a.out, "%s adds little: %.0f %% of its %d listings are in %s too\n",
				p.Lists[i], 100*p.Share[i], p.Both+p.Only[i], p.Lists[other])
		}
	}
	return nil
}
