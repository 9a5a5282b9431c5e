// Package dnsbl asks DNS lists (RFC 5782) about the client.
//
// Asking a list has three outcomes: listed, not listed, unknown. Unknown is a Problem and never a hit: a server that
// fails, an answer that is an error code, an answer that no list gives. So no failure of the DNS can ever refuse mail.
package dnsbl

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"weir/filters"
	"weir/filters/lookup"
	"weir/rules"
)

// Readme is the filter's manual.
//
//go:embed README.md
var Readme string

// New makes the check of the zones that are asked for the client's address. Its symbols are those of their answers.
func New(zones []rules.Zone, r *lookup.Resolver) filters.Check {
	l := &lists{resolver: r}
	var symbols []string
	for i := range zones {
		if !slices.Contains(zones[i].Ask, rules.AskClientIP) {
			continue
		}
		l.zones = append(l.zones, &zones[i])
		for _, a := range zones[i].Answers {
			symbols = append(symbols, a.Symbol)
		}
	}
	return filters.Check{
		Name:    "dnsbl",
		Doc:     "Asks DNS lists about the client's address.",
		Stage:   filters.Connect,
		Symbols: symbols,
		Run:     l.run,
	}
}

type lists struct {
	zones    []*rules.Zone
	resolver *lookup.Resolver
}

// run asks all zones at once and waits for all of them, or for the end of ctx.
func (l *lists) run(ctx context.Context, m filters.Mail) (filters.Report, error) {
	client := m.Session.Addr.Addr().Unmap().WithZone("")
	if !client.IsValid() || client.IsUnspecified() || m.Session.User != "" {
		return filters.Report{}, nil
	}
	answers := make([]lookup.Answer, len(l.zones))
	failures := make([]error, len(l.zones))
	reversed := lookup.ReverseName(client)
	var all sync.WaitGroup
	for i, z := range l.zones {
		all.Go(func() { answers[i], failures[i] = l.resolver.Lookup(ctx, reversed+"."+z.Zone, lookup.A) })
	}
	all.Wait()
	var report filters.Report
	for i, z := range l.zones {
		if failures[i] != nil {
			report.Problems = append(report.Problems, failed(z, failures[i])...)
			continue
		}
		tell(&report, client, z, Read(z, answers[i].Addrs))
	}
	return report, nil
}

// tell adds what a zone says of the client to the report.
func tell(report *filters.Report, client netip.Addr, z *rules.Zone, r Reading) {
	if r.Error != "" {
		report.Problems = append(report.Problems, filters.Problem{
			Rule: z.ID, Kind: filters.KindSentinel, Detail: shown(z) + " answers " + r.Error,
		})
		return
	}
	for _, match := range r.Matches {
		report.Hits = append(report.Hits, filters.Hit{
			Symbol: match.Symbol, Detail: fmt.Sprintf("%s -> %s", client, Join(match.Addrs)),
		})
	}
}

// failed makes a Problem of a failed lookup. It holds the zone's public name only: the name asked for may hold a key.
func failed(z *rules.Zone, err error) []filters.Problem {
	if errors.Is(err, lookup.ErrOffline) {
		return nil // switched off is no failure
	}
	p := filters.Problem{Rule: z.ID, Kind: filters.KindFailed, Detail: shown(z)}
	var f *lookup.Failure
	if errors.As(err, &f) {
		p.Kind = f.Kind
		if f.Server != "" {
			p.Detail += " at " + f.Server
		}
		p.Detail += ": " + f.Err.Error()
	}
	return []filters.Problem{p}
}

func shown(z *rules.Zone) string { return cmp.Or(z.Display, z.ID) }

// Reading is what the addresses of a list's answer mean. The zero Reading means not listed.
type Reading struct {
	Error     string       // the answer is not to be believed: the address and why. The rest is empty then
	Matches   []Match      // in the order of the zone's answers
	Unclaimed []netip.Addr // codes that no answer of the zone speaks of
}

// Match is a symbol of a zone and the addresses that it matches.
type Match struct {
	Symbol string
	Addrs  []netip.Addr
}

// Read tells what addrs, the records of one answer of z, mean. Every record counts, and one record may match several
// answers. But if one of them is an error, none counts: a list in trouble is not believed in part.
//
// A code that no answer speaks of is neither a hit nor an error. The operator has left it out, as one does with the
// lowest levels of trust.
func Read(z *rules.Zone, addrs []netip.Addr) Reading {
	addrs = slices.Clone(addrs)
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	for _, a := range addrs {
		if why := errorOf(z, a); why != "" {
			return Reading{Error: fmt.Sprintf("%s: %s", a, why)}
		}
	}
	var r Reading
	claimed := make([]bool, len(addrs))
	for _, answer := range z.Answers {
		match := Match{Symbol: answer.Symbol}
		for i, a := range addrs {
			if answer.Match.Matches(a) {
				claimed[i] = true
				match.Addrs = append(match.Addrs, a)
			}
		}
		if match.Addrs != nil {
			r.Matches = append(r.Matches, match)
		}
	}
	for i, a := range addrs {
		if !claimed[i] {
			r.Unclaimed = append(r.Unclaimed, a)
		}
	}
	return r
}

// errorOf says why a is no listing, or "" if it may be one. What the zone's own rules say comes first.
func errorOf(z *rules.Zone, a netip.Addr) string {
	for _, e := range z.Errors {
		if e.Match.Matches(a) {
			return e.Means
		}
	}
	b := a.As16() // of an IPv4 address the last four bytes hold it
	switch {
	case !a.Is4() || b[12] != 127:
		return "no list answers so; the zone has moved, or somebody rewrites answers"
	case b[13] == 255 && b[14] == 255:
		return "an error code, not a listing"
	case b[13] == 0 && b[14] == 0 && b[15] == 1:
		return "never a listing (RFC 5782 section 5)"
	}
	return ""
}

// Join writes addresses with commas.
func Join(addrs []netip.Addr) string {
	texts := make([]string, len(addrs))
	for i, a := range addrs {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}
