package rules

import (
	"fmt"
	"slices"

	"weir/rules/strict"
)

// defaultThresholds hold where no file says others. The weights of well-known lists are made for them.
var defaultThresholds = Thresholds{
	Tag: Threshold{Points: 6_00}, Subject: Threshold{Off: true}, Defer: Threshold{Off: true}, Reject: Threshold{Points: 15_00},
}

// PolicyFor returns the first policy for w. A recipient without a domain, as postmaster may be, matches patterns whose
// domain is *.
func (s *Set) PolicyFor(w Whose) *Policy {
	f := w.fold()
	last := len(s.Policies) - 1
	for _, p := range s.Policies[:last] {
		if p.whose.has(f) {
			return p
		}
	}
	return s.Policies[last]
}

// ByRecipientAlone reports whether no policy asks for more than the recipient.
func (s *Set) ByRecipientAlone() bool {
	return !slices.ContainsFunc(s.Policies, func(p *Policy) bool {
		w := p.whose
		return w.sender != nil || w.user != nil || w.listeners != nil || w.networks != nil
	})
}

// stated is a policy and the thresholds that the files say for it, not those it inherits.
type stated struct {
	policy     *Policy
	thresholds thresholdsDoc
}

// policies makes the policies of all files and the default, which is last.
func (l *loading) policies() {
	general := &Policy{ID: "default", Thresholds: defaultThresholds}
	said := thresholdsDoc{}
	mark := replyDoc{}
	for _, doc := range l.files {
		said = said.with(doc.Thresholds)
		if doc.Subject.Text.At.Said() {
			mark = doc.Subject
		}
	}
	general.Mark = l.mark(mark, defaultMark)
	general.Thresholds = said.over(general.Thresholds)
	general.Src = said.src()
	firsts := map[string]strict.Src{}
	everybody := false
	for _, doc := range l.files {
		for _, d := range doc.Policies {
			if !l.named(d.Self, d.ID, lowerName) {
				continue
			}
			if first, taken := firsts[d.ID.V]; d.ID.V == general.ID {
				l.hintAt(d.ID.At, codeDefined, "the policy default is for all that no other is for", "set its thresholds by `thresholds:` above all policies")
			} else if taken {
				l.defined(d.ID.At, d.ID.V, first)
			}
			firsts[d.ID.V] = d.ID.At.Src()
			if everybody {
				l.errorAt(d.ID.At, codePolicy, "the policy %s is for nobody: one before it is for everybody", d.ID.V)
			}
			p := &Policy{ID: d.ID.V, Rcpt: texts(d.Whose.Rcpt), Src: d.ID.At.Src(), Thresholds: d.Thresholds.over(general.Thresholds)}
			p.Mark = l.mark(d.Subject, general.Mark)
			l.marksNothing(d.Subject, " under the policy "+d.ID.V, p)
			l.worth(p, d)
			if !d.Whose.all().forSomebody() && !d.Self.Meant("rcpt", "sender", "user", "listener", "net") {
				l.hintAt(d.ID.At, codePolicy, fmt.Sprintf("the policy %s is for nobody", d.ID.V),
					"give it `rcpt:` with addresses, *@example.org or list.NAME, or sender:, user:, listener: or net:")
			}
			var all bool
			p.whose, all = l.audience(d.Whose)
			everybody = everybody || all
			l.set.Policies = append(l.set.Policies, p)
			l.stated = append(l.stated, stated{p, d.Thresholds})
		}
	}
	l.set.Policies = append(l.set.Policies, general)
	l.stated = append(l.stated, stated{general, said})
	l.marksNothing(mark, "", l.set.Policies...)
	for _, s := range l.stated {
		l.rising(s)
	}
}

// all are the thresholds in rising order.
func (doc *thresholdsDoc) all() [4]*said[Threshold] {
	return [...]*said[Threshold]{&doc.Tag, &doc.Subject, &doc.Defer, &doc.Reject}
}

// over is base with what doc says instead.
func (doc thresholdsDoc) over(base Thresholds) Thresholds {
	for i, said := range doc.all() {
		if said.At.Said() {
			*base.Of(Actions()[i]) = said.V
		}
	}
	return base
}

// with is doc with what later says instead.
func (doc thresholdsDoc) with(later thresholdsDoc) thresholdsDoc {
	for i, said := range later.all() {
		if said.At.Said() {
			*doc.all()[i] = *said
		}
	}
	return doc
}

// src is where the first of the thresholds stands.
func (doc thresholdsDoc) src() strict.Src {
	for _, t := range doc.all() {
		if t.At.Said() {
			return t.At.Src()
		}
	}
	return strict.Src{}
}

// rising reports thresholds that are not above those of lesser actions, at the one that is said.
func (l *loading) rising(s stated) {
	t := s.policy.Thresholds
	values, places := [...]Threshold{t.Tag, t.Subject, t.Defer, t.Reject}, s.thresholds.all()
	for i, high := range values {
		for j, low := range values[:i] {
			at := places[i].At
			if !at.Said() {
				at = places[j].At
			}
			if low.Off || high.Off || high.Points > low.Points || !at.Said() {
				continue
			}
			l.hintAt(at, codeThresholds, fmt.Sprintf("thresholds must rise: %s begins at %s, not above %s at %s",
				Tag+Action(i), high.Points, Tag+Action(j), low.Points), "`off` takes a threshold away")
		}
	}
}
