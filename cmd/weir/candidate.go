package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/filters"
	"weir/filters/attachment"
	"weir/filters/html"
	"weir/filters/pattern"
	"weir/filters/structure"
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
	checks, err := readers(trial.Matchers, differing)
	if err != nil {
		return nil, findings, exit{exitConfig, err}
	}
	var symbols []string
	for _, c := range checks {
		for _, name := range c.Symbols {
			symbols = append(symbols, name)
			delete(differing, name)
		}
	}
	return &proxy.Candidate{
		Rules: trial, Checks: filters.NewPipeline(candidateBudget, checks...),
		Patterns: symbols, Unasked: slices.Sorted(maps.Keys(differing)),
	}, findings, nil
}

// messageReaders makes, of the symbols that are wanted, the checks of those that follow from a message alone. Those of the
// same symbols are made once.
func messageReaders(set *rules.Set) func(wanted map[string]bool) ([]filters.Check, error) {
	var mu sync.Mutex
	made := map[string][]filters.Check{}
	return func(wanted map[string]bool) ([]filters.Check, error) {
		mu.Lock()
		defer mu.Unlock()
		key := strings.Join(slices.Sorted(maps.Keys(wanted)), " ")
		if checks, ok := made[key]; ok {
			return checks, nil
		}
		sought := map[string]string{}
		for name := range wanted {
			sought[name] = ""
		}
		checks, err := readers(set.Matchers, sought)
		if err != nil {
			return nil, err
		}
		if form := structure.New(); slices.ContainsFunc(form.Symbols, func(name string) bool { return wanted[name] }) {
			checks = append(checks, form)
		}
		made[key] = checks
		return checks, nil
	}
}

// readers are the checks of those of all matchers whose symbols are in wanted.
func readers(all rules.Matchers, wanted map[string]string) ([]filters.Check, error) {
	unwanted := func(symbol string) bool {
		_, ok := wanted[symbol]
		return !ok
	}
	patterns, err := pattern.New(slices.DeleteFunc(slices.Clone(all.Patterns), func(p rules.Pattern) bool { return unwanted(p.Symbol) }))
	if err != nil {
		return nil, err
	}
	checks := []filters.Check{patterns}
	if own := slices.DeleteFunc(slices.Clone(all.Attachments), func(a rules.Attachment) bool { return unwanted(a.Symbol) }); len(own) > 0 {
		checks = append(checks, attachment.New(own))
	}
	if own := slices.DeleteFunc(slices.Clone(all.Elements), func(e rules.Element) bool { return unwanted(e.Symbol) }); len(own) > 0 {
		checks = append(checks, html.New(own))
	}
	return checks, nil
}
