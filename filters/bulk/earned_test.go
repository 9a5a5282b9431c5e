package bulk

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/filters"
)

const oneClick = "List-Unsubscribe: <https://news.example/leave>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"

// issue is one copy of a newsletter's number n, as its sender has always sent it.
func issue(n int) mail {
	return mail{
		body:   fmt.Sprintf("Number %d of the letter to all friends of old clocks and of those who mend them https://paper.example/%d", n, n),
		header: oneClick, from: "letter@paper.example", auth: "paper.example", ip: "192.0.2.1",
	}
}

// subscribed is a stream that has had a newsletter twice a day for twenty days.
func subscribed(t *testing.T, m func(n int) mail) *stream {
	s := newStream(t, seeded())
	for n := range 40 {
		s.at = s.at.Add(12 * time.Hour)
		want := ""
		if n >= 30 && m(n).header == oneClick && m(n).auth != "" {
			want = "BULK_EARNED"
		}
		if got := symbolsOf(s.see(m(n))); got != want {
			t.Fatalf("number %d: %q, want %q", n, got, want)
		}
	}
	return s
}

func TestEarned(t *testing.T) {
	subscribed(t, func(n int) mail { m := issue(n); m.auth = ""; return m })
	subscribed(t, func(n int) mail {
		m := issue(n)
		m.header = "List-Unsubscribe: <https://news.example/leave>\r\n"
		return m
	})
	s := subscribed(t, issue)
	r := s.see(issue(40))
	if symbolsOf(r) != "BULK_EARNED" || r.Facts.Bulk.Exempt != "paper.example" || r.Facts.Bulk.Alike < 1 || r.Hits[0].Detail != "40 messages since 2026-11-22" {
		t.Errorf("%+v %+v", r.Hits, r.Facts.Bulk)
	}
	if got := s.tally.Totals(); got.Earned != 11 || got.Broken+got.Exempted != 0 {
		t.Errorf("%+v, want 11 spared as earned", got)
	}
}

// What is not as it was lifts the exemption, and it stays lifted until a week has passed without it.
func TestBreak(t *testing.T) {
	for name, c := range map[string]struct {
		change func(m *mail)
		want   string
	}{
		"another network":  {func(m *mail) { m.ip = "198.51.100.1" }, "from a network that is new for the sender"},
		"other links":      {func(m *mail) { m.body += " and https://paper.example/x" }, ""},
		"only other links": {func(m *mail) { m.body = "Your clock waits for you at https://prize.example/take today, do not be late" }, "all links are new for the sender"},
		"another signer":   {func(m *mail) { m.auth = "mailer.example" }, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			s := subscribed(t, issue)
			m := issue(40)
			c.change(&m)
			r := s.see(m)
			switch got := symbolsOf(r); {
			case c.want == "" && got != "BULK_EARNED", c.want == "none" && got != "":
				t.Errorf("%q", got)
			case c.want == "" || c.want == "none":
				return
			case got != "BULK_BREAK" || r.Hits[0].Detail != c.want || r.Facts.Bulk.Exempt != "":
				t.Errorf("%+v %+v", r.Hits, r.Facts.Bulk)
			}
			if got := symbolsOf(s.see(issue(41))); c.want != "" && c.want != "none" && got != "BULK_BREAK" {
				t.Errorf("the next: %q", got)
			}
			if got := s.tally.Totals(); got.Broken != 2 || got.Earned != 10 {
				t.Errorf("%+v, want 2 broken", got)
			}
			s.at = s.at.Add(quiet)
			if got := symbolsOf(s.see(issue(42))); got != "BULK_EARNED" {
				t.Errorf("a week later: %q", got)
			}
		})
	}
}

func TestSuddenVolume(t *testing.T) {
	s := subscribed(t, issue)
	var first int
	for n := range 60 {
		if strings.HasSuffix(symbolsOf(s.see(issue(100+n))), "BULK_BREAK") && first == 0 {
			first = n
		}
	}
	if first < 35 || first > 42 {
		t.Errorf("the break is at message %d of the day, after 40 before it", first)
	}
}

// A sender of whose mail much is refused earns nothing.
func TestRefusedEarnsNothing(t *testing.T) {
	s := subscribed(t, issue)
	for n := range 2 {
		if got := symbolsOf(s.see(issue(40 + n))); got != "BULK_EARNED" {
			t.Errorf("%d refused: %q", n, got)
		}
		for range 2 {
			if err := s.check.Learn(context.Background(), issue(0).parsed(s.at), filters.Outcome{Refused: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := symbolsOf(s.see(issue(50))); got != "" {
		t.Errorf("%q", got)
	}
}

// Whose mail people call spam, or goes to traps, is not spared: one may err, and one message in a hundred.
func TestUnwantedMailEarnsNothing(t *testing.T) {
	s := subscribed(t, issue)
	n := 40
	next := func(want string) {
		t.Helper()
		if got := symbolsOf(s.see(issue(n))); got != want {
			t.Errorf("number %d: %q, want %q", n, got, want)
		}
		s.at = s.at.Add(12 * time.Hour)
		n++
	}
	complain := func(message string, spam bool) {
		t.Helper()
		if err := Complain(context.Background(), s.memory, s.at, Complaint{message, "", []string{"paper.example"}, spam}); err != nil {
			t.Fatal(err)
		}
	}
	complain("a", true)
	complain("a", true) // the same, told again
	next("BULK_EARNED")
	complain("b", true)
	next("")
	complain("b taken back", false)
	next("BULK_EARNED")
	m := issue(n)
	m.to = "trap1@corp.example"
	s.see(m)
	next("")
}
