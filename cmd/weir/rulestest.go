package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"weir/filters/pattern"
	"weir/rules"
)

func (a *app) rulesTestCommand() *cobra.Command {
	var require, coverage bool
	var junit string
	c := &cobra.Command{
		Use: "test [FILE]", Short: "Run the tests written in a rules file", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			path, err := a.rulesFile(args)
			if err != nil {
				return err
			}
			set, err := loadForReading(path)
			if err != nil {
				return err
			}
			patterns, err := pattern.New(set.Patterns)
			if err != nil {
				return exit{exitConfig, err}
			}
			r := testRules(c.Context(), set, patterns)
			if require {
				r.requireProofs(set)
			}
			r.place(path)
			if junit != "" {
				if err := writeJUnit(junit, set, r); err != nil {
					return err
				}
			}
			if coverage {
				a.printCoverage(set, r)
			}
			return a.printTests(r)
		},
	}
	c.Flags().BoolVar(&require, "require", false, "a rule without a test fails")
	c.Flags().BoolVar(&coverage, "coverage", false, "print which symbols no test has shown to hold")
	c.Flags().StringVar(&junit, "junit", "", "write the outcome to `FILE` as JUnit's XML")
	return c
}

// requireProofs adds a failure for each rule that a text or an expression decides and that no test proves.
func (r *testReport) requireProofs(set *rules.Set) {
	proven := map[string]bool{}
	for _, p := range set.Proofs {
		proven[p.Rule] = true
	}
	for _, name := range testable(set) {
		if !proven[name] {
			r.fail(name, set.Symbols[name].Src, "%s has no test: give it a hit and a miss", name)
		}
	}
}

func testable(set *rules.Set) []string {
	var names []string
	for _, p := range set.Patterns {
		names = append(names, p.Symbol)
	}
	for _, a := range set.Attachments {
		names = append(names, a.Symbol)
	}
	for _, e := range set.Elements {
		names = append(names, e.Symbol)
	}
	for _, c := range set.Combos {
		names = append(names, c.Symbol)
	}
	return names
}

func (a *app) printTests(r testReport) error {
	for _, f := range r.Failures {
		if a.json {
			if err := a.printJSON(f); err != nil {
				return err
			}
		} else {
			fmt.Fprintf(a.out, "%s: %s\n", f.At, f.Text)
		}
	}
	a.say("%d proofs of rules and %d whole messages: %d failed", r.Proofs, r.Tests, len(r.Failures))
	if len(r.Failures) > 0 {
		return exit{code: exitNo}
	}
	return nil
}

// printCoverage prints the symbols of any worth that no test has had present, and how many there are in all.
func (a *app) printCoverage(set *rules.Set, r testReport) {
	for _, p := range set.Proofs {
		if p.Hit {
			r.seen[p.Rule] = true
		}
	}
	all, shown := 0, 0
	for _, s := range sortedSymbols(set) {
		all++
		if r.seen[s.Name] {
			shown++
			continue
		}
		fmt.Fprintf(a.out, "%s: no test has shown %s to hold\n", s.Src, s.Name)
	}
	a.say("%d of %d symbols are shown to hold by a test", shown, all)
}
