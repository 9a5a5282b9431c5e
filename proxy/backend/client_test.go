package backend

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weir/proxy/backend/sink"
)

var (
	ann = Client{
		Addr: netip.MustParseAddrPort("203.0.113.9:4711"), Local: netip.MustParseAddrPort("192.0.2.25:25"),
		Name: "mail.client.example", NameKnown: true, Hello: "client.example", Proto: "ESMTP",
	}
	xclient  = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
	xforward = "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"
)

// told opens a transaction in ann's name and returns the commands the sink got.
func told(t *testing.T, b *Backend, s *sink.Sink) ([]string, error) {
	t.Helper()
	c, err := b.OpenFor(t.Context(), ann)
	if err != nil {
		return s.Commands(), err
	}
	defer c.Close()
	if err := c.Trace("01ID"); err != nil {
		return s.Commands(), err
	}
	c.Mail("<ann@client.example>", nil)
	r, err := c.Rcpt("<bob@weir.example>", nil)
	if err == nil && !r.OK() {
		t.Errorf("RCPT: %v", r)
	}
	return s.Commands(), err
}

func TestTheServerLearnsTheClient(t *testing.T) {
	const (
		byXCLIENT = "XCLIENT NAME=mail.client.example ADDR=203.0.113.9 PORT=4711 PROTO=ESMTP HELO=client.example " +
			"LOGIN=[UNAVAILABLE] DESTADDR=192.0.2.25 DESTPORT=25"
		byXFORWARD = "XFORWARD NAME=mail.client.example ADDR=203.0.113.9 PORT=4711 PROTO=ESMTP HELO=client.example IDENT=01ID SOURCE=REMOTE"
		ours       = "EHLO mx.weir.example"
		theirs     = "EHLO client.example"
		mail       = "MAIL FROM:<ann@client.example>"
		rcpt       = "RCPT TO:<bob@weir.example>"
	)
	no := func(code string) sink.Action { return sink.Action{Kind: sink.Answer, Text: code + " 5.7.0 not you"} }
	for _, c := range []struct {
		name   string
		pass   PassClient
		offers []string
		on     map[sink.Stage]sink.Action
		want   []string
		err    error
	}{
		{"nothing offered", PassAuto, []string{}, nil, []string{ours, mail, rcpt}, nil},
		{"XCLIENT", PassAuto, []string{xclient}, nil, []string{ours, byXCLIENT, theirs, mail, rcpt}, nil},
		{"XCLIENT before XFORWARD", PassAuto, []string{xforward, xclient}, nil, []string{ours, byXCLIENT, theirs, mail, rcpt}, nil},
		{"some attributes", PassXClient, []string{"XCLIENT ADDR NEW"}, nil, []string{ours, "XCLIENT ADDR=203.0.113.9", theirs, mail, rcpt}, nil},
		{"XFORWARD", PassAuto, []string{xforward}, nil, []string{ours, byXFORWARD, mail, rcpt}, nil},
		{"XFORWARD wanted", PassXForward, []string{xclient, xforward}, nil, []string{ours, byXFORWARD, mail, rcpt}, nil},
		{"none", PassNone, []string{xclient, xforward}, nil, []string{ours, mail, rcpt}, nil},
		{"not trusted", PassAuto, []string{xclient, xforward}, map[sink.Stage]sink.Action{sink.Client: no("550")},
			[]string{ours, byXCLIENT, byXFORWARD, mail, rcpt}, nil},
		{"nowhere trusted", PassAuto, []string{xforward}, map[sink.Stage]sink.Action{sink.Forward: no("550")},
			[]string{ours, byXFORWARD, mail, rcpt}, nil},
		{"XCLIENT demanded", PassXClient, []string{xforward}, nil, []string{ours}, errNotTold},
		{"XCLIENT demanded, not trusted", PassXClient, []string{xclient}, map[sink.Stage]sink.Action{sink.Client: no("550")},
			[]string{ours, byXCLIENT}, errNotTold},
		{"XFORWARD demanded", PassXForward, []string{xclient}, nil, []string{ours}, errNotTold},
		{"XFORWARD demanded, not trusted", PassXForward, []string{xforward}, map[sink.Stage]sink.Action{sink.Forward: no("550")},
			[]string{ours, byXFORWARD}, errNotTold},
		{"wrong class", PassAuto, []string{xclient}, map[sink.Stage]sink.Action{sink.Client: {Kind: sink.Answer, Text: "354 go on"}},
			[]string{ours, byXCLIENT}, errCode},
		{"too much at once", PassAuto, []string{xclient}, map[sink.Stage]sink.Action{sink.Client: {Kind: sink.Raw, Text: "220 x\r\n250 x\r\n"}},
			[]string{ours, byXCLIENT}, errAhead},
	} {
		s, b := start(t)
		b.PassClient = c.pass
		s.Set(sink.Script{Offers: c.offers, On: c.on})
		got, err := told(t, b, s)
		got = slices.DeleteFunc(got, func(line string) bool { return line == "QUIT" })
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v\n%q, want\n%q", c.name, err, got, c.want)
		}
	}
}

// A server may refuse the client that we name; that is its answer and no fault of the server.
func TestTheServerRefusesTheClient(t *testing.T) {
	s, b := start(t)
	other, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	b.Addrs = append(b.Addrs, other.Addr())
	s.Set(sink.Script{Offers: []string{xclient}, On: map[sink.Stage]sink.Action{sink.Client: {Kind: sink.Answer, Text: "554 5.7.1 blocked"}}})
	_, err = b.OpenFor(t.Context(), ann)
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Reply.String() != "554 5.7.1 blocked" {
		t.Errorf("error %v", err)
	}
	if other.Conns() != 0 || leader(t, b) != s.Addr() {
		t.Error("the server counts as down")
	}
}

func TestDistrustIsLoggedOnce(t *testing.T) {
	s, b := start(t)
	var log bytes.Buffer
	b.Log = slog.New(slog.NewTextHandler(&log, nil))
	s.Set(sink.Script{Offers: []string{xclient}, On: map[sink.Stage]sink.Action{sink.Client: {Kind: sink.Answer, Text: "550 5.7.0 not you"}}})
	for range 3 {
		if _, err := told(t, b, s); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Count(log.String(), "not you") != 1 {
		t.Errorf("log:\n%s", log.String())
	}
}

func TestAttributes(t *testing.T) {
	six := Client{Addr: netip.MustParseAddrPort("[2001:db8::9%eth0]:25"), Hello: "a+b=c", User: "ann smith"}
	c := &Conn{Client: six, Offer: Extensions{"XCLIENT": "addr name helo login destaddr"}}
	want := []string{"XCLIENT ADDR=IPV6:2001:db8::9 NAME=[TEMPUNAVAIL] HELO=a+2Bb+3Dc LOGIN=ann+20smith DESTADDR=[UNAVAILABLE]\r\n"}
	if got := c.attributes("XCLIENT", ""); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	c.Client.Name, c.Client.Hello = strings.Repeat("n", 250), strings.Repeat("h", 250)
	if got := c.attributes("XCLIENT", ""); len(got) != 2 || len(got[0]) > maxAttributes || !strings.HasPrefix(got[1], "XCLIENT HELO=hh") {
		t.Errorf("%q", got)
	}
	c.Client.Hello = strings.Repeat("=", 250)
	if got := strings.Join(c.attributes("XCLIENT", ""), ""); strings.Contains(got, "HELO=") || !strings.Contains(got, "LOGIN=") {
		t.Errorf("%q", got)
	}
}

// FuzzAttributes: whatever a client says of itself and a server wants to know, a command is one line of words.
func FuzzAttributes(f *testing.F) {
	f.Add("NAME ADDR HELO LOGIN", "client.example", "ann")
	f.Add("helo", "x\r\nMAIL FROM:<>", "\x00\xff")
	f.Fuzz(func(t *testing.T, wanted, hello, user string) {
		c := &Conn{Client: Client{Hello: hello, User: user}, Offer: Extensions{"XCLIENT": wanted}}
		for _, line := range c.attributes("XCLIENT", "") {
			text, ok := strings.CutSuffix(line, "\r\n")
			if !ok || len(line) > maxAttributes || strings.ContainsAny(text, "\r\n\x00") || !strings.HasPrefix(text, "XCLIENT ") {
				t.Fatalf("%q", line)
			}
		}
	})
}
