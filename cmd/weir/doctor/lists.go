package doctor

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"weir/cmd/weir/dns"
	"weir/filters/dnsbl"
	"weir/rules"
)

// remedies are what to do about a list that must not be asked, by a part of what its test has found.
var remedies = []struct{ seen, change string }{
	{"public resolver", ownResolver},
	{"127.255.255.254", ownResolver},
	{"127.255.255.255", "it is asked too often for free use: get a key or a contract, or take it out of the rules"},
	{"127.255.255.252", "look at the name of the zone: it is mistyped"},
	{"no list answers so", "its domain was sold, or the resolver invents answers (see rewriting): take it out, or " + ownResolver},
	{"which no working list does", "it lists everybody, as lists do that have ended: take it out of the rules"},
}

// lists tests each list of the rules.
func (d *Visit) lists(ctx context.Context) []Finding {
	const check = "list"
	if len(d.Rules.Zones) == 0 {
		return []Finding{{Check: check, State: Sound, Seen: "the rules ask no list"}}
	}
	return each(d.Rules.Zones, func(z rules.Zone) []Finding {
		one := listFound(&z, dnsbl.Test(ctx, d.Resolver, &z))
		one.Check = check
		return []Finding{one}
	})
}

// slowList is what mail should not wait for. A list's first answers come from far away, later ones often from near.
const slowList = time.Second

// listFound is how a list fares by its test, and how long its slowest answer took.
func listFound(z *rules.Zone, found dnsbl.Health) Finding {
	h := dns.HealthOf(z, found)
	one := Finding{Of: z.ID + " " + z.Display, State: Sound, Seen: cmp.Or(h.Detail, "it lists its test point") + ", in " + h.Took()}
	switch h.State {
	case dns.Well:
		if found.Took > slowList {
			one.State, one.Change = Doubtful, "mail waits for it, up to dns.budget: see with `weir dns health` after some days whether it is always so, and what it is worth"
		}
	case dns.Untested:
		one.State = Doubtful
		one.Change = "if its web page says that it has test points, the resolver is not served: " + ownResolver
	case dns.Silent:
		one.State, one.Seen = Doubtful, "nothing is known of it: "+h.Detail
		one.Change = "look at the resolver first; if only this list is silent, see its web page for whether it has ended"
	case dns.Wrong:
		one.State, one.Seen = Ill, h.Detail
		one.Change = "weir does not ask it; see its terms of use with `weir dns catalogue`"
		for _, r := range slices.Backward(remedies) {
			if strings.Contains(h.Detail, r.seen) {
				one.Change = r.change
			}
		}
	}
	return one
}

// catalogue tests what the rules do not name of the lists that are built in.
func (d *Visit) catalogue(ctx context.Context) []Finding {
	const check = "catalogue"
	return each(d.unused(), func(l rules.Listing) []Finding {
		one := Finding{Check: check, Of: l.Name, State: Sound, Seen: "it needs a key"}
		if l.Zone != "" {
			set, err := dns.Catalogued(l.Name, d.Known)
			if err != nil {
				return []Finding{unknownYet(check, l.Name, err)}
			}
			z := &set.Zones[0]
			one = listFound(z, dnsbl.Test(ctx, d.Resolver, z))
			one.Check, one.Of = check, l.Name
		}
		if one.State == Ill {
			one.State = Doubtful // nobody asks it
		} else if one.State == Sound && l.Zone != "" {
			one.Seen = "it would work from here: " + one.Seen
		}
		one.Seen += " (" + l.Terms + ")"
		return []Finding{one}
	})
}

// unused are the lists of the catalogue that the rules do not name.
func (d *Visit) unused() []rules.Listing {
	return slices.DeleteFunc(rules.Catalogue(), func(l rules.Listing) bool {
		return slices.ContainsFunc(d.Rules.Zones, func(z rules.Zone) bool {
			return z.ID == l.ID || z.Zone == l.Zone || z.Display == l.Keyed
		})
	})
}
