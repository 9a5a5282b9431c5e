package config

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"weir/rules/strict"
)

// Warnings says what of a configuration that can run will surprise.
func (c Config) Warnings() strict.Findings {
	f := finder{doc: c.doc}
	users := slices.ContainsFunc(c.Listen, func(l Listen) bool { return l.Role == RoleOutbound })
	inClear := c.Backend.TLS == TLSOff && slices.ContainsFunc(c.Backend.AllAddrs(), func(addr string) bool { return !isLocal(addr) })
	f.want(!users || !inClear, "backend.tls", "off, to a server elsewhere: users cannot log in by PLAIN, LOGIN or a token, which would pass the network in clear")
	for i := range f.found {
		f.found[i].Severity = strict.Warning
		f.found[i].Hint = "say backend: { tls: required }"
	}
	return f.found
}

// isLocal reports whether what is sent to addr, HOST:PORT or unix:/PATH, stays on this machine.
func isLocal(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if strings.HasPrefix(addr, "unix:") || err == nil && host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
