package greylist

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"weir/filters"
	"weir/filters/filtertest"
	"weir/filters/lookup"
	"weir/filters/store"
	"weir/rules"
)

var config = rules.Greylist{From: 4_00, Below: 10_00, Wait: 5 * time.Minute, Expire: 36 * 24 * time.Hour}

func TestCases(t *testing.T) {
	filtertest.Run(t, func(*lookup.Resolver) filters.Check { return New(&config, store.NewMemory(1<<20)) })
}

func mail(at time.Duration, ip, from string, to ...string) filters.Mail {
	return filters.Mail{At: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).Add(at),
		Session: &filters.Session{Addr: netip.AddrPortFrom(netip.MustParseAddr(ip), 25)}, Envelope: &filters.Envelope{From: from, To: to}}
}

const day = 24 * time.Hour

func TestWhoWaits(t *testing.T) {
	for name, c := range map[string]struct {
		tries  []filters.Mail
		waits  string // one letter a try: w for waits, p for passes
		change func(*filters.Mail)
	}{
		"again too early, then late enough": {tries: []filters.Mail{
			mail(0, "192.0.2.7", "a@b.example", "bob@example.org"),
			mail(4*time.Minute+59*time.Second, "192.0.2.7", "a@b.example", "bob@example.org"),
			mail(5*time.Minute, "192.0.2.7", "a@b.example", "bob@example.org")}, waits: "wwp"},
		"another server of the same network": {tries: []filters.Mail{
			mail(0, "192.0.2.7", "a@b.example", "bob@example.org"), mail(time.Hour, "192.0.2.250", "A@B.example", "carol@EXAMPLE.org")}, waits: "wp"},
		"an IPv6 network": {tries: []filters.Mail{
			mail(0, "2001:db8:1:2::7", "a@b.example", "bob@example.org"), mail(time.Hour, "2001:db8:1:2:f::1", "a@b.example", "bob@example.org"),
			mail(time.Hour, "2001:db8:1:3::7", "a@b.example", "bob@example.org")}, waits: "wpw"},
		"another network": {tries: []filters.Mail{
			mail(0, "192.0.2.7", "a@b.example", "bob@example.org"), mail(time.Hour, "192.0.3.7", "a@b.example", "bob@example.org")}, waits: "ww"},
		"another sender": {tries: []filters.Mail{
			mail(0, "192.0.2.7", "a@b.example", "bob@example.org"), mail(time.Hour, "192.0.2.7", "", "bob@example.org")}, waits: "ww"},
		"another domain": {tries: []filters.Mail{
			mail(0, "192.0.2.7", "a@b.example", "bob@example.org"), mail(time.Hour, "192.0.2.7", "a@b.example", "bob@example.net")}, waits: "ww"},
		"one domain of several": {tries: []filters.Mail{
			mail(0, "192.0.2.7", "a@b.example", "bob@example.org"), mail(time.Hour, "192.0.2.7", "a@b.example", "bob@example.net", "x@example.org")}, waits: "wp"},
		"remembered while he writes": {tries: []filters.Mail{
			mail(0, "192.0.2.7", "a@b.example", "bob@example.org"), mail(30*day, "192.0.2.7", "a@b.example", "bob@example.org"),
			mail(60*day, "192.0.2.7", "a@b.example", "bob@example.org"), mail(100*day, "192.0.2.7", "a@b.example", "bob@example.org")}, waits: "wppw"},
		"by SPF": {tries: []filters.Mail{mail(0, "192.0.2.7", "a@b.example", "bob@example.org")}, waits: "p",
			change: func(m *filters.Mail) { m.Auth = &filters.Auth{SPF: filters.SPF{Result: "pass"}} }},
		"not by SPF": {tries: []filters.Mail{mail(0, "192.0.2.7", "a@b.example", "bob@example.org")}, waits: "w",
			change: func(m *filters.Mail) { m.Auth = &filters.Auth{SPF: filters.SPF{Result: "softfail"}} }},
		"proven": {tries: []filters.Mail{mail(0, "192.0.2.7", "a@b.example", "bob@example.org")}, waits: "p",
			change: func(m *filters.Mail) { m.Auth = &filters.Auth{Domains: []string{"b.example"}} }},
		"a user": {tries: []filters.Mail{mail(0, "192.0.2.7", "a@b.example", "bob@example.org")}, waits: "p",
			change: func(m *filters.Mail) { m.Session.User = "ann" }},
		"no address": {tries: []filters.Mail{mail(0, "0.0.0.0", "a@b.example", "bob@example.org")}, waits: "p"},
		"nobody":     {tries: []filters.Mail{mail(0, "192.0.2.7", "a@b.example")}, waits: "p"},
	} {
		check := New(&config, store.NewMemory(1<<20))
		got := ""
		for _, m := range c.tries {
			if c.change != nil {
				c.change(&m)
			}
			r, err := check.Run(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			got += map[bool]string{true: "w", false: "p"}[len(r.Hits) > 0]
		}
		if got != c.waits {
			t.Errorf("%s: %s, want %s", name, got, c.waits)
		}
	}
}

// Whose mail people call spam is a stranger again, and waits once for each complaint.
func TestWhomPeopleComplainOfWaitsAnew(t *testing.T) {
	for name, shared := range map[string]bool{"his own": true, "of another network, sender or domain": false} {
		memory := store.NewMemory(1 << 20)
		check := New(&config, memory)
		at := time.Duration(0)
		try := func(want string) {
			t.Helper()
			if !shared {
				want = map[bool]string{true: "w", false: "p"}[at == 0]
			}
			r, err := check.Run(t.Context(), mail(at, "192.0.2.7", "a@b.example", "bob@example.org"))
			if got := map[bool]string{true: "w", false: "p"}[len(r.Hits) > 0]; err != nil || got != want {
				t.Errorf("%s, after %s: %s, want %s (%v)", name, at, got, want, err)
			}
			at += time.Hour
		}
		complain := func(message string, spam bool) {
			t.Helper()
			client, other := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.0.3.0/24")
			all := []Complaint{{message, client, "A@b.example", []string{"carol@example.org"}, spam}}
			if !shared {
				all = []Complaint{{message, other, "a@b.example", []string{"bob@example.org"}, spam},
					{message, client, "", []string{"bob@example.org"}, spam}, {message, client, "a@b.example", []string{"bob@example.net"}, spam}, {Message: message, Spam: spam}}
			}
			for _, c := range all {
				if err := Complain(t.Context(), memory, mail(at, "192.0.2.7", "").At, c); err != nil {
					t.Fatal(err)
				}
			}
		}
		try("w")
		try("p")
		complain("1", true)
		complain("1", true) // the same, told again
		try("w")
		try("p")
		complain("2", true)
		try("w")
		complain("not 2", false)
		try("p")
		complain("not 1", false)
		try("p")
		complain("none", false) // more was taken back than is known to have been said
		try("p")
	}
}

func TestSwitchedOff(t *testing.T) {
	c := New(nil, store.NewMemory(1<<20))
	if r, err := c.Run(t.Context(), mail(0, "192.0.2.7", "a@b.example", "bob@example.org")); err != nil || r.Hits != nil || c.Symbols != nil {
		t.Errorf("%+v, %v, %v", r, err, c.Symbols)
	}
}

func TestWithoutTheStoreNobodyWaits(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := New(&config, store.NewMemory(1<<20)).Run(gone, mail(0, "192.0.2.7", "a@b.example", "bob@example.org"))
	if err == nil || r.Hits != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

func BenchmarkGreylist(b *testing.B) {
	check := New(&config, store.NewMemory(64<<20))
	m := mail(0, "192.0.2.7", "a@b.example", "bob@example.org")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := check.Run(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}
