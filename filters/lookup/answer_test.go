package lookup

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"weir/filters/lookup/lookuptest"
)

// message makes an answer to the question for x.example A out of records; those after "--" are the authority section.
func message(t testing.TB, rcode int, records ...string) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion("x.example.", dns.TypeA)
	m.Response, m.RecursionAvailable, m.Rcode = true, true, rcode
	section := &m.Answer
	for _, text := range records {
		if text == "--" {
			section = &m.Ns
			continue
		}
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		*section = append(*section, rr)
	}
	return m
}

func packed(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

func TestInterpret(t *testing.T) {
	const soa = "example. 900 IN SOA ns.example. host.example. 1 2 3 4 120"
	for _, c := range []struct {
		about   string
		rcode   int
		records []string
		want    string
		life    time.Duration
	}{
		{"the least TTL of the chain", 0, []string{"x.example. 100 IN CNAME y.example.", "y.example. 90 IN A 127.0.0.2", "y.example. 80 IN A 127.0.0.3"}, "127.0.0.2 127.0.0.3", 80 * time.Second},
		{"the chain in any order", 0, []string{"z.example. IN A 127.0.0.2", "y.example. IN CNAME z.example.", "x.example. 50 IN CNAME y.example."}, "127.0.0.2", 50 * time.Second},
		{"a short TTL", 0, []string{"x.example. 0 IN A 127.0.0.2"}, "127.0.0.2", minPositive},
		{"a long TTL", 0, []string{"x.example. 900000 IN A 127.0.0.2"}, "127.0.0.2", maxPositive},
		{"a negative TTL", 0, []string{"x.example. 4294967295 IN A 127.0.0.2"}, "127.0.0.2", minPositive},
		{"records of others", 0, []string{"other.example. IN A 127.0.0.2", "x.example. IN AAAA ::1", "x.example. IN TXT a"}, "none", minNegative},
		{"another class", 0, []string{"x.example. CH A 127.0.0.2"}, "none", minNegative},
		{"an alias of another class", 0, []string{"x.example. CH CNAME y.example.", "y.example. IN A 127.0.0.2"}, "none", minNegative},
		{"no such records", 0, []string{"--", soa}, "none", 120 * time.Second},
		{"no such name", dns.RcodeNameError, []string{"--", soa}, "none", 120 * time.Second},
		{"no such name, and yet an address", dns.RcodeNameError, []string{"x.example. IN A 127.0.0.2"}, "none", minNegative},
		{"the SOA's own TTL is less", dns.RcodeNameError, []string{"--", "example. 60 IN SOA ns.example. host.example. 1 2 3 4 120"}, "none", 60 * time.Second},
		{"absent for long", dns.RcodeNameError, []string{"--", "example. 90000 IN SOA ns.example. host.example. 1 2 3 4 86400"}, "none", maxNegative},
		{"a loop of one", 0, []string{"x.example. IN CNAME x.example."}, Failed, 0},
		{"a loop of two with an address", 0, []string{"x.example. IN CNAME y.example.", "y.example. IN CNAME x.example.", "x.example. IN A 127.0.0.2"}, Failed, 0},
	} {
		t.Run(c.about, func(t *testing.T) {
			o, failure := interpret(packed(t, message(t, c.rcode, c.records...)), A)
			if failure != nil {
				if failure.Kind != c.want {
					t.Errorf("%v, want %s", failure.Err, c.want)
				}
				return
			}
			if got := shown(o.answer, nil); got != c.want || o.life() != c.life {
				t.Errorf("got %q for %v, want %q for %v", got, o.life(), c.want, c.life)
			}
		})
	}
}

func TestAReferralIsNoAnswer(t *testing.T) {
	m := message(t, 0, "--", "example. IN NS elsewhere.example.")
	m.RecursionAvailable = false
	if _, failure := interpret(packed(t, m), A); failure == nil || failure.Kind != Failed {
		t.Errorf("got %v", failure)
	}
}

func TestAliasesAreBounded(t *testing.T) {
	chain := func(n int) []string {
		records := []string{"x.example. IN CNAME 0.example.", fmt.Sprintf("%d.example. IN A 127.0.0.2", n-1)}
		for i := range n - 1 {
			records = append(records, fmt.Sprintf("%d.example. IN CNAME %d.example.", i, i+1))
		}
		return records
	}
	if o, failure := interpret(packed(t, message(t, 0, chain(maxChain-1)...)), A); failure != nil || !o.answer.Found {
		t.Errorf("got %v", failure)
	}
	if _, failure := interpret(packed(t, message(t, 0, chain(maxChain+1)...)), A); failure == nil {
		t.Error("a chain that is too long was followed")
	}
}

func TestQueriesDiffer(t *testing.T) {
	q, err := newQuery(question{strings.Repeat("abcdefgh.", 27) + "example", A})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 100 {
		p := q.packet()
		var m dns.Msg
		if err := m.Unpack(p); err != nil {
			t.Fatal(err)
		}
		if opt := m.IsEdns0(); opt == nil || opt.UDPSize() != 1232 || !m.RecursionDesired {
			t.Fatalf("query %v", &m)
		}
		seen[m.Question[0].Name] = true
		seen[fmt.Sprint(m.Id)] = true
	}
	if len(seen) < 195 {
		t.Errorf("only %d different names and ids", len(seen))
	}
}

func TestTheCache(t *testing.T) {
	z, err := MapZone(map[string][]string{
		"a.example":   {"127.0.0.2"},
		"bad.example": {"SERVFAIL"},
		"big.example": {"TXT " + strings.Repeat(` "`+strings.Repeat("x", 250)+`"`, 10)},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, "127.0.0.1:0", z)
	r := resolver(t, Options{Timeout: 10 * time.Second}, s)
	for _, c := range []struct {
		question
		want   string
		cached bool
		asked  uint64 // by two lookups
		life   time.Duration
	}{
		{question{"a.example", A}, "127.0.0.2", true, 1, zoneTTL * time.Second},
		{question{"absent.example", A}, "none", true, 1, zoneTTL * time.Second},
		{question{"bad.example", A}, Servfail, false, 1, keepFailure},
		{question{"big.example", TXT}, strings.Repeat("x", 2500), false, 4, 0},
	} {
		before := s.Asked()
		r.Lookup(t.Context(), c.name, c.kind)
		a, err := r.Lookup(t.Context(), c.name, c.kind)
		if got := shown(a, err); got != c.want || a.Cached != c.cached {
			t.Errorf("%s: got %q, cached %v", c.name, got, a.Cached)
		}
		if n := s.Asked() - before; n != c.asked {
			t.Errorf("%s: asked %d times, want %d", c.name, n, c.asked)
		}
		now := time.Now()
		if _, ok := r.cached(c.question, now.Add(c.life/2)); ok != (c.life > 0) {
			t.Errorf("%s: kept: %v", c.name, ok)
		}
		if _, ok := r.cached(c.question, now.Add(c.life+time.Second)); ok {
			t.Errorf("%s: kept for too long", c.name)
		}
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	r := resolver(t, Options{Cache: 10}, serve(t, "127.0.0.1:0", testZone(t)))
	for i := range 30 {
		r.Lookup(t.Context(), fmt.Sprintf("x%d.wild.example", i), A)
	}
	if n := r.cache.Len(); n != 10 {
		t.Errorf("%d kept", n)
	}
}

// FuzzAnswer takes packets as a server may send them: what is believed must be sound, the rest must be a Failure.
func FuzzAnswer(f *testing.F) {
	q, err := newQuery(question{"x.example", A})
	if err != nil {
		f.Fatal(err)
	}
	sent := q.packet()
	good := packed(f, message(f, 0, "x.example. IN CNAME y.example.", "y.example. IN A 127.0.0.2", "--", "example. IN SOA a. b. 1 2 3 4 5"))
	f.Add(good, uint16(A))
	f.Add(packed(f, message(f, dns.RcodeNameError, "--", "example. IN SOA a. b. 1 2 3 4 5")), uint16(A))
	f.Add(packed(f, message(f, 0, `x.example. IN TXT "a\"\\\001" "b"`)), uint16(TXT))
	f.Add(packed(f, message(f, 0, "x.example. IN MX 5 m.example.", "x.example. IN MX 1 n.example.")), uint16(MX))
	for _, twist := range []lookuptest.Twist{lookuptest.Cut, lookuptest.Garbled, lookuptest.HeadOnly, lookuptest.Code(2)} {
		f.Add(twist(good, false)[0], uint16(A))
	}
	f.Fuzz(func(t *testing.T, packet []byte, kind uint16) {
		answers(packet, sent)
		o, failure := interpret(packet, Kind(kind))
		if failure != nil {
			if failure.Err == nil || failure.Kind == "" || o.answer.Found {
				t.Errorf("failure %+v, outcome %+v", failure, o)
			}
			return
		}
		a := o.answer
		records := len(a.Addrs) + len(a.Texts) + len(a.Names)
		if a.Found != (records > 0) || records > maxRecords || o.life() < minNegative || o.life() > maxPositive {
			t.Errorf("outcome %+v", o)
		}
		for _, addr := range a.Addrs {
			if addr.Is4() != (Kind(kind) == A) || addr == (netip.Addr{}) {
				t.Errorf("address %v of kind %v", addr, Kind(kind))
			}
		}
	})
}

// Who routes mail must tell a name that is not there from one without such records, and knows the ranks of exchangers.
func TestNoSuchNameAndRanks(t *testing.T) {
	for rcode, want := range map[int]bool{0: false, dns.RcodeNameError: true} {
		if o, failure := interpret(packed(t, message(t, rcode, "--", "example. 60 IN SOA ns.example. host.example. 1 2 3 4 120")), MX); failure != nil || o.answer.NoName != want || o.answer.Found {
			t.Errorf("code %d: %+v, %v", rcode, o.answer, failure)
		}
	}
	o, failure := interpret(packed(t, message(t, 0, "x.example. IN MX 20 b.example.", "x.example. IN MX 10 a.example.", "x.example. IN MX 20 .")), MX)
	if failure != nil || !slices.Equal(o.answer.Names, []string{"a.example", "b.example", ""}) || !slices.Equal(o.answer.Ranks, []uint16{10, 20, 20}) {
		t.Errorf("%+v, %v", o.answer, failure)
	}
}
