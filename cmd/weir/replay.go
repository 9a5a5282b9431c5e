package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/rules"
	"weir/rules/strict"
	"weir/scoring/replay"
	"weir/scoring/verdictlog"
)

type replayFlags struct {
	log        logFlags
	rules      string
	was        string
	set        []string
	thresholds []string
	failOn     []string
	enforced   bool
	show       int
}

func (a *app) replayCommand() *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use:   "replay [QUERY] [--rules NEW.yaml]",
		Short: "Judge logged verdicts again under other rules, and show what would change",
		Long: `Judges the verdicts of the log again under the rules in --rules, or those of the configuration, with what --set and
--threshold change of them. It sends nothing and changes nothing. It prints how many verdicts of each action there
are now and would be, and each that flips with its cause. What depends on a pattern that is new or
another is looked for in the message itself, if it is kept (verdicts.bodies). What nobody can know any more, such as the
answer of a zone or the count of a window that is new, is counted, never guessed. QUERY is as for weir log.`,
		Example: `  weir replay --rules new.yaml --since 7d
  weir replay --set BULK_MANY=9 --threshold reject=12 action:tag
  weir replay --rules new.yaml --fail-on 'new_reject>0'`,
		DisableFlagParsing: true, // because of words such as -rule:X
		RunE:               withWords(func(ctx context.Context, words []string) error { return a.replay(ctx, f, words) }),
	}
	flags := c.Flags()
	f.log.bind(c)
	flags.StringVar(&f.rules, "rules", "", "judge by the rules in `FILE`")
	flags.StringVar(&f.was, "was", "", "the rules in `FILE` are those that judged, where the log does not say what they looked for")
	flags.StringArrayVar(&f.set, "set", nil, "make a symbol worth other points: `SYMBOL=POINTS`")
	flags.StringArrayVar(&f.thresholds, "threshold", nil, "move a threshold of all policies: `ACTION=POINTS`, or off")
	flags.StringArrayVar(&f.failOn, "fail-on", nil, "exit 1 if more than `N` verdicts flip, or if an expression such as new_reject>0 holds")
	flags.BoolVar(&f.enforced, "as-enforced", false, "compare with what was done: in shadow mode nothing was refused")
	flags.IntVar(&f.show, "show", 20, "show `N` flips of each kind")
	return c
}

func (a *app) replay(ctx context.Context, f replayFlags, words []string) error {
	q, err := f.log.query(words, time.Now())
	if err != nil {
		return exit{exitUsage, err}
	}
	limits, err := parseLimits(f.failOn)
	if err != nil {
		return exit{exitUsage, fmt.Errorf("--fail-on: %w", err)}
	}
	dir, err := a.verdictDir(f.log.dir)
	if err != nil {
		return err
	}
	set, err := a.rehearsed(f)
	if err != nil {
		return err
	}
	was, err := a.lookedFor(f, dir)
	if err != nil {
		return err
	}
	marks, err := verdictlog.ReadMarks(dir)
	if err != nil {
		return err
	}
	kept, err := a.shelf(dir)
	if err != nil {
		return err
	}
	defer kept.Close()
	judged := replay.Rules{Marks: marks, Set: set, Checked: checked(), Version: release, Was: was, Enforced: f.enforced}
	if kept.Len() > 0 {
		judged.Kept, judged.Readers = kept, messageReaders(set)
	}
	lines := func(ctx context.Context, each func([]byte) error) error { return verdictlog.Lines(ctx, dir, q, each) }
	p := replayPrinter{app: a, out: bufio.NewWriter(a.out), show: f.show, shown: map[replay.Change]int{}}
	report, err := replay.Run(ctx, judged, lines, p.flip)
	if err != nil {
		return err
	}
	if err := p.summary(report); err != nil {
		return err
	}
	return a.exceeded(limits, report)
}

// rehearsed are the rules to judge by: those of the file, with what the flags change.
func (a *app) rehearsed(f replayFlags) (*rules.Set, error) {
	var args []string
	if f.rules != "" {
		args = []string{f.rules}
	}
	set, err := a.namedRules(args)
	if err != nil {
		return nil, err
	}
	for _, change := range f.set {
		if err := setPoints(set, change); err != nil {
			return nil, exit{exitUsage, fmt.Errorf("--set %s: %w", change, err)}
		}
	}
	for _, change := range f.thresholds {
		if err := setThreshold(set, change); err != nil {
			return nil, exit{exitUsage, fmt.Errorf("--threshold %s: %w", change, err)}
		}
	}
	return set, nil
}

func setPoints(set *rules.Set, change string) error {
	name, number, ok := strings.Cut(change, "=")
	if !ok {
		return errors.New("write SYMBOL=POINTS")
	}
	symbol := set.Symbols[name]
	if symbol == nil {
		if near := strict.Nearest(name, slices.Collect(maps.Keys(set.Symbols))); near != "" {
			return fmt.Errorf("there is no symbol %s; did you mean %s?", name, near)
		}
		return fmt.Errorf("there is no symbol %s", name)
	}
	points, err := rules.ParsePoints(number)
	if err != nil {
		return err
	}
	symbol.Points = points
	return nil
}

func setThreshold(set *rules.Set, change string) error {
	name, number, _ := strings.Cut(change, "=")
	t := rules.Threshold{Off: number == "off"}
	if !t.Off {
		points, err := rules.ParsePoints(number)
		if err != nil {
			return err
		}
		t.Points = points
	}
	for _, p := range set.Policies {
		var action rules.Action
		if action.UnmarshalText([]byte(name)) != nil || action == rules.Pass {
			return errors.New("write tag=POINTS, subject=POINTS, defer=POINTS or reject=POINTS")
		}
		*p.Thresholds.Of(action) = t
	}
	return nil
}

// lookedFor finds what was looked for when verdicts were made: as is kept beside the log, or by the rules of --was or
// the configuration, if those are the ones that judged.
func (a *app) lookedFor(f replayFlags, dir string) (func(digest, version string) (verdictlog.Sought, bool), error) {
	var present verdictlog.Sought
	var args []string
	if f.was != "" {
		args = []string{f.was}
	}
	set, err := a.namedRules(args)
	if err != nil && f.was != "" {
		return nil, err
	}
	if err == nil {
		present = soughtBy(set)
	}
	return func(digest, version string) (verdictlog.Sought, bool) {
		if s, err := verdictlog.FindSought(dir, digest, version); err == nil {
			return s, true
		}
		return present, present.Digest == digest && version == present.Version
	}, nil
}
