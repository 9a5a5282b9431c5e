package dnsbl

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/filters"
	"weir/filters/lookup"
	"weir/rules"
)

// Bounds of looking up what is behind links.
const (
	linksTime = 2 * time.Second // so that there is time left to ask the list
	maxAddrs  = 2               // of one host, of each kind
)

// search looks up what is behind the links of one message. All lists that are asked for it look up the same, so the
// resolver asks once for all of them.
type search struct {
	zone
	resolver *lookup.Resolver
	mu       sync.Mutex
	failed   filters.Problem // the first lookup that failed; its Kind is "" if none did
}

// behind finds what the keys of the list about links stand for in m. What cannot be found in time is a problem of the report.
func (l *listing) behind(ctx context.Context, m filters.Mail, report *filters.Report) func(rules.Ask) []subject {
	ctx, cancel := context.WithTimeout(ctx, linksTime)
	defer cancel()
	s := &search{zone: l.zone, resolver: l.resolver}
	found := make([][]subject, len(l.asks))
	var work sync.WaitGroup
	for i, a := range l.asks {
		work.Go(func() {
			if a == rules.AskURLIP {
				found[i] = s.addressesOfLinks(ctx, m)
			} else {
				found[i] = s.serversOfLinks(ctx, m)
			}
		})
	}
	work.Wait()
	if s.failed.Kind != "" {
		report.Problems = append(report.Problems, s.failed)
	}
	return func(a rules.Ask) []subject { return found[slices.Index(l.asks, a)] }
}

// addressesOfLinks are the addresses of the hosts of links, and the bare addresses that links lead to.
func (s *search) addressesOfLinks(ctx context.Context, m filters.Mail) []subject {
	var all, hosts []subject
	for _, u := range urls(m) {
		host := strings.ToLower(strings.TrimSuffix(u.Host, "."))
		if ip, err := netip.ParseAddr(host); err == nil {
			all = s.with(all, "", []netip.Addr{ip}, 1)
		} else if one := (subject{host, host}); isDomain(host) && !slices.Contains(hosts, one) {
			hosts = append(hosts, one)
		}
	}
	kinds := s.kinds()
	found := each(bothEnds(hosts, min(len(hosts), rules.LinkHosts)), func(host subject) []subject {
		var of []subject
		for _, addrs := range each(kinds, func(k lookup.Kind) []netip.Addr { return s.find(ctx, host.key, k).Addrs }) {
			of = s.with(of, host.text+" at ", addrs, maxAddrs)
		}
		return of
	})
	return slices.Concat(append(found, all)...)
}

// serversOfLinks are the name servers of the domains of links, by their names or their addresses.
func (s *search) serversOfLinks(ctx context.Context, m filters.Mail) []subject {
	var domains []subject
	for _, u := range urls(m) {
		d := strings.ToLower(strings.TrimSuffix(u.Host, "."))
		if !isDomain(d) {
			continue
		}
		d = filters.Organisation(d)
		if one := (subject{d, d}); !slices.Contains(domains, one) {
			domains = append(domains, one)
		}
	}
	found := each(bothEnds(domains, min(len(domains), rules.LinkDomains)), func(domain subject) []subject {
		servers := some(s.find(ctx, domain.key, lookup.NS).Names, strings.Compare, rules.LinkServers)
		return slices.Concat(each(servers, func(server string) []subject { return s.server(ctx, domain.text, server) })...)
	})
	return slices.Concat(found...)
}

// server is a name server of domain as the list is asked for it.
func (s *search) server(ctx context.Context, domain, name string) []subject {
	if !isDomain(name) {
		return nil
	}
	about := domain + " served by "
	if s.AsksIP(rules.AskURLNS) {
		return s.with(nil, about+name+" at ", s.find(ctx, name, lookup.A).Addrs, 1)
	}
	one := s.domain(name, rules.AskURLNS)
	one.text = about + one.text
	return []subject{one}
}

// with is all and the first few of addrs. Those that lists cannot know are left out: nobody's private network is asked for
// because a link leads there.
func (s *search) with(all []subject, about string, addrs []netip.Addr, few int) []subject {
	addrs = slices.DeleteFunc(slices.Clone(addrs), func(ip netip.Addr) bool { return !isPublic(ip.Unmap()) })
	for _, ip := range some(addrs, netip.Addr.Compare, few) {
		if one := s.ip(ip); one.key != "" {
			all = append(all, subject{about + one.text, one.key})
		}
	}
	return all
}

// kinds are the kinds of addresses that the list takes.
func (s *search) kinds() []lookup.Kind {
	switch {
	case s.For.V4 == s.For.V6:
		return []lookup.Kind{lookup.A, lookup.AAAA}
	case s.For.V4:
		return []lookup.Kind{lookup.A}
	}
	return []lookup.Kind{lookup.AAAA}
}

// find looks name up. A failure says nothing of the list.
func (s *search) find(ctx context.Context, name string, k lookup.Kind) lookup.Answer {
	answer, err := s.resolver.Lookup(ctx, name, k)
	if f := (*lookup.Failure)(nil); errors.As(err, &f) && !errors.Is(err, lookup.ErrOffline) && !errors.Is(err, context.Canceled) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.failed.Kind == "" {
			s.failed = filters.Problem{Rule: s.ID, Kind: f.Kind, Detail: printable(name, maxSubject) + ": " + f.Err.Error()}
		}
	}
	return answer
}

// each is what do makes of each of all, all at once.
func each[T, R any](all []T, do func(T) R) []R {
	made := make([]R, len(all))
	var work sync.WaitGroup
	for i, one := range all {
		work.Go(func() { made[i] = do(one) })
	}
	work.Wait()
	return made
}

// some is the first few of all in their order, so that every list is asked for the same.
func some[T comparable](all []T, order func(T, T) int, few int) []T {
	all = slices.Clone(all) // the cache's
	slices.SortFunc(all, order)
	all = slices.Compact(all)
	return all[:min(len(all), few)]
}
