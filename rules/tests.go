package rules

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"weir/rules/strict"
)

// tests makes the whole-message tests of a file.
func (l *loading) tests(doc *fileDoc) {
	for _, t := range doc.Tests {
		if !t.Name.At.Said() {
			l.missing(t.Self, "name")
		}
		if !t.Want.Self.Said() {
			l.missing(t.Self, "want")
		}
		test := Test{
			Name: t.Name.V, Message: t.Message.V, At: t.At.V, Src: t.Name.At.Src(),
			Session: TestSession{
				IP: t.Session.IP.V, Helo: t.Session.Helo.V, RDNS: t.Session.RDNS.V, User: t.Session.User.V, Listener: t.Session.Listener.V,
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

// testText is a text in the DNS of a test, as zone files write it.
var testText = regexp.MustCompile(`^TXT(?: "[ !#-\[\]-~]{0,255}")+$`)

// testDNS reads the addresses and texts that names have in a test.
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
			if addr, err := strict.ParseAddr(a.V); a.V != "" && (err != nil || !addr.Is4()) && !testText.MatchString(a.V) {
				l.hintAt(a.At, codeTest, a.At.Quoted()+" is not an IPv4 address", `a text is written as TXT "v=DMARC1; p=reject"`)
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
	sources = slices.AppendSeq(sources, maps.Keys(l.Known))
	slices.Sort(sources)
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
		l.hintAt(word.At, codeTest, fmt.Sprintf("there is no %s %s", what, word.At.Quoted()), strict.DidYouMean(word.V, known))
	}
}
