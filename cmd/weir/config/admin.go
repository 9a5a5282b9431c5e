package config

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Admin is where operators look. Without an address there is no such place.
type Admin struct {
	Addr  string         `yaml:"addr"`
	Allow []netip.Prefix `yaml:"allow"` // who may ask besides this machine
}

func (c Config) findInAdmin(f *finder) {
	a := c.Admin
	if a.Addr == "" {
		f.want(len(a.Allow) == 0, "admin.allow", "nobody reads this: there is no admin.addr")
		return
	}
	f.want(IsAddress(a.Addr), "admin.addr", "%q is not ADDRESS:PORT", a.Addr)
	f.want(!IsAddress(a.Addr) || isLoopback(a.Addr) || len(a.Allow) > 0, "admin.addr",
		"is not on the loopback: say who may ask with admin: { allow: [NETWORK] }")
	f.want(!slices.ContainsFunc(c.Listen, func(l Listen) bool { return l.Addr == a.Addr && !strings.HasSuffix(l.Addr, ":0") }),
		"admin.addr", "a listener is at %s", a.Addr)
}

// isLoopback reports whether only this machine can reach an address.
func isLoopback(addr string) bool {
	host, _, _ := net.SplitHostPort(addr)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
