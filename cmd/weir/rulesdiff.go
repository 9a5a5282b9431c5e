package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"weir/rules"
)

func (a *app) rulesDiffCommand() *cobra.Command {
	var builtin bool
	c := &cobra.Command{
		Use: "diff OLD NEW | diff --builtin [FILE]", Short: "Say in words how two rules files differ in worth",
		Long: `Says in words how two rules files differ: what symbols are worth, what rules look for, caps and policies. OLD and NEW
may be builtin:defaults, the newest rules in the binary, or a release of them such as builtin:defaults@2026.1.

With --builtin: what would change if FILE, which pins a release of the built-in rules, took the newest.`,
		Args: func(c *cobra.Command, args []string) error {
			if builtin {
				return cobra.MaximumNArgs(1)(c, args)
			}
			return cobra.ExactArgs(2)(c, args)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if builtin {
				return a.diffBuiltin(args)
			}
			old, err := loadForReading(args[0])
			if err != nil {
				return err
			}
			edited, err := loadForReading(args[1])
			if err != nil {
				return err
			}
			a.printDifferences(old, edited)
			return nil
		},
	}
	c.Flags().BoolVar(&builtin, "builtin", false, "compare the pinned release of the built-in rules with the newest")
	return c
}

// diffBuiltin prints what the rules that args name would change if they took the newest built-in rules.
func (a *app) diffBuiltin(args []string) error {
	path, err := a.rulesFile(args)
	if err != nil {
		return err
	}
	pinned, err := loadForReading(path)
	if err != nil {
		return err
	}
	if pinned.Pinned() == "" {
		all := rules.Releases()
		a.say("%s: no release of the built-in rules is pinned; `defaults: %s` would", cmp.Or(path, "the rules in the binary"), all[len(all)-1])
		return nil
	}
	fsys, name, err := rulesFS(path)
	if err != nil {
		return err
	}
	newest, findings := rules.Loader{FS: fsys, Known: known(), Now: time.Now(), Newest: true}.Load(name)
	if err := findings.Err(); err != nil {
		return exit{exitConfig, fmt.Errorf("with the newest built-in rules: %w", err)}
	}
	if !a.printDifferences(pinned, newest) {
		a.say("nothing: %s is as the newest", pinned.Pinned())
	}
	return nil
}

// printDifferences reports whether there are any.
func (a *app) printDifferences(old, edited *rules.Set) bool {
	lines := differencesOf(old, edited)
	for _, line := range lines {
		fmt.Fprintln(a.out, line)
	}
	return len(lines) > 0
}

func differencesOf(old, edited *rules.Set) []string {
	var lines []string
	was, is := meanings(old), meanings(edited)
	for _, s := range sortedSymbols(old) {
		n := edited.Symbols[s.Name]
		if n == nil {
			lines = append(lines, fmt.Sprintf("%s is gone (it was worth %s)", s.Name, s.Points))
			continue
		}
		if n.Points != s.Points {
			lines = append(lines, fmt.Sprintf("%s is worth %s instead of %s", s.Name, n.Points, s.Points))
		}
		if n.Mode != s.Mode {
			lines = append(lines, fmt.Sprintf("%s is %s instead of %s", s.Name, n.Mode, s.Mode))
		}
		if was[s.Name] != is[s.Name] {
			lines = append(lines, fmt.Sprintf("%s looks for something else", s.Name))
		}
	}
	for _, s := range sortedSymbols(edited) {
		if old.Symbols[s.Name] == nil {
			lines = append(lines, fmt.Sprintf("%s is new, worth %s", s.Name, s.Points))
		}
	}
	return slices.Concat(lines, capDifferences(old, edited), policyDifferences(old, edited))
}

// meanings are what symbols stand for, as texts to compare.
func meanings(set *rules.Set) map[string]string {
	all := set.Sought()
	for _, c := range set.Combos {
		all[c.Symbol] = c.When.Text
	}
	return all
}

func capDifferences(old, edited *rules.Set) []string {
	was := map[string]rules.Points{}
	for _, c := range old.Caps {
		was[c.Family] = c.Points
	}
	var lines []string
	for _, c := range edited.Caps {
		before, capped := was[c.Family]
		switch {
		case !capped:
			lines = append(lines, fmt.Sprintf("family %s is capped at %s", c.Family, c.Points))
		case before != c.Points:
			lines = append(lines, fmt.Sprintf("family %s is capped at %s instead of %s", c.Family, c.Points, before))
		}
		delete(was, c.Family)
	}
	for _, family := range slices.Sorted(maps.Keys(was)) {
		lines = append(lines, fmt.Sprintf("family %s is not capped", family))
	}
	return lines
}

func policyDifferences(old, edited *rules.Set) []string {
	was := map[string]*rules.Policy{}
	for _, p := range old.Policies {
		was[p.ID] = p
	}
	var lines []string
	for _, p := range edited.Policies {
		before := was[p.ID]
		if delete(was, p.ID); before == nil {
			lines = append(lines, fmt.Sprintf("policy %s is new", p.ID))
			continue
		}
		if before.Thresholds != p.Thresholds {
			lines = append(lines, fmt.Sprintf("policy %s: %s instead of %s", p.ID, thresholdText(p.Thresholds), thresholdText(before.Thresholds)))
		}
		if before.Mark != p.Mark {
			lines = append(lines, fmt.Sprintf("policy %s: subjects are marked %q instead of %q", p.ID, p.Mark, before.Mark))
		}
		lines = append(lines, modeDifference(p.ID, "lists count", before.ZoneMode, p.ZoneMode)...)
		lines = append(lines, modeDifference(p.ID, "alike messages count", before.BulkMode, p.BulkMode)...)
		if before.NoGreylist != p.NoGreylist {
			lines = append(lines, fmt.Sprintf("policy %s: greylisting is %s", p.ID, map[bool]string{true: "off", false: "as for all"}[p.NoGreylist]))
		}
		for _, s := range sortedSymbols(edited) { // one that is gone or new is said to be
			now, then := p.PointsOf(s), s.Points
			if o := old.Symbols[s.Name]; o != nil {
				then = before.PointsOf(o)
			}
			if (ownScore(p, s) || ownScore(before, s)) && now != then {
				lines = append(lines, fmt.Sprintf("policy %s: %s is worth %s instead of %s", p.ID, s.Name, now, then))
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(was)) {
		lines = append(lines, fmt.Sprintf("policy %s is gone", id))
	}
	return lines
}

func modeDifference(policy, what string, was, is *rules.Mode) []string {
	text := func(m *rules.Mode) string {
		if m == nil {
			return "as for all"
		}
		return m.String()
	}
	if text(was) == text(is) {
		return nil
	}
	return []string{fmt.Sprintf("policy %s: %s %s instead of %s", policy, what, text(is), text(was))}
}

func ownScore(p *rules.Policy, s *rules.Symbol) bool {
	_, own := p.Scores[s.Name]
	return own
}

func thresholdText(t rules.Thresholds) string {
	one := func(t rules.Threshold) string {
		if t.Off {
			return "off"
		}
		return t.Points.String()
	}
	text := "tag " + one(t.Tag)
	if !t.Subject.Off {
		text += ", subject " + one(t.Subject)
	}
	return fmt.Sprintf("%s, defer %s, reject %s", text, one(t.Defer), one(t.Reject))
}
