package main

import (
	"fmt"
	"net/smtp"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"weir/proxy/backend/sink"
)

// A Postfix sends its queue through us: what is refused goes back to the sender, what is deferred comes again, and all the
// rest arrives once. Its own ways are not lost on it: TLS when offered, several messages a session, SMTPUTF8 and DSN.
func TestPostfixSendsThroughUs(t *testing.T) {
	t.Parallel()
	var lifted atomic.Bool
	box := startSink(t)
	box.Set(sink.Script{Rcpt: func(path string) string {
		switch {
		case strings.HasPrefix(path, "no-"):
			return "550 5.1.1 no such user"
		case strings.HasPrefix(path, "full-") && !lifted.Load():
			return "452 4.2.2 over quota"
		}
		return ""
	}})
	f := frontOf(t, box.Addr())
	queue := startPostfix(t, "virtual_mailbox_domains =", "relay_domains = example.org", "relay_transport = smtp",
		"relayhost = [127.0.0.1]:"+portOf(f.plain), "smtp_tls_security_level = may", "smtp_tls_connection_reuse = yes", "smtputf8_enable = yes")

	const n = 200
	c := client(t, queue.addr, "")
	for i := range n {
		user := map[int]string{3: "no", 7: "full"}[i%10]
		if user == "" {
			user = "bob"
		}
		handOver(t, c, "MAIL FROM:<ann@client.example.net> ENVID=e"+fmt.Sprint(i), fmt.Sprintf("RCPT TO:<%s-%d@example.org> NOTIFY=FAILURE", user, i), i)
	}
	handOver(t, c, "MAIL FROM:<ann@client.example.net> SMTPUTF8", "RCPT TO:<jürgen@example.org>", n)

	const refused, deferred = n / 10, n / 10
	settled := func(want int) func() bool {
		return func() bool { return len(box.Messages()) >= want }
	}
	eventually(t, "what is neither refused nor deferred, and the notices of what is refused", settled(n+1-deferred))
	eventually(t, "the queue to hold what is deferred", func() bool { return strings.Count(queue.logged(t), "status=deferred") >= deferred })
	lifted.Store(true)
	command(t, needs(t, "postqueue"), "-c", filepath.Join(filepath.Dir(queue.log), "etc"), "-f")
	eventually(t, "what was deferred", settled(n+1))

	copies, notices := map[string]int{}, 0
	for _, m := range box.Messages() {
		if strings.HasPrefix(m.Mail, "FROM:<>") {
			notices++
			continue
		}
		copies[regexp.MustCompile(`(?m)^Subject: (.*)\r$`).FindStringSubmatch(string(m.Data))[1]]++
	}
	if notices != refused {
		t.Errorf("%d notices, want %d", notices, refused)
	}
	for i := range n + 1 {
		want := 1
		if i%10 == 3 && i < n {
			want = 0
		}
		if got := copies[fmt.Sprint(i)]; got != want {
			t.Errorf("%d copies of message %d, want %d", got, i, want)
		}
	}
	all := strings.Join(box.Commands(), "\n")
	for _, want := range []string{"ENVID=e0", "ORCPT=rfc822;bob-0@example.org NOTIFY=FAILURE", "RCPT TO:<jürgen@example.org> ORCPT=rfc822;j+C3+BCrgen@example.org", "SMTPUTF8"} {
		if !strings.Contains(all, want) {
			t.Errorf("the server behind never heard %q", want)
		}
	}
	sessions := map[string]bool{}
	for _, r := range f.records(t, n+1+refused+deferred) {
		sessions[r.Session.ID] = true
		if r.Session.TLS == "" {
			t.Errorf("in clear: %+v", r.Envelope)
		}
	}
	if len(sessions) > n/2 {
		t.Errorf("%d sessions", len(sessions))
	}
	t.Logf("%d sessions for %d messages; %d connections to the server behind", len(sessions), n+1+refused, box.Conns())
}

// handOver hands over a message whose subject is its number.
func handOver(t *testing.T, c *smtp.Client, mail, rcpt string, number int) {
	t.Helper()
	for _, step := range []struct {
		line string
		code int
	}{{mail, 250}, {rcpt, 250}, {"DATA", 354}, {strings.Replace(plainMail, "Subject: lunch", "Subject: "+fmt.Sprint(number), 1) + ".", 250}} {
		id, err := c.Text.Cmd("%s", step.line)
		if err != nil {
			t.Fatal(err)
		}
		c.Text.StartResponse(id)
		_, _, err = c.Text.ReadResponse(step.code)
		c.Text.EndResponse(id)
		if err != nil {
			t.Fatalf("%.80q: %v", step.line, err)
		}
	}
}
