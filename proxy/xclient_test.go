package proxy

import (
	"net/netip"
	"strings"
	"testing"

	"weir/proxy/backend/sink"
)

func trusting(t *testing.T) *front {
	return newFront(t, func(f *front) {
		f.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		f.Limits.SessionsPerIP = 2
		f.Dialogue.GreetPause = bound // for strangers
		f.sink.Set(sink.Script{Offers: []string{"PIPELINING", "8BITMIME", "ETRN"}})
	})
}

func TestATrustedPeerSaysWhomItSpeaksFor(t *testing.T) {
	f := trusting(t)
	c := f.dial()
	if got := c.cmd("EHLO proxy.example", "250"); !strings.Contains(got, "250-"+xclientOffer) || !strings.Contains(got, "ETRN") {
		t.Errorf("offered %q", got)
	}
	c.cmd("XCLIENT NAME=mail.client.example ADDR=192.0.2.7 PORT=4000 HELO=x PROTO=ESMTP", "220 mx.weir.example")
	c.cmd("MAIL FROM:<ann@client.example>", "503")
	c.cmd("EHLO mail.client.example", "250")
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("XCLIENT ADDR=192.0.2.8", "503")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.data(note, "250")
	r := f.recorded(1)[0].Session
	if r.Client.IP != "192.0.2.7" || r.Client.RDNS != "mail.client.example" || !r.Client.RDNSOK || r.Client.Port != 4000 || r.Helo != "mail.client.example" {
		t.Errorf("record %+v", r)
	}
	c.cmd("XCLIENT ADDR=IPv6:2001:db8::7 NAME=[UNAVAILABLE]", "220")
	f.sessions.mu.Lock() // an earlier session may still be leaving
	got := f.sessions.per[netip.MustParsePrefix("192.0.2.7/32")]
	f.sessions.mu.Unlock()
	if got != 0 {
		t.Errorf("%d sessions of a client that has been exchanged", got)
	}
}

func TestTheLimitsAreThoseOfTheTrueClient(t *testing.T) {
	f := trusting(t)
	for _, want := range []string{"220", "220", "421 4.7.0"} {
		c := f.dial() // each leaves room for the next at the peer's own address
		c.cmd("XCLIENT ADDR=192.0.2.7", want)
	}
	f.until("end of the refused session", func() bool { return f.Active() == 2 })
}

func TestIntroductionsAreReadStrictly(t *testing.T) {
	c := trusting(t).dial()
	for _, bad := range []string{"", "ADDR", "ADDR=x", "ADDR=fe80::1%eth0", "PORT=65536", "LOGIN=ann", "NAME=a..b", "ADDR=192.0.2.7 X=1", "NAME=a+4", "NAME=a+0D+0Ab"} {
		c.cmd("XCLIENT "+bad, "501")
	}
	if got, err := unxtext("a+2Bb+3Dc"); got != "a+b=c" || err != nil {
		t.Errorf("xtext %q, %v", got, err)
	}
	stranger := newFront(t, nil).hello()
	stranger.cmd("XCLIENT ADDR=192.0.2.7", "550")
	stranger.cmd("ETRN client.example", "502")
}

func TestQueuesAreStartedByTrustedPeers(t *testing.T) {
	c := trusting(t).dial()
	c.cmd("ETRN client.example", "503")
	c.cmd("EHLO proxy.example", "250")
	c.cmd("ETRN client.example", "251 2.0.0 ok, no messages waiting for client.example")
	c.cmd("ETRN", "501")
	c.cmd("ETRN a b", "501")
}

func FuzzIntroduction(f *testing.F) {
	f.Add("NAME=mail.client.example ADDR=192.0.2.7 PORT=4000")
	f.Add("ADDR=IPV6:2001:db8::1 NAME=[TEMPUNAVAIL] HELO=a+2Bb")
	f.Fuzz(func(t *testing.T, arg string) {
		who, err := readIntroduction(arg)
		if err == nil && who.name != nil && strings.ContainsAny(who.name.Name, "\r\n \x00") {
			t.Fatalf("%q: name %q", arg, who.name.Name)
		}
	})
}
