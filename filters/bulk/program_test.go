package bulk

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"weir/filters"
)

// alike is the count in r, 0 if it was not counted.
func alike(r filters.Report) int {
	if r.Facts.Bulk == nil {
		return 0
	}
	return r.Facts.Bulk.Alike
}

// What a program writes to one person of his own differs in a number, a link, a name; its answers in nothing.
func TestProgramsMailIsNoCampaign(t *testing.T) {
	const code = "Your sign-in code is %d.\n\nIt is valid for ten minutes. Never give it to anybody, we shall not ask for it. If you did not " +
		"try to sign in, please change the password of your account at once."
	const reset = "Somebody asked for a new password for your account with us. If it was you, follow the link within one hour:\n" +
		"https://accounts.example/reset?token=%x\nIf not, do nothing and your password will stay as it is."
	const away = "Thank you for your letter. I travel through the hills of Norway until the tenth and read no mail. My colleague Petra " +
		"answers whatever cannot wait so long. Kind regards from the fjords."
	r := rand.New(rand.NewPCG(5, 6))
	for name, one := range map[string]func(n int) mail{
		"codes, proven": func(int) mail { return mail{body: fmt.Sprintf(code, r.IntN(1e6)+1e6), auth: "login.example"} },
		"codes, from one network": func(int) mail {
			return mail{body: fmt.Sprintf(code, r.IntN(1e6)+1e6), from: "a@login.example", ip: "192.0.2.4"}
		},
		"links": func(int) mail { return mail{body: fmt.Sprintf(reset, r.Uint64()), auth: "accounts.example"} },
		"names": func(n int) mail {
			return mail{body: fmt.Sprintf("Hello Person%c,\n", 'A'+n) + away, to: fmt.Sprintf("person%c@corp.example", 'a'+n), auth: "shop.example"}
		},
		"answers of the absent": func(int) mail {
			return mail{body: away, from: "d@maker.example", ip: "192.0.2.4", header: "Auto-Submitted: auto-replied\r\n"}
		},
		"the absent everywhere": func(int) mail {
			return mail{body: "I am currently out of the office with limited access to my mail. In urgent cases please call my colleagues. " +
				"I will answer your message after my return on Monday.", header: "Auto-Submitted: auto-replied\r\n"}
		},
	} {
		s := newStream(t, seeded())
		for n := range 12 {
			m := one(n)
			m.header += fmt.Sprintf("Message-ID: <%d@x>\r\n", r.Uint64())
			if got := alike(s.see(m)); got > 1 {
				t.Errorf("%s: message %d is alike %d", name, n, got)
				break
			}
		}
	}
}

// Copies with a word or a number of their own are counted where nobody stands behind all of them: those who say that a
// program answers, and those who say that a list sends them, too.
func TestCopiesOfManyAreCountedWhateverTheySay(t *testing.T) {
	letter := texts(t, "letters")["lottery.txt"]
	r := rand.New(rand.NewPCG(7, 8))
	for _, header := range []string{"", "Auto-Submitted: auto-replied\r\n", "List-Id: <a.example>\r\n", "X-Failed-Recipients: a@b.example\r\n"} {
		s := newStream(t, seeded())
		for n := 1; n <= 8; n++ {
			got := s.see(mail{body: fmt.Sprintf("%s\n\n%s %d", letter, junk(r), r.IntN(1e9)), header: header}).Facts.Bulk
			if got.Alike != n {
				t.Errorf("copy %d with %q: %+v", n, header, got)
			}
		}
	}
}

// A newsletter says that it is one, so that its copies count although each has links of its own.
func TestCopiesOfANewsletterAreCounted(t *testing.T) {
	letter := texts(t, "letters")["seminar.txt"]
	s, r := newStream(t, seeded()), rand.New(rand.NewPCG(7, 8))
	for n := 1; n <= 8; n++ {
		m := mail{body: fmt.Sprintf("%s\nhttps://news.example/%x", letter, r.Uint64()), auth: "news.example"}
		m.header = fmt.Sprintf("List-Unsubscribe: <https://news.example/%x>\r\n", r.Uint64())
		if got := s.see(m).Facts.Bulk; got.Alike != n {
			t.Errorf("copy %d: %+v", n, got)
		}
	}
}

// The credit of a sender ends, so that a domain or a network of one's own does not hide any number of copies; that of
// the last week counts, so that a shop is spared day by day.
func TestCreditOfASender(t *testing.T) {
	letter := texts(t, "letters")["lottery.txt"]
	r := rand.New(rand.NewPCG(7, 8))
	for _, c := range []struct {
		from   mail
		credit int
	}{
		{mail{auth: "own.example"}, domainCredit},
		{mail{from: "a@own.example", ip: "192.0.2.8"}, networkCredit},
	} {
		s := newStream(t, seeded())
		last := func(n int) (alike int) {
			for range n {
				c.from.body = fmt.Sprintf("%s\n\n%s %s %s %d", letter, junk(r), junk(r), junk(r), r.IntN(1e9))
				alike = s.see(c.from).Facts.Bulk.Alike
			}
			return alike
		}
		if got := last(c.credit); got != 1 {
			t.Errorf("%+v: %d alike within the credit", c.from, got)
		}
		if got := last(20); got < 18 {
			t.Errorf("%+v: %d alike beyond the credit", c.from, got)
		}
		s.at = s.at.AddDate(0, 0, 2)
		if got := last(c.credit + 50); got != 1 {
			t.Errorf("%+v: %d alike within the credit of the days before", c.from, got)
		}
	}
}

// A user of ours has no credit: a stolen account may not disguise its copies by a few words each.
func TestUsersHaveNoCredit(t *testing.T) {
	letter := texts(t, "letters")["lottery.txt"]
	s, r := newStream(t, seeded()), rand.New(rand.NewPCG(7, 8))
	for n := 1; n <= 8; n++ {
		m := mail{body: fmt.Sprintf("%s\n\n%s %s %s", letter, junk(r), junk(r), junk(r)), auth: "corp.example", from: "ann@corp.example"}.parsed(s.at)
		m.Session.User = "ann"
		got, err := s.check.Run(t.Context(), m)
		if err != nil || got.Facts.Bulk.Alike != n {
			t.Errorf("copy %d: %+v %v", n, got.Facts.Bulk, err)
		}
	}
}

// reports are delivery reports of the forms that programs write, with a place for the returned text.
var reports = map[string]mail{
	"parts": {kind: "multipart/report; report-type=delivery-status; boundary=b", body: "--b\n\nThis is the mail system at host mx.example. I am sorry " +
		"to have to inform you that your message could not be delivered to one or more recipients. It is attached below.\n--b\n" +
		"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\nAction: failed\nStatus: 5.1.1\n\n--b\n" +
		"Content-Type: message/rfc822\n\nFrom: a@b.example\nSubject: x\n\n%s\n--b--\n"},
	"one text": {header: "X-Failed-Recipients: a@b.example\r\n", body: "This message was created automatically by mail delivery software. A message " +
		"that you sent could not be delivered to all of its recipients. This is a permanent error.\n\n--- a copy follows ---\n\n" +
		"Return-path: <a@b.example>\nReceived: from x by y;\n\tMonday\nFrom: a@b.example\nSubject: x\n\n%s\n"},
	"of a daemon": {from: "MAILER-DAEMON@mx.example", body: "Hi. This is the program at mx.example. I am afraid I was not able to deliver your message " +
		"to the following addresses. This is a permanent error; I have given up. Sorry it did not work out.\n\n" +
		"Return-Path: <a@b.example>\nReceived: (invoked by alias); Monday\nFrom: a@b.example\nTo: c@d.example\n\n%s\n"},
}

// Reports count by what they return, once for each recipient.
func TestReportsCountByWhatTheyReturn(t *testing.T) {
	letter := texts(t, "letters")["lottery.txt"]
	for name, report := range reports {
		s, r := newStream(t, seeded()), rand.New(rand.NewPCG(7, 8))
		some := func() string { return eachWord(strings.Repeat("x ", 30), func(string) string { return junk(r) }) }
		see := func(returned, to string) int {
			m := report
			m.body, m.to = fmt.Sprintf(report.body, returned), to
			m.header += fmt.Sprintf("Message-ID: <%d@x>\r\n", r.Uint64())
			if m.from == "" {
				m.from = fmt.Sprintf("daemon@d%d.example", r.IntN(1e9))
			}
			parsed := m.parsed(s.at)
			parsed.Envelope.From = ""
			got, err := s.check.Run(t.Context(), parsed)
			if err != nil {
				t.Fatal(err)
			}
			return alike(got)
		}
		for n := range 8 {
			if got := see(some(), ""); got > 1 {
				t.Errorf("%s: report %d on another message: %d", name, n, got)
			}
			if got := see("ok", fmt.Sprintf("short%d@corp.example", n)); got > 1 {
				t.Errorf("%s: report %d on a short message: %d", name, n, got)
			}
			if got := see(letter, ""); got != n+1 {
				t.Errorf("%s: report %d on the letter: %d", name, n, got)
			}
		}
		news := texts(t, "letters")["seminar.txt"]
		for n := range 8 {
			if got := see(news, "news@corp.example"); got != 1 {
				t.Errorf("%s: report %d on one's own letter: %d", name, n, got)
			}
		}
	}
}
