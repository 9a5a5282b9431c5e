package main

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"weir/filters"
	"weir/filters/lookup"
	"weir/filters/store"
	"weir/rules"
)

const fourLists = `version: 1
thresholds: { tag: 6, reject: 15 }
zones:
  - { id: A, zone: a.test, ask: client_ip, answers: [{ id: X, is: 127.0.0.2, score: 4 }] }
  - { id: B, zone: b.test, ask: [client_ip, helo], answers: [{ id: X, is: 127.0.0.0/8, score: 7 }, { id: Y, bits: 4, score: 2, mode: hard }] }
  - { id: C, zone: c.test, ask: url_host, answers: [{ id: X, bits: 2, score: 8 }, { id: Y, bits: 1, score: 5, mode: hard }] }
  - { id: D, zone: d.test, ask: [mail_from, from_domain], combine: max, answers: [{ id: X, is: 127.0.0.2, score: 3 }, { id: Y, is: 127.0.0.3, score: 5 }] }
caps: { dns_ip: 10, dns_url: 12.5 }
`

// Whatever lists fail, in whatever way: no message has more points than if all had answered, and none is treated worse.
func TestNoFailureOfAnyListIsPaidByTheSender(t *testing.T) {
	set, findings := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(fourLists)}}, "r.yaml", known())
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	failures := []string{"SERVFAIL", "REFUSED", "127.255.255.254", "127.0.0.1", "198.51.100.80", "TXT x"}
	names := [][]string{{"7.2.0.192.a.test"}, {"7.2.0.192.b.test", "mail.client.example.b.test"}, {"shop.example.c.test"}, {"sender.example.d.test", "author.example.d.test"}}
	judged := func(records map[string][]string) outcome { return judgedWith(t, set, records) }
	for truth := range 1 << len(names) {
		healthy := map[string][]string{}
		for i, of := range names {
			for _, name := range of {
				if truth>>i&1 == 1 {
					healthy[name] = []string{fmt.Sprintf("127.0.0.%d", 2+i%2)}
				}
			}
		}
		well := judged(healthy)
		for failing := 1; failing < 1<<len(names); failing++ {
			failure := failures[(5*truth+failing)%len(failures)] // all of them with all of them would take long
			records := map[string][]string{}
			for i, of := range names {
				for _, name := range of {
					if records[name] = healthy[name]; failing>>i&1 == 1 {
						records[name] = append([]string{failure}, onlyAddresses(failure, healthy[name])...)
					}
				}
			}
			if ill := judged(records); ill.Points > well.Points || ill.Action > well.Action {
				t.Fatalf("listed %04b, %04b fail with %s: %s %s, all well: %s %s", truth, failing, failure, ill.Action, ill.Points, well.Action, well.Points)
			}
		}
	}
}

// A condition that counts on a list's silence holds against nobody if the list has failed; one that holds whatever the list
// would have said does.
func TestAConditionOnWhatAListDoesNotSay(t *testing.T) {
	const zones = "version: 1\nthresholds: { tag: 6, reject: 15 }\nzones:\n" +
		"  - { id: W, zone: w.test, ask: client_ip, answers: [{ id: GOOD, is: 127.0.0.2, score: -1 }] }\n" +
		"  - { id: B, zone: b.test, ask: client_ip, answers: [{ id: BAD, is: 127.0.0.2, score: 1 }] }\nrules:\n"
	for _, c := range []struct {
		rules  string
		w      string // what the list in favour says
		action rules.Action
		points rules.Points
	}{
		{`  - { id: A, about: a, when: "!W_GOOD", score: 4, mode: hard }`, "", rules.Reject, 500},
		{`  - { id: A, about: a, when: "!W_GOOD", score: 4, mode: hard }`, "SERVFAIL", rules.Pass, 100},
		{`  - { id: A, about: a, when: "B_BAD && !W_GOOD", score: 20 }`, "127.255.255.254", rules.Pass, 100},
		{`  - { id: A, about: a, when: "B_BAD && !W_GOOD", score: -2 }`, "SERVFAIL", rules.Pass, -100},
		{`  - { id: A, about: a, when: "B_BAD || W_GOOD", score: 7 }`, "SERVFAIL", rules.Tag, 800},
		{"  - { id: A, about: a, when: \"!W_GOOD\", score: 0 }\n  - { id: AA, about: a, when: \"A || false\", score: 20 }", "SERVFAIL", rules.Pass, 100},
	} {
		set, findings := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(zones + c.rules + "\n")}}, "r.yaml", known())
		if set == nil {
			t.Fatal(findings)
		}
		records := map[string][]string{"7.2.0.192.b.test": {"127.0.0.2"}}
		if c.w != "" {
			records["7.2.0.192.w.test"] = []string{c.w}
		}
		if got := judgedWith(t, set, records); got.Action != c.action || got.Points != c.points {
			t.Errorf("%s with %q: %s %s, want %s %s", c.rules, c.w, got.Action, got.Points, c.action, c.points)
		}
	}
}

// judgedWith is a letter's verdict where the DNS says records.
func judgedWith(t *testing.T, set *rules.Set, records map[string][]string) outcome {
	zone, err := lookup.MapZone(records)
	if err != nil {
		t.Fatal(err)
	}
	own := parts{resolver: lookup.FromZone(zone), store: store.NewMemory(1 << 20), dnsBudget: time.Second}
	g := newGeneration(set, checks(set, filters.Check{Name: "pattern", Stage: filters.Body, Run: nothing}, own), 10*time.Second)
	s := submission{client: netip.MustParseAddr("192.0.2.7"), from: "a@sender.example", to: []string{"bob@example.org"},
		raw: []byte("From: a@author.example\r\n\r\nhttp://www.shop.example/\r\n")}
	s.session.Hello = "mail.client.example"
	return judge(t.Context(), g, s)
}

func nothing(context.Context, filters.Mail) (filters.Report, error) { return filters.Report{}, nil }

// onlyAddresses are the records that can stand beside a failure.
func onlyAddresses(failure string, records []string) []string {
	if failure == "SERVFAIL" || failure == "REFUSED" {
		return nil
	}
	return records
}

// asked is what lists are asked for, and the key of that in the letter.
var asked = [...]struct{ ask, key string }{{"client_ip", "7.2.0.192"}, {"url_host", "shop.example"}, {"mail_from", "sender.example"}}

// drawnList is a list of the rules, and what it says.
type drawnList struct {
	rule          string
	name          string // that is asked for
	said, failing []string
	against       bool
}

func drawList(t *rapid.T, i int) drawnList {
	of := asked[i%len(asked)]
	score := rapid.IntRange(-8, 16).Draw(t, "score")
	l := drawnList{name: fmt.Sprintf("%s.l%d.test", of.key, i), against: score >= 0}
	l.rule = fmt.Sprintf("  - { id: L%d, zone: l%d.test, ask: %s, combine: %s, answers: [{ id: A, bits: 2, score: %d, mode: %s }, { id: B, is: 127.0.0.0/8, octet4: 3, score: 1 }] }\n",
		i, i, of.ask, rapid.SampledFrom([]string{"sum", "max"}).Draw(t, "combine"), score, rapid.SampledFrom([]string{"weighted", "weighted", "hard", "shadow"}).Draw(t, "mode"))
	if rapid.Bool().Draw(t, "listed") {
		l.said = []string{fmt.Sprintf("127.0.0.%d", rapid.IntRange(2, 7).Draw(t, "code"))}
	}
	if rapid.Bool().Draw(t, "fails") {
		failure := rapid.SampledFrom([]string{"SERVFAIL", "REFUSED", "127.255.255.254", "127.0.0.1", "198.51.100.80"}).Draw(t, "failure")
		l.failing = append([]string{failure}, onlyAddresses(failure, l.said)...)
	}
	return l
}

// A list that fails is worth what one that lists nobody is: nothing, whatever the lists are worth and however many fail.
func TestAListThatFailsListsNobody(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := "version: 1\nthresholds: { tag: 6, defer: 9, reject: 15 }\ncaps: { dns_ip: 10, dns_url: 12.5 }\nzones:\n"
		well, failing, silent, against := map[string][]string{}, map[string][]string{}, map[string][]string{}, true
		for i := range rapid.IntRange(2, 6).Draw(rt, "lists") {
			l := drawList(rt, i)
			text, against = text+l.rule, against && l.against
			well[l.name], failing[l.name], silent[l.name] = l.said, l.said, l.said
			if l.failing != nil {
				failing[l.name], silent[l.name] = l.failing, nil
			}
		}
		set, findings := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml", known())
		if err := findings.Err(); err != nil {
			rt.Fatal(err)
		}
		failed, without, healthy := judgedWith(t, set, failing), judgedWith(t, set, silent), judgedWith(t, set, well)
		if failed.Points != without.Points || failed.Action != without.Action || failed.at != without.at {
			rt.Fatalf("failing: %s %s at %s, listing nobody: %s %s at %s", failed.Action, failed.Points, failed.at, without.Action, without.Points, without.at)
		}
		if against && (failed.Points > healthy.Points || failed.Action > healthy.Action) {
			rt.Fatalf("failing: %s %s, well: %s %s", failed.Action, failed.Points, healthy.Action, healthy.Points)
		}
	})
}

// Whom a list may know as good does not wait while that list fails; other lists that fail make no difference.
func TestGreylistingWithoutAListInFavour(t *testing.T) {
	const text = "version: 1\nthresholds: { tag: 6, reject: 15 }\ngreylist: { from: 1, below: 10, wait: 5m }\nzones:\n" +
		"  - { id: W, zone: w.test, ask: client_ip, answers: [{ id: GOOD, is: 127.0.0.2, score: -1 }] }\n" +
		"  - { id: B, zone: b.test, ask: client_ip, answers: [{ id: BAD, is: 127.0.0.2, score: 4 }] }\n" +
		"  - { id: C, zone: c.test, ask: client_ip, answers: [{ id: BAD, is: 127.0.0.2, score: 4 }] }\n"
	set, findings := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml", known())
	if set == nil {
		t.Fatal(findings)
	}
	for _, c := range []struct {
		failing string
		want    rules.Action
	}{{"x", rules.Defer}, {"w", rules.Pass}, {"c", rules.Defer}} {
		records := map[string][]string{"7.2.0.192.b.test": {"127.0.0.2"}, "7.2.0.192." + c.failing + ".test": {"SERVFAIL"}}
		if got := judgedWith(t, set, records); got.Action != c.want {
			t.Errorf("%s fails: %s, want %s", c.failing, got.Action, c.want)
		}
	}
}

// Behind a relay it is the client that waits: one that has waited does not take others with him.
func TestGreylistingIsAboutTheClientBehindARelay(t *testing.T) {
	const text = "version: 1\nthresholds: { tag: 6, reject: 15 }\ngreylist: { from: 1, below: 10, wait: 5m }\n" +
		"zones: [{ id: L, zone: l.test, ask: client_ip, answers: [{ id: X, is: 127.0.0.2, score: 4 }] }]\n"
	set, findings := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml", known())
	if set == nil {
		t.Fatal(findings)
	}
	zone, err := lookup.MapZone(map[string][]string{"*.l.test": {"127.0.0.2"}})
	if err != nil {
		t.Fatal(err)
	}
	own := parts{resolver: lookup.FromZone(zone), store: store.NewMemory(1 << 20), dnsBudget: time.Second}
	g := newGeneration(set, checks(set, filters.Check{Name: "pattern", Stage: filters.Body, Run: nothing}, own), 10*time.Second)
	g.Checks.Relays = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		after  time.Duration
		client string // as the relay has seen it
		want   rules.Action
	}{
		{0, "198.51.100.4", rules.Defer},
		{10 * time.Minute, "198.51.100.4", rules.Pass},
		{10 * time.Minute, "203.0.113.4", rules.Defer},
		{10 * time.Minute, "10.1.2.3", rules.Pass}, // one of its own
	} {
		o := judge(t.Context(), g, submission{at: start.Add(c.after), client: netip.MustParseAddr("192.0.2.1"), from: "a@sender.example",
			to: []string{"bob@example.org"}, raw: []byte("Received: from a (a [" + c.client + "]) by relay; x\r\nFrom: a@author.example\r\n\r\nhi\r\n")})
		if o.Action != c.want {
			t.Errorf("%s after %s: %s, want %s: %v", c.client, c.after, o.Action, c.want, o.Why)
		}
	}
}
