package redisstore

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"weir/filters/store"
	"weir/filters/store/storetest"
)

// message is what the checks remember of one: a campaign's three counters, a greylisted sender, marks of words.
func message(t testing.TB, s store.Store, n, campaign int) {
	t.Helper()
	ctx := context.Background()
	const life = 7 * 24 * time.Hour
	name := fmt.Sprint("bulk/", campaign)
	keys := make([]uint64, 300)
	for i := range keys {
		keys[i] = s.Hasher().Pair(uint64(campaign), uint64(i))
	}
	grey := fmt.Sprint("greylist:", n)
	if err := s.Sync(ctx, noon, wanted(name+"/networks", name+"/senders", name+"/recipients", grey)); err != nil {
		t.Fatal(err)
	}
	_, err := s.Add(ctx, noon,
		store.Delta{Key: name + "/networks", N: 1, Member: fmt.Sprint("network ", n), Life: life},
		store.Delta{Key: name + "/senders", N: 1, Member: fmt.Sprint("sender ", n), Life: life},
		store.Delta{Key: name + "/recipients", N: 16, Member: fmt.Sprint("recipient ", n), Life: life},
		store.Delta{Key: grey, N: 1, Life: 36 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Mark(ctx, noon, life, uint32(campaign)+1, keys...); err != nil {
		t.Fatal(err)
	}
}

func raw(t testing.TB, addr string) rueidis.Client {
	t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, ForceSingleClient: true, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Nothing stays in Redis for ever, and all of it stands below the prefix.
func TestEverythingExpires(t *testing.T) {
	r := storetest.NewRedis(t)
	s := open(t, Options{Addrs: []string{r.Addr}, Prefix: "mx"})
	for n := range 300 {
		message(t, s, n, n%2) // enough for sets that are large
	}
	synced(t, s)
	c := raw(t, r.Addr)
	keys, err := c.Do(context.Background(), c.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil || len(keys) < 300 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	kinds := map[string]bool{}
	for _, key := range keys {
		ttl, err := c.Do(context.Background(), c.B().Ttl().Key(key).Build()).AsInt64()
		if err != nil || ttl <= 0 || key[:5] != "mx:1:" {
			t.Errorf("%s lives for %d seconds, %v", key, ttl, err)
		}
		kind, _ := c.Do(context.Background(), c.B().Type().Key(key).Build()).ToString()
		kinds[kind] = true
	}
	if len(kinds) != 3 { // stream, hash, string: secret and HyperLogLogs
		t.Errorf("kinds of values: %v", kinds)
	}
}

// One message after the other costs one round trip that is waited for; what it adds goes with the next one's, or alone.
func TestRoundTrips(t *testing.T) {
	r := storetest.NewRedis(t)
	s := open(t, Options{Addrs: []string{r.Addr}})
	synced(t, s)
	for n := range 5 {
		message(t, s, n, 7)
	}
	synced(t, s)
	const many = 200
	before := s.Status().Trips
	begun := time.Now()
	for n := range many {
		message(t, s, n, n%10)
	}
	trips, alone := s.Status().Trips-before, int64(time.Since(begun)/gather)+1
	if trips < many || trips > many+alone {
		t.Errorf("%d trips for %d messages, and at most %d to tell", trips, many, alone)
	}
	if c := s.Status(); c.Away != nil || c.Lost != 0 {
		t.Errorf("%+v", c)
	}
}

// Marks of a new campaign bring its counters along: a second trip, for this message only.
func TestSecondTrip(t *testing.T) {
	r := storetest.NewRedis(t)
	o := Options{Addrs: []string{r.Addr}}
	one, other := open(t, o), open(t, o)
	synced(t, one)
	synced(t, other)
	key := one.Hasher().Sum([]byte("a mark"))
	add(t, one, "campaign", 41)
	if err := one.Mark(context.Background(), noon, time.Hour, 9, key); err != nil {
		t.Fatal(err)
	}
	synced(t, one)
	asked := 0
	err := other.Sync(context.Background(), noon, func() []string {
		asked++
		lists, err := other.Marked(context.Background(), noon, nil, key)
		if err != nil || lists[0].Of(9).N == 0 {
			return nil
		}
		return []string{"campaign"}
	})
	if err != nil || number(t, other, "campaign") != 41 || asked != 2 {
		t.Errorf("%v, %d, asked %d times", err, number(t, other, "campaign"), asked)
	}
}

// A large set is counted by HyperLogLog, however few of its members each process has seen.
func TestLargeSet(t *testing.T) {
	r := storetest.NewRedis(t)
	o := Options{Addrs: []string{r.Addr}}
	one, other := open(t, o), open(t, o)
	synced(t, one)
	synced(t, other)
	const many = 20_000
	for i := range many {
		s := []*Store{one, other}[i%2]
		at := noon.Add(time.Duration(i) * time.Second / 10)
		if i%50 < 2 {
			if err := s.Sync(context.Background(), at, wanted("k")); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Add(context.Background(), at, store.Delta{Key: "k", N: 1, Member: strconv.Itoa(i), Life: 7 * 24 * time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	synced(t, one)
	synced(t, other)
	end := noon.Add(many * time.Second / 10)
	third := open(t, o)
	synced(t, third)
	if err := third.Sync(context.Background(), end, wanted("k")); err != nil {
		t.Fatal(err)
	}
	for over, want := range map[time.Duration]float64{0: many, 24 * time.Hour: many, 10 * time.Minute: 6000} {
		all, err := third.Within(context.Background(), end, over, "k")
		if err != nil || math.Abs(float64(all[0].Distinct)-want)/want > .1 {
			t.Errorf("%d members within %s, want %.0f; %v", all[0].Distinct, over, want, err)
		}
	}
	fields, err := raw(t, r.Addr).Do(context.Background(), raw(t, r.Addr).B().Hlen().Key(third.counterKey("k")).Build()).AsInt64()
	if err != nil || fields > 1000 {
		t.Errorf("%d fields, %v", fields, err)
	}
}

// A memory that was saved hears only what was posted since.
func TestSaved(t *testing.T) {
	r := storetest.NewRedis(t)
	s := open(t, Options{Addrs: []string{r.Addr}})
	synced(t, s)
	if err := s.Mark(context.Background(), time.Now(), time.Hour, 5, 77<<32); err != nil {
		t.Fatal(err)
	}
	synced(t, s)
	for since, want := range map[time.Time]uint16{{}: 1, time.Now().Add(time.Minute): 0} {
		late := New(Options{Addrs: []string{r.Addr}, Since: since, Prefix: t.Name(), Timeout: 10 * time.Second},
			store.NewSeeded(1<<20, s.memory.Secret()))
		t.Cleanup(late.Close)
		synced(t, late)
		lists, err := late.Marked(context.Background(), time.Now(), nil, 77<<32)
		if err != nil || lists[0].Of(5).N != want {
			t.Errorf("since %s: %v, %v", since, lists, err)
		}
	}
}

func TestLevels(t *testing.T) {
	for life, want := range map[uint32][]uint32{
		1: {1}, 60: {5}, 599: {49}, 600: {50}, 3600: {50, 300}, 7 * 86400: {50, 300, 1800, 7200, 50400}, math.MaxUint32: widths[:],
	} {
		if got := levels(life); !slices.Equal(got, want) {
			t.Errorf("%d: %v, want %v", life, got, want)
		}
	}
	for i, width := range widths[1:] {
		if width%widths[i] != 0 {
			t.Errorf("%d does not divide %d", widths[i], width)
		}
	}
}

// What a counter's hash holds may have been written by anybody.
func FuzzDecode(f *testing.F) {
	f.Add("3600", "0zz", "5", uint32(1_000_000))
	f.Add("604800", "4a", "-1", uint32(0))
	f.Add("x", "m\x00\x00\x00\x01", "99999999999", uint32(math.MaxUint32))
	f.Fuzz(func(t *testing.T, life, field, value string, now uint32) {
		if field == "" {
			return
		}
		m := decode(map[string]string{fieldLife: life, fieldFirst: value, fieldLast: value, field: value}, now)
		memory := store.NewMemory(1 << 16)
		memory.Learn(time.Unix(int64(now), 0), "k", m.Known)
		if _, err := memory.Within(context.Background(), time.Unix(int64(now), 0), time.Hour, "k"); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzPosts(f *testing.F) {
	f.Add(post{postMark, 1, 60, 7, []uint64{1, 2}}.append(nil))
	f.Add(post{postHand, 1, 7, 8, []uint64{1, 2}}.append(post{postPoint, 1, 60, 7, []uint64{1, 2, 3, 4}}.append(nil)))
	f.Fuzz(func(t *testing.T, data []byte) {
		tell(store.NewMemory(1<<12), &journal{}, data) // an error or a memory, whatever it says
		p, rest, err := parsePost(data)
		if err != nil {
			return
		}
		if again := p.append(nil); string(again)+string(rest) != string(data) {
			t.Errorf("%x became %x", data, again)
		}
	})
}

func TestJournalIsBounded(t *testing.T) {
	var j journal
	for i := range mostCounters + 10 {
		if e := j.counter(strconv.Itoa(i), 60); e != nil {
			e.add(store.Span{First: 1, Last: 1, N: 1})
		}
	}
	big := post{kind: postMark, values: make([]uint64, mostPosted)}
	for range mostEntries + 10 {
		j.post(big)
	}
	e := j.counter("0", 60)
	for i := range uint32(2 * mostMembers) {
		e.see(store.Seen{Member: i, At: i})
	}
	if len(j.counters) != mostCounters || len(j.entries) != mostEntries || j.lost != 20 || len(e.members) != mostMembers {
		t.Errorf("%d counters, %d entries, %d lost, %d members", len(j.counters), len(j.entries), j.lost, len(e.members))
	}
	all, entries := 0, 0
	for !j.empty() {
		out := j.take()
		all, entries = all+len(out.counters), entries+len(out.entries)
	}
	if all != mostCounters || entries != mostEntries {
		t.Errorf("%d counters and %d entries were taken out", all, entries)
	}
}

// BenchmarkMessage is what is remembered of a message that is like no other, in memory alone and with Redis beside it:
// time, that of the processor here and in Redis, and the memory it takes there.
func BenchmarkMessage(b *testing.B) {
	r := storetest.NewRedis(b)
	for name, open := range map[string]func(*testing.B) store.Store{
		"memory": func(*testing.B) store.Store { return store.NewMemory(16 << 20) },
		"redis":  func(b *testing.B) store.Store { return open(b, Options{Addrs: []string{r.Addr}}) },
	} {
		b.Run(name, func(b *testing.B) {
			s, redis := open(b), raw(b, r.Addr)
			b.ReportAllocs()
			bytes, seconds := usage(b, redis)
			before := processorTime()
			n := 0
			for b.Loop() {
				message(b, s, n, n)
				n++
			}
			each := func(x float64) float64 { return x / float64(n) }
			b.ReportMetric(each((processorTime()-before).Seconds()*1e6), "us-CPU/op")
			if name == "memory" {
				return
			}
			if err := s.Sync(context.Background(), noon, wanted()); err != nil {
				b.Fatal(err)
			}
			bytesAfter, secondsAfter := usage(b, redis)
			b.ReportMetric(each((secondsAfter-seconds)*1e6), "us-CPU-redis/op")
			b.ReportMetric(each(bytesAfter-bytes), "B-redis/op")
		})
	}
}

// usage returns the bytes that Redis holds and the seconds of the processor that it has used.
func usage(t testing.TB, redis rueidis.Client) (bytes, seconds float64) {
	t.Helper()
	info, err := redis.Do(context.Background(), redis.B().Info().Section("memory", "cpu").Build()).ToString()
	if err != nil {
		t.Fatal(err)
	}
	field := func(name string) float64 {
		_, after, _ := strings.Cut(info, name+":")
		value, _, _ := strings.Cut(after, "\r\n")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%s is %q in %s", name, value, info)
		}
		return n
	}
	return field("used_memory"), field("used_cpu_user") + field("used_cpu_sys")
}

func processorTime() time.Duration {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
