package bulk

import (
	"context"
	"fmt"
	"testing"
	"time"

	"weir/filters"
)

// Each figure of a campaign is counted, over all windows that it is shown by.
func TestFigures(t *testing.T) {
	s := newStream(t, seeded())
	letter := texts(t, "letters")["lottery.txt"]
	var last filters.Report
	for n := range 12 {
		if n == 6 {
			s.at = s.at.Add(2 * time.Hour)
		}
		s.at = s.at.Add(time.Second)
		m := mail{body: letter, from: fmt.Sprintf("a@d%d.example", n%3), to: fmt.Sprintf("r%d@corp.example", n%4)}
		if n%5 == 0 {
			m.to = fmt.Sprintf("trap%d@corp.example", n)
		}
		p := m.parsed(s.at)
		p.Auth = &filters.Auth{DKIM: []filters.Signature{
			{Domain: fmt.Sprintf("S%d.example", n%2), Result: "pass"}, {Domain: "forged.example", Result: "fail"},
		}}
		r, err := s.check.Run(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		if got := hasSymbol(r, "TRAP_HIT"); got != (n%5 == 0) {
			t.Errorf("message %d: TRAP_HIT %v", n, got)
		}
		o := filters.Outcome{Refused: n >= 8, Deferred: n == 8, Marked: n >= 6, Delivered: n < 8, Facts: r.Facts}
		if err := s.check.Learn(context.Background(), p, o); err != nil {
			t.Fatal(err)
		}
		last = r
	}
	b := last.Facts.Bulk
	if b.HeaderDomains != 3 || b.Signers != 2 || b.Subjects != 12 || b.Traps != 3 || b.Refused != 3 || b.Mine != 0 || b.Recipients != 7 {
		t.Errorf("%+v", b)
	}
	if !hasSymbol(last, "BULK_TRAPPED") {
		t.Errorf("three went to a trap: %+v", last.Hits)
	}
	for over, want := range map[time.Duration]Campaign{
		time.Hour:      {Alike: 6, HeaderDomains: 3, Signers: 2, Subjects: 6, Traps: 1, Verdicts: Verdicts{0, 2, 1, 3}},
		24 * time.Hour: {Alike: 12, HeaderDomains: 3, Signers: 2, Subjects: 12, Traps: 3, Verdicts: Verdicts{6, 2, 1, 3}},
	} {
		c, err := Within(context.Background(), s.memory, s.at, over, b.Campaign)
		got := Campaign{Alike: c.Alike, HeaderDomains: c.HeaderDomains, Signers: c.Signers, Subjects: c.Subjects, Traps: c.Traps, Verdicts: c.Verdicts}
		if err != nil || got != want {
			t.Errorf("within %v: %+v %v, want %+v", over, got, err, want)
		}
	}
}

// A message to a trap that says nothing to compare is told all the same.
func TestEmptyMessageToATrap(t *testing.T) {
	r := newStream(t, seeded()).see(mail{to: "trap1@corp.example"})
	if symbolsOf(r) != "TRAP_HIT" || r.Facts.Bulk != nil {
		t.Errorf("%+v %+v", r.Hits, r.Facts.Bulk)
	}
}

func hasSymbol(r filters.Report, name string) bool {
	for _, h := range r.Hits {
		if h.Symbol == name {
			return true
		}
	}
	return false
}
