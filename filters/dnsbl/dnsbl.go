// Package dnsbl asks DNS lists (RFC 5782) about the client and about the domains, addresses and links of a message.
//
// Asking a list has three outcomes: listed, not listed, unknown. Unknown is a Problem and never a hit: a server that
// fails, an answer that is an error code, an answer that no list gives. So no failure of the DNS can ever refuse mail.
package dnsbl

import (
	"context"
	_ "embed"
	"slices"
	"time"

	"weir/filters"
	"weir/filters/lookup"
	"weir/rules"
)

// Readme is the filter's manual.
//
//go:embed README.md
var Readme string

// part is what of a message a check of a list is about. A list has a check for each part that it is asked for.
type part uint8

// The parts: one for each stage at which what is asked for is known, by the same number, and one for what about links must
// be looked up first, so that nothing else waits for that.
const behindLinks = part(filters.Proven + 1)

// checks are the checks by their parts, each with its name and the stage from which on it can run.
var checks = [...]struct {
	part      part
	stage     filters.Stage
	name, doc string
}{
	{part(filters.Connect), filters.Connect, "dnsbl", "Asks DNS lists about the client's address."},
	{part(filters.Sender), filters.Sender, "dnsbl_sender", "Asks DNS lists about the client's HELO and the envelope sender."},
	{part(filters.Recipients), filters.Recipients, "dnsbl_rdns", "Asks DNS lists about the client's reverse name."},
	{part(filters.Body), filters.Body, "dnsbl_body", "Asks DNS lists about the domains, addresses and links of the message."},
	{part(filters.Proven), filters.Proven, "dnsbl_signer", "Asks DNS lists about the domains that have signed the message."},
	{behindLinks, filters.Body, "dnsbl_links", "Asks DNS lists about the addresses and name servers behind links."},
}

// Names are the names of all checks that New can make.
func Names() []string {
	var names []string
	for _, c := range checks {
		names = append(names, c.name)
	}
	return names
}

// New makes the checks of zones: for each one for every part at which it is asked, so that nobody waits for a list whose
// answer changes nothing. Their symbols are those of the zone's answers. g, if not nil, watches over the zones.
func New(zones []rules.Zone, r *lookup.Resolver, g *Guards) []filters.Check {
	var all []filters.Check
	share := shareOf(zones)
	for _, c := range checks {
		for i := range zones {
			z := zone{&zones[i], asksOf(&zones[i], c.part)}
			if len(z.asks) == 0 {
				continue
			}
			l := &listing{zone: z, resolver: r, guards: g, share: share, explains: len(all) < maxExplaining}
			all = append(all, filters.Check{Name: c.name, Rule: z.ID, Doc: c.doc, Stage: c.stage, Symbols: z.symbols(), Optional: true, Run: l.run})
		}
	}
	if g != nil && len(all) > 0 {
		all[0].Learn = g.learn
	}
	return all
}

// asksOf are the keys of z that belong to p.
func asksOf(z *rules.Zone, p part) []rules.Ask {
	var asks []rules.Ask
	for _, a := range z.Ask {
		if partOf(z, a) == p {
			asks = append(asks, a)
		}
	}
	return asks
}

func partOf(z *rules.Zone, a rules.Ask) part {
	stage := filters.Body
	switch a {
	case rules.AskURLIP, rules.AskURLNS:
		return behindLinks
	case rules.AskClientIP:
		stage = filters.Connect
	case rules.AskHelo, rules.AskMailFrom:
		stage = filters.Sender
	case rules.AskRDNS:
		stage = filters.Recipients
	case rules.AskDKIMDomain:
		stage = filters.Proven
	}
	if z.For.NullSender {
		stage = max(stage, filters.Sender)
	}
	return part(stage)
}

// Bounds of what one message costs. The rules see to it that the keys of which a message has one do not use all up.
const (
	maxQueries    = 64
	maxEach       = 20 // links or signers, or what is behind links, asked of one zone
	maxExplaining = 10 // checks that ask for reasons
)

// shareOf is how many links or signers each zone may be asked for, so that all queries of a message stay within
// maxQueries whatever it holds, reasons included. It is shared out beforehand, since the checks do not know of each other.
func shareOf(zones []rules.Zone) int {
	left, many := maxQueries-maxReasons*maxExplaining, 0
	found := map[rules.Ask]bool{}
	for i := range zones {
		for _, a := range zones[i].Ask {
			if !found[a] {
				left -= a.Lookups()
			}
			found[a] = true
			if a.Many() {
				many++
			} else {
				left--
			}
		}
	}
	return min(maxEach, max(0, left)/max(1, many))
}

// listing asks one zone at one stage.
type listing struct {
	zone
	resolver *lookup.Resolver
	guards   *Guards
	share    int
	explains bool
}

// zone is a list and what it is asked for.
type zone struct {
	*rules.Zone
	asks []rules.Ask
}

// symbols are those of the answers that count for what is asked.
func (z zone) symbols() []string {
	var all []string
	for _, a := range z.Answers {
		if a.Ask == nil || slices.ContainsFunc(a.Ask, func(k rules.Ask) bool { return slices.Contains(z.asks, k) }) {
			all = append(all, a.Symbol)
		}
	}
	return all
}

// run asks all questions at once and waits for the answers, or for the end of ctx. Authenticated users are not asked for.
func (l *listing) run(ctx context.Context, m filters.Mail) (report filters.Report, err error) {
	if m.Session == nil || m.Session.User != "" {
		return report, nil
	}
	subjects := func(a rules.Ask) []subject { return l.subjects(m, a) }
	if partOf(l.Zone, l.asks[0]) == behindLinks {
		if len(urls(m)) == 0 || !l.admitted(ctx, &report) {
			return report, nil
		}
		subjects = l.behind(ctx, m, &report)
	}
	all, left := l.questions(m, l.share, subjects)
	if len(all) == 0 || !l.admitted(ctx, &report) {
		return report, nil
	}
	ask(ctx, all, l.resolver.Lookup)
	report.Facts.Asked = &filters.Asked{Zone: l.ID, Took: slowest(all)}
	for _, q := range all {
		l.guards.saw(ctx, q)
	}
	if l.explains {
		explain(ctx, all, l.resolver)
	}
	if left > 0 {
		report.Problems = append(report.Problems, tooMany(l.Zone, len(all), left))
	}
	tell(&report, l.Zone, all)
	return report, nil
}

// admitted reports whether the list may be asked; else why not is a problem of the report.
func (l *listing) admitted(ctx context.Context, report *filters.Report) bool {
	p, ok := l.guards.of(l.Zone).admit(ctx, l.Zone)
	if !ok {
		report.Problems = append(report.Problems, p)
	}
	return ok
}

// slowest is how long the slowest question took, 0 if all answers were known from before.
func slowest(all []*question) (took time.Duration) {
	for _, q := range all {
		if !q.answer.Cached {
			took = max(took, q.took)
		}
	}
	return took
}
