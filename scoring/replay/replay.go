// Package replay judges recorded verdicts again under other rules.
//
// It works from the facts in a record alone. What the new rules look for and the old did not (a new or changed pattern,
// zone or window) nobody knows without the message, nor what a list would have answered that was not waited for: where
// that could change the action, the record is counted as not redone, and nothing is guessed.
package replay

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

// Rules are those under which records are judged again.
type Rules struct {
	Set     *rules.Set
	Checked []string // the symbols that checks report, whatever the rules say
	Version string   // of the program whose checks those are
	// Was finds what a version of the program looked for under the rules with a digest, or says that it is not known.
	Was   func(digest, version string) (verdictlog.Sought, bool)
	Marks verdictlog.Marks // what people said of the messages
	// Enforced compares with what was done, not with what was decided: in shadow mode nobody was refused.
	Enforced bool
}

// Why a record was not redone.
const (
	Unjudged = "unjudged" // no rule had looked: refused before, or by the backend
	NoFacts  = "facts"    // the record is older than facts in records
	NoBody   = "message"  // the message was never sent: it was refused at RCPT, and would not be now
	Unknown  = "unknown"  // it depends on what was not looked for, or not waited for
)

// Judgement is a record judged again.
type Judgement struct {
	Was, Is rules.Action
	Score   rules.Points // now
	Undone  string       // "" if it was redone, else why not; Is is nothing then
	Missing []string     // of Unknown: the symbols on which it depends
}

// Judge judges records again, one after the other. It is not for several goroutines: each has its own.
type Judge struct {
	rules Rules
	sets  map[string]*known        // by digest and version
	memo  map[string]outcome       // by what the verdict depends on
	whose map[string]*rules.Policy // by recipients and the name of the policy before
	key   []byte
}

// maxMemo bounds how many different facts are remembered with their verdicts.
const maxMemo = 1 << 16

// New returns a Judge of records.
func New(r Rules) *Judge {
	return &Judge{rules: r, sets: map[string]*known{}, memo: map[string]outcome{}, whose: map[string]*rules.Policy{}}
}

// known is the rules without what a generation before did not look for.
type known struct {
	number   int // among all that are compared
	set      *rules.Set
	whole    *rules.Set // with it
	same     bool       // it is the generation itself: all is known
	unknown  []string   // what it did not look for, and what follows from it
	features []string   // those that conditions read
}

// outcome is the part of a Judgement that is the same for all records with the same facts.
type outcome struct {
	action  rules.Action
	score   rules.Points
	hard    bool
	missing []string
}

// Line judges the record on a line of a verdict log again. It reports false if the line is no record.
func (j *Judge) Line(line []byte) (Judgement, bool) {
	b, ok := parse(line)
	if !ok {
		return Judgement{}, false
	}
	was, wasHard, ok := b.action(line)
	if !ok {
		return Judgement{}, false
	}
	out := Judgement{Was: was, Is: was}
	if b.shadow && j.rules.Enforced {
		out.Was = min(was, rules.Subject)
	}
	switch {
	case len(b.policy) == 0:
		out.Undone = Unjudged
		return out, true
	case b.symbols == nil:
		out.Undone = NoFacts
		return out, true
	}
	o, err := j.outcome(&b)
	if err != nil {
		return Judgement{}, false
	}
	switch {
	case !b.whole && wasHard && !o.hard:
		out.Undone = NoBody
	case len(o.missing) > 0:
		out.Undone, out.Missing = Unknown, o.missing
	case b.whole || o.hard:
		out.Is, out.Score = o.action, o.score
	}
	return out, true
}

// outcome is the verdict on the facts of b, remembered.
func (j *Judge) outcome(b *brief) (outcome, error) {
	k := j.known(b)
	p, err := j.policy(b)
	if err != nil {
		return outcome{}, err
	}
	j.key = strconv.AppendInt(j.key[:0], int64(k.number), 10)
	j.key = append(append(append(j.key, ' '), p.ID...), b.symbols...)
	if len(k.features) > 0 {
		b.features = only(b.features, k.features)
		j.key = append(j.key, b.features...)
	}
	j.key = strconv.AppendBool(append(append(j.key, b.failed...), b.early...), b.whole)
	if k.derives() {
		j.key = b.appendDeriving(j.key, k.set)
	}
	if o, ok := j.memo[string(j.key)]; ok {
		return o, nil
	}
	f, err := b.facts(k)
	if err != nil {
		return outcome{}, err
	}
	open, err := b.open()
	if err != nil {
		return outcome{}, err
	}
	if k.derives() {
		var hidden []string
		if f.Hits, hidden, err = b.derived(f.Hits, k.set); err != nil {
			return outcome{}, err
		}
		open = append(open, hidden...)
	}
	o := k.judge(p, f, append(open, k.unknown...), b.whole)
	for name, value := range map[string]string{"from": f.Features.From, "user": f.Features.User} {
		if verdictlog.Redacted(value) && slices.Contains(k.features, name) {
			o.missing = append(o.missing, name)
		}
	}
	if len(j.memo) >= maxMemo {
		clear(j.memo)
	}
	j.memo[string(j.key)] = o
	return o, nil
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
	f.Hits = slices.DeleteFunc(slices.Clone(f.Hits), func(h filters.Hit) bool { return slices.Contains(k.unknown, h.Symbol) })
	if whole && scoring.Bounds(k.whole, p, f, open).Certain() {
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

// policy is the policy of the message: that of a recipient whose policy has the name it had, else the first one's. Where
// nobody is told any more who sent and got it, it is the one it was.
func (j *Judge) policy(b *brief) (*rules.Policy, error) {
	if all := j.rules.Set.Policies; len(all) == 1 {
		return all[0], nil
	}
	j.key = append(append(j.key[:0], b.policy...), ' ')
	all := !j.rules.Set.ByRecipientAlone()
	fields(b.envelope, func(name, value []byte) {
		if n := string(name); n == "to" || n == "rcpt_rejected" || all && n == "from" {
			j.key = append(j.key, value...)
		}
	})
	if all {
		j.key = b.appendParty(j.key)
	}
	if p := j.whose[string(j.key)]; p != nil {
		return p, nil
	}
	var e verdictlog.Envelope
	if err := json.Unmarshal(b.envelope, &e); err != nil {
		return nil, err
	}
	var s verdictlog.Session
	if all {
		if err := json.Unmarshal(b.session, &s); err != nil {
			return nil, err
		}
	}
	p := policyOf(j.rules.Set, e, whoseOf(e, s), string(b.policy))
	if len(j.whose) >= maxMemo {
		clear(j.whose)
	}
	j.whose[string(j.key)] = p
	return p, nil
}

func policyOf(set *rules.Set, e verdictlog.Envelope, w rules.Whose, was string) *rules.Policy {
	for _, r := range e.RcptRejected {
		e.To = append(e.To, r.To)
	}
	hidden := verdictlog.Redacted(w.Sender) || verdictlog.Redacted(w.User) || slices.ContainsFunc(e.To, verdictlog.Redacted)
	var first *rules.Policy
	for _, to := range e.To {
		w.Rcpt = to
		p := set.PolicyFor(w)
		if p.ID == was {
			return p
		}
		if first == nil {
			first = p
		}
	}
	if first != nil && !hidden {
		return first
	}
	for _, p := range set.Policies {
		if p.ID == was {
			return p
		}
	}
	if first != nil {
		return first
	}
	return set.Policies[len(set.Policies)-1]
}

// known is the rules without what the rules of b did not look for.
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
	set := j.rules.Set
	k := &known{number: len(j.sets), set: set, whole: set, same: digest == set.Digest && version == j.rules.Version}
	if !k.same {
		k.set, k.unknown = j.without(digest, version)
	}
	for _, c := range k.set.Combos {
		k.features = append(k.features, c.When.Features()...)
	}
	return k
}

// without is the set without the symbols that the rules with a digest did not look for, and the names of those.
func (j *Judge) without(digest, version string) (*rules.Set, []string) {
	before, kept := j.rules.Was(digest, version)
	now := j.rules.Set.Sought()
	for _, name := range j.rules.Checked {
		if _, described := now[name]; !described {
			now[name] = ""
		}
	}
	if !kept && version == j.rules.Version {
		before.Symbols = map[string]string{}
		for _, name := range j.rules.Checked {
			before.Symbols[name] = ""
		}
	}
	gone := map[string]bool{}
	for name, how := range now {
		if was, sought := before.Symbols[name]; !sought || was != how {
			gone[name] = true
		}
	}
	set := *j.rules.Set
	set.Symbols, set.Combos = maps.Clone(set.Symbols), nil
	for _, c := range j.rules.Set.Combos { // each comes after those it reads
		if slices.ContainsFunc(c.When.Symbols, func(name string) bool { return gone[name] }) {
			gone[c.Symbol] = true
		} else {
			set.Combos = append(set.Combos, c)
		}
	}
	for name := range gone {
		delete(set.Symbols, name)
	}
	return &set, slices.Sorted(maps.Keys(gone))
}
