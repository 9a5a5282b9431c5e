package rules

import (
	"fmt"
	"strings"

	"weir/rules/strict"
)

// defaultThresholds hold where no file says others. The weights of well-known lists are made for them.
var defaultThresholds = Thresholds{Tag: Threshold{Points: 6_00}, Defer: Threshold{Off: true}, Reject: Threshold{Points: 15_00}}

// addressPatterns are the addresses a policy is for.
type addressPatterns struct {
	exact map[string]bool
	globs []string // with *
	lists []*List
}

// match reports whether a, folded, is one of the addresses.
func (p *addressPatterns) match(a string) bool {
	if p.exact[a] {
		return true
	}
	for _, g := range p.globs {
		if globMatch(g, a) {
			return true
		}
	}
	for _, l := range p.lists {
		if l.HasAddress(a) {
			return true
		}
	}
	return false
}

// globMatch reports whether text is pattern, in which each * stands for any letters or none.
func globMatch(pattern, text string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(text, part)
		}
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text, rest = text[i+len(part):], after
	}
}

// PolicyFor returns the first policy for the recipient rcpt, an address as in RCPT TO without brackets. An address
// without a domain, as postmaster may be, matches patterns whose domain is *.
func (s *Set) PolicyFor(rcpt string) *Policy {
	a := foldAddress(rcpt)
	if !strings.Contains(a, "@") {
		a += "@"
	}
	last := len(s.Policies) - 1
	for _, p := range s.Policies[:last] {
		if p.rcpt.match(a) {
			return p
		}
	}
	return s.Policies[last]
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
	for _, doc := range l.files {
		said = said.with(doc.Thresholds)
	}
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
			p := &Policy{ID: d.ID.V, Rcpt: texts(d.Rcpt), Src: d.ID.At.Src(), Thresholds: d.Thresholds.over(general.Thresholds)}
			if d.Zones.Mode.At.Said() {
				p.ZoneMode = &d.Zones.Mode.V
			}
			everybody = l.recipients(p, d) || everybody
			l.set.Policies = append(l.set.Policies, p)
			l.stated = append(l.stated, stated{p, d.Thresholds})
		}
	}
	l.set.Policies = append(l.set.Policies, general)
	l.stated = append(l.stated, stated{general, said})
	for _, s := range l.stated {
		l.rising(s)
	}
}

// recipients reads whom a policy is for, and reports whether that is everybody.
func (l *loading) recipients(p *Policy, d policyDoc) (everybody bool) {
	p.rcpt.exact = map[string]bool{}
	if len(d.Rcpt) == 0 {
		l.hintAt(d.ID.At, codePolicy, fmt.Sprintf("the policy %s is for nobody", d.ID.V), "give it `rcpt:` with addresses, *@example.org or list.NAME")
	}
	for _, r := range d.Rcpt {
		local, domain, isAddress := cutAddress(foldAddress(r.V))
		switch {
		case r.V == "":
		case strings.HasPrefix(r.V, "list.") && !isAddress:
			if list, ok := l.listNamed(r, Addresses, Domains); ok {
				p.rcpt.lists = append(p.rcpt.lists, list)
			}
		case r.V == "*":
			p.rcpt.globs, everybody = append(p.rcpt.globs, "*"), true
		case !isAddress || local == "" || strings.ContainsAny(r.V, " \t<>") || !isDomain(strings.ReplaceAll(domain, "*", "x")):
			l.hintAt(r.At, codePolicy, fmt.Sprintf("%s is not a recipient", r.At.Quoted()), "write ann@example.org, *@example.org, postmaster@* or list.NAME")
		case strings.Contains(local+domain, "*"):
			p.rcpt.globs = append(p.rcpt.globs, local+"@"+domain)
			everybody = everybody || local == "*" && domain == "*"
		default:
			p.rcpt.exact[local+"@"+domain] = true
		}
	}
	return everybody
}

// all are the thresholds in rising order.
func (doc thresholdsDoc) all() [3]said[Threshold] {
	return [...]said[Threshold]{doc.Tag, doc.Defer, doc.Reject}
}

// over is base with what doc says instead.
func (doc thresholdsDoc) over(base Thresholds) Thresholds {
	if doc.Tag.At.Said() {
		base.Tag = doc.Tag.V
	}
	if doc.Defer.At.Said() {
		base.Defer = doc.Defer.V
	}
	if doc.Reject.At.Said() {
		base.Reject = doc.Reject.V
	}
	return base
}

// with is doc with what later says instead.
func (doc thresholdsDoc) with(later thresholdsDoc) thresholdsDoc {
	if later.Tag.At.Said() {
		doc.Tag = later.Tag
	}
	if later.Defer.At.Said() {
		doc.Defer = later.Defer
	}
	if later.Reject.At.Said() {
		doc.Reject = later.Reject
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
	values, places := [...]Threshold{t.Tag, t.Defer, t.Reject}, s.thresholds.all()
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
