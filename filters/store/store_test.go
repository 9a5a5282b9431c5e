package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func add(t testing.TB, m *Memory, at time.Time, d Delta) Counter {
	t.Helper()
	counters, err := m.Add(context.Background(), at, d)
	if err != nil {
		t.Fatalf("adding: %v", err)
	}
	return counters[0]
}

func within(t testing.TB, m *Memory, at time.Time, over time.Duration, key string) Counter {
	t.Helper()
	counters, err := m.Within(context.Background(), at, over, key)
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	return counters[0]
}

func TestCounterAddsAndExpires(t *testing.T) {
	m := NewMemory(1 << 20)
	for i := range 3 {
		add(t, m, noon.Add(time.Duration(i)*time.Minute), Delta{Key: "k", N: 2, Member: fmt.Sprint(i % 2), Life: time.Hour})
	}
	for _, c := range []struct {
		after time.Duration
		want  Counter
	}{
		{2 * time.Minute, Counter{6, 2, noon, noon.Add(2 * time.Minute)}},
		{60 * time.Minute, Counter{4, 2, noon.Add(time.Minute), noon.Add(2 * time.Minute)}},
		{61 * time.Minute, Counter{2, 1, noon.Add(2 * time.Minute), noon.Add(2 * time.Minute)}},
		{62 * time.Minute, Counter{}},
	} {
		if got := within(t, m, noon.Add(c.after), 0, "k"); got != c.want {
			t.Errorf("after %v: %v, want %v", c.after, got, c.want)
		}
	}
	if got := add(t, m, noon.Add(2*time.Hour), Delta{Key: "k", N: 1, Life: time.Hour}); got != (Counter{1, 0, noon.Add(2 * time.Hour), noon.Add(2 * time.Hour)}) {
		t.Errorf("a counter that had expired goes on: %v", got)
	}
}

// A steady stream must be counted in any window, never more than there was and at most a twelfth of the window less.
func TestWindows(t *testing.T) {
	m := NewMemory(1 << 20)
	end := noon.Add(6 * time.Hour)
	for at := noon; !at.After(end); at = at.Add(10 * time.Second) {
		add(t, m, at, Delta{Key: "k", N: 1, Life: 24 * time.Hour})
	}
	for _, over := range []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 5 * time.Hour} {
		most := int64(over / (10 * time.Second))
		if got := within(t, m, end, over, "k").N; got > most || got < most-most/edge-1 {
			t.Errorf("in %v: %d of %d", over, got, most)
		}
	}
	if c := m.counters; c.Len() != 1 || m.used > 8<<10 {
		t.Errorf("%d counters of %d bytes: spans are not merged", c.Len(), m.used)
	}
}

// A burst that fits the window is counted exactly, whatever came before.
func TestBurst(t *testing.T) {
	m := NewMemory(1 << 20)
	for i := range 500 {
		add(t, m, noon.Add(time.Duration(i)*time.Minute), Delta{Key: "k", N: 1, Life: 24 * time.Hour})
	}
	start := noon.Add(12 * time.Hour)
	for i := range 20 {
		add(t, m, start.Add(time.Duration(i)*29*time.Second), Delta{Key: "k", N: 1, Member: fmt.Sprint(i), Life: 24 * time.Hour})
	}
	if got := within(t, m, start.Add(20*29*time.Second), 10*time.Minute, "k"); got.N != 20 || got.Distinct != 20 {
		t.Errorf("%v, want 20 and 20", got)
	}
}

func TestTimesOutOfOrder(t *testing.T) {
	m := NewMemory(1 << 20)
	minutes := rand.New(rand.NewPCG(1, 2)).Perm(200)
	for _, i := range minutes {
		add(t, m, noon.Add(time.Duration(i)*time.Minute), Delta{Key: "k", N: 1, Member: fmt.Sprint(i % 50), Life: 24 * time.Hour})
	}
	if got := within(t, m, noon.Add(200*time.Minute), 0, "k"); got.N != 200 || got.Distinct != 50 || got.Since != noon {
		t.Errorf("%v, want 200, 50 since noon", got)
	}
}

func TestDistinct(t *testing.T) {
	m := NewSeeded(4<<20, [16]byte{7})
	for n := range int64(5000) {
		d := Delta{Key: "k", Member: fmt.Sprint("member", n), Life: 24 * time.Hour}
		got := add(t, m, noon.Add(time.Duration(n)*time.Second), d).Distinct
		if want := n + 1; want <= Exact && got != want || float64(got) < .75*float64(want) || float64(got) > 1.3*float64(want) {
			t.Fatalf("%d members counted as %d", want, got)
		}
	}
	if got := within(t, m, noon.Add(4999*time.Second), 100*time.Second, "k").Distinct; got != 100 {
		t.Errorf("of the last 100 members %d are counted, though so few are known exactly", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	const most = 1 << 20
	m := NewMemory(most)
	ctx := context.Background()
	for i := range 20_000 {
		at := noon.Add(time.Duration(i) * time.Second)
		add(t, m, at, Delta{Key: fmt.Sprintf("key/%d", i), N: 1, Member: "m", Life: time.Hour})
		if err := m.Mark(ctx, at, time.Hour, uint32(i+1), m.Hasher().Pair(uint64(i), 1)); err != nil {
			t.Fatal(err)
		}
		if err := m.Place(ctx, at, time.Hour, uint32(i+1), Point{uint64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	n, bytes := m.Usage()
	if bytes > most || bytes < most/2 || n < 500 {
		t.Errorf("%d counters, %d bytes of at most %d", n, bytes, most)
	}
	if got := within(t, m, noon.Add(20_000*time.Second), 0, "key/19999").N; got != 1 {
		t.Error("the newest counter is gone")
	}
}

func TestPostings(t *testing.T) {
	m := NewMemory(1 << 20)
	ctx := context.Background()
	h := m.Hasher()
	one, two, none := h.Sum([]byte("one")), h.Sum([]byte("two")), h.Sum([]byte("none"))
	for owner := uint32(1); owner <= 6; owner++ {
		for range owner {
			if err := m.Mark(ctx, noon, time.Hour, owner, one, two); err != nil {
				t.Fatal(err)
			}
		}
	}
	lists, err := m.Marked(ctx, noon.Add(time.Minute), nil, one, none, two)
	if err != nil {
		t.Fatal(err)
	}
	if got := lists[0]; got.Len() != 4 || got.Of(6).N != 6 || got.Of(5).N != 5 || got.Of(1).N != 0 {
		t.Errorf("%v: not the four owners with most marks", got)
	}
	if lists[1].Len() != 0 || lists[2] != lists[0] {
		t.Errorf("%v: not in the order of the keys", lists)
	}
	if lists, _ = m.Marked(ctx, noon.Add(time.Hour), nil, one); lists[0].Len() != 0 {
		t.Errorf("%v is there after its life", lists[0])
	}
}

func TestPoints(t *testing.T) {
	m := NewMemory(1 << 20)
	ctx := context.Background()
	if n, _ := m.Nearest(ctx, noon, Point{}); n.Owner != 0 {
		t.Errorf("%v in an empty memory", n)
	}
	for owner, p := range []Point{{}, {0xff}, {0, 0, 0, ^uint64(0)}} {
		if err := m.Place(ctx, noon, time.Hour, uint32(owner+1), p); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := m.Nearest(ctx, noon, Point{0x7f, 1}); n != (Neighbour{2, 2}) {
		t.Errorf("nearest is %v", n)
	}
	if n, _ := m.Nearest(ctx, noon.Add(time.Hour), Point{}); n.Owner != 0 {
		t.Errorf("%v is there after its life", n)
	}
}

func TestEndedContext(t *testing.T) {
	m := NewMemory(1 << 20)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, a := m.Add(ctx, noon, Delta{Key: "k", N: 1, Life: time.Hour})
	_, g := m.Within(ctx, noon, 0, "k")
	_, l := m.Marked(ctx, noon, nil, 1)
	_, n := m.Nearest(ctx, noon, Point{})
	for _, err := range []error{a, g, l, n, m.Mark(ctx, noon, time.Hour, 1, 1), m.Place(ctx, noon, time.Hour, 1, Point{})} {
		if err == nil || !strings.Contains(err.Error(), "canceled") {
			t.Errorf("error %v after the context ended", err)
		}
	}
}

func TestManyGoroutines(t *testing.T) {
	m := NewMemory(1 << 20)
	var wg sync.WaitGroup
	for g := range 20 {
		wg.Go(func() {
			for i := range 200 {
				add(t, m, noon.Add(time.Duration(i)*time.Second), Delta{Key: "k", N: 1, Member: fmt.Sprint(g), Life: time.Hour})
			}
		})
	}
	wg.Wait()
	if got := within(t, m, noon.Add(200*time.Second), 0, "k"); got.N != 4000 || got.Distinct != 20 {
		t.Errorf("%v, want 4000 and 20", got)
	}
}

func TestHasher(t *testing.T) {
	a, b := NewHasher([16]byte{1}), NewHasher([16]byte{2})
	seen := map[uint64]string{}
	for _, s := range []string{"", "a", "b", "ab", "1234567", "12345678", "123456789", "12345678\x00"} {
		h := a.Sum([]byte(s))
		if other, found := seen[h]; found {
			t.Errorf("%q and %q have one hash", s, other)
		}
		seen[h] = s
		if h != a.Sum([]byte(s)) || h == b.Sum([]byte(s)) {
			t.Errorf("the hash of %q does not depend on text and key alone", s)
		}
	}
	if a.Pair(1, 2) == a.Pair(2, 1) {
		t.Error("a pair's order does not matter")
	}
}

// FuzzCounter drives a counter with any times and checks that it never counts what was not there, nor fails.
func FuzzCounter(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200, 5, 90, 0, 255})
	f.Fuzz(func(t *testing.T, steps []byte) {
		m := NewMemory(1 << 16)
		for i, s := range steps {
			at := noon.Add(time.Duration(int(s)-128) * time.Minute)
			got := add(t, m, at, Delta{Key: "k", N: 1, Member: fmt.Sprint(s % 16), Life: time.Hour})
			if got.N < 0 || got.N > int64(i+1) || got.Distinct < 0 || got.Distinct > 16 {
				t.Fatalf("after %v: %v", steps[:i+1], got)
			}
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	m := NewMemory(64 << 20)
	ctx := context.Background()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		key := "key/" + fmt.Sprint(i%100_000)
		if _, err := m.Add(ctx, noon.Add(time.Duration(i)*time.Millisecond), Delta{Key: key, N: 1, Member: key, Life: time.Hour}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPostings looks up and leaves the marks of one message, in tables that hold more and more.
func BenchmarkPostings(b *testing.B) {
	for _, filled := range []int{10_000, 1_000_000, 10_000_000} {
		b.Run(fmt.Sprint(filled), func(b *testing.B) {
			m := NewMemory(int64(filled) * placeBytes * 3) // two thirds full
			ctx := context.Background()
			keys, hasher := make([]uint64, 137), m.Hasher()
			next := func(n uint64) {
				for i := range keys {
					keys[i] = hasher.Pair(n, uint64(i))
				}
			}
			for n := range filled / len(keys) {
				next(uint64(n))
				m.Mark(ctx, noon, time.Hour, uint32(n+1), keys...)
			}
			var lists []Postings
			b.ResetTimer()
			for n := uint64(1 << 40); b.Loop(); n++ {
				next(n)
				lists, _ = m.Marked(ctx, noon, lists[:0], keys...)
				m.Mark(ctx, noon, time.Hour, uint32(n), keys...)
			}
		})
	}
}
