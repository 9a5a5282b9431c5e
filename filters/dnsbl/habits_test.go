package dnsbl

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/filters"
	"weir/filters/lookup"
	"weir/filters/lookup/lookuptest"
	"weir/filters/store"
	"weir/rules"
)

// A list that answers now and then, so that it never fails often in a row, is parked all the same.
func TestAListThatMostlyNeverAnswers(t *testing.T) {
	z := list("A", "a.test", "X 127.0.0.2")
	b := newBench(t, neverAfter)
	g := NewGuards(b.resolver)
	g.Watch([]rules.Zone{z})
	run(t, g)
	<-g.of(&z).tested
	var names sync.Map // each has an answer or none, however often it is asked for
	var n atomic.Int32
	b.server.Twist(func(packet []byte, _ bool) [][]byte {
		turn, _ := names.LoadOrStore(strings.ToLower(string(packet[12:24])), n.Add(1))
		if turn.(int32)%5 == 0 {
			return [][]byte{packet}
		}
		return nil
	})
	check := together(New([]rules.Zone{z}, b.resolver, g))
	var clients []netip.Addr
	for range window {
		clients = append(clients, b.client())
	}
	each(clients, func(client netip.Addr) bool {
		r, err := check.Run(t.Context(), mailOf(client))
		return err == nil && len(r.Hits) == 0
	})
	if s := status(g, "A"); !s.Parked || !strings.Contains(s.Why, "81 % of its last answers took longer than 1s or never came") {
		t.Errorf("status %+v", s)
	}
}

// A slow list is parked, and asked again only when its test is quick.
func TestASlowListIsParkedUntilItIsQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := list("A", "a.test", "X 127.0.0.2")
		w := watch(t, z)
		guard := w.guards.of(&z)
		answers := func(late, quick int) {
			for i := range late + quick {
				q := &question{zone: &z, key: fmt.Sprint(i), took: slowAfter / 2}
				if i < late {
					q.took = slowAfter + time.Millisecond
				}
				w.guards.saw(t.Context(), q)
			}
		}
		answers(11, 5)
		w.wants("11 of 16 late", "")
		answers(12, 3)
		w.wants("12 of 16 late", "!A parked")
		synctest.Wait()
		guard.change(nil, func(now time.Time) { guard.conclude(Health{Took: 3 * time.Second}, now) })
		time.Sleep(parkSilent + time.Second)
		w.wants("its test was slow", "!A parked")
		if s := status(w.guards, "A"); s.Why != "its test points took 3s" {
			t.Errorf("status %+v", s)
		}
		time.Sleep(parkSilent)
		w.wants("its test was quick", "")
	})
}

// familiars makes n clients familiar, and returns them.
func (w *watched) familiars(n int) []netip.Addr {
	w.t.Helper()
	w.guards.Store = store.NewMemory(1 << 20)
	var all []netip.Addr
	for i := range n {
		all = append(all, netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}))
	}
	for range 4 {
		for i, client := range all {
			m := mailOf(client)
			m.At, m.Envelope = time.Now(), &filters.Envelope{From: "a@b.example"}
			m.Auth = &filters.Auth{Domains: []string{fmt.Sprintf("d%d.example", i)}}
			if err := w.guards.learn(w.t.Context(), m, filters.Outcome{Delivered: true}); err != nil {
				w.t.Fatal(err)
			}
		}
		time.Sleep(24 * time.Hour)
	}
	return all
}

// A list that begins to list those with whom mail is exchanged is not what it was, though it does not list all others.
// If it lists a few of them, or others than it is tested with, it may be right.
func TestAListThatListsTheFamiliar(t *testing.T) {
	for name, c := range map[string]struct {
		listed func(i int) bool
		want   string
	}{
		"all of them":     {func(int) bool { return true }, "!A parked"},
		"most of them":    {func(i int) bool { return i%4 != 0 }, "!A parked"},
		"a few of them":   {func(i int) bool { return i%4 == 0 }, ""},
		"some of them at": {func(i int) bool { return i < 5 }, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := watch(t, list("A", "a.test", "X 127.0.0.2"))
			familiar := w.familiars(16)
			for _, client := range append(familiar, familiar...) {
				w.of(client)
				w.asks()
			}
			for i, client := range familiar {
				if c.listed(i) {
					w.set(lookup.ReverseName(client)+".a.test", "127.0.0.2")
				}
			}
			for _, client := range familiar {
				w.of(client)
				w.wants("a stranger, "+name, map[bool]string{true: "!A parked"}[status(w.guards, "A").Parked])
			}
			w.wants(name, c.want)
			if s := status(w.guards, "A"); c.want != "" && !strings.Contains(s.Why, "of 8 that it did not list before") {
				t.Errorf("%s: status %+v", name, s)
			}
			for _, client := range familiar {
				w.set(lookup.ReverseName(client) + ".a.test")
			}
			time.Sleep(parkWrong + time.Second)
			w.wants(name+", when it is well again", "")
		})
	}
}

// A test that has begun before a list is suspected does not acquit it.
func TestATestThatCameTooEarly(t *testing.T) {
	z := list("A", "a.test", "X 127.0.0.2")
	b := newBench(t, 20*time.Second)
	asked, release := make(chan struct{}, 2), make(chan struct{})
	b.server.Twist(func(packet []byte, tcp bool) [][]byte {
		asked <- struct{}{}
		return lookuptest.Held(release)(packet, tcp)
	})
	l := newGuard(&z, func() {})
	l.begin(time.Now())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.test(t.Context(), b.resolver, nil)
	}()
	<-asked
	l.change(nil, func(now time.Time) { l.suspects(now, "it lists all") })
	close(release)
	<-ended
	if s := l.status(); !s.Parked || s.Why != "it lists all" || !l.begin(time.Now()).IsZero() {
		t.Errorf("status %+v", s)
	}
}

func TestWhoIsFamiliar(t *testing.T) {
	const day = 24 * time.Hour
	start := time.Now().Add(-10 * day)
	client := netip.MustParseAddr("203.0.113.7")
	proven := &filters.Auth{Domains: []string{"b.example"}}
	for name, c := range map[string]struct {
		at      []time.Duration
		outcome filters.Outcome
		auth    *filters.Auth
		user    string
		want    string
	}{
		"proven for days":      {[]time.Duration{0, day, 4 * day}, filters.Outcome{Delivered: true}, proven, "", "203.0.113.7 b.example"},
		"twice":                {[]time.Duration{0, 4 * day}, filters.Outcome{Delivered: true}, proven, "", ""},
		"since yesterday":      {[]time.Duration{9 * day, 9 * day, 9 * day}, filters.Outcome{Delivered: true}, proven, "", ""},
		"not proven":           {[]time.Duration{0, day, 4 * day}, filters.Outcome{Delivered: true}, &filters.Auth{}, "", ""},
		"marked":               {[]time.Duration{0, day, 4 * day}, filters.Outcome{Delivered: true, Marked: true}, proven, "", ""},
		"refused":              {[]time.Duration{0, day, 4 * day}, filters.Outcome{Refused: true, Marked: true}, proven, "", ""},
		"written to by a user": {[]time.Duration{0, day, 4 * day}, filters.Outcome{Delivered: true}, nil, "ann", "c.example"},
	} {
		g := NewGuards(lookup.Offline())
		g.Store = store.NewMemory(1 << 20)
		check := New([]rules.Zone{list("A", "a.test", "X 127.0.0.2"), list("B", "b.test", "X 127.0.0.2")}, lookup.Offline(), g)
		if check[0].Learn == nil || check[1].Learn != nil {
			t.Fatal("not one check learns")
		}
		for _, at := range c.at {
			m := mailOf(client)
			m.At, m.Auth, m.Session.User = start.Add(at), c.auth, c.user
			m.Envelope = &filters.Envelope{From: "a@b.example", To: []string{"bob@C.example"}}
			if err := check[0].Learn(t.Context(), m, c.outcome); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, who := range []string{client.String(), "b.example", "c.example"} {
			if g.familiar(t.Context(), who) {
				got = append(got, who)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}

// Whose mail people call spam is not familiar, though his mail was delivered: one may err.
func TestUnwantedMailIsNotFamiliar(t *testing.T) {
	const day = 24 * time.Hour
	g := NewGuards(lookup.Offline())
	g.Store = store.NewMemory(1 << 20)
	m := mailOf(netip.MustParseAddr("203.0.113.7"))
	m.Auth, m.Envelope = &filters.Auth{Domains: []string{"b.example"}}, &filters.Envelope{From: "a@b.example", To: []string{"bob@c.example"}}
	for i := range 5 {
		m.At = time.Now().Add(time.Duration(i-9) * day)
		if err := g.learn(t.Context(), m, filters.Outcome{Delivered: true}); err != nil {
			t.Fatal(err)
		}
	}
	m.At = time.Now()
	users := m
	users.Session = &filters.Session{User: "ann"}
	users.Envelope = &filters.Envelope{From: "ann@c.example", To: []string{"a@b.example"}}
	for _, c := range []struct {
		m       filters.Mail
		message string
		spam    bool
		want    bool
	}{
		{m, "1", true, true}, {m, "1", true, true}, // the same, told again
		{users, "2", true, true}, {m, "3", true, false}, {m, "not 3", false, true},
	} {
		if err := Complain(t.Context(), g.Store, c.m, c.message, c.spam); err != nil {
			t.Fatal(err)
		}
		for _, who := range []string{"203.0.113.7", "b.example"} {
			if got := g.familiar(t.Context(), who); got != c.want {
				t.Errorf("after %q, %s: familiar %t, want %t", c.message, who, got, c.want)
			}
		}
	}
}
