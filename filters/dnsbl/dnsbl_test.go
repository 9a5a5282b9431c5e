package dnsbl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/filters"
	"weir/filters/filtertest"
	"weir/filters/lookup"
	"weir/filters/lookup/lookuptest"
	"weir/rules"
)

// matchOf reads an address match: "127.0.0.2", "127.0.0.4-127.0.0.7", "127.0.0.0/16", each may be followed by
// "octet4=3" or "bits=16"; alternatives are parted by "|".
func matchOf(text string) rules.AddrMatch {
	m := rules.AddrMatch{Octets: [4]int16{-1, -1, -1, -1}}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '|' }) {
		key, value, named := strings.Cut(word, "=")
		from, to, ranged := strings.Cut(word, "-")
		n, _ := strconv.Atoi(value)
		switch {
		case key == "bits":
			m.Bits = byte(n)
		case named:
			i, _ := strconv.Atoi(strings.TrimPrefix(key, "octet"))
			m.Octets[i-1] = int16(n)
		case ranged:
			m.Ranges = append(m.Ranges, rules.AddrRange{From: netip.MustParseAddr(from), To: netip.MustParseAddr(to)})
		case strings.Contains(word, "/"):
			p := netip.MustParsePrefix(word)
			last := p.Addr().As4()
			for i := p.Bits(); i < 32; i++ {
				last[i/8] |= 0x80 >> (i % 8)
			}
			m.Ranges = append(m.Ranges, rules.AddrRange{From: p.Addr(), To: netip.AddrFrom4(last)})
		default:
			a := netip.MustParseAddr(word)
			m.Ranges = append(m.Ranges, rules.AddrRange{From: a, To: a})
		}
	}
	return m
}

// list makes a zone of entries "NAME match"; with the name "!" they are errors.
func list(id, zone string, entries ...string) rules.Zone {
	z := rules.Zone{ID: id, Zone: zone, Display: zone, Ask: []rules.Ask{rules.AskClientIP}}
	for _, e := range entries {
		name, match, _ := strings.Cut(e, " ")
		if name == "!" {
			z.Errors = append(z.Errors, rules.ZoneError{Match: matchOf(match), Means: "an error of " + match})
			continue
		}
		z.Answers = append(z.Answers, rules.Answer{Symbol: id + "_" + name, Match: matchOf(match)})
	}
	return z
}

func TestCases(t *testing.T) {
	zones := []rules.Zone{
		list("ZEN", "zen.dnsbl.test", "SBL 127.0.0.2", "XBL 127.0.0.4-127.0.0.7", "DROP 127.0.0.9", "PBL 127.0.0.10|127.0.0.11", "! 127.255.255.254"),
		list("DNSWL", "list.dnswl.test", "HI 127.0.0.0/16 octet4=3", "MED 127.0.0.0/16 octet4=2", "! 127.0.0.255"),
		list("MASK", "mask.dnsbl.test", "WEAK bits=16", "STRONG bits=64", "! bits=1"),
		list("PLAIN", "plain.dnsbl.test", "ANY 127.0.0.0/8"),
	}
	filtertest.Run(t, func(r *lookup.Resolver) filters.Check { return together(New(zones, r, nil)) })
}

// together runs checks at once, as if they were one.
func together(checks []filters.Check) filters.Check {
	var all filters.Check
	for _, c := range checks {
		all.Symbols = append(all.Symbols, c.Symbols...)
	}
	all.Run = func(ctx context.Context, m filters.Mail) (filters.Report, error) {
		var sum filters.Report
		reports, errs := make([]filters.Report, len(checks)), make([]error, len(checks))
		var work sync.WaitGroup
		for i, c := range checks {
			work.Go(func() { reports[i], errs[i] = c.Run(ctx, m) })
		}
		work.Wait()
		for _, r := range reports {
			sum.Hits = append(sum.Hits, r.Hits...)
			sum.Problems = append(sum.Problems, r.Problems...)
		}
		return sum, errors.Join(errs...)
	}
	return all
}

// bench is a server of lists and a check that asks it.
type bench struct {
	zone     *lookup.Zone
	server   *lookup.Server
	resolver *lookup.Resolver
	check    filters.Check
	next     byte
}

func newBench(t testing.TB, timeout time.Duration, zones ...rules.Zone) *bench {
	t.Helper()
	z, err := lookup.MapZone(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := lookup.Serve("127.0.0.1:0", z)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r, err := lookup.New(lookup.Options{Servers: []string{s.Addr()}, Timeout: timeout, Budget: 2 * timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return &bench{zone: z, server: s, resolver: r, check: together(New(zones, r, nil))}
}

// client returns an address that was not used before.
func (b *bench) client() netip.Addr {
	b.next++
	return netip.AddrFrom4([4]byte{192, 0, 2, b.next})
}

func (b *bench) say(t testing.TB, client netip.Addr, zone string, codes ...string) {
	t.Helper()
	if err := b.zone.Set(lookup.ReverseName(client)+"."+zone, codes...); err != nil {
		t.Fatal(err)
	}
}

// run returns the check's symbols and its problems as "!ID kind".
func (b *bench) run(t testing.TB, client netip.Addr) (hits, problems []string) {
	t.Helper()
	report, err := b.check.Run(t.Context(), mailOf(client))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range report.Hits {
		hits = append(hits, h.Symbol)
	}
	for _, p := range report.Problems {
		problems = append(problems, "!"+p.Rule+" "+p.Kind)
	}
	return hits, problems
}

func mailOf(client netip.Addr) filters.Mail {
	return filters.Mail{Session: &filters.Session{Addr: netip.AddrPortFrom(client, 40000)}}
}

// Three lists, of which the middle one is in trouble: it is unknown, and the others count.
func TestTroubleIsNeverAListing(t *testing.T) {
	for name, c := range map[string]struct {
		twist lookuptest.Twist
		kind  string
	}{
		"silent":           {lookuptest.Silent, filters.KindTimeout},
		"wrong id":         {lookuptest.WrongID, filters.KindTimeout},
		"wrong question":   {lookuptest.WrongQuestion, filters.KindTimeout},
		"wrong case":       {lookuptest.WrongCase, filters.KindTimeout},
		"a query":          {lookuptest.AQuery, filters.KindTimeout},
		"header only":      {lookuptest.HeadOnly, filters.KindTimeout},
		"always truncated": {lookuptest.AlwaysTruncated, filters.KindTimeout},
		"cut":              {lookuptest.Cut, filters.KindFailed},
		"garbled":          {lookuptest.Garbled, filters.KindFailed},
		"servfail":         {lookuptest.Code(lookuptest.Servfail), filters.KindServfail},
		"refused":          {lookuptest.Code(lookuptest.Refused), filters.KindRefused},
		"notimp":           {lookuptest.Code(lookuptest.NotImp), filters.KindFailed},
		"formerr":          {lookuptest.Code(lookuptest.FormErr), filters.KindFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 500*time.Millisecond, list("A", "a.test", "X 127.0.0.2"), list("B", "b.test", "X 127.0.0.2"), list("C", "c.test", "X 127.0.0.2"))
			client := b.client()
			for _, zone := range []string{"a.test", "b.test", "c.test"} {
				b.say(t, client, zone, "127.0.0.2")
			}
			b.server.Twist(lookuptest.Below(map[string]lookuptest.Twist{"b.test": c.twist}))
			hits, problems := b.run(t, client)
			if want := []string{"A_X", "C_X"}; !slices.Equal(hits, want) {
				t.Errorf("hits %v, want %v", hits, want)
			}
			if want := []string{"!B " + c.kind}; !slices.Equal(problems, want) {
				t.Errorf("problems %v, want %v", problems, want)
			}
		})
	}
}

// Whatever subset of lists fails in whatever way: the hits are those of the others, no more and no less.
func TestNoFailureOfAnySubsetAddsAHit(t *testing.T) {
	zones := []rules.Zone{list("A", "a.test", "X 127.0.0.2"), list("B", "b.test", "X 127.0.0.2", "Y 127.0.0.3"),
		list("C", "c.test", "X bits=2", "Y bits=4"), list("D", "d.test", "X 127.0.0.0/8"), list("E", "e.test", "X 127.0.0.2")}
	codes := [][]string{{"127.0.0.2"}, {"127.0.0.2", "127.0.0.3"}, {"127.0.0.6"}, {"127.9.9.9"}, nil}
	truth := [][]string{{"A_X"}, {"B_X", "B_Y"}, {"C_X", "C_Y"}, {"D_X"}, nil}
	failures := map[string]any{
		"servfail": lookuptest.Twist(lookuptest.Code(lookuptest.Servfail)), "refused": lookuptest.Twist(lookuptest.Code(lookuptest.Refused)),
		"nxdomain": lookuptest.Twist(lookuptest.Code(lookuptest.NXDomain)), "garbled": lookuptest.Twist(lookuptest.Garbled),
		"cut": lookuptest.Twist(lookuptest.Cut), "silent": lookuptest.Twist(lookuptest.Silent),
		"error code": "127.255.255.254", "parked": "198.51.100.80", "local host": "127.0.0.1",
	}
	for name, failure := range failures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 30*time.Second, zones...)
			for subset := range 1 << len(zones) {
				client := b.client()
				twists := map[string]lookuptest.Twist{}
				var want []string
				for i, z := range zones {
					said := codes[i]
					if subset>>i&1 == 0 {
						want = append(want, truth[i]...)
					} else if twist, ok := failure.(lookuptest.Twist); ok {
						twists[z.Zone] = twist
					} else {
						said = append(slices.Clone(said), failure.(string))
					}
					b.say(t, client, z.Zone, said...)
				}
				b.server.Twist(lookuptest.Below(twists))
				if hits := b.hitsInTime(t, client, twists); !slices.Equal(hits, want) {
					t.Errorf("subset %05b fails: hits %v, want %v", subset, hits, want)
				}
			}
		})
	}
}

// hitsInTime gives lists that do not answer a moment only. The others have answered before.
func (b *bench) hitsInTime(t *testing.T, client netip.Addr, troubled map[string]lookuptest.Twist) []string {
	t.Helper()
	for _, s := range b.check.Symbols {
		zone := strings.ToLower(s[:1]) + ".test"
		if troubled[zone] == nil {
			if _, err := b.resolver.Lookup(t.Context(), lookup.ReverseName(client)+"."+zone, lookup.A); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	report, err := b.check.Run(ctx, mailOf(client))
	if err != nil {
		t.Fatal(err)
	}
	var hits []string
	for _, h := range report.Hits {
		hits = append(hits, h.Symbol)
	}
	return hits
}

func TestEvidenceIsWhole(t *testing.T) {
	b := newBench(t, 10*time.Second, list("A", "a.test", "X 127.0.0.4-127.0.0.7"))
	client := b.client()
	b.say(t, client, "a.test", "127.0.0.7", "127.0.0.4", "127.0.0.4")
	report, err := b.check.Run(t.Context(), mailOf(client))
	want := filters.Hit{Symbol: "A_X", Detail: "192.0.2.1 -> 127.0.0.4, 127.0.0.7"}
	if err != nil || len(report.Hits) != 1 || report.Hits[0] != want {
		t.Errorf("got %+v, %v", report.Hits, err)
	}
}

// A paid key in the zone's name is for the DNS server alone.
func TestKeysAreNeverShown(t *testing.T) {
	z := list("DQS", "sesame7.zen.test", "SBL 127.0.0.2")
	z.Display = "zen.test"
	for _, twist := range []lookuptest.Twist{lookuptest.Code(lookuptest.Servfail), lookuptest.Garbled, lookuptest.Silent, lookuptest.Twice} {
		b := newBench(t, 50*time.Millisecond, z)
		client := b.client()
		b.say(t, client, z.Zone, "127.0.0.1")
		b.server.Twist(twist)
		report, err := b.check.Run(t.Context(), mailOf(client))
		if text := fmt.Sprintf("%+v %v", report, err); strings.Contains(text, "sesame7") || !strings.Contains(text, "zen.test") {
			t.Errorf("reported %s", text)
		}
	}
}

func TestKindsAreThoseOfFilters(t *testing.T) {
	for lookups, ours := range map[string]string{lookup.Timeout: filters.KindTimeout, lookup.Servfail: filters.KindServfail,
		lookup.Refused: filters.KindRefused, lookup.Failed: filters.KindFailed} {
		if lookups != ours {
			t.Errorf("%s is %s", lookups, ours)
		}
	}
}

func BenchmarkTwentyLists(b *testing.B) {
	for _, cached := range []bool{true, false} {
		b.Run(fmt.Sprintf("cached=%v", cached), func(b *testing.B) {
			var zones []rules.Zone
			for i := range 20 {
				zones = append(zones, list(fmt.Sprintf("L%d", i), fmt.Sprintf("l%d.test", i), "X 127.0.0.2"))
			}
			bench := newBench(b, 10*time.Second, zones...)
			b.ReportAllocs()
			n := uint32(0)
			for b.Loop() {
				if !cached {
					n++
				}
				client := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
				if _, problems := bench.run(b, client); problems != nil {
					b.Fatal(problems)
				}
			}
		})
	}
}
