package bulk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCampaigns(t *testing.T) {
	ctx, s := context.Background(), newStream(t, seeded())
	letters := texts(t, "letters")
	for n := range 5 {
		s.see(mail{body: letters["lottery.txt"], to: "one@corp.example", ip: fmt.Sprintf("198.51.%d.1", n)})
	}
	s.at = s.at.Add(time.Hour)
	s.see(mail{body: letters["storage.txt"]})
	s.see(mail{body: letters["storage.txt"]})
	s.see(mail{body: letters["seminar.txt"]})

	all, err := Campaigns(ctx, s.memory, s.at, 2)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v %v", all, err)
	}
	want := Campaign{ID: all[0].ID, Alike: 5, AlikeStrict: 5, Networks: 5, Senders: 5, HeaderDomains: 5, Recipients: 1, Subjects: 5, FirstSeen: start.Add(time.Second), LastSeen: start.Add(5 * time.Second)}
	if all[0] != want || all[1].Alike != 2 {
		t.Errorf("%+v, want %+v", all, want)
	}
	for over, n := range map[time.Duration]int64{time.Minute: 0, 2 * time.Hour: 5} {
		if c, err := Within(ctx, s.memory, s.at, over, want.ID); err != nil || c.Alike != n {
			t.Errorf("within %v: %+v %v", over, c, err)
		}
	}

	if err := Forget(ctx, s.memory, s.at, want.ID); err != nil {
		t.Fatal(err)
	}
	if left, err := Campaigns(ctx, s.memory, s.at, 2); err != nil || len(left) != 1 || left[0].ID != all[1].ID {
		t.Errorf("%+v %v", left, err)
	}
	if got := s.see(mail{body: letters["lottery.txt"]}).Facts.Bulk; got.Alike != 1 {
		t.Errorf("after it was forgotten: %+v", got)
	}
	for _, name := range []string{"", "c", "7f1a2b3c", "cxyzxyzxy", "c7f1a2b3c4"} {
		if _, err := Within(ctx, s.memory, s.at, time.Hour, name); err == nil || Forget(ctx, s.memory, s.at, name) == nil {
			t.Errorf("%q is a campaign", name)
		}
	}
}

func TestCompare(t *testing.T) {
	letters, r := texts(t, "letters"), rand.New(rand.NewPCG(1, 2))
	judge := func(a, b string) Likeness {
		l, err := Compare(context.Background(), mail{body: a}.parsed(start), mail{body: b}.parsed(start))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	lottery := letters["lottery.txt"]
	if l := judge(lottery, lottery); l.Grade != "strict" || !l.Exact || l.OfFirst != 1 || l.OfSecond != 1 || l.Picture != nil {
		t.Errorf("itself: %+v", l)
	}
	l := judge(lottery+" call +44 20 7946 0123", disguises["lookalikes"](r, lottery)+" or 0044-20-7946-0123")
	if l.Grade != "strict" || l.Exact || l.OfFirst < .8 || !slices.Contains(l.Addresses, "number:079460123") && !strings.Contains(fmt.Sprint(l.Addresses), "number:") {
		t.Errorf("disguised: %+v", l)
	}
	if len(l.Pairs) < 20 || len(l.Words) < 5 || slices.Contains(l.Pairs, "") || slices.Contains(l.Words, "") || !strings.Contains(l.Pairs[0], " ") {
		t.Errorf("shared %q %q", l.Pairs, l.Words)
	}
	if l := judge(lottery, letters["storage.txt"]); l.Grade != "unlike" || l.OfFirst > .1 || len(l.Pairs) > 3 {
		t.Errorf("another: %+v", l)
	}
}
