package main

import (
	"path/filepath"
	"testing"

	"weir/filters"
	"weir/filters/pattern"
	"weir/rules"
	"weir/scoring"
)

// What checks have learned to report since a release counts for nothing where that release is pinned.
func TestPinnedRulesCountNothingThatCameLater(t *testing.T) {
	load := func(pin string) *rules.Set {
		path := filepath.Join(t.TempDir(), "rules.yaml")
		write(t, path, defaultRules+pin)
		set, err := loadForReading(path)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	judge := func(set *rules.Set, symbol string) scoring.Verdict {
		return scoring.Judge(set, set.Policies[0], scoring.Facts{Hits: []filters.Hit{{Symbol: symbol}}})
	}
	pinned, newest := load("defaults: 2026.1\n"), load("")
	later := 0
	for _, name := range checked() {
		if pinned.Symbols[name] != nil || newest.Symbols[name] == nil {
			continue
		}
		later++
		if v := judge(pinned, name); len(v.Why)+len(v.Shadow) > 0 || v.Points != 0 {
			t.Errorf("%s counts where 2026.1 is pinned: %+v", name, v)
		}
		if v := judge(newest, name); v.Points == 0 {
			t.Errorf("%s counts nothing where nothing is pinned", name)
		}
	}
	if slow := judge(pinned, pattern.Slow); later == 0 || slow.Points != 0 {
		t.Errorf("%d symbols have come since, and %s is worth %s", later, pattern.Slow, slow.Points)
	}
}
