package backend

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/proxy/backend/sink"
)

var errUnsure = errors.New("the DNS does not answer")

// world answers names from tables. A host or domain in unsure is not known to be there or not.
type world struct {
	mx     map[string][]Exchanger
	addrs  map[string]string // separated by blanks
	unsure []string
}

func (w world) names() *Names {
	return &Names{
		MX: func(_ context.Context, domain string) (MX, error) {
			if slices.Contains(w.unsure, domain) {
				return MX{}, errUnsure
			}
			mx, there := w.mx[domain]
			_, host := w.addrs[domain]
			return MX{NoName: !there && !host, Hosts: mx}, nil
		},
		Addrs: func(_ context.Context, host string) ([]netip.Addr, error) {
			if slices.Contains(w.unsure, host) {
				return nil, errUnsure
			}
			var all []netip.Addr
			for _, a := range strings.Fields(w.addrs[host]) {
				all = append(all, netip.MustParseAddr(a))
			}
			return all, nil
		},
	}
}

func TestTheServersOfADomain(t *testing.T) {
	w := world{
		mx: map[string][]Exchanger{
			"two.example":       {{"b.example", 20}, {"a.example", 10}},
			"equal.example":     {{"a.example", 10}, {"b.example", 10}, {"c.example", 10}},
			"null.example":      {{"", 0}},
			"half.example":      {{"", 0}, {"a.example", 10}},
			"we-second.example": {{"a.example", 10}, {"mx.weir.example", 20}, {"b.example", 20}, {"c.example", 30}},
			"we-first.example":  {{"mx.weir.example", 10}, {"a.example", 10}, {"b.example", 20}},
			"we-equal.example":  {{"a.example", 10}, {"b.example", 20}, {"mx.weir.example", 20}},
			"we-too.example":    {{"a.example", 10}, {"mx.weir.example", 10}},
			"by-addr.example":   {{"a.example", 10}, {"alias.example", 20}, {"b.example", 30}},
			"gone.example":      {{"nowhere.example", 10}},
			"one-gone.example":  {{"nowhere.example", 10}, {"b.example", 20}},
			"unsure-mx.example": {{"unsure.example", 10}},
			"nodata.example":    nil,
			"many.example":      nil,
		},
		addrs: map[string]string{
			"a.example": "192.0.2.1", "b.example": "192.0.2.2 2001:db8::2", "c.example": "192.0.2.3", "host.example": "192.0.2.4",
			"mx.weir.example": "192.0.2.25", "alias.example": "198.51.100.1 192.0.2.25",
		},
		unsure: []string{"unsure.example", "silent.example"},
	}
	for i := range 20 {
		w.mx["many.example"] = append(w.mx["many.example"], Exchanger{"a.example", uint16(20 - i)})
	}
	b := &Backend{Names: w.names(), Exchange: &Exchange{Ours: func(host string, addrs []netip.Addr) bool {
		return host == "mx.weir.example" || slices.Contains(addrs, netip.MustParseAddr("192.0.2.25"))
	}}}
	for domain, want := range map[string]string{
		"two.example":       "a.example:25 b.example:25",
		"half.example":      "a.example:25",
		"host.example":      "host.example:25", // RFC 5321 5.1: no MX, but an address
		"we-second.example": "a.example:25",
		"we-equal.example":  "a.example:25",
		"by-addr.example":   "a.example:25",
		"one-gone.example":  "b.example:25",
		"null.example":      "556 5.1.10",
		"we-first.example":  "554 5.4.6",
		"we-too.example":    "554 5.4.6",
		"nowhere.example":   "550 5.1.2",
		"[192.0.2.1]":       "550 5.1.2",
		"gone.example":      "unknown",
		"unsure-mx.example": "unknown",
		"silent.example":    "unknown",
		"nodata.example":    "unknown",
	} {
		addrs, err := b.For(domain).order(t.Context())
		got := strings.Join(addrs, " ")
		var no *Refusal
		switch {
		case errors.As(err, &no):
			got = no.Reply.String()[:min(len(want), 10)]
		case err != nil:
			got = "unknown"
		}
		if got != want {
			t.Errorf("%s: %q, want %q (%v)", domain, got, want, err)
		}
	}
	if addrs, err := b.For("many.example").order(t.Context()); err != nil || len(addrs) != maxExchangers {
		t.Errorf("%d servers, %v", len(addrs), err)
	}
	seen := map[string]int{}
	for range 300 {
		addrs, err := b.For("equal.example").order(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen[addrs[0]]++
	}
	for host, n := range seen {
		if n < 50 || len(seen) != 3 {
			t.Errorf("%s is first %d of 300 times, of %d", host, n, len(seen))
		}
	}
}

func TestDomainsAreForgotten(t *testing.T) {
	b := &Backend{Names: world{}.names(), Exchange: &Exchange{}}
	first := b.For("0.example")
	for i := range maxDomains - 1 {
		b.For(strconv.Itoa(i+1) + ".example")
	}
	if b.For("0.example") != first {
		t.Error("forgotten too early")
	}
	b.For("more.example")
	if b.For("0.example") != first || len(b.Exchange.known) != maxDomains || len(b.Exchange.queue) != maxDomains {
		t.Errorf("%d remembered", len(b.Exchange.known))
	}
	if fixed := (&Backend{Addrs: []string{"a:25"}}); fixed.For("x.example") != fixed {
		t.Error("fixed servers depend on the domain")
	}
}

// Each address of a host is tried, whatever is wrong with the first.
func TestEveryAddressOfAHostIsTried(t *testing.T) {
	s, b := start(t)
	_, port, _ := strings.Cut(s.Addr(), ":")
	b.Addrs = []string{"mail.weir.example:" + port}
	b.Names = world{addrs: map[string]string{"mail.weir.example": "127.0.0.2 127.0.0.3 127.0.0.1"}}.names()
	sendAs(t, b, ann)
	deaf, err := sink.Listen("127.0.0.2:" + port)
	if err != nil {
		t.Fatal("this port is taken:", err)
	}
	t.Cleanup(func() { deaf.Close() })
	deaf.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Banner: {Kind: sink.Hang}}})
	sendAs(t, b, ann)
	if len(s.Messages()) != 2 || deaf.Conns() != 1 {
		t.Errorf("%d messages, the first address was asked %d times", len(s.Messages()), deaf.Conns())
	}
	if !b.Health()["mail.weir.example:"+port] {
		t.Error("counts as down")
	}
}

// What our resolver does not find the system may: localhost, and what stands in /etc/hosts.
func TestNamesOfTheSystem(t *testing.T) {
	s, b := start(t)
	_, port, _ := strings.Cut(s.Addr(), ":")
	b.Addrs, b.Names = []string{"localhost:" + port}, world{unsure: []string{"localhost"}}.names()
	sendAs(t, b, ann)
	x := &Backend{Names: b.Names, Exchange: &Exchange{}}
	if _, err := x.For("localhost").places(t.Context(), "localhost:25"); !errors.Is(err, errUnsure) {
		t.Errorf("what an MX names is asked of the system: %v", err)
	}
}
