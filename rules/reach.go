package rules

import "fmt"

// reachable reports thresholds that all positive points together do not reach. Up to the default thresholds that is
// a warning: a set of few rules may use the usual scale, and may refuse by hard answers alone. A threshold that was
// raised beyond all points is an error.
func (l *loading) reachable() {
	for _, stated := range l.stated {
		most := l.most(stated.policy)
		for _, t := range stated.thresholds.all() {
			if !t.At.Said() || t.V.Off || t.V.Points <= most {
				continue
			}
			f := t.At.Finding(codeReach, "unreachable: all that speaks against a message adds up to %s at most, below %s", most, t.V.Points)
			f.Hint = "lower it, or write off"
			if t.V.Points <= defaultThresholds.Reject.Points {
				f.Severity = Warning
			}
			l.add(f)
		}
	}
}

// most is the largest sum of points that a message can have under p: all positive points, of answers of which only
// the heaviest counts that one, and no family above its cap.
func (l *loading) most(p *Policy) Points {
	families := map[string]Points{}
	heaviest := map[string]*Symbol{}
	for _, s := range l.set.Symbols {
		mode := s.Mode
		if s.Zone != "" && p.ZoneMode != nil && mode != Shadow {
			mode = *p.ZoneMode
		}
		switch h := heaviest[s.OneOf]; {
		case mode == Shadow || s.Points <= 0:
		case s.OneOf == "":
			families[s.Family] += s.Points
		case h == nil || s.Points > h.Points:
			heaviest[s.OneOf] = s
		}
	}
	for _, s := range heaviest {
		families[s.Family] += s.Points
	}
	for _, c := range l.set.Caps {
		families[c.Family] = min(families[c.Family], c.Points)
	}
	var sum Points
	for _, points := range families {
		sum += points
	}
	return sum
}

// tests makes the whole-message tests of a file.
func (l *loading) tests(doc *fileDoc) {
	for _, t := range doc.Tests {
		if !t.Name.At.Said() && t.Self.Said() {
			l.missing(t.Self, "name")
		}
		if !t.Want.Self.Said() && t.Self.Said() {
			l.missing(t.Self, "want")
		}
		test := Test{
			Name: t.Name.V, Message: t.Message.V, At: t.At.V, Src: t.Name.At.Src(),
			Session: TestSession{
				IP: t.Session.IP.V, Helo: t.Session.Helo.V, RDNS: t.Session.RDNS.V, User: t.Session.User.V,
				From: t.Session.From.V, To: texts(t.Session.To),
			},
			Auth: texts(t.Auth), DNS: l.testDNS(t.DNS), Want: l.want(t.Want),
		}
		if test.Message == "" && test.Want.At == "data" {
			l.errorAt(t.Want.At.At, codeTest, "without a message the test ends at RCPT")
		}
		l.set.Tests = append(l.set.Tests, test)
	}
}

func texts(all []said[string]) []string {
	var out []string
	for _, s := range all {
		out = append(out, s.V)
	}
	return out
}

// testDNS reads the addresses that names have in a test.
func (l *loading) testDNS(doc entries[oneOrMany[string]]) map[string][]string {
	if doc == nil {
		return nil
	}
	all := map[string][]string{}
	for _, e := range doc {
		if !isDomain(foldDomain(e.Key)) {
			l.hintAt(e.At, codeTest, fmt.Sprintf("%s is not a name in the DNS", e.At.Quoted()), "an address is asked for with its octets reversed: 9.2.0.192.zen.example.org")
		}
		for _, a := range e.V {
			if addr, err := parseAddr(a.V); a.V != "" && (err != nil || !addr.Is4()) {
				l.errorAt(a.At, codeTest, "%s is not an IPv4 address", a.At.Quoted())
			}
		}
		all[e.Key] = texts(e.V)
	}
	return all
}

// want reads what a test expects.
func (l *loading) want(doc wantDoc) Want {
	w := Want{
		At: doc.At.V, Code: doc.Code.V, Reply: doc.Reply.V, Policy: doc.Policy.V,
		Hits: texts(doc.Hits), Misses: texts(doc.Misses), Errors: texts(doc.Errors),
	}
	if doc.Action.At.Said() {
		w.Action = &doc.Action.V
	}
	if doc.Score.At.Said() {
		w.Score = &doc.Score.V
	}
	l.oneOf(doc.At, "place", []string{"connect", "rcpt", "data"})
	if doc.Code.At.Said() && (w.Code < 200 || w.Code > 599) {
		l.errorAt(doc.Code.At, codeTest, "%s is not the code of a reply", doc.Code.At.Quoted())
	}
	for _, s := range append(doc.Hits[:len(doc.Hits):len(doc.Hits)], doc.Misses...) {
		l.symbolExists(s)
	}
	var sources, policies []string
	for _, z := range l.set.Zones {
		sources = append(sources, z.ID)
	}
	for name := range l.Known {
		sources = append(sources, name)
	}
	for _, p := range l.set.Policies {
		policies = append(policies, p.ID)
	}
	for _, e := range doc.Errors {
		if l.Known != nil || len(e.V) > 0 && e.V[0] >= 'A' && e.V[0] <= 'Z' {
			l.oneOf(e, "zone or check", sources)
		}
	}
	l.oneOf(doc.Policy, "policy", policies)
	return w
}

// oneOf reports a word that is said and not among those known.
func (l *loading) oneOf(word said[string], what string, known []string) {
	for _, k := range known {
		if word.V == k {
			return
		}
	}
	if word.V != "" {
		l.hintAt(word.At, codeTest, fmt.Sprintf("there is no %s %s", what, word.At.Quoted()), didYouMean(word.V, known))
	}
}
