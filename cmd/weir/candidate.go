package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"weir/filters"
	"weir/filters/pattern"
	"weir/proxy"
	"weir/rules"
	"weir/rules/strict"
)

// candidateBudget is how long a message may wait for the patterns of rules on trial. They take less than a millisecond.
const candidateBudget = time.Second

// candidate makes ready the rules on trial beside set; nil if there are none, or the same. They must be as good as rules
// in force.
func (l *loader) candidate(ctx context.Context, set *rules.Set) (*proxy.Candidate, strict.Findings, error) {
	if l.shadow == "" {
		return nil, nil, nil
	}
	trial, _, findings, err := tested(ctx, l.shadow)
	if err != nil {
		return nil, findings, err
	}
	if trial.Digest == set.Digest {
		return nil, findings, nil
	}
	differing, now := trial.Sought(), set.Sought()
	maps.DeleteFunc(differing, func(name, how string) bool { return now[name] == how })
	var patterns []rules.Pattern
	for _, p := range trial.Patterns {
		if _, differs := differing[p.Symbol]; differs {
			patterns = append(patterns, p)
			delete(differing, p.Symbol)
		}
	}
	check, err := pattern.New(patterns)
	if err != nil {
		return nil, findings, exit{exitConfig, err}
	}
	return &proxy.Candidate{
		Rules: trial, Checks: filters.NewPipeline(candidateBudget, check),
		Patterns: check.Symbols, Unasked: slices.Sorted(maps.Keys(differing)),
	}, findings, nil
}
