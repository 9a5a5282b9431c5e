package config

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"weir/filters/lookup"
	"weir/proxy/backend"
)

// This file is mail by domain: what weir.yaml says of it, and how the DNS is asked.

// EveryOther is the route of the domains that no other route names.
const EveryOther = "*"

// Route is a backend for the mail of some domains. What it does not say of the backend has the default.
type Route struct {
	Domains []string `yaml:"domains"` // example.org, .example.org for all below it, "*" for all others
	MX      bool     `yaml:"mx"`      // the servers are those that the DNS names for each domain
	Port    int      `yaml:"port"`    // of these servers; 0 is 25
	Backend Backend  `yaml:"backend"`
}

// findings says what is wrong with a route, at a key.
func (r Route) findings(f *finder, key string) {
	f.want(len(r.Domains) > 0, key, "no mail goes here: domains: [DOMAIN]")
	f.want(r.MX || len(r.Backend.AllAddrs()) > 0, key, "there is no backend")
	f.want(!r.MX || len(r.Backend.AllAddrs()) == 0, key+".mx", "say either mx, or where the servers are")
	f.want(!r.MX || r.Backend.Protocol != "lmtp", key+".backend.protocol", "servers that the DNS names speak smtp")
	f.want(r.Port == 0 || r.MX, key+".port", "is for mx: true; else the address says the port")
	f.want(r.Port >= 0 && r.Port < 1<<16, key+".port", "is no port")
}

// findInRoutes says what is wrong with mail by domain: each route, each domain, and what no mail can reach.
func (c Config) findInRoutes(f *finder) {
	seen := map[string]bool{}
	for i, r := range c.Routes {
		key := fmt.Sprintf("routes[%d]", i)
		c.findInBackend(f, key+".backend", r.Backend)
		r.findings(f, key)
		for j, domain := range r.Domains {
			at := fmt.Sprintf("%s.domains[%d]", key, j)
			name := strings.ToLower(domain)
			f.want(name == EveryOther || IsHostname(strings.TrimPrefix(name, ".")), at, "%q is not a domain, .domain or *", domain)
			f.want(!seen[name], at, "%s has another route", domain)
			f.want(c.reaches(name), at, "no mail goes here: relay_domains names nothing of it")
			f.want(name != EveryOther || !r.MX || len(c.Conduct.Relay) > 0, at,
				"anybody could send to everywhere through this: say in relay_domains whose mail is taken")
			seen[name] = true
		}
	}
	f.want(!c.HasOthers() || c.hasUsers() || len(c.Backend.AllAddrs()) == 0, "backend", "no mail goes here: routes have %q", EveryOther)
}

// reaches reports whether mail for the domains of a route is taken at all.
func (c Config) reaches(domain string) bool {
	if len(c.Conduct.Relay) == 0 || domain == EveryOther {
		return true
	}
	return slices.ContainsFunc(c.Conduct.Relay, func(r string) bool {
		r = strings.ToLower(r)
		return r == domain || domain[0] == '.' && strings.HasSuffix(r, domain) || r[0] == '.' && strings.HasSuffix(domain, r)
	})
}

// hasUsers reports whether somebody may authenticate, whose mail goes to where that is done.
func (c Config) hasUsers() bool {
	return slices.ContainsFunc(c.Listen, func(l Listen) bool { return l.Role == RoleOutbound })
}

// HasOthers reports whether a route with fixed servers takes the mail of all other domains. By MX it does not take that
// of <Postmaster>, who has none.
func (c Behind) HasOthers() bool {
	return slices.ContainsFunc(c.Routes, func(r Route) bool { return !r.MX && slices.Contains(r.Domains, EveryOther) })
}

// exchange is how a route finds the servers of a domain; nil if they are fixed.
func (r Route) exchange(c Config) *backend.Exchange {
	if !r.MX {
		return nil
	}
	port := cmp.Or(r.Port, 25)
	return &backend.Exchange{Port: uint16(port), Ours: c.isUs(port)} //nolint:gosec // checked
}

// isUs tells our own host by its name and addresses. A loopback address, or none (0.0.0.0), is us at a listener's port alone.
func (c Config) isUs(port int) func(host string, addrs []netip.Addr) bool {
	ours, here := map[netip.Addr]bool{}, false
	for _, l := range c.Listen {
		_, at, _ := net.SplitHostPort(l.Addr)
		for _, a := range l.addresses() {
			ours[a] = !a.IsLoopback()
			here = here || a.IsLoopback() && at == strconv.Itoa(port)
		}
	}
	return func(host string, addrs []netip.Addr) bool {
		return strings.EqualFold(host, c.Hostname) || slices.ContainsFunc(addrs, func(a netip.Addr) bool {
			return ours[a] || here && (a.IsLoopback() || a.IsUnspecified())
		})
	}
}

// addresses are those at which a listener can be reached: all of the machine if it names none.
func (l Listen) addresses() []netip.Addr {
	host, _, _ := net.SplitHostPort(l.Addr)
	if a, err := netip.ParseAddr(host); err == nil && !a.IsUnspecified() {
		return []netip.Addr{a.Unmap()}
	}
	var all []netip.Addr
	found, _ := net.InterfaceAddrs() // without them the host name is left
	for _, f := range found {
		if p, err := netip.ParsePrefix(f.String()); err == nil {
			all = append(all, p.Addr().Unmap())
		}
	}
	return all
}

// AskDNS makes what a backend asks of the DNS from what r answers.
func AskDNS(r *lookup.Resolver) *backend.Names {
	return &backend.Names{
		MX: func(ctx context.Context, domain string) (backend.MX, error) {
			answer, err := r.Lookup(ctx, domain, lookup.MX)
			mx := backend.MX{NoName: answer.NoName}
			for i, host := range answer.Names {
				mx.Hosts = append(mx.Hosts, backend.Exchanger{Host: host, Rank: answer.Ranks[i]})
			}
			return mx, err
		},
		Addrs: func(ctx context.Context, host string) ([]netip.Addr, error) {
			var all []netip.Addr
			var failed error
			for _, kind := range []lookup.Kind{lookup.AAAA, lookup.A} {
				answer, err := r.Lookup(ctx, host, kind)
				failed = cmp.Or(failed, err)
				some := slices.Clone(answer.Addrs)
				rand.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
				all = append(all, some...)
			}
			if len(all) > 0 {
				return all, nil
			}
			return nil, failed
		},
	}
}
