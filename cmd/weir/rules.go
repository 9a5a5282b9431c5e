package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"weir/rules"
)

func (a *app) rulesCommand() *cobra.Command {
	c := &cobra.Command{Use: "rules", Short: "Check, test and look at rules"}
	c.AddCommand(a.rulesLintCommand(), a.rulesTestCommand(), a.rulesListCommand(), a.rulesShowCommand(), a.rulesDiffCommand(), a.rulesStatsCommand(), a.rulesSchemaCommand(), a.rulesFmtCommand(), a.rulesReplCommand(), a.promoteCommand())
	return c
}

func (a *app) rulesListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list [FILE]", Short: "List every symbol and what it is worth", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			set, err := a.namedRules(args)
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			for _, s := range sortedSymbols(set) {
				if a.json {
					if err := a.printJSON(symbolView(set, s)); err != nil {
						return err
					}
					continue
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", s.Name, s.Points, s.Mode, cmp.Or(s.Family, "-"), s.About)
			}
			return table.Flush()
		},
	}
}

// symbolJSON is a symbol as `rules list --json` and `rules show --json` print it.
type symbolJSON struct {
	Rule     string        `json:"rule"`
	Score    rules.Points  `json:"score"` // under policies that say no other
	Mode     string        `json:"mode"`
	Family   string        `json:"family,omitempty"`
	Public   string        `json:"public,omitempty"`
	About    string        `json:"about,omitempty"`
	Src      string        `json:"src"`
	Policies []policyScore `json:"policies,omitempty"` // in the order in which they are asked
}

// policyScore is what a symbol is worth under a policy that says so.
type policyScore struct {
	Policy string       `json:"policy"`
	Score  rules.Points `json:"score"`
	Src    string       `json:"src"`
}

func symbolView(set *rules.Set, s *rules.Symbol) symbolJSON {
	v := symbolJSON{Rule: s.Name, Score: s.Points, Mode: s.Mode.String(), Family: s.Family, Public: s.Public, About: s.About, Src: s.Src.String()}
	for _, p := range set.Policies {
		if own, ok := p.Scores[s.Name]; ok {
			v.Policies = append(v.Policies, policyScore{p.ID, own.Points, own.Src.String()})
		}
	}
	return v
}

func sortedSymbols(set *rules.Set) []*rules.Symbol {
	return slices.SortedFunc(maps.Values(set.Symbols), func(a, b *rules.Symbol) int { return cmp.Compare(a.Name, b.Name) })
}

func (a *app) rulesShowCommand() *cobra.Command {
	var builtin bool
	c := &cobra.Command{
		Use: "show [SYMBOL]", Short: "Show one symbol, or with --builtin the rules in the binary", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if builtin {
				text, _ := rules.Builtin("builtin:defaults")
				fmt.Fprint(a.out, text)
				return nil
			}
			if len(args) == 0 {
				return exit{exitUsage, errors.New("rules show: name a symbol, or use --builtin")}
			}
			return a.showSymbol(args[0])
		},
	}
	c.Flags().BoolVar(&builtin, "builtin", false, "print the rules in the binary")
	return c
}

func (a *app) showSymbol(name string) error {
	set, err := a.namedRules(nil)
	if err != nil {
		return err
	}
	s := set.Symbols[name]
	if s == nil {
		return exit{exitNoInput, fmt.Errorf("no symbol %s; `weir rules list` prints them all", name)}
	}
	if a.json {
		return a.printJSON(symbolView(set, s))
	}
	fmt.Fprintf(a.out, "%s  %s points, %s\n  %s\n  %s\n", s.Name, s.Points, s.Mode, s.About, s.Src)
	if s.Family != "" {
		fmt.Fprintf(a.out, "  family %s\n", s.Family)
	}
	if s.Public != "" {
		fmt.Fprintf(a.out, "  the sender may be told: %s\n", s.Public)
	}
	for _, o := range s.Changed {
		fmt.Fprintf(a.out, "  was %s until %s: %s\n", o.Was, o.Src, o.Why)
	}
	for _, own := range symbolView(set, s).Policies {
		fmt.Fprintf(a.out, "  %s under the policy %s, at %s\n", own.Score, own.Policy, own.Src)
	}
	for _, p := range set.Proofs {
		if p.Rule == name {
			fmt.Fprintf(a.out, "  %s %s\n", map[bool]string{true: "hit ", false: "miss"}[p.Hit], cmp.Or(p.Text, strings.Join(p.Symbols, " ")))
		}
	}
	return nil
}

// rulesFile is the rules file a verb means: the argument, the configuration's, or rules.yaml here if there is one.
func (a *app) rulesFile(args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	c, err := a.config()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat("rules.yaml"); c.Rules == "" && err == nil {
		return "rules.yaml", nil
	}
	return c.Rules, nil
}

// namedRules loads the rules that args name, for verbs that only look at them.
func (a *app) namedRules(args []string) (*rules.Set, error) {
	path, err := a.rulesFile(args)
	if err != nil {
		return nil, err
	}
	return loadForReading(path)
}

func loadForReading(path string) (*rules.Set, error) {
	set, findings, err := loadRules(path)
	if err != nil {
		return nil, err
	}
	if err := findings.Err(); err != nil {
		return nil, exit{exitConfig, err}
	}
	return set, nil
}
