package dnsbl

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/filters"
	"weir/filters/lookup"
	"weir/filters/lookup/lookuptest"
	"weir/rules"
)

// links is a mail with links to hosts, and what the DNS says of them.
const links = "From: a@b.example\r\n\r\nhttp://www.shop.example/ https://img.shop.example/x http://other.example/ http://203.0.113.9/ http://10.1.2.3/ http://gone.example/\r\n"

var linkRecords = map[string][]string{
	"www.shop.example":    {"203.0.113.4", "203.0.113.3", "203.0.113.2", "2001:db8::4"},
	"img.shop.example":    {"CNAME cdn.example."},
	"cdn.example":         {"203.0.113.4", "127.0.0.1", "192.168.1.1", "::1", "fd00::1"},
	"other.example":       {"203.0.113.5", "NS ns1.servers.example.", "NS ns2.servers.example."},
	"shop.example":        {"NS ns3.dns.example.", "NS ns1.dns.example.", "NS ns2.dns.example.", "NS ."},
	"ns1.dns.example":     {"203.0.113.53"},
	"ns2.dns.example":     {"127.0.0.1"},
	"ns1.servers.example": {"203.0.113.54", "203.0.113.55"},
	"gone.example":        {"SERVFAIL"},
}

func linkMail(text string) filters.Mail {
	m := letterMail()
	m.Message = filters.ParseMessage([]byte(text))
	return m
}

// What is behind links is what the list is asked for: nobody's own network, and the same for all lists.
func TestBehindLinks(t *testing.T) {
	v4, v6 := rules.Only{V4: true}, rules.Only{V6: true}
	for _, c := range []struct {
		ask  []rules.Ask
		only rules.Only
		want string // the keys
	}{
		{[]rules.Ask{rules.AskURLIP}, v4, "2.113.0.203 3.113.0.203 4.113.0.203 5.113.0.203 9.113.0.203"},
		{[]rules.Ask{rules.AskURLIP}, v6, "4." + strings.Repeat("0.", 23) + "8.b.d.0.1.0.0.2"},
		{[]rules.Ask{rules.AskURLNS}, rules.Only{}, "dns.example servers.example"},
		{[]rules.Ask{rules.AskURLNS, rules.AskURLIP}, v4, "53.113.0.203 54.113.0.203 2.113.0.203 3.113.0.203 4.113.0.203 5.113.0.203 9.113.0.203"},
	} {
		z := list("LINKS", "links.test", "X 127.0.0.2")
		z.Ask, z.For = c.ask, c.only
		b := newBench(t, 10*time.Second, z)
		for name, records := range linkRecords {
			if err := b.zone.Set(name, records...); err != nil {
				t.Fatal(err)
			}
		}
		l := &listing{zone: zone{&z, z.Ask}, resolver: b.resolver}
		var report filters.Report
		questions, _ := l.questions(linkMail(links), maxEach, l.behind(t.Context(), linkMail(links), &report))
		var keys []string
		for _, q := range questions {
			keys = append(keys, q.key)
		}
		if got := strings.Join(keys, " "); got != c.want {
			t.Errorf("%v %+v: asked for %q, want %q", c.ask, c.only, got, c.want)
		}
		if got := fmt.Sprint(report.Problems); !strings.HasPrefix(got, "[{ LINKS servfail gone.example: ") || len(report.Problems) != 1 {
			t.Errorf("%v: problems %s", c.ask, got)
		}
	}
}

func TestListedBehindLinks(t *testing.T) {
	addresses, names := list("ADDR", "addr.test", "X 127.0.0.2"), list("NAME", "name.test", "X 127.0.0.2")
	addresses.Ask, names.Ask = []rules.Ask{rules.AskURLIP, rules.AskURLNS}, []rules.Ask{rules.AskURLNS}
	names.Host = rules.FullHost
	b := newBench(t, 10*time.Second, addresses, names)
	for name, records := range linkRecords {
		if err := b.zone.Set(name, records...); err != nil {
			t.Fatal(err)
		}
	}
	for _, listed := range []string{"4.113.0.203.addr.test", "53.113.0.203.addr.test", "1.0.0.127.addr.test", "ns1.servers.example.name.test"} {
		if err := b.zone.Set(listed, "127.0.0.2"); err != nil {
			t.Fatal(err)
		}
	}
	r, err := b.check.Run(t.Context(), linkMail(links))
	want := "[{ADDR_X img.shop.example at 203.0.113.4 -> 127.0.0.2; shop.example served by ns1.dns.example at 203.0.113.53 -> 127.0.0.2} " +
		"{NAME_X other.example served by ns1.servers.example -> 127.0.0.2}]"
	if got := fmt.Sprint(r.Hits); err != nil || got != want {
		t.Errorf("hits %s, %v\nwant %s", got, err, want)
	}
	// Both lists want the same found out: 3 domains and 4 hosts, each once.
	if sent := b.resolver.Stats().Sent; sent > uint64(rules.AskURLIP.Lookups()+rules.AskURLNS.Lookups())+7+5 {
		t.Errorf("%d queries", sent)
	}
}

// However many links a message holds and whatever is behind them, it leads to no more queries than others.
func TestQueriesBehindLinksAreBounded(t *testing.T) {
	var text strings.Builder
	records := map[string][]string{}
	for i := range 300 {
		fmt.Fprintf(&text, "http://www.l%d.example/\r\n", i)
		for n := range 30 {
			host, domain := fmt.Sprintf("www.l%d.example", i), fmt.Sprintf("l%d.example", i)
			server := fmt.Sprintf("ns%d.l%d.example", n, i)
			records[host] = append(records[host], fmt.Sprintf("203.0.%d.%d", i%200, n), fmt.Sprintf("2001:db8::%x:%x", i, n))
			records[domain] = append(records[domain], "NS "+server+".")
			records[server] = []string{fmt.Sprintf("198.51.%d.%d", i%200, n), fmt.Sprintf("198.51.%d.%d", i%200, n+100)}
		}
	}
	var zones []rules.Zone
	for i := range 4 {
		z := list(fmt.Sprintf("A%d", i), fmt.Sprintf("a%d.test", i), "X 127.0.0.2")
		z.Ask = []rules.Ask{rules.AskClientIP, rules.AskReceivedIP, rules.AskReceivedOthers, rules.AskURLIP}
		if i < 2 {
			z.Ask = append(z.Ask, rules.AskURLNS)
		}
		zones = append(zones, z)
	}
	b := newBench(t, 10*time.Second, zones...)
	for name, of := range records {
		if err := b.zone.Set(name, of...); err != nil {
			t.Fatal(err)
		}
	}
	r, err := b.check.Run(t.Context(), linkMail(relayedLetter[:len(relayedLetter)-2]+"\r\n"+text.String()))
	if sent := b.resolver.Stats().Sent; err != nil || sent > maxQueries || sent < maxQueries/2 {
		t.Errorf("%d queries, %v", sent, err)
	}
	if !slices.ContainsFunc(r.Problems, func(p filters.Problem) bool { return strings.Contains(p.Detail, "only, so that") }) {
		t.Errorf("what was left out is not said: %+v", r.Problems)
	}
}

// A name server that never answers costs its own list's check some time, and the list is not blamed.
func TestLinksThatCannotBeFound(t *testing.T) {
	z := list("LINKS", "links.test", "X 127.0.0.2")
	z.Ask = []rules.Ask{rules.AskURLIP}
	b := newBench(t, 20*time.Millisecond, z)
	b.server.Twist(lookuptest.Below(map[string]lookuptest.Twist{"silent.example": lookuptest.Silent}))
	guards := NewGuards(b.resolver)
	guards.Watch([]rules.Zone{z})
	run(t, guards)
	check := together(New([]rules.Zone{z}, b.resolver, guards))
	for range 2 * maxFailures {
		r, err := check.Run(t.Context(), linkMail("From: a@b.example\r\n\r\nhttp://www.silent.example/\r\n"))
		if err != nil || len(r.Hits) > 0 || len(r.Problems) != 1 || r.Problems[0].Kind != lookup.Timeout {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if s := guards.Status()[0]; s.Parked || s.Unknown > 0 {
		t.Errorf("the list is blamed: %+v", s)
	}
}

// For a list that is parked nothing is looked up.
func TestNothingIsFoundOutForAParkedList(t *testing.T) {
	z := list("LINKS", "links.test", "X 127.0.0.2")
	z.Ask = []rules.Ask{rules.AskURLIP}
	b := newBench(t, 10*time.Second, z)
	if err := b.zone.Set("2.0.0.127.links.test", "127.255.255.254"); err != nil {
		t.Fatal(err)
	}
	guards := NewGuards(b.resolver)
	guards.Watch([]rules.Zone{z})
	run(t, guards)
	r, err := together(New([]rules.Zone{z}, b.resolver, guards)).Run(t.Context(), linkMail(links))
	if err != nil || len(r.Problems) != 1 || r.Problems[0].Kind != filters.KindParked || b.server.Asked() != 2 {
		t.Errorf("%+v, %v after %d queries", r, err, b.server.Asked())
	}
}
