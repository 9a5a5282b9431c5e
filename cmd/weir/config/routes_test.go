package config

import (
	"net/netip"
	"testing"
)

func TestWhoWeAre(t *testing.T) {
	c := Config{Hostname: "MX1.example.org", Listen: []Listen{{Addr: "127.0.0.1:2525"}, {Addr: "192.0.2.1:2526"}, {Addr: "[::]:2527"}}}
	for _, x := range []struct {
		host, addr string
		port       int
		want       bool
	}{
		{"mx1.example.org", "", 25, true}, {"mx2.example.org", "203.0.113.99", 25, false}, {"x.example", "192.0.2.1", 25, true},
		{"x.example", "127.0.0.1", 25, false}, {"x.example", "127.0.0.1", 2525, true}, {"x.example", "127.0.0.1", 2527, true},
		{"x.example", "0.0.0.0", 25, false}, {"x.example", "0.0.0.0", 2525, true}, {"x.example", "::", 2525, true}, {"x.example", "127.0.0.9", 2527, true},
	} {
		var addrs []netip.Addr
		if x.addr != "" {
			addrs = append(addrs, netip.MustParseAddr(x.addr))
		}
		if got := c.isUs(x.port)(x.host, addrs); got != x.want {
			t.Errorf("%s %s at %d: %v", x.host, x.addr, x.port, got)
		}
	}
}
