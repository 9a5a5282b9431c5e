package bulk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"weir/filters"
	"weir/filters/store"
	"weir/rules"
)

var start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

const windows = `
version: 1
thresholds: { tag: 6, reject: 15 }
bulk:
  windows:
    - { id: BULK_SOME, over: 10m, alike: 20, score: 2 }
    - { id: BULK_WIDE, over: 1h, alike: 10, networks: 5, senders: 5, recipients: 5, score: 5 }
    - { id: BULK_TRAPPED, over: 1d, alike: 10, traps: 3, score: 5 }
    - { id: BULK_MINE, over: 1h, alike: 15, recipients: 10, per: user, score: 5 }
  traps: { id: TRAP_HIT, list: list.traps, score: 1 }
  exempt:
    - { id: BULK_WANTED, signer: list.newsletters, cap: 0 }
  earned: { id: BULK_EARNED, after: 14d, messages: 30, cap: 0, broken: BULK_BREAK, score: 1 }
lists:
  newsletters: { type: domain, inline: [news.example] }
  traps: { type: address, inline: [trap0@corp.example, trap1@corp.example, trap5@corp.example, trap10@corp.example] }
`

// stream is a check with its memory, and the mail it has seen.
type stream struct {
	t      testing.TB
	check  filters.Check
	memory *store.Memory
	tally  *Tally
	at     time.Time
}

func newStream(t testing.TB, memory *store.Memory) *stream {
	t.Helper()
	tally := &Tally{}
	return &stream{t, New(bulkRules(t), memory, tally), memory, tally, start}
}

func bulkRules(t testing.TB) rules.Bulk {
	t.Helper()
	known := rules.Known{"bulk": nil}
	set, findings := rules.Load(fstest.MapFS{"rules.yaml": {Data: []byte(windows)}}, "rules.yaml", known)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return set.Bulk
}

func seeded() *store.Memory { return store.NewSeeded(16<<20, [16]byte([]byte("a secret, noisy!"))) }

// mail is one message of a test; what is not said is filled in by see, each time anew.
type mail struct {
	body, kind, from, ip, to, auth, header string
}

var serial int

func (m mail) parsed(at time.Time) filters.Mail {
	serial++
	or := func(s, fallback string) string {
		if s == "" {
			return fallback
		}
		return s
	}
	m.from = or(m.from, fmt.Sprintf("u%d@d%d.example", serial, serial))
	m.to = or(m.to, fmt.Sprintf("r%d@corp.example", serial))
	m.ip = or(m.ip, fmt.Sprintf("198.18.%d.%d", serial%250, serial/250))
	raw := fmt.Sprintf("From: %s\r\nTo: <%s>\r\nSubject: s%d\r\nMIME-Version: 1.0\r\n%sContent-Type: %s\r\n\r\n%s", m.from, m.to, serial, m.header,
		or(m.kind, "text/plain; charset=utf-8"), strings.ReplaceAll(m.body, "\n", "\r\n"))
	out := filters.Mail{
		At:       at,
		Session:  &filters.Session{Addr: netip.AddrPortFrom(netip.MustParseAddr(m.ip), 25)},
		Envelope: &filters.Envelope{From: m.from, To: []string{m.to}},
		Message:  filters.ParseMessage([]byte(raw)),
	}
	if m.auth != "" {
		out.Auth = &filters.Auth{Domains: []string{m.auth}}
	}
	return out
}

// see runs the check over m, one second after the last.
func (s *stream) see(m mail) filters.Report {
	s.t.Helper()
	s.at = s.at.Add(time.Second)
	r, err := s.check.Run(context.Background(), m.parsed(s.at))
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func symbolsOf(r filters.Report) string {
	var names []string
	for _, h := range r.Hits {
		names = append(names, h.Symbol)
	}
	return strings.Join(names, " ")
}

func texts(t testing.TB, folder string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d texts in %s: %v", len(files), folder, err)
	}
	out := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(f)] = string(b)
	}
	return out
}

func TestWindowsAndDispersion(t *testing.T) {
	letter := texts(t, "letters")["lottery.txt"]
	s := newStream(t, seeded())
	for n := 1; n <= 25; n++ {
		r := s.see(mail{body: letter, ip: "192.0.2.9", from: "a@one.example", to: "b@corp.example"})
		want := ""
		if n >= 20 {
			want = "BULK_SOME"
		}
		if got := symbolsOf(r); got != want {
			t.Errorf("copy %d from one client: %q, want %q", n, got, want)
		}
	}
	s.at = s.at.Add(20 * time.Minute)
	for n := 1; n <= 5; n++ {
		r := s.see(mail{body: letter})
		b := r.Facts.Bulk
		if got := symbolsOf(r) == "BULK_WIDE"; got != (n >= 4) || b.Alike != 25+n || b.Networks != 1+n || b.Senders != 1+n || b.Recipients != 1+n {
			t.Errorf("copy %d from many: %v %+v", n, r.Hits, b)
		}
		if n == 4 && r.Hits[0].Detail != fmt.Sprintf("29 alike in 1h from 5 networks, campaign %s", b.Campaign) {
			t.Errorf("detail %q", r.Hits[0].Detail)
		}
	}
}

// Each condition of a window must hold, not only their number of messages.
func TestDispersionConditionsHoldEach(t *testing.T) {
	letter := texts(t, "letters")["lottery.txt"]
	for name, c := range map[string]struct {
		same mail
		want string
	}{
		"all differ":       {mail{}, "BULK_WIDE"},
		"one network":      {mail{ip: "192.0.2.9"}, ""},
		"one sender":       {mail{from: "a@one.example"}, ""},
		"one recipient":    {mail{to: "b@corp.example"}, ""},
		"one /64 of IPv6":  {mail{ip: "2001:db8::9"}, ""},
		"too long between": {mail{header: "X-Slow: yes\r\n"}, ""},
	} {
		s := newStream(t, seeded())
		var got string
		for range 12 {
			c.same.body = letter
			if c.same.header != "" {
				s.at = s.at.Add(7 * time.Minute)
			}
			got = symbolsOf(s.see(c.same))
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Good text that is pasted into copies does not become part of the campaign: whoever really writes it stays alone.
func TestPastedTextIsNoCore(t *testing.T) {
	s, r := newStream(t, seeded()), rand.New(rand.NewPCG(8, 9))
	letter := texts(t, "letters")["storage.txt"]
	for range 6 {
		s.see(mail{body: disguises["personal"](r, letter)})
	}
	ordinary := texts(t, "ordinary")
	for name, text := range ordinary {
		if got := s.see(mail{body: text + "\n\n" + letter}).Facts.Bulk; got.Alike < 7 {
			t.Errorf("the letter with %s pasted: %+v", name, got)
		}
	}
	for name, text := range ordinary {
		if got := s.see(mail{body: text}).Facts.Bulk; got.Alike != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestNewsletterOfAListedSignerIsCountedAndExempt(t *testing.T) {
	s := newStream(t, seeded())
	letter := texts(t, "letters")["seminar.txt"]
	for n := 1; n <= 20; n++ {
		r := s.see(mail{body: letter, from: "info@news.example", ip: "192.0.2.1", auth: "mail.news.example"})
		if b := r.Facts.Bulk; b.Alike != n || b.Exempt != "mail.news.example" {
			t.Errorf("copy %d: %+v", n, b)
		}
		if got := symbolsOf(r); (n < 20 && got != "BULK_WANTED") || (n == 20 && got != "BULK_SOME BULK_WANTED") {
			t.Errorf("copy %d: %s", n, got)
		}
	}
	if r := s.see(mail{body: letter, auth: "news.example.evil.example"}); r.Facts.Bulk.Exempt != "" {
		t.Error("another signer is exempt")
	}
	if got, want := s.tally.Totals(), (Totals{Unlike: 1, Strict: 20, Exempted: 20}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// What one sender writes below or around everything makes no campaign of his letters.
func TestBoilerplateOfASender(t *testing.T) {
	const disclaimer = "\n\nThis message and its enclosures are meant for the person named above and may hold business matters that " +
		"are not public. Whoever received it by mistake is asked to tell the writer and to destroy all copies. Opinions are the " +
		"writer's own and bind the company only after written confirmation by two members of the board. Printing harms forests."
	s, r := newStream(t, seeded()), rand.New(rand.NewPCG(3, 4))
	for n := range 15 {
		var b strings.Builder
		for range 12 {
			b.WriteString(junk(r) + " ")
		}
		got := s.see(mail{body: b.String() + disclaimer, from: fmt.Sprintf("p%d@firm.example", n), ip: "192.0.2.1", auth: "firm.example"})
		if got.Facts.Bulk.Alike != 1 {
			t.Errorf("letter %d with the disclaimer: %+v", n, got.Facts.Bulk)
		}
	}
	for n := range 15 {
		body := fmt.Sprintf("Thank you for your order %d. We pack it today. Item %d, %d pieces at %d.%d. You can follow the parcel in "+
			"your account and send goods back within thirty days.", r.IntN(1e8), r.IntN(1e5), r.IntN(900)+100, r.IntN(900)+100, r.IntN(90)+10)
		if got := s.see(mail{body: body, from: "order@shop.example", ip: "192.0.2.2", auth: "shop.example"}).Facts.Bulk; got.Alike != 1 {
			t.Errorf("order %d: %+v", n, got)
		}
	}
}

// The words of a meeting's program stand in the invitations of everybody.
func TestInvitations(t *testing.T) {
	s, r := newStream(t, seeded()), rand.New(rand.NewPCG(5, 6))
	invite := func(summary string) mail {
		const program = "Join the meeting online from your computer or from your telephone. Find a local number, reset your code, learn " +
			"more about the program and its options, or load it from our site before the meeting begins."
		d := fmt.Sprintf("firm%d.example", r.IntN(1e6))
		return mail{
			kind: "multipart/mixed; boundary=b", from: "ann@" + d, auth: d,
			body: "--b\n\n" + program + "\n--b\nContent-Type: text/calendar; charset=utf-8\n\nBEGIN:VCALENDAR\nMETHOD:REQUEST\nSUMMARY;X=y:" + summary[:9] +
				"\n " + summary[9:] + "\nEND:VCALENDAR\n--b--\n",
		}
	}
	for n := range 12 {
		if got := s.see(invite("Talk of the week")).Facts.Bulk; got.Alike != 1 {
			t.Errorf("invitation %d: %+v", n, got)
		}
	}
	const offer = "Buy cheap watches from Geneva today while our generous winter discount lasts"
	for n := 1; n <= 5; n++ {
		if got := s.see(invite(offer)).Facts.Bulk; got.Alike != 2*n-1 {
			t.Errorf("offer %d: %+v", n, got)
		}
		unproven := invite(offer)
		unproven.auth = ""
		if got := s.see(unproven).Facts.Bulk; got.Alike != 2*n {
			t.Errorf("offer %d, unproven: %+v", n, got)
		}
	}
}

func TestShortTextsAreCountedWithTheirClient(t *testing.T) {
	s := newStream(t, seeded())
	for n := 1; n <= 6; n++ {
		if got := s.see(mail{body: "ok, thanks\n"}).Facts.Bulk; got.Alike != 1 {
			t.Errorf("from client %d: %+v", n, got)
		}
		if got := s.see(mail{body: "ok, thanks\n", ip: "192.0.2.77"}).Facts.Bulk; got.Alike != n {
			t.Errorf("time %d from one client: %+v", n, got)
		}
	}
	if got := s.see(mail{body: "\n"}); got.Facts.Bulk != nil {
		t.Errorf("nothing to compare: %+v", got.Facts.Bulk)
	}
}

// Many first copies at once make one campaign, and each is counted once.
func TestManyAtOnce(t *testing.T) {
	s := newStream(t, seeded())
	letter := texts(t, "letters")["storage.txt"]
	var all []filters.Mail
	for range 64 {
		all = append(all, mail{body: letter}.parsed(start))
	}
	counts := make([]int, len(all))
	var wg sync.WaitGroup
	for _, m := range all {
		wg.Go(func() {
			r, err := s.check.Run(context.Background(), m)
			if err != nil {
				t.Error(err)
				return
			}
			counts[r.Facts.Bulk.Alike-1]++
		})
	}
	wg.Wait()
	for i, n := range counts {
		if n != 1 {
			t.Fatalf("%d messages were counted as number %d", n, i+1)
		}
	}
}

// A new generation of rules goes on counting where the last one was.
func TestReloadKeepsCounting(t *testing.T) {
	memory := seeded()
	letter := texts(t, "letters")["storage.txt"]
	first := newStream(t, memory).see(mail{body: letter}).Facts.Bulk
	second := newStream(t, memory).see(mail{body: letter}).Facts.Bulk
	if second.Alike != 2 || second.Campaign != first.Campaign {
		t.Errorf("%+v after %+v", second, first)
	}
}

func TestCampaignIsForgotten(t *testing.T) {
	s := newStream(t, seeded())
	letter := texts(t, "letters")["storage.txt"]
	s.see(mail{body: letter})
	s.at = s.at.Add(life + time.Second)
	if got := s.see(mail{body: letter}).Facts.Bulk; got.Alike != 1 || !got.FirstSeen.Equal(s.at) {
		t.Errorf("%+v", got)
	}
}

// A sender pastes what somebody wrote to us into his copies. The author's mail is not in the campaign, whether it comes
// before the copies or after them.
func TestAuthorOfPastedWords(t *testing.T) {
	letter := texts(t, "letters")["seminar.txt"]
	r := rand.New(rand.NewPCG(3, 4))
	some := func() string { return eachWord(strings.Repeat("x ", 40), func(string) string { return junk(r) }) }
	for first := range 2 {
		s, passage := newStream(t, seeded()), some()
		author := mail{body: "Dear Ann,\n\n" + passage + "\n\n" + some()}
		var own, campaign string
		if first == 0 {
			own = s.see(author).Facts.Bulk.Campaign
		}
		for n := range 8 {
			pasted := some()
			if n == 0 {
				pasted = passage
			}
			got := s.see(mail{body: pasted + "\n\n" + some() + "\n\n" + letter + "\n\n" + some()}).Facts.Bulk
			campaign = got.Campaign
			if n == 0 && first == 1 {
				own = s.see(author).Facts.Bulk.Campaign
			}
			if n > 3 && got.Alike < n {
				t.Errorf("copy %d: %+v", n+1, got)
			}
		}
		if own == campaign {
			t.Errorf("the author is in the campaign, first of all %v", first == 0)
		}
	}
}

func TestReadmeNamesWhatItShould(t *testing.T) {
	for _, heading := range []string{"Name", "Sees", "Symbols", "Rules", "Costs and privacy", "Examples"} {
		if !strings.Contains(Readme, "\n## "+heading+"\n") {
			t.Errorf("README.md has no heading %s", heading)
		}
	}
}
