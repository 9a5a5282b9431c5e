package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"testing/fstest"
	"time"

	"weir/cmd/weir/config"
	"weir/filters"
	"weir/filters/lookup"
	"weir/filters/pattern"
	"weir/filters/store"
	"weir/proxy"
	"weir/rules"
	"weir/rules/strict"
)

// loader makes generations of rules. What outlives a generation, the resolver's cache and the counters of the store,
// is in its parts.
type loader struct {
	parts
	scanBudget time.Duration
	patience   time.Duration // of proxy.Generation
	relays     []netip.Prefix
	shadow     string // the file of the rules on trial; "" for none
	count      int
}

// newLoader makes a loader of the rules of c, whose filters ask r and count in s.
func newLoader(c config.Config, r *lookup.Resolver, s store.Store) *loader {
	return &loader{
		parts:      parts{resolver: r, store: s, dnsBudget: c.DNS.Budget},
		scanBudget: c.ScanBudget,
		patience:   c.DNS.Patience,
		relays:     c.Trusted.Relays,
	}
}

// defaultRules is what rules are when no file is named.
const defaultRules = "version: 1\ninclude: [\"builtin:defaults\"]\nthresholds: { tag: 6, reject: 15 }\n"

// rulesFS is the folder and the name of a rules file; the builtin rules for path "".
func rulesFS(path string) (fs.FS, string, error) {
	if path == "" {
		return fstest.MapFS{"default rules": {Data: []byte(defaultRules)}}, "default rules", nil
	}
	if _, builtin := rules.Builtin(path); builtin {
		return fstest.MapFS{}, path, nil
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, "", exit{exitNoInput, fmt.Errorf("reading rules: %w", err)}
	case info.IsDir():
		return nil, "", exit{exitNoInput, fmt.Errorf("reading rules: %s is a folder", path)}
	}
	return os.DirFS(filepath.Dir(path)), filepath.Base(path), nil
}

// loadRules reads a rules file and returns it with all findings; the set is nil if they hold an error.
func loadRules(path string) (*rules.Set, strict.Findings, error) {
	fsys, name, err := rulesFS(path)
	if err != nil {
		return nil, nil, err
	}
	set, findings := rules.Load(fsys, name, known())
	for i := range findings {
		findings[i].Src = placed(findings[i].Src, path)
	}
	return set, findings, nil
}

// placed makes a place in the rules of path, or in a file that they include, one that can be opened from here.
func placed(src strict.Src, path string) strict.Src {
	if _, builtin := rules.Builtin(src.File); !builtin && path != "" {
		src.File = filepath.Join(filepath.Dir(path), src.File)
	}
	return src
}

// load makes the next generation: read, lint, test. Warnings are returned with it; on an error nothing has changed.
func (l *loader) load(ctx context.Context, path string) (*proxy.Generation, strict.Findings, error) {
	set, patterns, findings, err := tested(ctx, path)
	if err != nil {
		return nil, findings, err
	}
	candidate, found, err := l.candidate(ctx, set)
	if err != nil {
		return nil, found, err
	}
	l.guards.Watch(set.Zones)
	l.count++
	g := newGeneration(set, checks(set, patterns, l.parts), l.scanBudget)
	g.Number, g.Patience, g.Candidate = l.count, l.patience, candidate
	g.Checks.Relays = l.relays
	return g, append(findings, found...), nil
}

// tested reads a rules file, with its patterns compiled, and runs its tests. It is an error if one fails.
func tested(ctx context.Context, path string) (*rules.Set, filters.Check, strict.Findings, error) {
	none := filters.Check{}
	set, findings, err := loadRules(path)
	if err != nil {
		return nil, none, nil, err
	}
	if err := findings.Err(); err != nil {
		return nil, none, findings, exit{exitConfig, err}
	}
	patterns, err := pattern.New(set.Patterns)
	if err != nil {
		return nil, none, findings, exit{exitConfig, err}
	}
	if r := testRules(ctx, set, patterns); len(r.Failures) > 0 {
		r.place(path)
		return nil, none, findings, exit{exitConfig, r.err()}
	}
	return set, patterns, findings, nil
}

func newGeneration(set *rules.Set, all []filters.Check, budget time.Duration) *proxy.Generation {
	return &proxy.Generation{Number: 1, Rules: set, Checks: filters.NewPipeline(budget, all...)}
}

// err is nil if all tests passed, else says what failed, a line each.
func (r testReport) err() error {
	var all []error
	for _, f := range r.Failures {
		all = append(all, fmt.Errorf("%s: test failed: %s", f.At, f.Text))
	}
	return errors.Join(all...)
}
