package dnsbl

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/filters"
	"weir/filters/lookup"
	"weir/filters/lookup/lookuptest"
	"weir/rules"
)

const letter = "Received: from mx.isp.example (mx.isp.example [10.1.2.3]) by relay.example; Sun, 22 Nov 2026 10:00:00 +0000\r\n" +
	"Received: from home (unknown [IPv6:2001:db8::25]) by mx.isp.example with ESMTP\r\n" +
	"From: Ann <Ann@News.Shop.example>\r\nReply-To: (my other) <ann+x@reply.example.co.uk>\r\n" +
	"Message-ID: <1@host.mail.example>\r\nContent-Type: text/html\r\n\r\n" +
	"<a href=\"http://www.shop.example/a%20b?c=d\">x</a> <a href=\"https://img.shop.example\">y</a>\r\n" +
	"<a href=\"http://203.0.113.9/\">z</a> <a href=\"http://b\u00fccher.example/\">w</a> <a href=\"http://intranet/\">v</a>\r\n"

func letterMail() filters.Mail {
	return filters.Mail{
		Session: &filters.Session{Addr: netip.MustParseAddrPort("192.0.2.7:4000"), Hello: "Mail.Client.example.",
			ReverseName: "rdns.client.example", ReverseOK: true, ReverseKnown: true},
		Envelope: &filters.Envelope{From: "Bounce@Lists.Shop.example"},
		Message:  filters.ParseMessage([]byte(letter)),
		Auth: &filters.Auth{DKIM: []filters.Signature{{Domain: "shop.example", Result: "pass"}, {Domain: "forged.example", Result: "fail"},
			{Domain: "sub.esp.example", Result: "pass"}, {Domain: "shop.example", Result: "pass"}}},
	}
}

func TestWhatIsAsked(t *testing.T) {
	full, registered := rules.Zone{Host: rules.FullHost}, rules.Zone{Host: rules.RegisteredHost}
	for _, c := range []struct {
		ask  rules.Ask
		zone rules.Zone
		want string
	}{
		{rules.AskClientIP, rules.Zone{}, "7.2.0.192"},
		{rules.AskClientIP, rules.Zone{For: rules.Only{V4: true}}, "7.2.0.192"},
		{rules.AskClientIP, rules.Zone{For: rules.Only{V6: true}}, ""},
		{rules.AskReceivedIP, rules.Zone{}, lookup.ReverseName(netip.MustParseAddr("2001:db8::25"))},
		{rules.AskReceivedIP, rules.Zone{For: rules.Only{V4: true}}, ""},
		{rules.AskReceivedIP, rules.Zone{V6Bits: 64}, lookup.ReverseName(netip.MustParseAddr("2001:db8::"))},
		{rules.AskReceivedIP, rules.Zone{V6Bits: 128}, lookup.ReverseName(netip.MustParseAddr("2001:db8::25"))},
		{rules.AskClientIP, rules.Zone{V6Bits: 64}, "7.2.0.192"},
		{rules.AskHelo, rules.Zone{}, "mail.client.example"},
		{rules.AskHelo, registered, "client.example"},
		{rules.AskRDNS, rules.Zone{}, "rdns.client.example"},
		{rules.AskMailFrom, rules.Zone{}, "lists.shop.example"},
		{rules.AskMailFrom, rules.Zone{Hash: rules.MD5}, "0731ccd7369929ef86d6898225091596"},
		{rules.AskFrom, rules.Zone{Hash: rules.SHA1}, "c1fd78104799aff7a97778f855886bebbd2e38fa"},
		{rules.AskFromDomain, rules.Zone{}, "news.shop.example"},
		{rules.AskReplyTo, rules.Zone{}, "reply.example.co.uk"},
		{rules.AskReplyTo, registered, "example.co.uk"},
		{rules.AskMessageID, rules.Zone{}, "host.mail.example"},
		{rules.AskURLHost, rules.Zone{}, "shop.example xn--bcher-kva.example"},
		{rules.AskURLHost, full, "www.shop.example img.shop.example xn--bcher-kva.example"},
		{rules.AskURLHost, rules.Zone{Literals: true}, "shop.example 9.113.0.203 xn--bcher-kva.example"},
		{rules.AskDKIMDomain, rules.Zone{}, "shop.example sub.esp.example"},
	} {
		z := zone{&c.zone, []rules.Ask{c.ask}}
		var keys []string
		for _, s := range z.subjects(letterMail(), c.ask) {
			keys = append(keys, s.key)
		}
		if got := strings.Join(keys, " "); got != c.want {
			t.Errorf("%s of %+v: asked for %q, want %q", c.ask, c.zone, got, c.want)
		}
	}
}

// What links are hashed as is the host and the path, whatever comes behind.
func TestHashedLinks(t *testing.T) {
	z := zone{&rules.Zone{Hash: rules.SHA256}, []rules.Ask{rules.AskURL}}
	got := z.subjects(letterMail(), rules.AskURL)
	if len(got) != 5 || got[0].text != "www.shop.example/a b" || len(got[0].key) != 64 {
		t.Errorf("asked for %+v", got)
	}
	if same := z.hashed("WWW.shop.example/a b"); same.key != got[0].key {
		t.Errorf("%s and %s differ", same.key, got[0].key)
	}
}

func TestNothingIsAskedOfWhatIsNoDomain(t *testing.T) {
	for _, hello := range []string{"", ".", "localhost", "[192.0.2.7]", "192.0.2.7", "a..b", "-", "a b.example", "a.example\x00", "\u00e9.example",
		strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 130) + "example", "x.1234"} {
		m := letterMail()
		m.Session.Hello, m.Session.ReverseOK, m.Envelope.From, m.Auth = hello, false, "", nil
		m.Message = nil
		for _, a := range []rules.Ask{rules.AskHelo, rules.AskRDNS, rules.AskMailFrom, rules.AskFromDomain, rules.AskReplyTo, rules.AskURLHost,
			rules.AskMessageID, rules.AskDKIMDomain, rules.AskReceivedIP} {
			if got := (zone{&rules.Zone{}, []rules.Ask{a}}).subjects(m, a); got != nil {
				t.Errorf("%s %q: asked for %v", a, hello, got)
			}
		}
	}
}

func FuzzSubjects(f *testing.F) {
	f.Add(letter, "mail.example", "a@b.example")
	f.Add("Reply-To: <@>\r\n\r\nhttp://a_b.example", "\xff.example", "\"a b\"@c.example")
	f.Fuzz(func(t *testing.T, raw, hello, from string) {
		m := letterMail()
		m.Message, m.Session.Hello, m.Envelope.From = filters.ParseMessage([]byte(raw)), hello, from
		for _, z := range everything("x.test", "") {
			for _, a := range z.Ask {
				for _, s := range (zone{&z, z.Ask}).subjects(m, a) {
					if s.key == "" || strings.Trim(s.key, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || strings.ContainsAny(s.text, "\r\n\x00\x1b") {
						t.Errorf("%s: asked for %+v", a, s)
					}
				}
			}
		}
	})
}

// everything is two zones that are asked for all there is.
func everything(name, mode string) []rules.Zone {
	plain := list("P"+mode, "plain"+mode+"."+name, "X 127.0.0.0/8")
	plain.Ask = []rules.Ask{rules.AskClientIP, rules.AskReceivedIP, rules.AskHelo, rules.AskRDNS, rules.AskMailFrom, rules.AskFromDomain,
		rules.AskReplyTo, rules.AskMessageID, rules.AskURLHost, rules.AskDKIMDomain}
	hashed := list("H"+mode, "hashed"+mode+"."+name, "X 127.0.0.0/8")
	hashed.Hash = rules.SHA1
	hashed.Ask = []rules.Ask{rules.AskMailFrom, rules.AskFrom, rules.AskReplyTo, rules.AskURL}
	return []rules.Zone{plain, hashed}
}

func TestQueriesAreBounded(t *testing.T) {
	var links strings.Builder
	for i := range 900 {
		fmt.Fprintf(&links, "http://www.l%d.example/\r\n", i)
	}
	m := letterMail()
	m.Message = filters.ParseMessage([]byte("From: a@b.example\r\n\r\n" + links.String()))
	for i := range 100 {
		m.Auth.DKIM = append(m.Auth.DKIM, filters.Signature{Domain: fmt.Sprintf("d%d.example", i), Result: "pass"})
	}
	zones := slices.Concat(everything("a.test", ""), everything("a.test", "2"), everything("a.test", "3"))
	report, names := asked(t, zones, m)
	if len(names) > maxQueries || len(names) < maxQueries-30 {
		t.Errorf("%d queries", len(names))
	}
	if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "l899.") }) {
		t.Error("the last link was not asked for")
	}
	if len(report.Problems) == 0 || !strings.Contains(report.Problems[0].Detail, "of 9") {
		t.Errorf("what was left out is not said: %+v", report.Problems)
	}
	m.Session.User = "ann"
	if _, names := asked(t, zones, m); len(names) > 0 {
		t.Errorf("for a user %v are asked", names)
	}
}

// asked runs the checks of zones and returns the names that were asked for.
func asked(t *testing.T, zones []rules.Zone, m filters.Mail) (filters.Report, []string) {
	t.Helper()
	var names []string
	for _, z := range zones {
		for p := range behindLinks {
			if asks := asksOf(&z, p); asks != nil && m.Session.User == "" {
				list := zone{&z, asks}
				questions, _ := list.questions(m, shareOf(zones), func(a rules.Ask) []subject { return list.subjects(m, a) })
				for _, q := range questions {
					names = append(names, q.name())
				}
			}
		}
	}
	b := newBench(t, 10*time.Second, zones...)
	report, err := b.check.Run(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if n := b.resolver.Stats().Sent; n != uint64(len(names)) {
		t.Errorf("%d queries were sent for %d names", n, len(names))
	}
	return report, names
}

func TestStages(t *testing.T) {
	zones := everything("a.test", "")
	back := list("BACK", "back.test", "X 127.0.0.2")
	back.For.NullSender = true
	var names []string
	for _, c := range New(append(zones, back), lookup.Offline(), nil) {
		names = append(names, c.Stage.String()+" "+c.Name+" "+strings.Join(c.Symbols, ","))
	}
	want := []string{"connect dnsbl P_X", "sender dnsbl_sender P_X", "sender dnsbl_sender H_X", "sender dnsbl_sender BACK_X",
		"recipients dnsbl_rdns P_X", "body dnsbl_body P_X", "body dnsbl_body H_X", "proven dnsbl_signer P_X"}
	if !slices.Equal(names, want) {
		t.Errorf("checks %q, want %q", names, want)
	}
	if len(New(nil, lookup.Offline(), nil)) != 0 || len(Names()) != 6 {
		t.Error("checks of nothing")
	}
}

func TestOnlyForTheNullSender(t *testing.T) {
	z := list("BACK", "back.test", "X 127.0.0.2")
	z.For.NullSender = true
	b := newBench(t, 10*time.Second, z)
	b.say(t, netip.MustParseAddr("192.0.2.7"), "back.test", "127.0.0.2")
	for from, want := range map[string]int{"": 1, "a@b.example": 0} {
		m := letterMail()
		m.Envelope.From = from
		if r, err := b.check.Run(t.Context(), m); err != nil || len(r.Hits) != want {
			t.Errorf("from %q: %+v, %v", from, r, err)
		}
	}
}

// An answer may count for one key only: what a forged Received field says is worth less.
func TestAnswersForOneKey(t *testing.T) {
	z := list("BL", "bl.test", "NOW 127.0.0.2", "HOP 127.0.0.2", "ANY 127.0.0.2")
	z.Ask = []rules.Ask{rules.AskClientIP, rules.AskReceivedIP}
	z.Answers[0].Ask, z.Answers[1].Ask = z.Ask[:1], z.Ask[1:]
	b := newBench(t, 10*time.Second, z)
	b.say(t, netip.MustParseAddr("2001:db8::25"), "bl.test", "127.0.0.2")
	r, err := b.check.Run(t.Context(), letterMail())
	if got := fmt.Sprint(r.Hits); err != nil || got != "[{BL_HOP 2001:db8::25 -> 127.0.0.2} {BL_ANY 2001:db8::25 -> 127.0.0.2}]" {
		t.Errorf("hits %s, %v", got, err)
	}
}

// Many links to listed hosts are one hit with a little of its evidence.
func TestEvidenceIsBounded(t *testing.T) {
	z := list("U", "u.test", "X 127.0.0.0/8")
	z.Ask = []rules.Ask{rules.AskURLHost}
	b := newBench(t, 10*time.Second, z)
	var text strings.Builder
	for i := range 5 {
		host := fmt.Sprintf("l%d.example", i)
		fmt.Fprintf(&text, "http://%s/\r\n", host)
		if err := b.zone.Set(host+".u.test", "127.0.0.2"); err != nil {
			t.Fatal(err)
		}
	}
	m := letterMail()
	m.Message = filters.ParseMessage([]byte("From: a@b.example\r\n\r\n" + text.String()))
	r, err := b.check.Run(t.Context(), m)
	want := "[{U_X l0.example -> 127.0.0.2; l1.example -> 127.0.0.2; l2.example -> 127.0.0.2; 2 more}]"
	if got := fmt.Sprint(r.Hits); err != nil || got != want {
		t.Errorf("hits %s, %v", got, err)
	}
}

// Of however many lists, a bounded number is asked for reasons.
func TestReasonsOfManyLists(t *testing.T) {
	var zones []rules.Zone
	for i := range 30 {
		zones = append(zones, list(fmt.Sprintf("Z%d", i), fmt.Sprintf("z%d.test", i), "X 127.0.0.2"))
	}
	b := newBench(t, 10*time.Second, zones...)
	client := b.client()
	for _, z := range zones {
		b.say(t, client, z.Zone, "127.0.0.2", "TXT seen")
	}
	if hits, _ := b.run(t, client); len(hits) != 30 || b.resolver.Stats().Sent != 30+maxExplaining*maxReasons {
		t.Errorf("%d hits by %d queries", len(hits), b.resolver.Stats().Sent)
	}
}

// A list's reasons are shown with its hits: cut, on one line, asked for once, and of each list for one hit only.
func TestReasons(t *testing.T) {
	z := list("U", "u.test", "X 127.0.0.0/8")
	z.Ask = []rules.Ask{rules.AskURLHost}
	b := newBench(t, 10*time.Second, z)
	text := "From: a@b.example\r\n\r\n"
	for i := range 4 {
		host := fmt.Sprintf("l%d.example", i)
		text += "http://" + host + "/\r\n"
		if err := b.zone.Set(host+".u.test", "127.0.0.2", "TXT \"see \\027[31mhttps://u.test/\\226\\128\\174 "+strings.Repeat("x", 150)+"\" \"more\""); err != nil {
			t.Fatal(err)
		}
	}
	m := letterMail()
	m.Message = filters.ParseMessage([]byte(text))
	r, err := b.check.Run(t.Context(), m)
	if err != nil || len(r.Hits) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	reason := "(see ?[31mhttps://u.test/? " + strings.Repeat("x", 133) + "…)"
	if want := "l0.example -> 127.0.0.2 " + reason + "; l1.example -> 127.0.0.2; l2.example -> 127.0.0.2; 1 more"; r.Hits[0].Detail != want {
		t.Errorf("detail\n%s\nwant\n%s", r.Hits[0].Detail, want)
	}
	if n := b.resolver.Stats().Sent; n != 4+maxReasons {
		t.Errorf("%d queries", n)
	}
	if _, err := b.check.Run(t.Context(), m); err != nil || b.resolver.Stats().Sent != 4+maxReasons {
		t.Errorf("asked again: %d queries, %v", b.resolver.Stats().Sent, err)
	}
}

func TestReasonsShowNoKeys(t *testing.T) {
	for text, want := range map[string]string{"see https://a.test/SESAME7/x": "", "fine": "fine", "\xff\r\n": "???"} {
		if got := reasonText(&rules.Zone{Zone: "sesame7.zen.test", Display: "zen.test"}, text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
	if got := reasonText(&rules.Zone{Zone: "zen.test", Display: "zen.test"}, "at zen.test"); got != "at zen.test" {
		t.Errorf("%q", got)
	}
}

// A list that keeps its reasons to itself is believed without.
func TestReasonsAreNotWaitedFor(t *testing.T) {
	b := newBench(t, 10*time.Second, list("A", "a.test", "X 127.0.0.2"))
	client := b.client()
	b.say(t, client, "a.test", "127.0.0.2")
	if _, err := b.resolver.Lookup(t.Context(), lookup.ReverseName(client)+".a.test", lookup.A); err != nil {
		t.Fatal(err)
	}
	b.server.Twist(lookuptest.Silent)
	began := time.Now()
	if hits, problems := b.run(t, client); len(hits) != 1 || problems != nil || time.Since(began) > 5*time.Second {
		t.Errorf("%v %v after %v", hits, problems, time.Since(began))
	}
}

// All questions of a stage are under way at once: a server that answers none before it has them all answers them all.
func TestQuestionsAreOneFlight(t *testing.T) {
	z := list("U", "u.test", "X 127.0.0.0/8")
	z.Ask = []rules.Ask{rules.AskURLHost}
	b := newBench(t, 10*time.Second, z)
	var arrived atomic.Int32
	all := make(chan struct{})
	release := sync.OnceFunc(func() { close(all) })
	t.Cleanup(release)
	b.server.Twist(func(packet []byte, _ bool) [][]byte {
		if arrived.Add(1) == 10 {
			release()
		}
		<-all
		return [][]byte{packet}
	})
	m := letterMail()
	text := "From: a@b.example\r\n\r\n"
	for i := range 10 {
		text += fmt.Sprintf("http://l%d.example/\r\n", i)
	}
	m.Message = filters.ParseMessage([]byte(text))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if r, err := b.check.Run(ctx, m); err != nil || len(r.Problems) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

const relayedLetter = "Received: from a (a [198.51.100.4]) by relay.example; x\r\n" +
	"Received: from b (b [10.1.2.3]) by a; x\r\nReceived: from b (b [198.51.100.4]) by a; x\r\n" +
	"Received: from c (c [203.0.113.1]) by b; x\r\nReceived: from c (c [203.0.113.1]) by c; x\r\nReceived: from c (c [127.0.0.1]) by c; x\r\n" +
	"Received: from d (d [203.0.113.2]) by c; x\r\nReceived: from e (e [203.0.113.3]) by d; x\r\nReceived: from f (f [203.0.113.4]) by e; x\r\n" +
	"Received: from g (g [203.0.113.5]) by f; x\r\nReceived: from h (h [203.0.113.6]) by g; x\r\n\r\n"

func TestHops(t *testing.T) {
	relay := netip.MustParsePrefix("192.0.2.7/32")
	for _, c := range []struct {
		relays    []netip.Prefix
		of        []rules.Ask
		header    string
		hop, rest string
	}{
		{nil, nil, relayedLetter, "198.51.100.4", "[203.0.113.1 203.0.113.2 203.0.113.3 203.0.113.4]"},
		{[]netip.Prefix{relay}, nil, relayedLetter, "198.51.100.4", "[203.0.113.1 203.0.113.2 203.0.113.3 203.0.113.4]"},
		{[]netip.Prefix{relay}, []rules.Ask{rules.AskClientIP}, relayedLetter, "203.0.113.1", "[203.0.113.2 203.0.113.3 203.0.113.4 203.0.113.5]"},
		{[]netip.Prefix{relay}, nil, "Received: from a (a [10.1.2.3]) by relay.example; x\r\n" + relayedLetter, "", "[]"},
		{nil, nil, "Subject: x\r\n\r\n", "", "[]"},
	} {
		m := letterMail()
		m.Message = filters.ParseMessage([]byte(c.header))
		m, _ = (&filters.Pipeline{Relays: c.relays}).Behind(m)
		z := zone{&rules.Zone{Ask: c.of}, nil}
		hop := ""
		for _, s := range z.subjects(m, rules.AskReceivedIP) {
			hop += s.text
		}
		rest := []string{}
		for _, s := range z.subjects(m, rules.AskReceivedOthers) {
			rest = append(rest, s.text)
		}
		if got := fmt.Sprint(rest); hop != c.hop || got != c.rest {
			t.Errorf("%v of %.50q: %s, %s, want %s, %s", c.of, c.header, hop, got, c.hop, c.rest)
		}
	}
}
