package main

import (
	"log/slog"
	"maps"
	"slices"

	"weir/rules"
	"weir/scoring/verdictlog"
)

// soughtBy is what this program looks for under set.
func soughtBy(set *rules.Set) verdictlog.Sought {
	s := verdictlog.Sought{Digest: set.Digest, Version: release, Symbols: set.Sought(), Features: rules.FeatureNames()}
	for _, name := range checked() {
		if _, described := s.Symbols[name]; !described {
			s.Symbols[name] = ""
		}
	}
	return s
}

// checked are the symbols that checks report whatever the rules say.
func checked() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for names := range maps.Values(known()) {
			for _, name := range names {
				if !yield(name) {
					return
				}
			}
		}
	})
}

// keepSought writes what set looks for beside the verdict log in dir, if there is one. Without it `weir replay` knows
// less, so a failure stops nothing.
func keepSought(log *slog.Logger, dir string, set *rules.Set) {
	if dir == "" {
		return
	}
	if err := verdictlog.KeepSought(dir, soughtBy(set)); err != nil {
		log.Warn("replay will know less of these verdicts", "err", err)
	}
}
