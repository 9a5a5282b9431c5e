package bulk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/filters"
	"weir/filters/store"
)

// halves are two letters that have three quarters in common.
func halves(common string) (a, b string) {
	words := strings.Fields(common)
	change := func(step int) string {
		out := append([]string(nil), words...)
		for i := step; i < len(out); i += 14 {
			out[i] = fmt.Sprintf("other%c%c%c", 'a'+step, 'a'+i%26, 'a'+i/26)
		}
		return strings.Join(out, " ")
	}
	return change(2), change(9)
}

// apart makes two campaigns of n messages each of letters that are nearly the same, as two proxies would that do not know
// of each other, and returns their names.
func apart(t *testing.T, s *stream, a, b string, n int) (first, second id) {
	t.Helper()
	ctx := context.Background()
	x := reader{lexer: lexer{folder: newFolder()}, cutter: newCutter(), hasher: s.memory.Hasher()}
	all := campaigns{memory: s.memory, votes: map[id]float64{}}
	for i := range 2 * n {
		s.at = s.at.Add(time.Second)
		m := mail{body: a, from: fmt.Sprintf("u@d%d.example", i), to: fmt.Sprintf("r%d@corp.example", i%(n+1))}
		name := id(0xa)
		if i%2 == 1 {
			m.body, name = b, 0xb
			if i == 1 {
				continue // the second is the smaller one
			}
		}
		parsed := m.parsed(s.at)
		p := x.read(parsed)
		if _, err := s.memory.Add(ctx, s.at, letter{Mail: parsed}.deltas(name, true, p.size(), x.hasher)...); err != nil {
			t.Fatal(err)
		}
		if err := all.remember(ctx, s.at, &p, name); err != nil {
			t.Fatal(err)
		}
	}
	return 0xa, 0xb
}

// Two campaigns that turn out to be one are counted as one: the smaller leads to the larger, and nobody is counted twice.
func TestCampaignsMerge(t *testing.T) {
	s := newStream(t, seeded())
	one, other := halves(strings.Repeat(texts(t, "letters")["lottery.txt"], 1))
	a, b := apart(t, s, one, other, 6)
	got := s.see(mail{body: texts(t, "letters")["lottery.txt"], to: "r0@corp.example"}).Facts.Bulk
	if got.Campaign != a.String() || got.Alike != 12 || got.AlikeStrict != 12 || got.Networks != 12 || got.Recipients != 7 || got.Senders != 12 {
		t.Errorf("%+v, want 12 alike in %s", got, a)
	}
	for _, name := range []id{a, b} {
		if c, err := Within(context.Background(), s.memory, s.at, 0, name.String()); err != nil || c.ID != a.String() || c.Alike != 12 {
			t.Errorf("%s: %+v %v", name, c, err)
		}
	}
	if got := s.see(mail{body: other}).Facts.Bulk; got.Campaign != a.String() || got.Alike != 13 {
		t.Errorf("a copy of the smaller: %+v", got)
	}
	if all, err := Campaigns(context.Background(), s.memory, s.at, 2); err != nil || len(all) != 1 {
		t.Errorf("%+v %v", all, err)
	}
	s.see(mail{body: texts(t, "letters")["storage.txt"]})
	if got, want := s.tally.Totals(), (Totals{Unlike: 1, Strict: 2, Merges: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Campaigns that share less, or that nobody has seen enough of, stay two.
func TestCampaignsStayApart(t *testing.T) {
	letters := texts(t, "letters")
	common := letters["lottery.txt"]
	one, other := halves(common)
	for name, c := range map[string]struct {
		a, b, message string
		n             int
	}{
		"two messages each":      {one, other, common, 2},
		"a passage in common":    {common, common + " " + letters["storage.txt"] + " " + letters["seminar.txt"], common, 6},
		"both pasted in another": {common, letters["storage.txt"], common + " " + letters["storage.txt"], 6},
	} {
		s := newStream(t, seeded())
		a, b := apart(t, s, c.a, c.b, c.n)
		s.see(mail{body: c.message})
		if s.memory.Merged(s.at, uint32(a)) != uint32(a) || s.memory.Merged(s.at, uint32(b)) != uint32(b) {
			t.Errorf("%s: one of them is gone", name)
		}
	}
}

// A campaign that changes slowly stays one: each hundred copies, one word in twenty is another. What it no longer says is
// forgotten after a week.
func TestDrift(t *testing.T) {
	s, r := newStream(t, store.NewSeeded(64<<20, [16]byte([]byte("a secret, noisy!")))), rand.New(rand.NewPCG(3, 4))
	words := strings.Fields(texts(t, "letters")["lottery.txt"])
	first := slices.Clone(words)
	var name string
	var last *filters.Bulk
	const steps, copies = 30, 100
	for step := range steps {
		for range copies {
			s.at = s.at.Add(8 * time.Minute) // thirty steps are seventeen days
			if last = s.see(mail{body: strings.Join(words, " ")}).Facts.Bulk; name == "" {
				name = last.Campaign
			}
			if last.Campaign != name {
				t.Fatalf("step %d: %+v, the campaign was %s", step, last, name)
			}
		}
		for range max(1, len(words)/20) {
			words[r.IntN(len(words))] = junk(r)
		}
	}
	if last.Alike < 7*24*60/8*4/5 || last.AlikeStrict < last.Alike*9/10 {
		t.Errorf("the last copy: %+v", last)
	}
	if got := s.see(mail{body: strings.Join(first, " ")}).Facts.Bulk; got.Campaign == name {
		t.Errorf("what it said seventeen days ago is still its own: %+v", got)
	}
	gone := slices.DeleteFunc(first, func(w string) bool { return slices.Contains(words, w) })
	if got := s.see(mail{body: strings.Join(gone, " ")}).Facts.Bulk; len(gone) < len(words)/2 || got.Campaign == name {
		t.Errorf("what it does not say any more (%d words of %d) is still its own: %+v", len(gone), len(words), got)
	}
}
