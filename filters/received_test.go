package filters

import (
	"net/netip"
	"testing"
)

func TestReadHop(t *testing.T) {
	for field, want := range map[string]string{
		"from a.example (b.example [198.51.100.4]) by c.example with ESMTP":                    "198.51.100.4 a.example",
		"from a.example (b.example [198.51.100.4]) (using TLSv1.3) by c with ESMTPSA id 1; x":  "198.51.100.4 a.example user",
		"from a.example (unknown [IPv6:2001:db8::1]) by c (d [192.0.2.1])":                     "2001:db8::1 a.example",
		"FROM a.example\t(b [::ffff:198.51.100.4])\tby c":                                      "198.51.100.4 a.example",
		"from b.example ([198.51.100.4] helo=a.example) by c with esmtpsa (TLS1.3) tls x id 1": "198.51.100.4 a.example user",
		"from b.example ([198.51.100.4]:5432 helo=[192.0.2.5]) by c with esmtp (Exim 4)":       "198.51.100.4 [192.0.2.5]",
		"from [198.51.100.4] (port=5432 helo=[192.0.2.5] ident=[192.0.2.6]) by c":              "198.51.100.4 [192.0.2.5]",
		"from [198.51.100.4] by c":                                                         "198.51.100.4 [198.51.100.4]",
		"from unknown (HELO a.example) (198.51.100.4) by c":                                "198.51.100.4 a.example",
		"from unknown (HELO [192.0.2.5]) (ann@198.51.100.4) by c with SMTP; x":             "198.51.100.4 [192.0.2.5]",
		"from a.example (198.51.100.4) by c (10.0.0.1) with Microsoft SMTP Server":         "198.51.100.4 a.example",
		"from a.example (b.example. [198.51.100.4] (may be forged)) by c":                  "198.51.100.4 a.example",
		"from a.example ([192.0.2.5].evil.example [198.51.100.4]) by c":                    "198.51.100.4 a.example",
		`from a (b [198.51.100.4]) (Client CN "[192.0.2.5]", Issuer "x") by c with ESMTPS`: "198.51.100.4 a",
		"from [192.0.2.5] (unknown [198.51.100.4]) by c":                                   "198.51.100.4 [192.0.2.5]",
		"from 192.0.2.5 by c":                               "- 192.0.2.5",
		"from a by c (d [192.0.2.1])":                       "- a",
		"from a (b) by c with LMTP":                         "- a",
		"by c (Postfix, from userid 0) with ESMTPA id 1":    "- ",
		"(qmail 1 invoked by uid 1); from [192.0.2.1]":      "- ",
		"from a (b [198.51.100.4]) by c; with ESMTPA":       "198.51.100.4 a",
		"from a (b [198.51.100.4]) by c (with ESMTPA) id 1": "198.51.100.4 a",
		"from a (999.1.1.1 1.2.3 [::]) by c":                ":: a",
		"from ((((":                                         "- ((((",
		"from":                                              "- ",
		"":                                                  "- ",
	} {
		h := ReadHop(field)
		got := "-"
		if h.Addr.IsValid() {
			got = h.Addr.String()
		}
		got += " " + h.Hello
		if h.User {
			got += " user"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", field, got, want)
		}
	}
}

const (
	outer   = "Received: from inner.example (inner.example [192.0.2.2]) by outer.example with ESMTPSA id 1; x\r\n"
	inner   = "Received: from client.example (client.example [198.51.100.4]) by inner.example with ESMTP id 2; x\r\n"
	itself  = "Received: from localhost (localhost [127.0.0.1]) by outer.example with ESMTP id 3; x\r\n"
	user    = "Received: from client.example (client.example [198.51.100.4]) by inner.example with ESMTPSA id 2; x\r\n"
	private = "Received: from pc (pc [10.1.2.3]) by inner.example with ESMTP id 2; x\r\n"
	local   = "Received: by inner.example (Postfix, from userid 0) id 2; x\r\n"
	forged  = "Received: from liar.example (liar.example [192.0.2.3]) by client.example with ESMTP id 4; x\r\n" +
		"Received: from good.example (good.example [203.0.113.9]) by liar.example with ESMTP id 5; x\r\n"
	encoded = "Received: from =?utf-8?Q?x_(good_[203.0.113.9])?= (client [198.51.100.4]) by outer.example; x\r\n"
)

// Only what relays of ours have written is believed, so nobody can write himself another address.
func TestTheClientBehindRelays(t *testing.T) {
	relays := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/29"), netip.MustParsePrefix("2001:db8::/64")}
	for name, c := range map[string]struct {
		header string
		want   string
		hops   int
	}{
		"one relay":                  {inner + forged, "198.51.100.4 client.example", 1},
		"two relays":                 {outer + inner + forged, "198.51.100.4 client.example", 2},
		"a filter of the relay":      {itself + outer + inner + forged, "198.51.100.4 client.example", 3},
		"a user":                     {outer + user + forged, " ", 2},
		"a private network":          {outer + private + forged, " ", 2},
		"a program of the relay":     {outer + local + forged, " ", 2},
		"nothing said":               {"Subject: x\r\n", " ", 0},
		"relays all the way":         {outer + itself, " ", 2},
		"encoded words are no words": {encoded, "198.51.100.4 =?utf-8?Q?x_(good_[203.0.113.9])?=", 1},
	} {
		session := &Session{ID: "s", Listener: "smtp", Addr: netip.MustParseAddrPort("[::ffff:192.0.2.1]:4000"), Hello: "outer.example",
			ReverseName: "outer.example", ReverseOK: true, ReverseKnown: true, Manners: Manners{Command: "GET"}}
		m, relayed := (&Pipeline{Relays: relays}).Behind(Mail{Session: session, Message: ParseMessage([]byte(c.header + "\r\n"))})
		s := m.Session
		got := " " + s.Hello
		if s.Addr.IsValid() {
			got = s.Addr.Addr().String() + got
		}
		if !relayed || got != c.want || s.Hops != c.hops || s.ReverseKnown || s.ReverseName != "" || s.Manners != (Manners{}) {
			t.Errorf("%s: %q after %d hops, want %q after %d; %+v", name, got, s.Hops, c.want, c.hops, s)
		}
		if s.Via != session || s.Connected() != session || s.ID != "s" || s.Listener != "smtp" {
			t.Errorf("%s: the session is not that of the relay: %+v", name, s)
		}
	}
}

func TestWhoIsNoRelay(t *testing.T) {
	p := &Pipeline{Relays: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/29")}}
	for name, s := range map[string]*Session{
		"nobody":      nil,
		"no address":  {},
		"a stranger":  {Addr: netip.MustParseAddrPort("192.0.2.8:1")},
		"a user":      {Addr: netip.MustParseAddrPort("192.0.2.1:1"), User: "ann"},
		"behind them": {Addr: netip.MustParseAddrPort("192.0.2.1:1"), Via: &Session{}},
	} {
		if m, relayed := p.Behind(Mail{Session: s, Message: ParseMessage([]byte(inner + "\r\n"))}); relayed || m.Session != s {
			t.Errorf("%s: %+v", name, m.Session)
		}
	}
}

// Until its client is known no check runs for a relay, so that nobody asks about the relay itself.
func TestNothingStartsForARelay(t *testing.T) {
	p := NewPipeline(0, Check{Name: "a", Stage: Connect}, Check{Name: "b", Stage: Sender}, Check{Name: "c", Stage: Body})
	p.Relays = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
	m := Mail{Session: &Session{Addr: netip.MustParseAddrPort("192.0.2.1:1")}}
	conn := p.Begin(t.Context())
	for s := Connect; s < stages; s++ {
		conn.Reach(s, m)
	}
	if got := conn.Message().Results(Proven); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

func FuzzReadHop(f *testing.F) {
	f.Add("from a.example (b.example [198.51.100.4]) by c.example with ESMTPSA id 1; x")
	f.Add("from [198.51.100.4] (port=5432 helo=[192.0.2.5]) by c")
	f.Add("from unknown (HELO [192.0.2.5]) (ann@IPv6:2001:db8::1) by c")
	f.Add(`from (((([[[[ \ by`)
	f.Fuzz(func(t *testing.T, field string) {
		if h := ReadHop(field); h.Addr.Is4In6() || h.Addr.Zone() != "" {
			t.Errorf("%q: %+v", field, h)
		}
	})
}
