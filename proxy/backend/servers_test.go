package backend

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"weir/proxy/backend/sink"
)

func TestTheOrderOfServers(t *testing.T) {
	b := &Backend{Servers: []Server{
		{Addr: "second:25", Priority: 20}, {Addr: "heavy:25", Priority: 10, Weight: 3}, {Addr: "light:25", Priority: 10},
	}}
	first := map[string]int{}
	for range 4000 {
		all := ordered(t, b)
		first[all[0]]++
		if all[2] != "second:25" {
			t.Fatalf("order %v", all)
		}
	}
	if n := first["heavy:25"]; n < 2800 || n > 3200 {
		t.Errorf("%d of 4000 go where three quarters should", n)
	}
	b.mark("heavy:25", errors.New("gone"))
	b.mark("light:25", errors.New("gone"))
	if got := leader(t, b); got != "second:25" {
		t.Errorf("first %s", got)
	}
}

func TestWhatIsDownComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Backend{Addrs: []string{"a:25", "b:25"}}
		b.mark("a:25", errors.New("gone"))
		if got := leader(t, b); got != "b:25" {
			t.Errorf("first %s", got)
		}
		time.Sleep(downFor)
		if got := leader(t, b); got != "a:25" {
			t.Errorf("first %s after a while", got)
		}
	})
}

// A server that greets and then fails each message is not served the next ones first.
func TestAServerThatGreetsAndFailsIsAskedLast(t *testing.T) {
	s, b := start(t)
	other, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	b.Addrs = append(b.Addrs, other.Addr())
	s.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Dot: {Kind: sink.Shut}}})
	for range maxStrikes {
		if _, err := open(t, b).Data([]byte("A: b\r\n")); err == nil {
			t.Fatal("taken")
		}
	}
	b.Check(t.Context()) // it still greets, which proves nothing
	if c := open(t, b); c.Addr != other.Addr() {
		t.Error("asked first")
	}
	if h := b.Health(); h[s.Addr()] || !h[other.Addr()] {
		t.Errorf("health %v", h)
	}
}

func TestAConnectionThatEndedAtRestIsNoStrike(t *testing.T) {
	s, b := start(t)
	for range maxStrikes + 1 {
		c := open(t, b)
		c.Rest()
		s.Drop()
		if c.Resume() == nil {
			t.Fatal("resumed")
		}
	}
	if !b.Health()[s.Addr()] {
		t.Error("counts as sick")
	}
}

func TestCheck(t *testing.T) {
	s, b := start(t)
	gone, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	b.Addrs = append(b.Addrs, gone.Addr())
	if err := b.Probe(t.Context()); err != nil {
		t.Errorf("one of two serves: %v", err)
	}
	if h := b.Health(); !h[s.Addr()] || h[gone.Addr()] {
		t.Errorf("health %v", h)
	}
	b.Check(t.Context())
	if n := s.Conns(); n != 1 {
		t.Errorf("%d connections: what was just greeted is greeted again", n)
	}
	b.Addrs = b.Addrs[1:]
	if err := b.Probe(t.Context()); err == nil {
		t.Error("none serves")
	}
}

func TestCommon(t *testing.T) {
	a := Extensions{"SIZE": "1000", "DSN": "", "AUTH": "PLAIN LOGIN", "LIMITS": "RCPTMAX=10"}
	for _, c := range []struct {
		with, want Extensions
	}{
		{a, a},
		{Extensions{}, Extensions{"SIZE": "1000", "LIMITS": "RCPTMAX=10"}},
		{Extensions{"SIZE": "", "AUTH": "LOGIN XOAUTH2", "8BITMIME": ""}, Extensions{"SIZE": "1000", "AUTH": "LOGIN", "LIMITS": "RCPTMAX=10"}},
		{Extensions{"SIZE": "500", "DSN": "", "LIMITS": "RCPTMAX=3 MAILMAX=2"}, Extensions{"SIZE": "500", "DSN": "", "LIMITS": "RCPTMAX=3"}},
	} {
		for _, got := range []Extensions{Common(a, c.with), Common(c.with, a)} {
			if got["AUTH"] == "LOGIN PLAIN" || !maps.Equal(got, c.want) {
				t.Errorf("with %v: %v, want %v", c.with, got, c.want)
			}
		}
	}
	if Common() != nil {
		t.Error("of nothing")
	}
}

// What was offered is asked for again, so that a server that lost an extension is believed.
func TestOffersAreRefreshed(t *testing.T) {
	s, b := start(t)
	for _, offers := range [][]string{{"DSN", "SIZE 9"}, {"SMTPUTF8"}} {
		s.Set(sink.Script{Offers: offers})
		if err := b.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e := b.Offers(); e.Has("DSN") != slices.Contains(offers, "DSN") || e.Has("SMTPUTF8") == e.Has("DSN") {
			t.Errorf("offers %v", e)
		}
	}
}

func TestUnknownRecipientsAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u unknown
		no := Reply{550, []string{"5.1.1 no such user"}}
		for _, other := range []Reply{{250, []string{"2.1.5 ok"}}, {450, []string{"4.1.1 later"}}, {550, []string{"5.7.1 not you"}}, {550, []string{"no such user"}}, {550, []string{"5.1.10x"}}} {
			u.learn("<bob@weir.example>", other, time.Minute)
		}
		u.learn("<never@weir.example>", no, 0)
		u.learn("<Eve@Weir.example>", no, time.Minute)
		for path, want := range map[string]bool{
			"<bob@weir.example>": false, "<never@weir.example>": false, "<Eve@weir.EXAMPLE>": true, "<eve@weir.example>": false,
		} {
			if r, ok := u.reply(path); ok != want || ok && r.String() != "550 5.1.1 no such user" {
				t.Errorf("%s: %v, %v", path, r, ok)
			}
		}
		time.Sleep(time.Minute)
		if _, ok := u.reply("<Eve@weir.example>"); ok {
			t.Error("remembered for ever")
		}
		for i := range maxUnknown + 50 {
			u.learn("<"+string(rune('a'+i%26))+time.Duration(i).String()+"@weir.example>", no, time.Minute)
		}
		if len(u.said) > maxUnknown || len(u.queue) > maxUnknown {
			t.Errorf("%d remembered", len(u.said))
		}
	})
}

func TestTheServerIsNotAskedAgainForWhomItDoesNotKnow(t *testing.T) {
	s, b := start(t)
	b.Remember = time.Minute
	for _, stage := range []sink.Stage{sink.Mail, sink.Rcpt} {
		s.Set(sink.Script{On: map[sink.Stage]sink.Action{stage: {Kind: sink.Answer, Text: "550 5.1.1 no"}}})
		c, err := b.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.Mail("<ann@client.example>", nil)
		if _, err := c.Rcpt("<eve@weir.example>", nil); err != nil {
			t.Fatal(err)
		}
		if _, ok := b.Unknown("<eve@weir.example>"); ok != (stage == sink.Rcpt) {
			t.Errorf("%s: remembered %v", stage, ok)
		}
		c.Close()
	}
}

// ordered is the order in which servers are asked.
func ordered(t *testing.T, b *Backend) []string {
	t.Helper()
	all, err := b.order(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func leader(t *testing.T, b *Backend) string { return ordered(t, b)[0] }
