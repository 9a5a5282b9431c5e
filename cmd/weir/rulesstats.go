package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/rules"
	"weir/scoring/verdictlog"
)

func (a *app) rulesStatsCommand() *cobra.Command {
	var f logFlags
	var file string
	c := &cobra.Command{
		Use: "stats [QUERY]", Short: "Count in the verdict log what each rule did",
		Long: `Counts in the verdict log how often each symbol held, and how often it alone decided: without it the action would
have been another one, and how often that was wrong: people had said ham (weir learn). Names the symbols that hold for nearly all mail or for none, and those that nearly always come
together. QUERY is as for weir log.`,
		DisableFlagParsing: true, // because of words such as -rule:X
		RunE:               withWords(func(ctx context.Context, words []string) error { return a.rulesStats(ctx, f, file, words) }),
	}
	f.bind(c)
	c.Flags().StringVar(&file, "rules", "", "the symbols that never held are those of the rules in `FILE`")
	return c
}

func (a *app) rulesStats(ctx context.Context, f logFlags, file string, words []string) error {
	q, err := f.query(words, time.Now())
	if err != nil {
		return exit{exitUsage, err}
	}
	dir, err := a.verdictDir(f.dir)
	if err != nil {
		return err
	}
	var args []string
	if file != "" {
		args = []string{file}
	}
	set, err := a.namedRules(args)
	if err != nil {
		return err
	}
	var s verdictlog.Stats
	err = verdictlog.Search(ctx, dir, q, func(r *verdictlog.Record) error { s.Add(r); return nil })
	if err != nil {
		return err
	}
	if a.json {
		return a.printStatsJSON(&s, set)
	}
	a.printStats(&s, set)
	return nil
}

// printStatsJSON prints a line a symbol, and one with what is said of all.
func (a *app) printStatsJSON(s *verdictlog.Stats, set *rules.Set) error {
	for _, r := range s.Rules() {
		if err := a.printJSON(r); err != nil {
			return err
		}
	}
	return a.printJSON(struct {
		Judged    int               `json:"judged"`
		Always    []string          `json:"always"`
		Never     []string          `json:"never"`
		Redundant []verdictlog.Pair `json:"redundant"`
		Costs     []verdictlog.Cost `json:"costs"`
	}{s.Judged, s.Always(), s.Never(slices.Collect(maps.Keys(set.Symbols))), s.Redundant(), s.Costs()})
}

func (a *app) printStats(s *verdictlog.Stats, set *rules.Set) {
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "hits\trate\talone\tworth\t symbol")
	for _, r := range s.Rules() {
		worth := "-"
		if symbol := set.Symbols[r.Rule]; symbol != nil {
			worth = symbol.Points.String()
		}
		fmt.Fprintf(table, "%d\t%.2f%%\t%d\t%s\t %s\n", r.Hits, r.Rate*100, r.Alone, worth, printable(r.Rule))
	}
	table.Flush()
	fmt.Fprintf(a.out, "of %s\n", count(s.Judged, "verdict"))
	for _, r := range s.Rules() {
		if r.Wrong > 0 {
			fmt.Fprintf(a.out, "wrong: %s, alone against %s that people said is ham, last %s\n", printable(r.Rule), count(r.Wrong, "message"), r.LastWrong)
		}
	}
	if costs := costsText(s.Costs()); costs != "" {
		fmt.Fprintf(a.out, "a message took: %s\n", costs)
	}
	for _, line := range []struct {
		what  string
		names []string
	}{{"always", s.Always()}, {"never", s.Never(slices.Collect(maps.Keys(set.Symbols)))}} {
		if len(line.names) > 0 {
			fmt.Fprintf(a.out, "%s: %s\n", line.what, printable(strings.Join(line.names, " ")))
		}
	}
	for _, p := range s.Redundant() {
		fmt.Fprintf(a.out, "together: %s %s, in %d of %d\n", printable(p.Rules[0]), printable(p.Rules[1]), p.Together, p.Either)
	}
}

// costsText names the checks that take longest.
func costsText(costs []verdictlog.Cost) string {
	const most = 5
	var all []string
	for _, c := range costs[:min(len(costs), most)] {
		if c.Micros > 0 {
			all = append(all, fmt.Sprintf("%s %.2f ms", printable(c.Check), float64(c.Micros)/1000))
		}
	}
	return strings.Join(all, ", ")
}
