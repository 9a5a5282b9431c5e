// Package dnsbl asks DNS lists (RFC 5782) about the client and about the domains, addresses and links of a message.
//
// Asking a list has three outcomes: listed, not listed, unknown. Unknown is a Problem and never a hit: a server that
// fails, an answer that is an error code, an answer that no list gives. So no failure of the DNS can ever refuse mail.
package dnsbl

import (
	"context"
	_ "embed"
	"slices"
	"sync"

	"weir/filters"
	"weir/filters/lookup"
	"weir/rules"
)

// Readme is the filter's manual.
//
//go:embed README.md
var Readme string

// checks are the names of the checks, by the stage at which what they ask for is known.
var checks = [...]struct{ name, doc string }{
	filters.Connect:    {"dnsbl", "Asks DNS lists about the client's address."},
	filters.Sender:     {"dnsbl_sender", "Asks DNS lists about the client's HELO and the envelope sender."},
	filters.Recipients: {"dnsbl_rdns", "Asks DNS lists about the client's reverse name."},
	filters.Body:       {"dnsbl_body", "Asks DNS lists about the domains, addresses and links of the message."},
	filters.Proven:     {"dnsbl_signer", "Asks DNS lists about the domains that have signed the message."},
}

// Names are the names of all checks that New can make.
func Names() []string {
	var names []string
	for _, c := range checks {
		names = append(names, c.name)
	}
	return names
}

// New makes the checks of zones: one for each stage at which there is something to ask. Their symbols are those of the
// zones' answers. g, if not nil, watches over the zones.
func New(zones []rules.Zone, r *lookup.Resolver, g *Guards) []filters.Check {
	var all []filters.Check
	share := shareOf(zones)
	for stage, c := range checks {
		l := &lists{resolver: r, guards: g, share: share}
		var symbols []string
		for i := range zones {
			asks := asksAt(&zones[i], filters.Stage(stage))
			if len(asks) == 0 {
				continue
			}
			l.zones = append(l.zones, zone{&zones[i], asks})
			for _, a := range zones[i].Answers {
				if a.Ask == nil || slices.ContainsFunc(a.Ask, func(k rules.Ask) bool { return slices.Contains(asks, k) }) {
					symbols = append(symbols, a.Symbol)
				}
			}
		}
		if len(l.zones) > 0 {
			all = append(all, filters.Check{Name: c.name, Doc: c.doc, Stage: filters.Stage(stage), Symbols: symbols, Run: l.run})
		}
	}
	return all
}

// asksAt are the keys of z that become known at stage s.
func asksAt(z *rules.Zone, s filters.Stage) []rules.Ask {
	var asks []rules.Ask
	for _, a := range z.Ask {
		if stageOf(z, a) == s {
			asks = append(asks, a)
		}
	}
	return asks
}

func stageOf(z *rules.Zone, a rules.Ask) filters.Stage {
	stage := filters.Body
	switch a {
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
	return stage
}

// Bounds of what one message costs. The rules see to it that the keys of which a message has one do not use all up.
const (
	maxQueries = 64
	maxEach    = 20 // links or signers asked of one zone
)

// shareOf is how many links or signers each zone may be asked for, so that all queries of a message stay within
// maxQueries whatever it holds, reasons included. It is shared out beforehand, since the stages do not know of each other.
func shareOf(zones []rules.Zone) int {
	left, many := maxQueries-maxReasons*len(checks), 0
	for i := range zones {
		for _, a := range zones[i].Ask {
			if a.Many() {
				many++
			} else {
				left--
			}
		}
	}
	return min(maxEach, max(0, left)/max(1, many))
}

// lists asks zones at one stage.
type lists struct {
	zones    []zone
	resolver *lookup.Resolver
	guards   *Guards
	share    int
}

// zone is a list and what it is asked for.
type zone struct {
	*rules.Zone
	asks []rules.Ask
}

// run asks everything at once and waits for all answers, or for the end of ctx. Authenticated users are not asked for.
func (l *lists) run(ctx context.Context, m filters.Mail) (filters.Report, error) {
	if m.Session == nil || m.Session.User != "" {
		return filters.Report{}, nil
	}
	talks := make([]talk, len(l.zones))
	var work sync.WaitGroup
	for i, z := range l.zones {
		t := &talks[i]
		if t.questions, t.left = z.questions(m, l.share); len(t.questions) > 0 {
			work.Go(func() { t.hold(ctx, l, z.Zone) })
		}
	}
	work.Wait()
	var all []*question
	for i := range talks {
		all = append(all, talks[i].questions...)
	}
	explain(ctx, all, l.resolver)
	var report filters.Report
	for i, z := range l.zones {
		t := &talks[i]
		report.Problems = append(report.Problems, t.problems...)
		if t.left > 0 && t.problems == nil {
			report.Problems = append(report.Problems, tooMany(z.Zone, len(t.questions), t.left))
		}
		tell(&report, z.Zone, t.questions)
	}
	return report, nil
}

// talk is what one list is asked about one message.
type talk struct {
	questions []*question
	left      int // questions that are not asked
	problems  []filters.Problem
}

// hold asks the list z, if its guard lets it. A list whose first test takes long keeps nobody from asking the others.
func (t *talk) hold(ctx context.Context, l *lists, z *rules.Zone) {
	if p, ok := l.guards.of(z).admit(ctx, z); !ok {
		t.questions, t.problems = nil, []filters.Problem{p}
		return
	}
	ask(ctx, t.questions, l.resolver.Lookup)
	for _, q := range t.questions {
		l.guards.saw(q)
	}
}
