package outgoing

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"weir/filters"
	"weir/filters/store"
	"weir/rules"
)

var config = rules.Outgoing{
	Windows: []rules.UserWindow{
		{Symbol: "FAST", Over: time.Hour, Messages: 3},
		{Symbol: "WIDE", Over: 24 * time.Hour, Recipients: 6, Networks: 2},
		{Symbol: "LOST", Over: time.Hour, Refused: 4},
	},
	Stop: &rules.Stop{After: 3, Within: time.Hour, For: 12 * time.Hour},
}

// step is one message of a user and what becomes of it: d delivered, r refused by the rules, b refused by the backend.
type step struct {
	at      time.Duration
	user    string
	client  string
	to      int
	rcptNo  int
	becomes byte
	want    string // the symbols, in order
}

func TestUsers(t *testing.T) {
	const m, home, away = time.Minute, "192.0.2.7", "198.51.100.7"
	for name, steps := range map[string][]step{
		"delivered messages count, this one included": {
			{0, "ann", home, 1, 0, 'd', ""}, {m, "ann", home, 1, 0, 'd', ""}, {2 * m, "ann", home, 1, 0, 'd', "FAST"}, {62 * m, "ann", home, 1, 0, 'd', ""}},
		"names of users know no case": {
			{0, "Ann", home, 1, 0, 'd', ""}, {m, "ann", home, 1, 0, 'd', ""}, {2 * m, "ANN", home, 1, 0, 'd', "FAST"}},
		"users do not mix": {
			{0, "ann", home, 1, 0, 'd', ""}, {m, "bob", home, 1, 0, 'd', ""}, {2 * m, "eve", home, 1, 0, 'd', ""}, {3 * m, "", home, 1, 0, 'd', ""}},
		"what was refused is not sent": {
			{0, "ann", home, 1, 0, 'b', ""}, {m, "ann", home, 1, 0, 'b', ""}, {2 * m, "ann", home, 1, 0, 'b', ""}},
		"a window holds when all it says is reached": {
			{0, "ann", home, 5, 0, 'd', ""}, {m, "ann", home, 1, 0, 'd', ""}, {120 * m, "ann", away, 1, 0, 'd', ""}, {240 * m, "ann", away, 1, 0, 'd', "WIDE"}},
		"refused recipients": {
			{0, "ann", home, 0, 3, 'b', ""}, {m, "ann", home, 1, 1, 'd', ""}, {2 * m, "ann", home, 1, 0, 'd', "LOST"}},
		"three refusals within an hour stop the account, for twelve": {
			{0, "ann", home, 1, 0, 'r', ""}, {m, "ann", home, 1, 0, 'r', ""}, {2 * m, "ann", home, 1, 0, 'r', ""}, {3 * m, "ann", home, 1, 0, 'r', "USER_STOPPED"},
			{3 * m, "bob", home, 1, 0, 'd', ""}, {700 * m, "ann", away, 1, 0, 'r', "USER_STOPPED"}, {723 * m, "ann", home, 1, 0, 'd', ""}},
		"refusals far apart stop nobody": {
			{0, "ann", home, 1, 0, 'r', ""}, {m, "ann", home, 1, 0, 'r', ""}, {65 * m, "ann", home, 1, 0, 'r', ""}, {66 * m, "ann", home, 1, 0, 'd', ""}},
	} {
		t.Run(name, func(t *testing.T) {
			pipeline := filters.NewPipeline(time.Minute, New(config, store.NewMemory(1<<20))...)
			for i, s := range steps {
				mail := s.mail()
				pass := pipeline.Begin(t.Context())
				pass.Reach(filters.Sender, mail)
				pass.Reach(filters.Recipients, mail)
				var got []string
				for _, r := range pass.Results(filters.Recipients) {
					for _, h := range r.Hits {
						got = append(got, h.Symbol)
					}
				}
				pass.End()
				if text := strings.Join(got, " "); text != s.want {
					t.Errorf("message %d: %q, want %q", i, text, s.want)
				}
				if p := pipeline.Learn(t.Context(), mail, filters.Outcome{Delivered: s.becomes == 'd', Refused: s.becomes == 'r', RcptNo: s.rcptNo}); p != nil {
					t.Errorf("message %d: learning: %v", i, p)
				}
			}
		})
	}
}

func (s step) mail() filters.Mail {
	e := &filters.Envelope{From: "ann@example.org"}
	for i := range s.to {
		e.To = append(e.To, fmt.Sprintf("r%d@example.net", i))
	}
	return filters.Mail{At: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).Add(s.at), Envelope: e,
		Session: &filters.Session{Addr: netip.MustParseAddrPort(s.client + ":25"), User: s.user}}
}

// Without configuration the checks say and learn nothing.
func TestNothingSaid(t *testing.T) {
	for _, c := range New(rules.Outgoing{}, store.NewMemory(1<<20)) {
		if c.Learn != nil || len(c.Symbols) > 0 {
			t.Errorf("%s learns or declares %v", c.Name, c.Symbols)
		}
		if r, err := c.Run(t.Context(), step{user: "ann", client: "192.0.2.7"}.mail()); err != nil || len(r.Hits) > 0 {
			t.Errorf("%s: %v, %v", c.Name, r.Hits, err)
		}
	}
}
