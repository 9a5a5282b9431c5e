package lookup

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/filters/lookup/lookuptest"
)

const zoneText = `
list.example.       300 IN SOA ns.list.example. host.list.example. 1 3600 600 86400 120
2.0.0.127.list.example. 60 IN A 127.0.0.2
2.0.0.127.list.example. 60 IN A 127.0.0.9
2.0.0.127.list.example. IN TXT "first " "and \"second\" \\ \195\164"
relative.list.example IN AAAA 2001:db8::1
alias.example.      IN CNAME other.example.
other.example.      IN CNAME 2.0.0.127.list.example.
loop.example.       IN CNAME pool.example.
pool.example.       IN CNAME loop.example.
nowhere.example.    IN CNAME gone.list.example.
mail.example.       IN MX 20 b.mail.example.
mail.example.       IN MX 10 A.mail.example.
*.wild.example.     IN A 192.0.2.1
real.wild.example.  IN TXT "x"
deep.er.wild.example. IN A 192.0.2.2
7.2.0.192.in-addr.arpa. IN PTR Host.Example.
`

func testZone(t testing.TB) *Zone {
	t.Helper()
	z, err := ParseZone(strings.NewReader(zoneText), "test.zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func serve(t testing.TB, addr string, z *Zone) *Server {
	t.Helper()
	s, err := Serve(addr, z)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the server: %v", err)
		}
	})
	return s
}

// resolver asks the servers with short tries.
func resolver(t testing.TB, o Options, servers ...*Server) *Resolver {
	t.Helper()
	for _, s := range servers {
		o.Servers = append(o.Servers, s.Addr())
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// shown writes an answer's records, or why there are none.
func shown(a Answer, err error) string {
	if err != nil {
		var f *Failure
		if !errors.As(err, &f) {
			return "an error that is no Failure: " + err.Error()
		}
		return f.Kind
	}
	if !a.Found {
		return "none"
	}
	return strings.Join(slices.Concat(strings.Fields(strings.Trim(fmt.Sprint(a.Addrs), "[]")), a.Texts, a.Names), " ")
}

var lookups = []struct {
	name string
	kind Kind
	want string
}{
	{"2.0.0.127.list.example", A, "127.0.0.2 127.0.0.9"},
	{"2.0.0.127.LIST.example.", A, "127.0.0.2 127.0.0.9"},
	{"2.0.0.127.list.example", TXT, `first and "second" \ ` + "\u00e4"},
	{"2.0.0.127.list.example", AAAA, "none"},
	{"0.0.127.list.example", A, "none"},
	{"relative.list.example", AAAA, "2001:db8::1"},
	{"alias.example", A, "127.0.0.2 127.0.0.9"},
	{"alias.example", CNAME, "other.example"},
	{"loop.example", A, "failed"},
	{"nowhere.example", A, "none"},
	{"mail.example", MX, "a.mail.example b.mail.example"},
	{"x.wild.example", A, "192.0.2.1"},
	{"y.x.wild.example", A, "192.0.2.1"},
	{"wild.example", A, "none"},
	{"real.wild.example", A, "none"},
	{"x.real.wild.example", A, "none"},
	{"x.er.wild.example", A, "none"},
	{"7.2.0.192.in-addr.arpa", PTR, "host.example"},
	{"absent.example", A, "none"},
	{"", A, "failed"},
	{"a..example", A, "failed"},
	{strings.Repeat("a", 64) + ".example", A, "failed"},
	{strings.Repeat("a.", 130) + "example", A, "failed"},
	{"odd \"\\\x00\xff name.example", A, "none"},
}

func TestAnswers(t *testing.T) {
	z := testZone(t)
	for how, r := range map[string]*Resolver{"network": resolver(t, Options{}, serve(t, "127.0.0.1:0", z)), "zone": FromZone(z)} {
		for _, c := range lookups {
			if got := shown(r.Lookup(t.Context(), c.name, c.kind)); got != c.want {
				t.Errorf("%s: %q %v: got %q, want %q", how, c.name, c.kind, got, c.want)
			}
		}
	}
}

func TestIPv6Server(t *testing.T) {
	s, err := Serve("[::1]:0", testZone(t))
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("no IPv6 loopback: %v", err)
	}
	defer s.Close()
	r := resolver(t, Options{}, s)
	if got := shown(r.Lookup(t.Context(), "x.wild.example", A)); got != "192.0.2.1" {
		t.Errorf("got %q", got)
	}
}

func TestOffline(t *testing.T) {
	_, err := Offline().Lookup(t.Context(), "example", A)
	if !errors.Is(err, ErrOffline) {
		t.Errorf("got %v", err)
	}
}

func TestFailureNeverHoldsTheNameInItsCause(t *testing.T) {
	z, err := MapZone(map[string][]string{"secret.example": {"SERVFAIL"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Resolver{FromZone(z), resolver(t, Options{}, serve(t, "127.0.0.1:0", z)), resolver(t, Options{Servers: []string{"127.0.0.1:1"}})} {
		_, err := r.Lookup(t.Context(), "secret.example", A)
		var f *Failure
		if !errors.As(err, &f) || strings.Contains(f.Err.Error(), "secret") || !strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v", err)
		}
	}
}

// What a server sends, and what a lookup of an existing name must make of it.
var misbehaviour = []struct {
	name  string
	twist lookuptest.Twist
	want  string
}{
	{"silent", lookuptest.Silent, Timeout},
	{"wrong id", lookuptest.WrongID, Timeout},
	{"wrong question", lookuptest.WrongQuestion, Timeout},
	{"wrong case", lookuptest.WrongCase, Timeout},
	{"a query", lookuptest.AQuery, Timeout},
	{"header only", lookuptest.HeadOnly, Timeout},
	{"cut", lookuptest.Cut, Failed},
	{"garbled", lookuptest.Garbled, Failed},
	{"oversized", lookuptest.Oversized, "192.0.2.1"},
	{"servfail", lookuptest.Code(lookuptest.Servfail), Servfail},
	{"refused", lookuptest.Code(lookuptest.Refused), Refused},
	{"notimp", lookuptest.Code(lookuptest.NotImp), Failed},
	{"formerr", lookuptest.Code(lookuptest.FormErr), Failed},
	{"always truncated", lookuptest.AlwaysTruncated, Timeout},
	{"truncated, then a wrong id", func(packet []byte, tcp bool) [][]byte {
		if tcp {
			return lookuptest.WrongID(packet, tcp)
		}
		return lookuptest.Truncated(packet, tcp)
	}, Timeout},
	{"lame", lookuptest.Lame, Failed},
	{"a loop", lookuptest.Loop, Failed},
	{"nxdomain", lookuptest.Code(lookuptest.NXDomain), "none"},
	{"wrong id, then right", lookuptest.Before(lookuptest.WrongID), "192.0.2.1"},
	{"wrong question, then right", lookuptest.Before(lookuptest.WrongQuestion), "192.0.2.1"},
	{"wrong case, then right", lookuptest.Before(lookuptest.WrongCase), "192.0.2.1"},
	{"twice", lookuptest.Twice, "192.0.2.1"},
	{"truncated", lookuptest.Truncated, "192.0.2.1"},
}

func TestMisbehaviour(t *testing.T) {
	for _, c := range misbehaviour {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, "127.0.0.1:0", testZone(t))
			s.Twist(c.twist)
			timeout := 10 * time.Second
			if c.want == Timeout {
				timeout = 50 * time.Millisecond
			}
			r := resolver(t, Options{Timeout: timeout}, s)
			if got := shown(r.Lookup(t.Context(), "x.wild.example", A)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// The same with a second server that is honest: whatever the first does, the answer is found.
func TestNextServer(t *testing.T) {
	for _, c := range misbehaviour {
		if c.want == "none" {
			continue // to be told that a name does not exist is an answer
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bad, good := serve(t, "127.0.0.1:0", testZone(t)), serve(t, "127.0.0.1:0", testZone(t))
			bad.Twist(c.twist)
			r := resolver(t, Options{Timeout: time.Second}, bad, good)
			if got := shown(r.Lookup(t.Context(), "x.wild.example", A)); got != "192.0.2.1" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestADeadServerIsAskedLast(t *testing.T) {
	dead, good := serve(t, "127.0.0.1:0", testZone(t)), serve(t, "127.0.0.1:0", testZone(t))
	dead.Twist(lookuptest.Silent)
	r := resolver(t, Options{Timeout: time.Second}, dead, good)
	for i := range 10 {
		if got := shown(r.Lookup(t.Context(), fmt.Sprintf("x%d.wild.example", i), A)); got != "192.0.2.1" {
			t.Errorf("got %q", got)
		}
	}
	if n := dead.Asked(); n != 1 {
		t.Errorf("the dead server was asked %d times", n)
	}
}

func TestSilentIsAResolverThatIsGone(t *testing.T) {
	server := serve(t, "127.0.0.1:0", testZone(t))
	r := resolver(t, Options{Timeout: 5 * time.Millisecond}, server)
	ask := func(n int) {
		for i := range n {
			r.Lookup(t.Context(), fmt.Sprintf("x%d.wild.example", i), A)
		}
	}
	server.Twist(lookuptest.Silent)
	if ask(1); r.Silent() {
		t.Error("one name without an answer is that name's trouble")
	}
	if ask(silentAfter); !r.Silent() {
		t.Error("a server that never answers is not noticed")
	}
	server.Twist(nil)
	if r.Fresh(t.Context(), "x.wild.example", A); r.Silent() {
		t.Error("silent after an answer")
	}
}

func TestAnAnswerAfterTheRetransmissionCounts(t *testing.T) {
	release := make(chan struct{})
	slow, silent := serve(t, "127.0.0.1:0", testZone(t)), serve(t, "127.0.0.1:0", testZone(t))
	slow.Twist(lookuptest.Held(release))
	silent.Twist(func([]byte, bool) [][]byte { close(release); return nil }) // asked once the first is late
	r := resolver(t, Options{Timeout: 500 * time.Millisecond}, slow, silent)
	if got := shown(r.Lookup(t.Context(), "x.wild.example", A)); got != "192.0.2.1" {
		t.Errorf("got %q", got)
	}
}

// The first server is late and then fails; that must not end the waiting for the second.
func TestALateFailureEndsNothing(t *testing.T) {
	secondAsked, release := make(chan struct{}), make(chan struct{})
	first, second := serve(t, "127.0.0.1:0", testZone(t)), serve(t, "127.0.0.1:0", testZone(t))
	first.Twist(func(packet []byte, tcp bool) [][]byte {
		<-secondAsked
		return append(lookuptest.Code(lookuptest.Servfail)(packet, tcp), packet) // the packet after it will be dropped
	})
	second.Twist(func(packet []byte, _ bool) [][]byte {
		close(secondAsked)
		<-release
		return [][]byte{packet}
	})
	r := resolver(t, Options{Timeout: 2 * time.Second, Budget: 20 * time.Second}, first, second)
	go func() {
		for r.Stats().Dropped == 0 && t.Context().Err() == nil {
			runtime.Gosched()
		}
		close(release)
	}()
	if got := shown(r.Lookup(t.Context(), "x.wild.example", A)); got != "192.0.2.1" {
		t.Errorf("got %q", got)
	}
}

func TestTruncatedAnswersComeOverTCP(t *testing.T) {
	many := make([]string, 200)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}).String()
	}
	z, err := MapZone(map[string][]string{"many.example": many})
	if err != nil {
		t.Fatal(err)
	}
	r := resolver(t, Options{}, serve(t, "127.0.0.1:0", z))
	a, err := r.Lookup(t.Context(), "many.example", A)
	if err != nil || len(a.Addrs) != len(many) {
		t.Errorf("%d addresses, %v", len(a.Addrs), err)
	}
	if n := r.Stats().Streams; n != 1 {
		t.Errorf("%d over TCP", n)
	}
}

func TestTooManyRecordsAreAFailure(t *testing.T) {
	many := make([]string, maxRecords+1)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{127, 0, byte(i >> 8), byte(i)}).String()
	}
	z, err := MapZone(map[string][]string{"many.example": many})
	if err != nil {
		t.Fatal(err)
	}
	if got := shown(resolver(t, Options{}, serve(t, "127.0.0.1:0", z)).Lookup(t.Context(), "many.example", A)); got != Failed {
		t.Errorf("got %q", got)
	}
}

func TestOneQueryInFlightForAName(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() { close(asked) })
	s := serve(t, "127.0.0.1:0", testZone(t))
	s.Twist(func(packet []byte, _ bool) [][]byte {
		first()
		<-release
		return [][]byte{packet}
	})
	r := resolver(t, Options{Timeout: 10 * time.Second, Budget: 20 * time.Second}, s)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got := shown(r.Lookup(t.Context(), "x.wild.example", A)); got != "192.0.2.1" {
				t.Errorf("got %q", got)
			}
		})
	}
	<-asked
	close(release)
	all.Wait()
	if n := r.Stats().Sent; n != 1 {
		t.Errorf("%d queries", n)
	}
}

func TestALateAnswerFillsTheCacheThoughTheAskerHasGone(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, "127.0.0.1:0", testZone(t))
	s.Twist(lookuptest.Held(release))
	r := resolver(t, Options{Timeout: 10 * time.Second, Budget: 20 * time.Second}, s)
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 20*time.Millisecond)
		},
		"cancel": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(20*time.Millisecond, cancel)
			return ctx, cancel
		},
	} {
		ctx, cancel := end(t.Context())
		began := time.Now()
		if got := shown(r.Lookup(ctx, "x.wild.example", A)); got != Timeout {
			t.Errorf("%s: got %q", name, got)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: waited %v", name, took)
		}
		cancel()
	}
	close(release)
	for { // joins what is under way, or reads the cache
		a, err := r.Lookup(t.Context(), "x.wild.example", A)
		if got := shown(a, err); got != "192.0.2.1" {
			t.Fatalf("got %q", got)
		}
		if a.Cached {
			break
		}
	}
	if n := r.Stats().Sent; n != 1 {
		t.Errorf("%d queries", n)
	}
}

func TestCloseEndsLookups(t *testing.T) {
	s := serve(t, "127.0.0.1:0", testZone(t))
	asked := make(chan struct{})
	s.Twist(func([]byte, bool) [][]byte { close(asked); return nil })
	r := resolver(t, Options{Timeout: time.Hour, Budget: time.Hour}, s)
	done := make(chan error)
	go func() {
		_, err := r.Lookup(context.Background(), "x.wild.example", A)
		done <- err
	}()
	<-asked
	r.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := r.Lookup(t.Context(), "y.wild.example", A); !errors.Is(err, ErrClosed) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestCloseAmidLookups(t *testing.T) {
	r := resolver(t, Options{}, serve(t, "127.0.0.1:0", testZone(t)))
	var all sync.WaitGroup
	var once sync.Once
	started := make(chan struct{})
	for i := range 8 {
		all.Go(func() {
			for j := 0; ; j++ {
				_, err := r.Lookup(t.Context(), fmt.Sprintf("x%d-%d.wild.example", i, j), A)
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("amid Close: %v", err)
					return
				}
				once.Do(func() { close(started) })
			}
		})
	}
	<-started
	r.Close()
	r.Close()
	all.Wait()
}

func TestSocketsAreReplaced(t *testing.T) {
	r := resolver(t, Options{}, serve(t, "127.0.0.1:0", testZone(t)))
	const each = queriesPerSocket * socketsEach / 4
	u := r.upstreams[0]
	for i := range u.sockets {
		for u.sockets[i] == nil {
			r.Lookup(t.Context(), fmt.Sprintf("y%d.wild.example", r.Stats().Sent), A)
		}
	}
	first := u.sockets
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range each {
				if got := shown(r.Lookup(t.Context(), fmt.Sprintf("x%d-%d.wild.example", i, j), A)); got != "192.0.2.1" {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	all.Wait()
	if st := r.Stats(); st.Failures != 0 || st.Sent < 8*each {
		t.Errorf("stats %+v", st)
	}
	for i, s := range first {
		if s == u.sockets[i] || !s.ended {
			t.Errorf("socket %d is still in use, or was left open", i)
		}
	}
}

func TestServersAreAddresses(t *testing.T) {
	for _, bad := range [][]string{nil, {""}, {"localhost:53"}, {"127.0.0.1:0"}, {"127.0.0.1:99999"}, {"127.0.0.1:53", "x"}} {
		if r, err := New(Options{Servers: bad}); err == nil {
			r.Close()
			t.Errorf("%q was taken", bad)
		}
	}
	for given, want := range map[string]string{"127.0.0.1": "127.0.0.1:53", "::1": "[::1]:53", "[::1]:5353": "[::1]:5353"} {
		if got, err := parseServer(given); err != nil || got.String() != want {
			t.Errorf("%q: %v, %v", given, got, err)
		}
	}
}

func TestReverseName(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.7":        "7.2.0.192",
		"::ffff:127.0.0.2": "2.0.0.127",
		"2001:db8::2":      "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2",
	} {
		if got := ReverseName(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %s", ip, got)
		}
	}
}

// What a fresh lookup finds takes the place of what was kept.
func TestFreshLooksPastTheCache(t *testing.T) {
	z := testZone(t)
	r := resolver(t, Options{}, serve(t, "127.0.0.1:0", z))
	look := func(find func(context.Context, string, Kind) (Answer, error), want string) {
		t.Helper()
		a, err := find(t.Context(), "fresh.example", A)
		if got := fmt.Sprint(a.Addrs); err != nil || got != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
	for _, address := range []string{"192.0.2.1", "192.0.2.2"} {
		if err := z.Set("fresh.example", address); err != nil {
			t.Fatal(err)
		}
		look(r.Lookup, "[192.0.2.1]")
	}
	look(r.Fresh, "[192.0.2.2]")
	look(r.Lookup, "[192.0.2.2]")
}
