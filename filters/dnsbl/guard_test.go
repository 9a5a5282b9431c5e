package dnsbl

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/filters"
	"weir/filters/lookup"
	"weir/filters/lookup/lookuptest"
	"weir/rules"
)

// watched is lists of which some answer from a zone, with guards, under the clock of a synctest bubble.
type watched struct {
	t      *testing.T
	dns    *lookup.Zone
	guards *Guards
	check  filters.Check
	told   []string
	mu     sync.Mutex
	next   uint32
}

// watch makes w and starts its guards.
func watch(t *testing.T, zones ...rules.Zone) *watched {
	t.Helper()
	w := prepare(t, zones...)
	w.start()
	synctest.Wait() // until the first tests have ended
	return w
}

func prepare(t *testing.T, zones ...rules.Zone) *watched {
	t.Helper()
	dns, err := lookup.MapZone(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{t: t, dns: dns}
	r := lookup.FromZone(dns)
	w.guards = NewGuards(r)
	w.guards.Tell = func(s Status) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.told = append(w.told, fmt.Sprintf("%s parked=%v", s.Rule, s.Parked))
	}
	w.check = together(New(zones, r, w.guards))
	for _, z := range zones {
		w.set("2.0.0.127."+z.Zone, "127.0.0.2")
	}
	w.guards.Watch(zones)
	return w
}

func (w *watched) start() { run(w.t, w.guards) }

// run lets g watch until the test ends.
func run(t testing.TB, g *Guards) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
}

func (w *watched) set(name string, records ...string) {
	w.t.Helper()
	if err := w.dns.Set(name, records...); err != nil {
		w.t.Fatal(err)
	}
}

// asks runs the check for a client that was not seen before and returns symbols and problems.
func (w *watched) asks() string {
	w.t.Helper()
	w.next++
	return w.of(netip.AddrFrom4([4]byte{10, byte(w.next >> 16), byte(w.next >> 8), byte(w.next)}))
}

func (w *watched) of(client netip.Addr) string {
	w.t.Helper()
	report, err := w.check.Run(w.t.Context(), mailOf(client))
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, h := range report.Hits {
		got = append(got, h.Symbol)
	}
	for _, p := range report.Problems {
		got = append(got, "!"+p.Rule+" "+p.Kind)
	}
	synctest.Wait()
	return strings.Join(got, " ")
}

func (w *watched) wants(what, want string) {
	w.t.Helper()
	if got := w.asks(); got != want {
		w.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func status(g *Guards, id string) Status {
	all := g.Status()
	return all[slices.IndexFunc(all, func(s Status) bool { return s.Rule == id })]
}

func TestAnErrorCodeParksTheListForLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, list("A", "a.test", "X 127.0.0.2"), list("B", "b.test", "X 127.0.0.2"))
		w.set("*.b.test", "127.0.0.2") // B lists all clients
		w.set("1.0.0.127.b.test", "TXT \"not listed\"")
		w.wants("at first", "B_X")
		w.set("*.a.test", "127.255.255.254")
		w.set("2.0.0.127.a.test", "127.255.255.254")
		w.wants("the message that meets the error", "B_X !A sentinel")
		for _, minutes := range []time.Duration{5, 10, 20, 40, 60, 60} {
			w.wants("parked", "B_X !A parked")
			time.Sleep(minutes*time.Minute - time.Second)
			w.wants("shortly before the end", "B_X !A parked")
			time.Sleep(2 * time.Second)
		}
		w.set("*.a.test")
		w.set("2.0.0.127.a.test", "127.0.0.2")
		w.wants("well, but not tested yet", "B_X !A parked")
		time.Sleep(time.Hour)
		w.wants("well again", "B_X")
		if s := status(w.guards, "A"); s.Parked || s.Why != "" || !s.Until.IsZero() || s.Unknown != 1 || !strings.Contains(s.LastError, "127.255.255.254") {
			t.Errorf("status %+v", s)
		}
		if want := "A parked=true"; len(w.told) != 8 || w.told[0] != want || w.told[7] != "A parked=false" {
			t.Errorf("told %q", w.told)
		}
	})
}

// The tests at the start and each hour find what no client has met yet.
func TestTestPoints(t *testing.T) {
	for name, c := range map[string]struct {
		records map[string][]string
		kind    string
		warning bool
	}{
		"well":             {map[string][]string{"2.0.0.127.a.test": {"127.0.0.2"}}, "", false},
		"no test points":   {nil, "", true},
		"everybody":        {map[string][]string{"*.a.test": {"127.0.0.2"}}, filters.KindParked, false},
		"the local host":   {map[string][]string{"2.0.0.127.a.test": {"127.0.0.2"}, "1.0.0.127.a.test": {"127.0.0.2"}}, filters.KindParked, false},
		"over quota":       {map[string][]string{"2.0.0.127.a.test": {"127.255.255.255"}}, filters.KindParked, false},
		"a sold domain":    {map[string][]string{"*.a.test": {"198.51.100.80"}}, filters.KindParked, false},
		"refused":          {map[string][]string{"2.0.0.127.a.test": {"127.0.0.1"}}, filters.KindParked, false},
		"a failing server": {map[string][]string{"2.0.0.127.a.test": {"SERVFAIL"}}, "", false},
	} {
		for _, late := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				w := prepare(t, list("A", "a.test", "X 127.0.0.3"))
				if late {
					w.start()
					w.wants("before", "")
				}
				w.set("2.0.0.127.a.test")
				for host, records := range c.records {
					w.set(host, records...)
				}
				if late {
					time.Sleep(time.Hour + time.Second)
				} else {
					w.start()
				}
				want := ""
				if c.kind != "" {
					want = "!A " + c.kind
				}
				w.wants(fmt.Sprintf("%s, late=%v", name, late), want)
				if s := status(w.guards, "A"); (s.Warning != "") != c.warning {
					t.Errorf("%s: warning %q", name, s.Warning)
				}
			})
		}
	}
}

func TestTestPointsOfDomainsAndHashes(t *testing.T) {
	six := list("SIX", "six.test", "X 127.0.0.2")
	six.For.V6 = true
	domains := list("D", "d.test", "X 127.0.0.2")
	domains.Ask = []rules.Ask{rules.AskURLHost}
	both := list("B", "b.test", "X 127.0.0.2")
	both.Ask = []rules.Ask{rules.AskURLHost, rules.AskReceivedIP}
	hashes := list("H", "h.test", "X 127.0.0.2")
	hashes.Ask, hashes.Hash = []rules.Ask{rules.AskFrom}, rules.MD5
	own := list("O", "o.test", "X 127.0.0.2")
	own.Test = rules.TestPoints{Listed: []string{"listed.example"}, Unlisted: []string{"127.0.0.9", "example.org"}}
	for _, c := range []struct {
		zone             rules.Zone
		listed, unlisted string
	}{
		{six, listedV6, unlistedV6}, {domains, "test", "invalid"}, {both, "2.0.0.127 test", "1.0.0.127 invalid"},
		{hashes, "", "fedb2d84cafe20862cb4399751a8a7e3"}, {own, "listed.example", "9.0.0.127 example.org"},
	} {
		listed, unlisted := testPoints(&c.zone)
		if strings.Join(listed, " ") != c.listed || strings.Join(unlisted, " ") != c.unlisted {
			t.Errorf("%s: test points %v and %v", c.zone.ID, listed, unlisted)
		}
	}
	if len(listedV6) != 63 || pointName(listedV6) != "::ffff:127.0.0.2" || pointName("2.0.0.127") != "127.0.0.2" || pointName("test") != "test" {
		t.Error("test points have wrong names")
	}
}

func TestALoopbackListIsAllowedItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := list("K", "k.test", "GOOD 127.0.0.1", "BAD 127.0.0.2")
		z.AllowLoopback = true
		w := watch(t, z)
		w.set("1.0.0.10.k.test", "127.0.0.1")
		w.wants("its good", "K_GOOD")
		w.wants("others", "")
	})
}

func TestManyFailuresParkAListForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, list("A", "a.test", "X 127.0.0.2"))
		w.wants("at first", "")
		w.set("*.a.test", "SERVFAIL")
		w.set("2.0.0.127.a.test", "SERVFAIL")
		for range 20 {
			w.wants("a burst is one failure", "!A servfail")
		}
		time.Sleep(4 * time.Second)
		w.wants("the last", "!A servfail")
		w.wants("parked", "!A parked")
		time.Sleep(time.Minute + time.Second)
		w.wants("still failing", "!A parked")
		time.Sleep(time.Hour)
		w.wants("failing for long", "!A parked")
		w.set("*.a.test")
		w.set("2.0.0.127.a.test", "127.0.0.2")
		time.Sleep(silentMost)
		w.wants("well", "")
	})
}

func TestFewFailuresDoNotPark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, list("A", "a.test", "X 127.0.0.2"))
		for range 30 {
			w.set("*.a.test", "SERVFAIL")
			for range maxFailures - 1 {
				w.wants("a failure", "!A servfail")
				time.Sleep(time.Second)
			}
			w.set("*.a.test")
			w.wants("an answer", "")
		}
	})
}

// What a client that hung up did not wait for says nothing of the list.
func TestHangingUpIsNoFailure(t *testing.T) {
	z := list("A", "a.test", "X 127.0.0.2")
	l := newGuard(&z, func() {})
	for range 100 {
		l.saw(&question{zone: &z, err: &lookup.Failure{Kind: lookup.Timeout, Err: context.Canceled}}, false, nil)
		l.saw(&question{zone: &z, err: &lookup.Failure{Kind: lookup.Failed, Err: lookup.ErrOffline}}, false, nil)
	}
	if s := l.status(); s.Asked != 0 || s.Unknown != 0 {
		t.Errorf("counted %+v", s)
	}
}

// What nobody waited for is heard out: a list that is always late, or never answers, does not stay unknown to its guard.
func TestAnAnswerNobodyWaitsForIsHeardOut(t *testing.T) {
	z := list("A", "a.test", "X 127.0.0.2")
	b := newBench(t, 10*time.Second)
	client := b.client()
	b.say(t, client, "a.test", "127.0.0.2")
	g := NewGuards(b.resolver)
	g.Watch([]rules.Zone{z})
	run(t, g)
	<-g.of(&z).tested
	asked, release := make(chan struct{}, 1), make(chan struct{})
	b.server.Twist(func(packet []byte, tcp bool) [][]byte {
		asked <- struct{}{}
		return lookuptest.Held(release)(packet, tcp)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	r, err := together(New([]rules.Zone{z}, b.resolver, g)).Run(ctx, mailOf(client))
	if err != nil || len(r.Hits) != 0 || status(g, "A").Asked != 0 {
		t.Errorf("reported %+v, %v, counted %+v", r, err, status(g, "A"))
	}
	close(release)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); status(g, "A").Listed != 1; <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not heard: %+v", status(g, "A"))
		}
	}
}

// A list that listed a few and now lists nearly all is parked, whatever its test points say. Many listed clients in a row
// are no sign of that, as long as those whom it did not list are not listed.
func TestAListThatListsAllOvernight(t *testing.T) {
	for _, died := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := watch(t, list("A", "a.test", "X 127.0.0.2"))
			lists := func(n uint32) { w.set(fmt.Sprintf("%d.%d.0.10.a.test", n&255, n>>8), "127.0.0.2") }
			for i := range 300 {
				if i%12 == 0 {
					lists(w.next + 1)
				}
				w.asks()
			}
			for n := range w.next {
				if died {
					lists(n)
				}
			}
			last := ""
			for i := range 2 * window {
				lists(w.next + 1)
				last = w.asks()
				if i < window/2 && last != "A_X" {
					t.Fatalf("listed client %d: %q", i, last)
				}
			}
			if want := map[bool]string{true: "!A parked", false: "A_X"}[died]; last != want {
				t.Errorf("died=%v: %q, want %q", died, last, want)
			}
			if s := status(w.guards, "A"); died && !strings.Contains(s.Why, "8 of 8") {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// A list that lists most clients anyway, as some do where mostly spam comes, shows nothing new when it lists all. So some
// listings in a row are reason enough to test it.
func TestAListOfMostThatListsAllIsTestedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, list("A", "a.test", "X 127.0.0.2"))
		lists := func(n uint32) { w.set(fmt.Sprintf("%d.%d.0.10.a.test", n&255, n>>8), "127.0.0.2") }
		for i := range 8 * window {
			if i%4 != 0 {
				lists(w.next + 1)
			}
			w.asks()
		}
		w.asks()
		w.set("1.0.0.127.a.test", "127.0.0.2")
		for i := range maxRun {
			lists(w.next + 1)
			if got := w.asks(); got != "A_X" {
				t.Fatalf("listed client %d: %q", i, got)
			}
		}
		w.wants("after some listings in a row", "!A parked")
		if s := status(w.guards, "A"); !strings.Contains(s.Why, "127.0.0.1") {
			t.Errorf("status %+v", s)
		}
	})
}

// One client for whom a list has an error code says nothing of the list: others go on to be listed.
func TestAnErrorForOneClientDoesNotParkTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, list("A", "a.test", "X 127.0.0.2"))
		odd, listed := netip.MustParseAddr("192.0.2.8"), netip.MustParseAddr("192.0.2.9")
		w.set("8.2.0.192.a.test", "127.255.255.254")
		w.set("9.2.0.192.a.test", "127.0.0.2")
		for range maxErrors {
			if got := w.of(odd); got != "!A sentinel" {
				t.Errorf("the odd client: %q", got)
			}
			if got := w.of(listed); got != "A_X" {
				t.Errorf("the listed client: %q", got)
			}
		}
		for range maxErrors {
			w.of(odd)
		}
		if got := w.of(listed); got != "!A parked" {
			t.Errorf("after %d errors in a row: %q", maxErrors, got)
		}
	})
}

// A private list without the points of RFC 5782 may list the loopback; one that has them, or lists everybody, may not.
func TestWhoMayListTheLoopback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := prepare(t, list("PRIVATE", "private.test", "X 127.0.0.2"), list("PUBLIC", "public.test", "X 127.0.0.2"))
		w.set("2.0.0.127.private.test")
		for _, zone := range []string{"private.test", "public.test"} {
			w.set("1.0.0.127."+zone, "127.0.0.2")
		}
		w.start()
		if got := w.of(netip.MustParseAddr("127.0.0.1")); got != "PRIVATE_X !PUBLIC parked" {
			t.Errorf("from the loopback: %q", got)
		}
		if s := status(w.guards, "PRIVATE"); !strings.Contains(s.Warning, "127.0.0.1") {
			t.Errorf("no warning: %+v", s)
		}
	})
}

func TestGuardsOutliveReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := list("A", "a.test", "X 127.0.0.2"), list("B", "b.test", "X 127.0.0.2")
		w := watch(t, a, b)
		w.set("*.a.test", "127.255.255.254")
		w.set("2.0.0.127.a.test", "127.255.255.254")
		w.wants("the error", "!A sentinel")
		a.ID = "OTHER"
		w.guards.Watch([]rules.Zone{a})
		w.check = together(New([]rules.Zone{a}, lookup.FromZone(w.dns), w.guards))
		w.wants("after a reload", "!OTHER parked")
		if all := w.guards.Status(); len(all) != 1 || all[0].Rule != "OTHER" {
			t.Errorf("watched over: %+v", all)
		}
		w.guards.Watch(nil)
		w.guards.Watch([]rules.Zone{a})
		if s := status(w.guards, "OTHER"); s.Parked {
			t.Error("a list that was dropped is remembered")
		}
	})
}

// The first message waits until the list is tested, and does without it if that takes too long.
func TestNobodyIsJudgedByAnUntestedList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := list("A", "a.test", "X 127.0.0.2")
		g := NewGuards(lookup.Offline())
		g.Watch([]rules.Zone{z}) // and nobody runs it
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		dns, err := lookup.MapZone(map[string][]string{"1.0.0.10.a.test": {"127.0.0.2"}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := together(New([]rules.Zone{z}, lookup.FromZone(dns), g)).Run(ctx, mailOf(netip.MustParseAddr("10.0.0.1")))
		if err != nil || len(r.Hits) > 0 || len(r.Problems) != 1 || r.Problems[0].Kind != filters.KindTimeout {
			t.Errorf("reported %+v, %v", r, err)
		}
	})
}

// A list whose test takes long keeps nobody from asking the others.
func TestASlowTestHoldsUpNoOtherList(t *testing.T) {
	a, b := list("A", "a.test", "X 127.0.0.2"), list("B", "b.test", "X 127.0.0.2")
	bench := newBench(t, 10*time.Second)
	release := make(chan struct{})
	bench.server.Twist(lookuptest.Below(map[string]lookuptest.Twist{"a.test": lookuptest.Held(release)}))
	t.Cleanup(func() { bench.server.Twist(nil) })
	bench.say(t, netip.MustParseAddr("10.0.0.1"), "b.test", "127.0.0.2")
	g := NewGuards(bench.resolver)
	g.Watch([]rules.Zone{a, b})
	run(t, g)
	<-g.of(&b).tested
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	r, err := together(New([]rules.Zone{a, b}, bench.resolver, g)).Run(ctx, mailOf(netip.MustParseAddr("10.0.0.1")))
	if err != nil || len(r.Hits) != 1 || len(r.Problems) != 1 || r.Problems[0].Rule != "A" || r.Problems[0].Kind != filters.KindTimeout {
		t.Errorf("reported %+v, %v", r, err)
	}
	close(release)
}

func TestKeysAreNotInWhatGuardsSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := list("DQS", "sesame7.zen.test", "SBL 127.0.0.2")
		z.Display = "zen.test"
		for _, record := range []string{"127.255.255.254", "127.0.0.2", "SERVFAIL"} {
			w := watch(t, z)
			w.set("*.sesame7.zen.test", record)
			for range 20 {
				w.asks()
				time.Sleep(time.Second)
			}
			report, _ := w.check.Run(t.Context(), mailOf(netip.MustParseAddr("10.9.9.9")))
			if text := fmt.Sprintf("%+v %+v", w.guards.Status(), report); strings.Contains(text, "sesame7") || !strings.Contains(text, "zen.test") {
				t.Errorf("said %s", text)
			}
		}
	})
}

// Whatever fails, in whatever order and for however long: nothing is a hit that would not be one if all were well.
func TestNoFailureEverAddsAHitUnderGuards(t *testing.T) {
	zones := []rules.Zone{list("A", "a.test", "X 127.0.0.2"), list("B", "b.test", "X 127.0.0.2", "Y bits=4"), list("C", "c.test", "X 127.0.0.0/8")}
	failures := []string{"SERVFAIL", "REFUSED", "127.255.255.254", "127.0.0.1", "198.51.100.80", "2001:db8::1", "TXT x", ""}
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			w := watch(t, zones...)
			for range 200 {
				client := netip.AddrFrom4([4]byte{10, 0, 0, byte(random.IntN(20))})
				var truth []string
				for _, z := range zones {
					name := lookup.ReverseName(client) + "." + z.Zone
					listed := client.As4()[3]%4 == 0
					if failure := failures[random.IntN(len(failures))]; random.IntN(3) == 0 && failure != "" {
						w.set(name, failure)
					} else if listed {
						w.set(name, "127.0.0.2")
					} else {
						w.set(name)
					}
					if listed {
						truth = append(truth, z.ID+"_X")
					}
				}
				for _, got := range strings.Fields(w.of(client)) {
					if strings.HasSuffix(got, "_X") && !slices.Contains(truth, got) || strings.HasSuffix(got, "_Y") {
						t.Fatalf("seed %d: %s is a hit", seed, got)
					}
				}
				time.Sleep(time.Duration(random.IntN(120)) * time.Second)
			}
		})
	}
}

func TestDurationsAreCountedOncePerQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, list("A", "a.test", "X 127.0.0.2"))
		client := netip.MustParseAddr("192.0.2.8")
		w.of(client)
		s := status(w.guards, "A")
		if upto := s.Took.Upto(); s.Asked != 1 || s.Took.Count != 1 || upto[4] != 1 || upto[.001] != 1 || len(upto) != len(timeBounds) {
			t.Errorf("asked %d, took %+v", s.Asked, s.Took)
		}
	})
	var took Times
	took.add(300 * time.Millisecond)
	took.add(time.Minute)
	if upto := took.Upto(); upto[.2] != 0 || upto[.5] != 1 || upto[4] != 1 || took.Count != 2 || took.Total != time.Minute+300*time.Millisecond {
		t.Errorf("took %+v", took)
	}
}
