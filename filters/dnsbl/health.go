package dnsbl

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"weir/filters/lookup"
	"weir/rules"
)

// Test points (RFC 5782 section 5), without the zone. Those of IPv6 are ::ffff:127.0.0.2 and ::ffff:127.0.0.1.
const (
	listedV4       = "2.0.0.127"
	unlistedV4     = "1.0.0.127"
	restV6         = ".0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"
	listedV6       = "2" + restV6
	unlistedV6     = "1" + restV6
	listedDomain   = "test"
	unlistedDomain = "invalid"
)

// Health is the outcome of a list's test.
type Health struct {
	Wrong   string        // why the list must not be asked, or ""
	Failed  string        // why nothing is known, or ""
	Warning string        // the list works, or may; but a test point is missing, as many lists have none
	Server  string        // who answered
	Took    time.Duration // the slowest answer
}

// Test asks z for its test points through r, past its cache. A list that has the point it must not list is wrong, but not
// if it has none of the points it must list either: such a list makes no promise of RFC 5782, as private lists of loopback
// addresses do not.
func Test(ctx context.Context, r *lookup.Resolver, z *rules.Zone) Health {
	listed, unlisted := testPoints(z)
	var all []*question
	for _, key := range slices.Concat(listed, unlisted) {
		all = append(all, &question{zone: z, subject: key, key: key})
	}
	ask(ctx, all, r.Fresh)
	var h Health
	promises, lists := len(listed) == 0 || len(z.Test.Unlisted) > 0, ""
	for i, q := range all {
		h.Took, h.Server = max(h.Took, q.answer.Took), cmp.Or(h.Server, q.answer.Server)
		p, failed := q.problem()
		switch {
		case failed && q.err != nil:
			why := p.Kind + ": " + p.Detail
			if p.Kind == "" {
				why = lookup.ErrOffline.Error()
			}
			h.Failed = cmp.Or(h.Failed, why)
		case failed:
			h.Wrong = cmp.Or(h.Wrong, p.Detail)
		case i >= len(listed) && q.answer.Found:
			lists = pointName(q.key)
		case i < len(listed) && !q.answer.Found:
			h.Warning = fmt.Sprintf("it does not list its test point %s", pointName(q.key))
		case i < len(listed):
			promises = true
		}
	}
	switch {
	case lists != "" && promises:
		h.Wrong = cmp.Or(h.Wrong, fmt.Sprintf("it lists %s, which no working list does", lists))
	case lists != "":
		h.Warning += fmt.Sprintf(", but %s, which lists for everybody do not", lists)
	}
	return h
}

// testPoints are the keys that z must list and those it must not.
func testPoints(z *rules.Zone) (listed, unlisted []string) {
	if len(z.Test.Listed)+len(z.Test.Unlisted) > 0 {
		return pointKeys(z, z.Test.Listed), pointKeys(z, z.Test.Unlisted)
	}
	if slices.ContainsFunc(z.Ask, z.AsksIP) {
		if z.For.V6 && !z.For.V4 {
			listed, unlisted = []string{listedV6}, []string{unlistedV6}
		} else {
			listed, unlisted = []string{listedV4}, []string{unlistedV4}
		}
	}
	if slices.ContainsFunc(z.Ask, func(a rules.Ask) bool { return !z.AsksIP(a) }) {
		if z.Hash != "" {
			return listed, append(unlisted, zone{Zone: z}.hashed(unlistedDomain).key)
		}
		listed, unlisted = append(listed, listedDomain), append(unlisted, unlistedDomain)
	}
	return listed, unlisted
}

// pointKeys are test points as they are asked for.
func pointKeys(z *rules.Zone, points []string) []string {
	var keys []string
	for _, p := range points {
		if ip, err := netip.ParseAddr(p); err == nil {
			p = lookup.ReverseName(ip)
		} else if z.Hash != "" {
			p = zone{Zone: z}.hashed(p).key
		}
		keys = append(keys, p)
	}
	return keys
}

// pointName is a test point as people write it.
func pointName(key string) string {
	octets := strings.Split(key, ".")
	slices.Reverse(octets)
	if ip, err := netip.ParseAddr(strings.Join(octets, ".")); err == nil {
		return ip.String()
	}
	switch key {
	case listedV6:
		return "::ffff:127.0.0.2"
	case unlistedV6:
		return "::ffff:127.0.0.1"
	}
	return key
}
