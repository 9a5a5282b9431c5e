package proxy

import (
	"encoding/base64"
	"strings"
	"testing"

	"weir/filters"
	"weir/proxy/backend/sink"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// outbound is a front for users, before a sink that knows ann.
func outbound(t *testing.T, change func(*front)) *front {
	f := newFront(t, func(f *front) {
		withTLS(t, StartTLS)(f)
		f.listener.Outbound = true
		f.Relay = func(string) bool { return false }
		f.sink.Set(sink.Script{
			Offers: []string{"PIPELINING", "8BITMIME", "AUTH LOGIN PLAIN SCRAM-SHA-256-PLUS GSSAPI"},
			Users:  map[string]string{"ann@weir.example": "s3cret"},
		})
		if change != nil {
			change(f)
		}
	})
	return f
}

// user connects by TLS and says EHLO.
func (f *front) user() *talker {
	f.t.Helper()
	c := f.hello()
	c.cmd("STARTTLS", "220")
	c = c.encrypted()
	if got := c.cmd("EHLO client.example", "250"); !strings.Contains(got, "250-AUTH PLAIN LOGIN") && !strings.Contains(got, "250 AUTH PLAIN LOGIN\n") &&
		!strings.HasSuffix(got, "250 AUTH PLAIN LOGIN") {
		f.t.Errorf("offered %q", got)
	}
	return c
}

func TestUsersSendToEverywhere(t *testing.T) {
	var seen []string
	asks := filters.Check{Name: "lists", Stage: filters.Connect}
	asks.Run = says("LISTED", filters.Connect).Run
	f := outbound(t, func(f *front) { f.Current().Checks = filters.NewPipeline(bound, asks) })
	for name, login := range map[string]func(c *talker){
		"PLAIN at once": func(c *talker) { c.cmd("AUTH PLAIN "+b64("\x00ann@weir.example\x00s3cret"), "235 2.7.0") },
		"PLAIN asked": func(c *talker) {
			c.cmd("AUTH PLAIN", "334")
			c.cmd(b64("\x00ann@weir.example\x00s3cret"), "235")
		},
		"LOGIN": func(c *talker) {
			c.cmd("AUTH login", "334 VXNlcm5hbWU6")
			c.cmd(b64("ann@weir.example"), "334 UGFzc3dvcmQ6")
			c.cmd(b64("s3cret"), "235")
		},
	} {
		c := f.user()
		c.cmd("MAIL FROM:<ann@weir.example>", "530 5.7.0")
		login(c)
		c.cmd("AUTH PLAIN", "503")
		for range 2 { // the second over the same connection
			c.cmd("MAIL FROM:<ann@weir.example>", "250")
			c.cmd("RCPT TO:<eve@elsewhere.example>", "250")
			c.data(note, "250")
		}
		c.cmd("QUIT", "221")
		seen = append(seen, name)
	}
	for _, r := range f.recorded(2 * len(seen)) {
		if r.Session.User != "ann@weir.example" || r.Session.Proto != "ESMTPSA" || len(r.Hits) != 0 {
			t.Errorf("record: user %q, proto %q, hits %v", r.Session.User, r.Session.Proto, r.Hits)
		}
	}
}

// A token of OAuth may be longer than any command (RFC 4954 4).
func TestLongAuthenticationsArePassedOn(t *testing.T) {
	f := outbound(t, nil)
	password := strings.Repeat("p", 8000)
	f.sink.Set(sink.Script{Offers: []string{"AUTH LOGIN PLAIN"}, Users: map[string]string{"ann": password}})
	f.user().cmd("AUTH PLAIN "+b64("\x00ann\x00"+password), "235")
	c := f.user()
	c.cmd("AUTH PLAIN", "334")
	c.cmd(b64("\x00ann\x00"+password), "235")
}

func TestWhoIsNoUserSendsNothing(t *testing.T) {
	f := outbound(t, nil)
	c := f.hello()
	c.cmd("AUTH PLAIN "+b64("\x00ann@weir.example\x00s3cret"), "530 5.7.0")
	c.cmd("MAIL FROM:<ann@weir.example>", "530")
	c = f.user()
	c.cmd("AUTH PLAIN "+b64("\x00ann@weir.example\x00wrong"), "535 5.7.8")
	c.cmd("AUTH GSSAPI", "504")
	c.cmd("AUTH SCRAM-SHA-256-PLUS", "504")
	c.cmd("AUTH", "501")
	c.cmd("AUTH PLAIN "+b64("\x00ann@weir.example\x00s3cret")+" AUTH", "501")
	c.cmd("AUTH PLAIN "+strings.Repeat("A", maxAuth), "500 5.5.2")
	c.cmd("NOOP "+strings.Repeat("A", maxCommand), "500 5.5.2")
	c.cmd("AUTH PLAIN", "334")
	c.cmd(strings.Repeat("A", maxAuth), "535") // as "*"
	c.cmd("AUTH PLAIN", "334")
	c.cmd("*", "535")
	c.cmd("AUTH LOGIN", "334")
	c.cmd("no base64!", "334") // "*" for the server behind, which then asks on
	c.cmd("*", "535")
	c.cmd("MAIL FROM:<ann@weir.example>", "530")
	f.sink.Close()
	c.cmd("AUTH PLAIN", "454 4.7.0")
	inbound := newFront(t, withTLS(t, StartTLS))
	inbound.hello().cmd("AUTH PLAIN", "502")
}

func TestTheRateOfMessagesIsTheUsers(t *testing.T) {
	f := outbound(t, func(f *front) { f.Limits.Messages = 1 })
	for _, want := range []string{"250", "451 4.7.1"} {
		c := f.user()
		c.cmd("AUTH PLAIN "+b64("\x00ann@weir.example\x00s3cret"), "235")
		c.cmd("MAIL FROM:<ann@weir.example>", want)
	}
}

func TestALostUsersConnectionEndsTheSession(t *testing.T) {
	f := outbound(t, nil)
	c := f.user()
	c.cmd("AUTH PLAIN "+b64("\x00ann@weir.example\x00s3cret"), "235")
	f.sink.Drop()
	c.cmd("MAIL FROM:<ann@weir.example>", "250")
	c.cmd("RCPT TO:<eve@elsewhere.example>", "421 4.4.2")
	c.expect("")
}

func TestUserOf(t *testing.T) {
	for _, c := range []struct{ mechanism, first, want string }{
		{"PLAIN", b64("\x00ann\x00x"), "ann"},
		{"PLAIN", b64("boss\x00ann\x00x"), "ann"},
		{"PLAIN", b64("ann"), "?"},
		{"LOGIN", b64("ann\r\nX"), "ann??X"},
		{"CRAM-MD5", b64("ann 0123"), "ann"},
		{"XOAUTH2", b64("user=ann@x.example\x01auth=Bearer t\x01\x01"), "ann@x.example"},
		{"OAUTHBEARER", b64("n,a=ann@x.example,\x01auth=Bearer t\x01\x01"), "ann@x.example"},
		{"SCRAM-SHA-256", b64("n,,n=a=2Cn=3D,r=xyz"), "a,n="},
		{"LOGIN", "%", "?"},
	} {
		if got := userOf(c.mechanism, c.first); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.mechanism, c.first, got, c.want)
		}
	}
}
