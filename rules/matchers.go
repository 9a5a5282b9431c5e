package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/rules/strict"
)

// rules makes the rules of a file: their symbols, what they look for, and their proofs.
func (l *loading) rules(doc *fileDoc) {
	for i := range doc.Rules {
		r := &doc.Rules[i]
		if l.named(r.Self, r.ID, upperName) {
			l.rule(r)
		}
	}
}

func (l *loading) rule(r *ruleDoc) {
	if !r.About.At.Said() && !r.Self.Meant("about") {
		l.hintAt(r.ID.At, codeMissing, fmt.Sprintf("the rule %s does not say what it is about", r.ID.V), "give it `about:` with one sentence for humans")
	}
	l.scored(r.Self, r.Score, r.Mode.V)
	if r.Family.At.Said() && !l.checkName(r.Family, lowerName) {
		r.Family.V = ""
	}
	if l.expired(r.Until) {
		l.warnAt(r.Until.At, codeExpired, fmt.Sprintf("the trial of %s is over", r.ID.V), "drop the rule, or give it `mode: weighted` and no `until:`")
	}
	s := Symbol{
		Name: r.ID.V, About: r.About.V, Points: r.Score.V, Mode: r.Mode.V, Family: r.Family.V,
		Public: l.publicText(r.Public, ""), Until: r.Until.V,
	}
	l.allowing(r.Mode.At, s)
	l.forgeable(r)
	fresh := l.define(r.ID.At, s)
	into := &Matchers{} // what is defined twice goes nowhere
	if fresh {
		into = &l.set.Matchers
	}
	if l.matcher(r, into) && fresh {
		l.proofs(r)
	}
}

// matcher reads what a rule looks for into m. It reports false if the rule does not say exactly one thing.
func (l *loading) matcher(r *ruleDoc, m *Matchers) bool {
	found := r.matcherDoc.said()
	if len(found) == 0 && r.Self.Meant("attachment", "body", "check", "header", "html", "url", "when", "who") {
		return false
	}
	if len(found) != 1 {
		text := fmt.Sprintf("the rule %s does not say what to look for", r.ID.V)
		if len(found) > 1 {
			text = fmt.Sprintf("the rule %s looks for several things: %s", r.ID.V, strings.Join(found, ", "))
		}
		l.hintAt(r.ID.At, codeMatcher, text, "give it one of `header:`, `body:`, `url:`, `attachment:`, `html:`, `who:`, `when:` and `check:`")
		return false
	}
	p := Pattern{Symbol: r.ID.V}
	switch found[0] {
	case "header":
		l.headerPattern(&p, r.Header)
	case "body":
		p.Where = InBody
		l.expressions(&p, r.Body.Self, r.Body.Expressions)
	case "url":
		l.urlPattern(&p, r.URL)
	case "attachment":
		m.Attachments = append(m.Attachments, l.attachment(r.ID.V, r.Attachment))
		return true
	case "html":
		m.Elements = append(m.Elements, l.element(r.ID.V, r.HTML))
		return true
	case "who":
		m.Who = append(m.Who, l.who(r.ID.V, r.Who))
		return true
	case "check":
		l.checkSymbol(r)
		return true
	default:
		return true
	}
	m.Patterns = append(m.Patterns, p)
	return true
}

func (l *loading) headerPattern(p *Pattern, h *headerDoc) {
	p.Header, p.Missing = h.Name.V, h.Missing.V
	switch {
	case !h.Self.Said(): // reported when it was read
		return
	case !h.Name.At.Said():
		l.missing(h.Self, "name")
	case h.Name.V == "" || strings.ContainsFunc(h.Name.V, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }):
		l.hintAt(h.Name.At, codeName, fmt.Sprintf("%s is not the name of a header", h.Name.At.Quoted()), "write it without the colon, like Subject")
	}
	if !h.Missing.V {
		l.expressions(p, h.Self, h.Expressions)
		return
	}
	if e := h.Expressions; e.Regex.At.Said() || e.Any.At.Said() || e.AtLeast.At.Said() {
		l.errorAt(h.Missing.At, codeMatcher, "a header that is missing has no text for an expression to match")
	}
}

func (l *loading) urlPattern(p *Pattern, u *urlDoc) {
	p.Where = InURL
	if !u.Host.At.Said() {
		l.expressions(p, u.Self, u.Expressions)
		return
	}
	p.Where = InURLHost
	if e := u.Expressions; e.Regex.At.Said() || e.Any.At.Said() || e.AtLeast.At.Said() {
		l.hintAt(u.Host.At, codeMatcher, "a rule reads either the hosts of links or links whole", "make two rules, and a third with `when:`")
		return
	}
	l.expressions(p, u.Self, expressionsDoc{Regex: u.Host})
}

// expressions reads one expression, or several and how many of them must match.
func (l *loading) expressions(p *Pattern, self strict.Value, e expressionsDoc) {
	one, several := e.Regex.At.Said(), e.Any.At.Said()
	if !self.Said() || !one && !several && self.Meant("regex", "any", "host") {
		return
	}
	switch {
	case one == several:
		l.hintAt(self, codeMatcher, "this must say one expression or several", "give it either `regex:` or `any:`")
		return
	case one:
		p.Any = l.several([]said[string]{e.Regex})
	case e.Any.List.At.Said() && !strings.HasPrefix(e.Any.List.V, "list."):
		l.hintAt(e.Any.List.At, codeMatcher, "this must be several expressions, or the name of a list", "write [ … ] around them, or list.NAME")
		return
	case e.Any.List.At.Said():
		if list, ok := l.listNamed(e.Any.List, Expressions); ok {
			p.Any = list.expressions
		}
	default:
		p.Any = l.several(e.Any.Items)
	}
	p.AtLeast = 1
	if !e.AtLeast.At.Said() {
		return
	}
	p.AtLeast = e.AtLeast.V
	switch {
	case !e.Any.At.Said():
		l.errorAt(e.AtLeast.At, codeMatcher, "at_least belongs to `any:`")
	case e.AtLeast.V < 1:
		l.errorAt(e.AtLeast.At, strict.CodeValue, "at_least must be at least 1")
	case !e.Any.List.At.Said() && e.AtLeast.V > len(e.Any.Items): // a list may grow
		l.errorAt(e.AtLeast.At, codeNever, "this can never hold: there are only %d expressions", len(e.Any.Items))
	}
}

// several are those of the expressions that can be used.
func (l *loading) several(all []said[string]) []string {
	var fit []string
	seen := map[string]bool{}
	for _, one := range all {
		if seen[one.V] {
			l.errorAt(one.At, codeRegex, "this expression stands twice; it can match only once")
		}
		seen[one.V] = true
		if l.regex(one.At, one.V, 0) {
			fit = append(fit, one.V)
		}
	}
	return fit
}

// checkSymbol checks that the rule's symbol is one that its check reports.
func (l *loading) checkSymbol(r *ruleDoc) {
	if l.Known == nil || r.Check.V == "" {
		return
	}
	symbols, ok := l.Known[r.Check.V]
	if !ok {
		l.hintAt(r.Check.At, codeCheck, fmt.Sprintf("there is no check %s", r.Check.At.Quoted()), strict.DidYouMean(r.Check.V, slices.Sorted(maps.Keys(l.Known))))
		return
	}
	if !slices.Contains(symbols, r.ID.V) {
		l.hintAt(r.ID.At, codeCheck, fmt.Sprintf("the check %s never reports %s", r.Check.V, r.ID.V), strict.DidYouMean(r.ID.V, symbols))
	}
}

// proofs keeps the tests beside a rule.
func (l *loading) proofs(r *ruleDoc) {
	for _, t := range r.Tests {
		switch {
		case !t.Self.Said():
		case (t.Hit == nil) == (t.Miss == nil):
			l.hintAt(t.Self, codeProof, "a rule's test says what hits or what misses", "write { hit: … } or { miss: … }")
		case r.Check.At.Said(), r.Who != nil:
			l.errorAt(t.Self, codeProof, "a rule with `check:` or `who:` is tested by whole messages, under `tests:`")
		case t.Hit != nil:
			l.proof(r, t.Hit, Proof{Rule: r.ID.V, Hit: true, Src: t.Self.Src()})
		default:
			l.proof(r, t.Miss, Proof{Rule: r.ID.V, Src: t.Self.Src()})
		}
	}
}

// proof completes p with what is given and keeps it.
func (l *loading) proof(r *ruleDoc, given oneOrMany[string], p Proof) {
	for i, g := range given {
		if i == 0 {
			p.Src = g.At.Src()
		}
		if r.When.At.Said() {
			p.Symbols = append(p.Symbols, g.V)
			continue
		}
		p.Text = g.V
		name, _, isLine := strings.Cut(g.V, ":")
		switch {
		case i > 0:
			l.errorAt(g.At, codeProof, "a test of this rule is one text")
		case r.Header == nil || r.Header.Missing.V:
		case !isLine || p.Hit && !strings.EqualFold(strings.TrimSpace(name), r.Header.Name.V):
			l.hintAt(g.At, codeProof, fmt.Sprintf("this is not a header line of %s", r.Header.Name.V), fmt.Sprintf("write %q", r.Header.Name.V+": …"))
		}
	}
	l.set.Proofs = append(l.set.Proofs, p)
}
