package hello

import (
	"net/netip"
	"testing"

	"weir/filters"
	"weir/filters/filtertest"
	"weir/filters/lookup"
)

func TestCases(t *testing.T) {
	filtertest.Run(t, func(*lookup.Resolver) filters.Check { return New() })
}

func TestHelo(t *testing.T) {
	for _, c := range []struct{ helo, ip, want string }{
		{"mail.example.org", "192.0.2.7", ""},
		{"mail.example.org.", "192.0.2.7", ""},
		{"", "192.0.2.7", ""},
		{"192.0.2.7", "192.0.2.7", BareIP},
		{"192.0.2.8", "192.0.2.7", BareIP},
		{"2001:db8::1", "2001:db8::1", BareIP},
		{"[192.0.2.7]", "192.0.2.7", ""},
		{"[192.0.2.7]", "::ffff:192.0.2.7", ""},
		{"[192.0.2.8]", "192.0.2.7", LiteralMismatch},
		{"[IPv6:2001:db8::1]", "2001:db8:0::1", ""},
		{"[ipv6:2001:db8::2]", "2001:db8::1", LiteralMismatch},
		{"[192.0.2.7", "192.0.2.7", Invalid},
		{"[mail]", "192.0.2.7", Invalid},
		{"[", "192.0.2.7", Invalid},
		{"mail..example", "192.0.2.7", Invalid},
		{"-=mail=-.example", "192.0.2.7", Invalid},
		{"my_pc.example", "192.0.2.7", ""},
		{"почта.example", "192.0.2.7", ""},
		{"localhost", "192.0.2.7", Localhost},
		{"localhost.localdomain", "192.0.2.7", Localhost},
		{"LOCALHOST", "192.0.2.7", Localhost},
		{"server", "192.0.2.7", NotFQDN},
		{"WIN-4F2K", "192.0.2.7", NotFQDN},
		{"192-0-2-7.net.example", "192.0.2.7", Generic},
		{"7.2.0.192.net.example", "192.0.2.7", Generic},
		{"host-192-0-2-7.mail.example", "192.0.2.7", ""},
		{"ip192000002007.net.example", "192.0.2.7", Generic},
		{"c0000207.net.example", "192.0.2.7", Generic},
		{"2001-db8-0-0-0000-0000-0000-0001.v6.example", "2001:db8::1", Generic},
		{"192-0-2-8.net.example", "192.0.2.7", ""},
		{"a-192-0-2.7x.example", "192.0.2.7", Generic},
		{"pool-17.net.example", "192.0.2.7", Generic},
		{"dsl.example.org", "192.0.2.7", ""},
		{"mail2.dsl.example", "192.0.2.7", ""},
		{"a8-52.smtp-out.example", "192.0.2.7", ""},
	} {
		got, detail := helo(c.helo, netip.MustParseAddr(c.ip).Unmap())
		if got != c.want {
			t.Errorf("%q from %s: %q (%s), want %q", c.helo, c.ip, got, detail, c.want)
		}
	}
}

func TestReverse(t *testing.T) {
	for _, c := range []struct {
		session filters.Session
		want    string
	}{
		{filters.Session{}, ""},
		{filters.Session{ReverseName: "a.example"}, ""},
		{filters.Session{ReverseKnown: true}, NoReverse},
		{filters.Session{ReverseKnown: true, ReverseName: "mail.example"}, Unconfirmed},
		{filters.Session{ReverseKnown: true, ReverseName: "mail.example", ReverseOK: true}, ""},
		{filters.Session{ReverseKnown: true, ReverseName: "192-0-2-7.net.example.", ReverseOK: true}, GenericReverse},
	} {
		if got, _ := reverse(&c.session, netip.MustParseAddr("192.0.2.7")); got != c.want {
			t.Errorf("%+v: %q, want %q", c.session, got, c.want)
		}
	}
}

func TestOwnPeopleAreLeftAlone(t *testing.T) {
	bad := filters.Session{Hello: "localhost", ReverseKnown: true, Addr: netip.MustParseAddrPort("192.0.2.7:25")}
	if len(hits(&bad)) != 2 {
		t.Fatalf("a stranger: %v", hits(&bad))
	}
	user := bad
	user.User = "ann"
	if got := hits(&user); got != nil {
		t.Errorf("an authenticated user: %v", got)
	}
	for _, ip := range []string{"127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "fd00::1", "::ffff:10.0.0.1", "169.254.1.1"} {
		own := bad
		own.Addr = netip.AddrPortFrom(netip.MustParseAddr(ip), 25)
		if got := hits(&own); got != nil {
			t.Errorf("%s: %v", ip, got)
		}
	}
	unknown := filters.Session{Hello: "[192.0.2.7]", Addr: netip.MustParseAddrPort("0.0.0.0:0")}
	if got := hits(&unknown); got != nil {
		t.Errorf("a literal from an unknown client: %v", got)
	}
	if hits(nil) != nil {
		t.Error("no session, but hits")
	}
}

func FuzzHelo(f *testing.F) {
	for _, name := range []string{"mail.example", "[192.0.2.7]", "[IPv6:::1]", "192-0-2-7.dyn.example", "[", "..", "\xff"} {
		f.Add(name)
	}
	ips := []netip.Addr{{}, netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::1")}
	f.Fuzz(func(t *testing.T, name string) {
		for _, ip := range ips {
			if symbol, detail := helo(name, ip); symbol != "" && detail == "" {
				t.Errorf("%q: %s without evidence", name, symbol)
			}
		}
	})
}

func BenchmarkHits(b *testing.B) {
	s := &filters.Session{Hello: "mail.example.org", ReverseKnown: true, ReverseName: "mail.example.org", ReverseOK: true,
		Addr: netip.MustParseAddrPort("192.0.2.7:25")}
	b.ReportAllocs()
	for b.Loop() {
		hits(s)
	}
}
