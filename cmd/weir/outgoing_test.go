package main

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net/smtp"
	"path/filepath"
	"slices"
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
	return submitText(t, c, n, text, strings.Repeat(text+" ", 20))
}

func submitText(t *testing.T, c *smtp.Client, n int, subject, text string) (rcpt, data int, err error) {
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
	fmt.Fprintf(body, "From: ann@example.org\r\nTo: r%d@elsewhere.example\r\nSubject: %s\r\nMessage-ID: <%d@example.org>\r\n\r\n%s\r\n", n, subject, n, text)
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
	w, mailbox := outbound(t, outgoingRules)

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

const mineRules = `version: 1
thresholds: { tag: 6, reject: 15 }
outgoing:
  stop: { after: 10, within: 1h, for: 1h }
bulk:
  windows: [{ id: BULK_MINE, over: 1h, alike: 20, recipients: 20, per: user, score: 8 }]
policies:
  - { id: outgoing, user: "*", thresholds: { tag: off, defer: 8, reject: 15 } }
`

// spun is copy n of a campaign: other names and numbers, one word in six another, letters that look alike, invented words,
// and a passage of other text that no other copy has.
func spun(n int) string {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	invented := func() string {
		b := make([]byte, 4+r.IntN(6))
		for i := range b {
			b[i] = byte('a' + r.IntN(26))
		}
		return string(b)
	}
	out := fmt.Sprintf("Dear %s, your number is %d.\r\n", invented(), r.IntN(1e9))
	for range 14 {
		out += invented() + " "
	}
	out += "\r\n\r\n"
	for _, w := range strings.Fields(`Our private circle of investors has a single place left for you this month. Members receive forty
		percent of their deposit every month from the new exchange robot, and the first payment arrives within three days. No
		experience is needed, because the robot watches all markets by day and by night and sells before the price falls. The
		bank that keeps the deposits is insured, and whoever wants to leave gets everything back at once. Register today with
		the code below and secure your place before the circle is closed for the rest of the year.`) {
		switch r.IntN(12) {
		case 0, 1:
			w = invented()
		case 2:
			w += " " + invented()
		case 3, 4, 5:
			w = strings.NewReplacer("a", "а", "e", "е", "o", "0").Replace(w)
		}
		out += w + " "
	}
	return out
}

// outbound serves users, whose passwords the sink knows.
func outbound(t *testing.T, text string) (*served, *sink.Sink) {
	t.Helper()
	mailbox := startSink(t)
	mailbox.Set(sink.Script{Offers: []string{"PIPELINING", "8BITMIME", "AUTH PLAIN"}, Users: map[string]string{"ann": "s3cret", "bob": "s3cret"}})
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	selfSigned(t, "mx1.example.org", cert, key)
	return serve(t, mailbox.Addr(), "127.0.0.1:9", text, "listen.role: outbound", "listen.tls: starttls", "tls: { cert: "+cert+", key: "+key+" }"), mailbox
}

// A stolen account whose copies all differ is slowed soon after the twentieth and stopped ten later. A user who sends one
// letter to thirty people, at once or one after the other in a policy's bounds, is not.
func TestARandomisedCampaignOfOneUser(t *testing.T) {
	w, mailbox := outbound(t, mineRules)
	ann := login(t, w, "ann")
	var codes []string
	for n := range 60 {
		rcpt, data, _ := submitText(t, ann, n, fmt.Sprint("place ", n), spun(n))
		if codes = append(codes, fmt.Sprint(rcpt, "/", data)); rcpt == 550 {
			break
		}
	}
	slowed, stopped := slices.Index(codes, "250/451"), slices.Index(codes, "550/0")
	if slowed < 19 || slowed > 40 || stopped < slowed || stopped > 50 {
		t.Errorf("slowed at %d, stopped at %d: %s", slowed, stopped, codes)
	}
	t.Logf("slowed at copy %d, stopped at copy %d", slowed+1, stopped+1)

	bob := login(t, w, "bob")
	if err := bob.Mail("bob@example.org"); err != nil {
		t.Fatal(err)
	}
	for n := range 30 {
		if err := bob.Rcpt(fmt.Sprintf("member%d@elsewhere.example", n)); err != nil {
			t.Fatal(err)
		}
	}
	body, err := bob.Data()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(body, "From: bob@example.org\r\nTo: members@elsewhere.example\r\nSubject: minutes\r\n\r\n%s\r\n", strings.Repeat("The minutes of our meeting in the old school by the river. ", 9))
	if err := body.Close(); err != nil {
		t.Errorf("one letter to thirty: %v", err)
	}
	for n := range 19 { // one below the bound
		if rcpt, data, err := submit(t, bob, 100+n, "The summer feast of the club begins at four and everybody brings a cake"); data != 250 {
			t.Fatalf("letter %d of the same words: %d/%d %v", n+1, rcpt, data, err)
		}
	}
	records := w.records(t, len(codes)+20)
	if mine := records[len(records)-1].Bulk.Mine; mine != 19 {
		t.Errorf("bob has sent 19 of them, the record says %d", mine)
	}
	// Of the copies after that, those alike by the loose grade alone are not of the campaign for sure.
	if n := len(mailbox.Messages()); n < slowed+20 || n > stopped-10+20+5 {
		t.Errorf("%d messages came through, want about %d", n, slowed+20)
	}
}
