package proxy

import (
	"net"
	"strings"
	"testing"
	"time"

	"weir/proxy/backend/sink"
)

// Each line of a dialogue is said after EHLO; the reply must begin as given.
func TestEveryVerbHasItsAnswer(t *testing.T) {
	f := newFront(t, func(f *front) { f.Limits.SessionsPerIP = 1000; f.Limits.Errors = 1000 })
	for _, dialogue := range [][][2]string{
		{{"HELO", "501 5.5.4"}, {"EHLO", "501 5.5.4"}, {"EHLO two words", "501"}, {"EHLO [192.0.2.1]", "250"}, {"ehlo [IPv6:::1]", "250"}, {"HELO my_host", "250 mx.weir.example"}},
		{{"NOOP", "250"}, {"NOOP some words", "250"}, {"NOOP\t", "250"}, {"noop", "250"}, {"NOOPX", "500"}, {" NOOP", "500"}},
		{{"RSET", "250"}, {"RSET ", "250"}, {"RSET now", "501"}},
		{{"VRFY bob", "252"}, {"VRFY", "501"}, {"EXPN all", "502"}, {"HELP", "214"}, {"HELP MAIL", "214"}},
		{{"TURN", "502"}, {"SEND FROM:<a@b.example>", "502"}, {"SOML FROM:<a@b.example>", "502"}, {"SAML FROM:<a@b.example>", "502"}},
		{{"ETRN weir.example", "502"}, {"ATRN weir.example", "502"}, {"AUTH PLAIN AGEAYg==", "502"}, {"STARTTLS", "502"}, {"STARTTLS now", "501"}, {"STARTTLSX", "500"}},
		{{"XCLIENT ADDR=10.9.9.9", "550"}, {"XFORWARD ADDR=10.9.9.9", "550"}, {"PROXY TCP4 10.9.9.9 10.0.0.1 1 25", "550"}},
		{{"", "500"}, {"   ", "500"}, {"FOOBAR baz", "500"}, {"\xff\xfe\xfd", "500"}, {"NO\x00OP", "500"}, {"\x1b[2JNOOP", "500"}, {"NOOP", "250"}},
		{{"DATA", "503"}, {"RCPT TO:<bob@weir.example>", "503"}, {"DATA now", "501"}},
		{{"MAIL FROM:<a@b.example>", "250 2.1.0"}, {"MAIL FROM:<c@d.example>", "503"}, {"DATA", "554 5.5.1"}, {"RSET", "250"}, {"RCPT TO:<bob@weir.example>", "503"}},
		{{"MAIL FROM:<a@b.example>", "250"}, {"RCPT TO:<bob@weir.example>", "250"}, {"EHLO again", "250"}, {"DATA", "503"}},
		{{"BDAT", "501"}, {"", ""}},
		{{"BDAT -5 LAST", "501"}, {"", ""}},
		{{"BDAT 6\r\nQUIT", "502"}, {"NOOP", "250"}},
		{{"GET / HTTP/1.1", "500"}, {"", ""}},
		{{"Subject: hello", "500"}, {"", ""}},
		{{"POST /x HTTP/1.0\r\nMAIL FROM:<a@b.example>", "500"}, {"", ""}},
		{{"NOOP\nMAIL FROM:<a@b.example>", "500"}, {"", ""}},
		{{"NOOP\rMAIL FROM:<a@b.example>", "500"}, {"RCPT TO:<bob@weir.example>", "503"}},
		{{"QUIT now", "501"}, {"QUIT", "221"}, {"", ""}},
		{{strings.Repeat("x", 5000), "500 5.5.2"}, {"NOOP", "250"}},
	} {
		c := f.hello()
		for _, step := range dialogue {
			if step[1] == "" {
				c.expect("")
				break
			}
			if got := c.cmdAny(step[0]); !strings.HasPrefix(got, step[1]) {
				t.Errorf("%.60q after %.60q: %q, want %q", step[0], dialogue[0][0], got, step[1])
			}
		}
		c.conn.Close()
	}
}

func (c *talker) cmdAny(line string) string {
	c.send(line + "\r\n")
	return c.reply()
}

func TestNothingGoesBeforeHello(t *testing.T) {
	f := newFront(t, nil)
	c := f.dial()
	c.cmd("NOOP", "250")
	c.cmd("RSET", "250")
	c.cmd("MAIL FROM:<a@b.example>", "503 5.5.1")
	c.cmd("EHLO", "501")
	c.cmd("MAIL FROM:<a@b.example>", "503")
	c.cmd("HELO b.example", "250 mx.weir.example")
	c.cmd("MAIL FROM:<a@b.example>", "250")
}

func TestPathsAndParameters(t *testing.T) {
	f := newFront(t, func(f *front) { f.Limits.SessionsPerIP = 1000 })
	f.sink.Set(sink.Script{})
	for line, want := range map[string]string{
		"MAIL FROM:<>":                                          "250",
		"mAiL fRoM:<A@Client.Example>":                          "250",
		"MAIL FROM: <a@b.example>":                              "250",
		"MAIL FROM:a@b.example":                                 "501 5.1.7",
		"MAIL FROM:<a@b.example":                                "501",
		"MAIL":                                                  "501",
		"MAIL FROM <a@b.example>":                               "501",
		"MAIL TO:<a@b.example>":                                 "501",
		"MAIL FROM:<a@b.example><c@d.example>":                  "501",
		"MAIL FROM:<a@b.example>SIZE=1":                         "501",
		"MAIL FROM:<Postmaster>":                                "501",
		"MAIL FROM:<a@b.example> FOO=BAR":                       "555 5.5.4",
		"MAIL FROM:<a@b.example> SIZE=abc":                      "501",
		"MAIL FROM:<a@b.example> SIZE=-1":                       "501",
		"MAIL FROM:<a@b.example> SIZE=":                         "501",
		"MAIL FROM:<a@b.example> SIZE=0":                        "250",
		"MAIL FROM:<a@b.example> SIZE=1 SIZE=2":                 "501",
		"MAIL FROM:<a@b.example> BODY=8bitmime":                 "250",
		"MAIL FROM:<a@b.example> BODY=BOGUS":                    "501",
		"MAIL FROM:<a@b.example> BODY=BINARYMIME":               "555",
		"MAIL FROM:<a@b.example> AUTH=<>":                       "555",
		"MAIL FROM:<a@b.example> RET=FOO":                       "501",
		"MAIL FROM:<a@b.example> REQUIRETLS":                    "555",
		"MAIL FROM:<@x.example,@y.example:a@b.example>":         "250",
		"MAIL FROM:<@x.example,y.example:a@b.example>":          "501",
		"MAIL FROM:<a@[192.0.2.1]>":                             "250",
		"MAIL FROM:<a@[192.0.2.300]>":                           "501",
		"MAIL FROM:<a@[IPv6:2001:db8::1]>":                      "250",
		"MAIL FROM:<a\x00b@b.example>":                          "500",
		"MAIL FROM:<a@b.example>\rRCPT TO:<c@d.example>":        "500",
		"MAIL FROM:<\xd0\xbf@b.example>":                        "553 5.6.7",
		"MAIL FROM:<\xff@b.example> SMTPUTF8":                   "500",
		"MAIL FROM:<\xd0\xbf@\xd0\xbf.example> SMTPUTF8":        "250",
		"MAIL FROM:<a@b..example>":                              "501",
		"MAIL FROM:<a@-b.example>":                              "501",
		"MAIL FROM:<a b@b.example>":                             "501",
		`MAIL FROM:<"a b"@b.example>`:                           "250",
		`MAIL FROM:<"a>b"@b.example>`:                           "250",
		`MAIL FROM:<"a\"@b.example>`:                            "501",
		`MAIL FROM:<""@b.example>`:                              "501",
		"MAIL FROM:<" + strings.Repeat("l", 64) + "@b.example>": "250",
	} {
		c := f.hello()
		if got := c.cmdAny(line); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
		c.conn.Close()
	}
	for line, want := range map[string]string{
		"RCPT TO:<>":                                        "501 5.1.3",
		"RCPT":                                              "501",
		"RCPT TO:<Postmaster>":                              "250",
		"RCPT TO:<pOSTmaster>":                              "250",
		"RCPT TO:<bob>":                                     "501",
		"RCPT TO:<a@b@weir.example>":                        "501",
		"RCPT TO:<@weir.example>":                           "501",
		"RCPT TO:<|id@weir.example>":                        "250",
		"RCPT TO:<${run{/bin/true}}@weir.example>":          "250",
		"RCPT TO:<bob@weir.example> FOO=BAR":                "555",
		"RCPT TO:<bob@weir.example> NOTIFY=NEVER,SUCCESS":   "501",
		"RCPT TO:<bob@weir.example> ORCPT=bob@weir.example": "501",
		"RCPT TO:<bob@weir.example> ORCPT=rfc822;":          "501",
		"RCPT TO:<bob@weir.example> ORCPT=rfc822;b+2b":      "501",
		"RCPT TO:<bob@weir.example> ORCPT=rfc822;b=2B":      "501",
		"RCPT TO:<bob@weir.example>\rDATA":                  "500",
		"RCPT TO:<\xd0\xbf@weir.example>":                   "553 5.6.7",
	} {
		c := f.hello()
		c.cmd("MAIL FROM:<a@b.example>", "250")
		if got := c.cmdAny(line); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
		c.conn.Close()
	}
}

// What the backend reads as addresses is what the client has meant, or nothing.
func TestAddressesAreNeverRewrittenIntoOthers(t *testing.T) {
	f := newFront(t, nil)
	c := f.hello()
	for _, p := range [][2]string{
		{`<"victim@elsewhere.example> "@weir.example>`, `<"victim@elsewhere.example> "@weir.example>`},
		{`<"x> SIZE=1 BODY="@weir.example>`, `<"x> SIZE=1 BODY="@weir.example>`},
		{`<"bob"@weir.example>`, `<bob@weir.example>`},
		{`<"b\o\b"@weir.example>`, `<bob@weir.example>`},
		{`<"a\"b\\c"@weir.example>`, `<"a\"b\\c"@weir.example>`},
		{`<"a..b"@weir.example>`, `<"a..b"@weir.example>`},
		{`<@relay.example:bob@weir.example>`, `<bob@weir.example>`},
		{`<Bob@WEIR.example>`, `<Bob@WEIR.example>`},
		{`<Postmaster>`, `<Postmaster>`},
		{`<user%other.example@weir.example>`, `<user%other.example@weir.example>`},
	} {
		c.cmd("MAIL FROM:<ann@client.example>", "250")
		c.cmd("RCPT TO:"+p[0], "250")
		c.data(note, "250")
		all := f.taken()
		if got := all[len(all)-1].Rcpts[0]; got != "TO:"+p[1] {
			t.Errorf("%s arrived as %s", p[0], got)
		}
	}
}

func TestParametersThatTheBackendOffersArePassedOn(t *testing.T) {
	f := newFront(t, nil)
	c := f.hello()
	c.cmd("MAIL FROM:<ann@client.example> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=QQ+2B1", "250")
	c.cmd("RCPT TO:<bob@weir.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob@weir.example", "250")
	c.data(note, "250")
	for _, original := range []string{"utf-8;j+C3+BCrgen@weir.example", `utf-8;j\x{FC}rgen@weir.example`, "x400;c+3Dde"} {
		c.cmd("MAIL FROM:<ann@client.example>", "250")
		c.cmd("RCPT TO:<bob@weir.example> ORCPT="+original, "250")
		c.data(note, "250")
		all := f.taken()
		if got := all[len(all)-1].Rcpts[0]; got != "TO:<bob@weir.example> ORCPT="+original {
			t.Errorf("RCPT %s", got)
		}
	}
	m := f.taken()[0]
	if m.Mail != "FROM:<ann@client.example> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=QQ+2B1" {
		t.Errorf("MAIL %s", m.Mail)
	}
	if m.Rcpts[0] != "TO:<bob@weir.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob@weir.example" {
		t.Errorf("RCPT %s", m.Rcpts[0])
	}
}

func TestAPlainBackendGetsNothingItDoesNotOffer(t *testing.T) {
	f := newFront(t, nil)
	f.sink.Set(sink.Script{NoEHLO: true})
	c := f.hello() // offered by the backend of before
	c.cmd("MAIL FROM:<ann@client.example> SIZE=100 BODY=8BITMIME RET=HDRS", "250")
	c.cmd("RCPT TO:<bob@weir.example> NOTIFY=NEVER", "250")
	c.data(note, "250")
	if m := f.taken()[0]; m.Mail != "FROM:<ann@client.example>" || m.Rcpts[0] != "TO:<bob@weir.example>" {
		t.Errorf("%s, %s", m.Mail, m.Rcpts[0])
	}
	c.cmd("MAIL FROM:<ann@client.example> BODY=8BITMIME", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.data("Subject: x\r\n\r\n\xd0\xbf\r\n", "554 5.6.3")
	c.cmd("MAIL FROM:<\xd0\xbf@client.example> SMTPUTF8", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "550 5.6.7")
	c.cmd("RCPT TO:<eve@weir.example>", "550 5.6.7")
	c.cmd("RSET", "250")
	offer := c.cmd("EHLO client.example", "250")
	for _, keyword := range []string{"8BITMIME", "DSN", "SMTPUTF8", "STARTTLS", "CHUNKING", "AUTH"} {
		if strings.Contains(offer, keyword) {
			t.Errorf("offers %s: %q", keyword, offer)
		}
	}
	c.cmd("MAIL FROM:<ann@client.example> SMTPUTF8", "555")
}

func TestTheOfferIsTheSmallerSize(t *testing.T) {
	f := newFront(t, func(f *front) {
		f.sink.Set(sink.Script{Offers: []string{"PIPELINING", "SIZE 10000"}})
	})
	c := f.dial()
	if offer := c.cmd("EHLO client.example", "250-mx.weir.example\n"); !strings.Contains(offer, "SIZE 10000") {
		t.Errorf("offer %q", offer)
	}
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.data("Subject: x\r\n\r\n"+strings.Repeat("y", 9900)+"\r\n", "552 5.3.4") // too large with our headers
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<bob@weir.example>", "250")
	c.data(note, "250")
}

func TestOnlyOurDomainsAreRelayed(t *testing.T) {
	f := newFront(t, func(f *front) { f.Relay = func(domain string) bool { return domain == "weir.example" } })
	c := f.hello()
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<bob@elsewhere.example>", "550 5.7.1")
	c.cmd(`RCPT TO:<"x@weir.example"@elsewhere.example>`, "550 5.7.1")
	c.cmd("RCPT TO:<@weir.example:bob@elsewhere.example>", "550 5.7.1")
	c.cmd("RCPT TO:<bob%elsewhere.example@weir.example>", "550 5.7.1")
	c.cmd("RCPT TO:<elsewhere.example!bob@weir.example>", "550 5.7.1")
	c.cmd(`RCPT TO:<"bob@elsewhere.example"@weir.example>`, "550 5.7.1")
	c.cmd("DATA", "554")
	c.cmd("RCPT TO:<bob@WEIR.Example>", "250")
	c.cmd("RCPT TO:<Postmaster>", "250")
	c.data(note, "250")
	c.cmd("MAIL FROM:<ann@client.example>", "250")
	c.cmd("RCPT TO:<bob@elsewhere.example>", "550")
	c.cmd("QUIT", "221")
	r := f.recorded(2)[1]
	if r.Verdict.By != byFront || r.Verdict.At != "rcpt" || r.Verdict.Reply.Code != 550 || r.Envelope.From != "ann@client.example" {
		t.Errorf("recorded %+v %+v", r.Verdict, r.Envelope)
	}
}

func TestRecipientsAreCounted(t *testing.T) {
	f := newFront(t, func(f *front) { f.Limits.Recipients = 3 })
	c := f.rcpt()
	c.cmd("RCPT TO:<b2@weir.example>", "250")
	c.cmd("RCPT TO:<b3@weir.example>", "250")
	for range 100 { // the excess is no error that ends the session
		c.cmd("RCPT TO:<b4@weir.example>", "452 4.5.3")
	}
	c.data(note, "250")
	if n := len(f.taken()[0].Rcpts); n != 3 {
		t.Errorf("%d recipients", n)
	}
}

func TestErrorsEndTheSession(t *testing.T) {
	f := newFront(t, func(f *front) { f.Limits.Errors = 2 })
	c := f.hello()
	c.cmd("FOO", "500")
	c.cmd("MAIL FROM:<bad", "501")
	c.expect("421 4.7.0")
	c.expect("")
}

func TestJunkEndsTheSession(t *testing.T) {
	f := newFront(t, func(f *front) { f.Limits.Errors = 1 })
	c := f.hello()
	for range junkLimit {
		c.cmd("NOOP", "250")
	}
	c.cmd("NOOP", "250")
	c.expect("421 4.7.0")
}

func TestSessionsAreLimited(t *testing.T) {
	f := newFront(t, func(f *front) { f.Limits.SessionsPerIP, f.Limits.Sessions = 2, 3 })
	one, two := f.dial(), f.dial()
	c := f.connect()
	c.expect("421 4.7.0")
	c.expect("")
	c.conn.Close()
	r := f.recorded(1)[0]
	if r.Verdict.At != "connect" || r.Verdict.Reply.Code != 421 || r.Session.Client.IP != "127.0.0.1" {
		t.Errorf("recorded %+v %+v", r.Verdict, r.Session)
	}
	one.cmd("NOOP", "250")
	two.cmd("QUIT", "221")
	f.until("room", func() bool { return f.Active() == 1 })
	f.dial()
}

func TestAnIdleClientIsSentAway(t *testing.T) {
	f := newFront(t, func(f *front) { f.Limits.CommandTimeout = 200 * time.Millisecond })
	for _, before := range []string{"", "MAIL FROM:<a@b.example>", "RCPT TO:<bob@weir.exa", "QUIT"} {
		c := f.hello()
		c.send(before)
		c.expect("421 4.4.2")
		c.expect("")
	}
	if cmds := strings.Join(f.sink.Commands(), " "); strings.Contains(cmds, "RCPT") {
		t.Errorf("half a command was executed: %s", cmds)
	}
}

func TestAMessageThatStopsIsNeverContinuedAsCommands(t *testing.T) {
	f := newFront(t, func(f *front) { f.Limits.CommandTimeout = 200 * time.Millisecond })
	c := f.rcpt()
	c.cmd("DATA", "354")
	c.send("Subject: x\r\n\r\nhalf of it\r\n")
	c.expect("421 4.4.2")
	_, _ = c.conn.Write([]byte(smuggled)) // may fail: the session has ended
	c.expect("")
	if n := len(f.sink.Messages()); n != 0 {
		t.Errorf("%d messages", n)
	}
}

func TestAMessageThatDripsIsCutOff(t *testing.T) {
	f := newFront(t, func(f *front) { f.Limits.CommandTimeout = 300 * time.Millisecond })
	c := f.rcpt()
	c.cmd("DATA", "354")
	c.dripsUntilCutOff("x")
}

// dripsUntilCutOff sends a little now and again, until something else than a 250 comes.
func (c *talker) dripsUntilCutOff(little string) {
	c.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	stop := make(chan string)
	go func() {
		got := c.reply()
		for strings.HasPrefix(got, "250 ") {
			got = c.reply()
		}
		stop <- got
	}()
	for {
		select {
		case got := <-stop:
			if !strings.HasPrefix(got, "421 4.4.2") {
				c.t.Errorf("reply %q", got)
			}
			return
		case <-tick.C:
			_, _ = c.conn.Write([]byte(little))
		}
	}
}

func TestASteadySenderMayTakeLongerThanTheTimeout(t *testing.T) {
	f := newFront(t, func(f *front) { f.Limits.CommandTimeout = 300 * time.Millisecond })
	c := f.rcpt()
	c.cmd("DATA", "354")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 12 {
		c.send(strings.Repeat("x", 998) + "\r\n")
		<-tick.C
	}
	c.send(".\r\n")
	c.expect("250")
}

func TestACommandCutOffByTheClientIsNotExecuted(t *testing.T) {
	f := newFront(t, nil)
	for _, cut := range []string{"RCPT TO:<eve@weir.example>", "RCPT TO:<eve@weir.example>\r", "QUIT"} {
		c := f.rcpt()
		c.send(cut)
		if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		c.expect("")
	}
	for _, line := range f.sink.Commands() {
		if strings.Contains(line, "eve") {
			t.Errorf("executed: %s", line)
		}
	}
}

func TestAClientGoneInTheMessageLeavesNone(t *testing.T) {
	f := newFront(t, nil)
	for _, half := range []string{note, note + ".", note + ".\r", strings.Repeat(note, 40000)} {
		c := f.rcpt()
		c.cmd("DATA", "354")
		c.send(half)
		c.conn.Close()
	}
	f.until("quiet", func() bool { return f.Active() == 0 })
	if n := len(f.sink.Messages()); n != 0 {
		t.Errorf("%d messages", n)
	}
	if got := f.deliver(note); !strings.HasPrefix(got, "250") {
		t.Errorf("reply %q", got)
	}
}

func TestAClientThatHalfClosesReadsItsReply(t *testing.T) {
	f := newFront(t, nil)
	c := f.rcpt()
	c.cmd("DATA", "354")
	c.send(note + ".\r\n")
	if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.expect("250")
}
