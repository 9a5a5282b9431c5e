// Package replay judges recorded verdicts again under other rules.
//
// It works from the facts in a record. What the new rules look for and the old did not (a new or changed pattern, zone or
// window) they do not tell, nor what a list would have answered that was not waited for. Where that could change the action
// the message itself is looked at, if it is kept: for whatever follows from it alone. What is not known even so is counted,
// and nothing is guessed.
package replay

import (
	"encoding/json"
	"slices"
	"strconv"

	"weir/filters"
	"weir/rules"
	"weir/scoring/verdictlog"
	"weir/scoring/verdictlog/bodies"
)

// Rules are those under which records are judged again.
type Rules struct {
	Set     *rules.Set
	Checked []string // the symbols that checks report, whatever the rules say
	Version string   // of the program whose checks those are
	// Was finds what a version of the program looked for under the rules with a digest, or says that it is not known.
	Was   func(digest, version string) (verdictlog.Sought, bool)
	Marks verdictlog.Marks // what people said of the messages
	Kept  *bodies.Shelf    // the messages that are kept; nil for none
	// Readers are checks that report those of the symbols that follow from a message alone, as the new rules describe them.
	// It is called by several goroutines; nil if there is none.
	Readers func(symbols map[string]bool) ([]filters.Check, error)
	// Enforced compares with what was done, not with what was decided: in shadow mode nobody was refused.
	Enforced bool
}

// Why a record was not redone.
const (
	Unjudged = "unjudged" // no rule had looked: refused before, or by the backend
	NoFacts  = "facts"    // the record is older than facts in records
	NoBody   = "message"  // the message was never sent: it was refused at RCPT, and would not be now
	NotKept  = "body"     // it depends on what could be looked for in the message, which is not kept
	Unknown  = "unknown"  // it depends on what was not looked for, or not waited for
)

// Judgement is a record judged again.
type Judgement struct {
	Was, Is rules.Action
	Score   rules.Points // now
	Undone  string       // "" if it was redone, else why not; Is is nothing then
	Missing []string     // of Unknown and NotKept: the symbols and features on which it depends
	Reread  *Reread      // the message itself was looked at; nil if it was not
}

// Judge judges records again, one after the other. It is not for several goroutines: each has its own.
type Judge struct {
	rules Rules
	sets  map[string]*known        // by digest and version
	memo  map[string]outcome       // by what the verdict depends on
	whose map[string]*rules.Policy // by recipients and the name of the policy before
	key   []byte

	compared int // how many known there are
}

// maxMemo bounds how many different facts are remembered with their verdicts.
const maxMemo = 1 << 16

// New returns a Judge of records.
func New(r Rules) *Judge {
	return &Judge{rules: r, sets: map[string]*known{}, memo: map[string]outcome{}, whose: map[string]*rules.Policy{}}
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
	why := Unknown
	if again, kept := j.reread(line, &b, len(o.missing) > 0 || o.action != out.Was); again != nil {
		o, out.Reread = again.outcome, again
	} else if !kept && j.tells(&b, o.missing) {
		why = NotKept
	}
	switch {
	case !b.whole && wasHard && !o.hard:
		out.Undone = NoBody
	case len(o.missing) > 0:
		out.Undone, out.Missing = why, o.missing
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
	var lacking []string
	if len(k.features) > 0 {
		b.features = only(b.features, k.features)
		lacking = k.lacking(b)
		k = j.less(k, lacking)
	}
	j.key = strconv.AppendInt(j.key[:0], int64(k.number), 10)
	j.key = append(append(append(append(j.key, ' '), p.ID...), b.symbols...), b.features...)
	if len(k.features) == 0 {
		j.key = j.key[:len(j.key)-len(b.features)]
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
	open, err := k.complete(b, &f)
	if err != nil {
		return outcome{}, err
	}
	o := k.outcome(b, p, f, open)
	if len(o.missing) > 0 {
		o.missing = append(o.missing, lacking...)
	}
	if len(j.memo) >= maxMemo {
		clear(j.memo)
	}
	j.memo[string(j.key)] = o
	return o, nil
}

// policy is the policy of the message: that of a recipient whose policy has the name it had, else the first one's. Where
// nobody is told any more who sent and got it, it is the one it was.
func (j *Judge) policy(b *brief) (*rules.Policy, error) {
	if all := j.rules.Set.Policies; len(all) == 1 {
		return all[0], nil
	}
	j.key = append(append(j.key[:0], b.policy...), ' ')
	all := !j.rules.Set.ByRecipientAlone()
	verdictlog.Fields(b.envelope, func(name, value []byte) {
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
