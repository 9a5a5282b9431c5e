package replay

import (
	"maps"
	"slices"
	"strings"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

// known is the rules as far as is known what they would have found in messages that others judged.
type known struct {
	number   int // among all that are compared
	set      *rules.Set
	whole    *rules.Set      // with what is not known
	bounds   *rules.Set      // whole, without the conditions that read what a record lacks
	same     bool            // all is known: they are the rules that judged
	unsought map[string]bool // what nobody has looked for
	unknown  []string        // the same, and what follows from it
	features []string        // those that conditions and weights read
	doubtful []string        // those of them that a record may lack
	lesser   map[string]*known
	reads    []string // the symbols that the message itself told
	reading  *reading // what a message tells of the rest; nil before the first
}

// known is the rules as far as those of b looked for what they ask.
func (j *Judge) known(b *brief) *known {
	j.key = append(append(append(j.key[:0], b.digest...), ' '), b.version...)
	k := j.sets[string(j.key)]
	if k == nil {
		k = j.compare(string(b.digest), string(b.version))
		j.sets[string(j.key)] = k
	}
	return k
}

func (j *Judge) compare(digest, version string) *known {
	if digest == j.rules.Set.Digest && version == j.rules.Version {
		k := &known{set: j.rules.Set, whole: j.rules.Set, bounds: j.rules.Set, same: true, features: featuresOf(j.rules.Set)}
		return j.numbered(k)
	}
	before, kept := j.rules.Was(digest, version)
	if !kept && version == j.rules.Version {
		before.Symbols = map[string]string{}
		for _, name := range j.rules.Checked {
			before.Symbols[name] = ""
		}
	}
	now := j.rules.Set.Sought()
	for _, name := range j.rules.Checked {
		if _, described := now[name]; !described {
			now[name] = ""
		}
	}
	unsought := map[string]bool{}
	for name, how := range now {
		if was, sought := before.Symbols[name]; !sought || was != how {
			unsought[name] = true
		}
	}
	k := j.without(unsought, nil)
	for _, name := range k.features {
		if k.mayLack(name, version == j.rules.Version || recorded(name, before.Features)) {
			k.doubtful = append(k.doubtful, name)
		}
	}
	return k
}

// without is the rules without what was not sought, and without what follows from that or reads features that a record
// lacks.
func (j *Judge) without(unsought map[string]bool, lacking []string) *known {
	set, bounds, gone := *j.rules.Set, *j.rules.Set, maps.Clone(unsought)
	set.Symbols, set.Combos, bounds.Combos = maps.Clone(set.Symbols), nil, nil
	for _, c := range j.rules.Set.Combos { // each comes after those it reads
		lacks := slices.ContainsFunc(c.When.Features(), func(name string) bool { return slices.Contains(lacking, name) })
		if !lacks {
			bounds.Combos = append(bounds.Combos, c)
		}
		if lacks || slices.ContainsFunc(c.When.Symbols, func(name string) bool { return gone[name] }) {
			gone[c.Symbol] = true
		} else {
			set.Combos = append(set.Combos, c)
		}
	}
	for name := range unsought {
		delete(set.Symbols, name)
	}
	return j.numbered(&known{
		set: &set, whole: j.rules.Set, bounds: &bounds, unsought: unsought, unknown: slices.Sorted(maps.Keys(gone)), features: featuresOf(j.rules.Set),
	})
}

func (j *Judge) numbered(k *known) *known {
	j.compared++
	k.number, k.lesser = j.compared, map[string]*known{}
	return k
}

// featuresOf are the features that a verdict under set depends on.
func featuresOf(set *rules.Set) []string {
	var names []string
	for _, c := range set.Combos {
		names = append(names, c.When.Features()...)
	}
	for _, s := range set.Symbols {
		if s.Grow > 0 {
			names = append(names, bulkFeature)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Features of which more is known than whether they were recorded.
const (
	bulkFeature  = "bulk"
	spfFeature   = "spf"
	dmarcFeature = "dmarc"
	authFeature  = "auth"
)

// mayLack reports whether a record may lack a feature, so that nothing there does not say that it was nothing. recorded is
// whether it was kept at all.
func (k *known) mayLack(feature string, recorded bool) bool {
	switch feature {
	case bulkFeature: // counted by other windows it is another number
		return !recorded || slices.ContainsFunc(k.whole.Bulk.Windows, func(w rules.Window) bool { return k.unsought[w.Symbol] })
	case spfFeature, dmarcFeature, authFeature:
		return true
	}
	return !recorded
}

// recorded reports whether a feature, or all those of a group, were among those that records had.
func recorded(feature string, had []string) bool {
	for _, name := range rules.FeatureNames() {
		if group, _, _ := strings.Cut(name, "."); group == feature && !slices.Contains(had, name) {
			return false
		}
	}
	return true
}

// lacking are the features on which the verdict depends and of which b does not tell what they were.
func (k *known) lacking(b *brief) []string {
	if len(k.doubtful) == 0 || !b.whole {
		return nil // before the message has come only what is final then is read
	}
	found := map[string]bool{}
	verdictlog.Fields(b.features, func(name, value []byte) {
		// A result, once it was looked for, is never nothing.
		found[string(name)] = string(name) != authFeature || strings.Contains(string(value), `"dkim":`)
	})
	return slices.DeleteFunc(slices.Clone(k.doubtful), func(name string) bool { return found[name] && name != bulkFeature })
}

// less is k without what reads features that are lacking.
func (j *Judge) less(k *known, lacking []string) *known {
	if len(lacking) == 0 {
		return k
	}
	key := strings.Join(lacking, " ")
	lesser := k.lesser[key]
	if lesser == nil {
		lesser = j.without(k.unsought, lacking)
		k.lesser[key] = lesser
	}
	return lesser
}

// complete adds to the facts of b what follows from them: what is derived, and the conditions that hold whatever is not
// known. It returns what is not known.
func (k *known) complete(b *brief, f *scoring.Facts) (open []string, err error) {
	if open, err = b.open(); err != nil {
		return nil, err
	}
	if k.derives() {
		var hidden []string
		if f.Hits, hidden, err = b.derived(f.Hits, k.set); err != nil {
			return nil, err
		}
		open = append(open, hidden...)
	}
	open = slices.DeleteFunc(open, func(name string) bool { return slices.Contains(k.reads, name) })
	open = append(open, k.unknown...)
	if b.whole && len(k.whole.Combos) > len(k.set.Combos) {
		for _, name := range scoring.Sure(k.bounds, k.sought(*f), k.independent(open)) {
			if slices.Contains(k.unknown, name) {
				f.Hits = append(f.Hits, filters.Hit{Symbol: name})
			}
		}
	}
	return open, nil
}

// sought are facts without what was sought in another way.
func (k *known) sought(f scoring.Facts) scoring.Facts {
	f.Hits = slices.DeleteFunc(slices.Clone(f.Hits), func(h filters.Hit) bool { return slices.Contains(k.unknown, h.Symbol) })
	return f
}

// independent are those of the open symbols that follow from no condition which can be looked at.
func (k *known) independent(open []string) []string {
	return slices.DeleteFunc(slices.Clone(open), func(name string) bool {
		return slices.ContainsFunc(k.bounds.Combos, func(c rules.Combo) bool { return c.Symbol == name })
	})
}

// outcome is the verdict under p on the facts of b, which are complete but for what is open.
func (k *known) outcome(b *brief, p *rules.Policy, f scoring.Facts, open []string) outcome {
	o := k.judge(p, f, open, b.whole)
	for name, value := range map[string]string{"from": f.Features.From, "user": f.Features.User} {
		if verdictlog.Redacted(value) && slices.Contains(k.features, name) {
			o.missing = append(o.missing, name)
		}
	}
	return o
}

// judge is the verdict under p as far as it is known. open are symbols of which it is not known whether they hold, since
// they were not looked for or not waited for. Where the action is the same whether they hold or not, that is certain;
// before the message has come, whole, only hard symbols act.
func (k *known) judge(p *rules.Policy, f scoring.Facts, open []string, whole bool) outcome {
	v := scoring.Judge(k.set, p, f)
	o := outcome{action: v.Action, score: v.Points, hard: v.By == scoring.ByHard}
	if len(open) == 0 {
		return o
	}
	refusers, allowers := scoring.Refusers(k.whole, p), scoring.Allowers(k.whole, p)
	open = slices.DeleteFunc(open, func(name string) bool {
		return !allowers[name] && (o.hard || !whole && !refusers[name])
	})
	if len(open) == 0 {
		return o
	}
	if whole && scoring.Bounds(k.bounds, p, k.sought(f), k.independent(open)).Certain() {
		return o
	}
	o.missing = slices.DeleteFunc(slices.Clone(open), func(name string) bool {
		s := k.whole.Symbols[name]
		return s == nil || p.PointsOf(s) == 0 && s.CapAt == nil && p.ModeOf(s) == rules.Weighted || p.ModeOf(s) == rules.Shadow
	})
	if len(o.missing) == 0 {
		o.missing = open // they count for nothing themselves, but conditions read them
	}
	return o
}
