package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"weir/proxy/console"
	"weir/rules"
)

// listsEvery is how often the files of lists are looked at.
const listsEvery = 3 * time.Second

// listFiles are the files from which the rules in force were read. The mutex of its reloadable guards it.
type listFiles struct {
	path    string   // of the rules
	trial   string   // of those on trial; "" for none
	rules   []string // the files of rules
	lists   []string // the files of lists
	inForce string   // the look of the lists that were read last
	written string   // the look of the rules then
	seen    string   // the look of the lists the last time
	refused string   // that of lists which could not be used
}

// note keeps what is known of the files of set, which was read from path since began, and of the rules on trial beside
// it. A list that has changed meanwhile looks like none, so that it is read again.
func (f *listFiles) note(path, trial string, set *rules.Set, began time.Time) {
	*f = listFiles{path: path, trial: trial}
	if path == "" {
		return
	}
	for _, name := range set.Files {
		if _, builtin := rules.Builtin(name); builtin {
			continue
		}
		isList := false
		for _, l := range set.Lists {
			isList = isList || l.File == name
		}
		name = filepath.Join(filepath.Dir(path), name)
		if isList {
			f.lists = append(f.lists, name)
		} else {
			f.rules = append(f.rules, name)
		}
	}
	if trial != "" {
		f.rules = append(f.rules, trial)
	}
	f.written = lookOf(f.rules...)
	if f.inForce = lookOf(f.lists...); changedSince(began, f.lists) {
		f.inForce = ""
	}
	f.seen = f.inForce
}

// watchListFiles rereads the files of lists when they change, until stop is called.
func (r *reloadable) watchListFiles() (stop func()) {
	return inBackground(func(ctx context.Context) {
		tick := time.NewTicker(listsEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.rereadLists(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
}

// rereadLists puts the lists in force as their files are now, if they have changed and stay as they are until the next
// look. Rules that were edited meanwhile wait for somebody to ask for them, and the lists with them.
func (r *reloadable) rereadLists(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := &r.lists
	now := lookOf(f.lists...)
	if settled := f.seen == now; now == f.inForce || now == f.refused || !settled {
		f.seen = now
		return
	}
	if lookOf(f.rules...) != f.written {
		f.refused = now
		r.log.Warn("a list has changed, and so have the rules: both wait for a reload", "rules", f.path)
		return
	}
	began := time.Now()
	g, _, err := r.loader.load(ctx, f.path)
	if err != nil {
		f.refused = now
		r.log.Error("a list has changed and cannot be used, the old one stays in force", "err", err)
		r.last.Store(&reloadOutcome{console.Reloaded{Generation: r.generation().Number, Findings: []string{err.Error()}}, began})
		return
	}
	if f.refused != "" {
		r.last.Store(&reloadOutcome{console.Reloaded{OK: true, Generation: g.Number, Findings: []string{}}, began})
	}
	before := r.generation().Rules
	f.note(f.path, f.trial, g.Rules, began)
	if g.Rules.Digest == before.Digest {
		return // touched, or written anew as it was
	}
	r.gen.Store(g)
	keepSought(r.log, r.running.Verdicts.Dir, g.Rules)
	r.log.Info("lists have changed", "lists", changedLists(before, g.Rules), "generation", g.Number, "rules", g.Rules.Digest)
}

// changedLists are the names of the lists from files that are not as they were.
func changedLists(before, now *rules.Set) []string {
	var names []string
	for name, l := range now.Lists {
		if old := before.Lists[name]; old == nil || l.File != "" && l.Digest != old.Digest {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// changedSince reports whether one of the files was written after a time, or cannot be looked at.
func changedSince(began time.Time, names []string) bool {
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || !info.ModTime().Before(began) {
			return true
		}
	}
	return false
}
