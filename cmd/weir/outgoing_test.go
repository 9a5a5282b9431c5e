package main

import (
	"crypto/tls"
	"fmt"
	"net/smtp"
	"path/filepath"
	"strings"
	"testing"

	"weir/proxy/backend/sink"
)

const outgoingRules = `version: 1
thresholds: { tag: 6, reject: 15 }
outgoing:
  windows:
    - { id: USER_BUSY, over: 1h, messages: 15, score: 5 }
  stop: { after: 5, within: 1h, for: 1h, public: this account is stopped }
bulk:
  windows: [{ id: BULK_ANY, over: 1h, alike: 10, score: 4 }]
policies:
  - { id: outgoing, user: "*", thresholds: { tag: off, defer: 8, reject: 15 } }
`

// login opens a session of a user.
func login(t *testing.T, w *served, user string) *smtp.Client {
	t.Helper()
	c := client(t, w.addr, "")
	if err := c.StartTLS(&tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Fatal(err)
	}
	if err := c.Auth(smtp.PlainAuth("", user, "s3cret", "mx1.example.org")); err != nil {
		t.Fatal(err)
	}
	return c
}

// submit sends one message and returns the codes of RCPT and of the message, 0 for a step that was not reached.
func submit(t *testing.T, c *smtp.Client, n int, text string) (rcpt, data int, err error) {
	t.Helper()
	if err := c.Mail("ann@example.org"); err != nil {
		t.Fatal(err)
	}
	if err = c.Rcpt(fmt.Sprintf("r%d@elsewhere.example", n)); err != nil {
		return codeOf(err), 0, thenReset(c, err)
	}
	body, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(body, "From: ann@example.org\r\nTo: r%d@elsewhere.example\r\nSubject: %s\r\nMessage-ID: <%d@example.org>\r\n\r\n%s\r\n", n, text, n, strings.Repeat(text+" ", 20))
	if err = body.Close(); err != nil {
		return 250, codeOf(err), err
	}
	return 250, 250, nil
}

func thenReset(c *smtp.Client, err error) error {
	if reset := c.Reset(); reset != nil {
		return fmt.Errorf("%w, and RSET: %w", err, reset)
	}
	return err
}

// An account that sends a campaign is slowed, then stopped, and the operator is told; other accounts go on.
func TestAStolenAccountIsSlowedThenStopped(t *testing.T) {
	mailbox := startSink(t)
	mailbox.Set(sink.Script{Offers: []string{"PIPELINING", "8BITMIME", "AUTH PLAIN"}, Users: map[string]string{"ann": "s3cret", "bob": "s3cret"}})
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	selfSigned(t, "mx1.example.org", cert, key)
	w := serve(t, mailbox.Addr(), "127.0.0.1:9", outgoingRules, "listen.role: outbound", "listen.tls: starttls", "tls: { cert: "+cert+", key: "+key+" }")

	ann := login(t, w, "ann")
	const campaign = "wonderful pills for every ache at half the price order before the weekend ends"
	var codes []string
	for n := range 24 {
		rcpt, data, err := submit(t, ann, n, campaign)
		codes = append(codes, fmt.Sprint(rcpt, "/", data))
		if rcpt == 550 && !strings.Contains(err.Error(), "this account is stopped") {
			t.Errorf("the refusal says %v", err)
		}
	}
	got := strings.Join(codes, " ")
	want := strings.Repeat("250/250 ", 14) + strings.Repeat("250/451 ", 5) + strings.TrimSpace(strings.Repeat("550/0 ", 5))
	if got != want {
		t.Errorf("the account's messages were answered\n%s, want\n%s", got, want)
	}
	if rcpt, data, err := submit(t, login(t, w, "ann"), 99, "an honest question about the report"); rcpt != 550 {
		t.Errorf("in another session: %d/%d, %v", rcpt, data, err)
	}
	if rcpt, data, err := submit(t, login(t, w, "bob"), 100, "shall we meet for lunch tomorrow"); data != 250 {
		t.Errorf("another user: %d/%d, %v", rcpt, data, err)
	}
	if n := len(mailbox.Messages()); n != 15 {
		t.Errorf("%d messages came through, want 15", n)
	}
	if log := w.log.String(); strings.Count(log, `msg="a user's mail is refused" user=ann`) != 1 {
		t.Errorf("the operator is not told once:\n%s", log)
	}
}

// A way to the server behind that users' passwords must not take is said before the first of them wonders.
func TestAWayInClearIsSaid(t *testing.T) {
	dir := t.TempDir()
	selfSigned(t, "mx1.example.org", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	for backend, warned := range map[string]bool{
		`{ addrs: ["mail.example.org:25"] }`: true, `{ addrs: ["mail.example.org:25"], tls: required }`: false,
		`{ addrs: ["127.0.0.1:25", "[::1]:25", "localhost:25", "unix:/run/lmtp"] }`: false, `{ addrs: ["127.0.0.1:25", "192.0.2.1:25"] }`: true,
	} {
		path := filepath.Join(dir, "weir.yaml")
		write(t, path, "version: 1\nlisten: [{ addr: \"127.0.0.1:0\", role: outbound, tls: starttls }]\ntls: { cert: cert.pem, key: key.pem }\nbackend: "+backend+"\n")
		code, out, errs := verb("config", "test", "-c", path)
		if got := strings.Contains(out+errs, "warning: backend.tls: off, to a server elsewhere"); code != exitOK || got != warned {
			t.Errorf("%s: exit %d, warned: %v\n%s%s", backend, code, got, out, errs)
		}
	}
}
