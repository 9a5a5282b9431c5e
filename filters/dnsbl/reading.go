package dnsbl

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"weir/rules"
)

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

// Read tells what addrs, the records of one answer of z, mean, whatever z was asked for. Every record counts, and one
// record may match several answers. But if one of them is an error, none counts: a list in trouble is not believed in
// part.
//
// A code that no answer speaks of is neither a hit nor an error. The operator has left it out, as one does with the
// lowest levels of trust.
func Read(z *rules.Zone, addrs []netip.Addr) Reading {
	if why := sentinel(z, addrs); why != "" {
		return Reading{Error: why}
	}
	addrs = distinct(addrs)
	var r Reading
	claimed := map[netip.Addr]bool{}
	for _, answer := range z.Answers {
		found := matching(answer, addrs)
		for _, a := range found {
			claimed[a] = true
		}
		if found != nil {
			r.Matches = append(r.Matches, Match{Symbol: answer.Symbol, Addrs: found})
		}
	}
	for _, a := range addrs {
		if !claimed[a] {
			r.Unclaimed = append(r.Unclaimed, a)
		}
	}
	return r
}

// sentinel says which of addrs is an error, the lowest, and what it means; "" if none is.
func sentinel(z *rules.Zone, addrs []netip.Addr) string {
	var worst netip.Addr
	for _, a := range addrs {
		if errorOf(z, a) != "" && (!worst.IsValid() || a.Less(worst)) {
			worst = a
		}
	}
	if !worst.IsValid() {
		return ""
	}
	return fmt.Sprintf("%s: %s", worst, errorOf(z, worst))
}

func distinct(addrs []netip.Addr) []netip.Addr {
	addrs = slices.Clone(addrs)
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(addrs)
}

func matching(answer rules.Answer, addrs []netip.Addr) []netip.Addr {
	var found []netip.Addr
	for _, a := range addrs {
		if answer.Match.Matches(a) {
			found = append(found, a)
		}
	}
	return found
}

// matching are the addresses of the question's answer that a means, if it counts for what was asked.
func (q *question) matching(a rules.Answer) []netip.Addr {
	counts := func(k rules.Ask) bool { return slices.Contains(q.asks, k) }
	if !q.answer.Found || a.Ask != nil && !slices.ContainsFunc(a.Ask, counts) {
		return nil
	}
	return matching(a, distinct(q.answer.Addrs))
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
	case b[13] == 0 && b[14] == 0 && b[15] == 1 && !z.AllowLoopback:
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
