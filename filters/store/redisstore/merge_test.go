package redisstore

import (
	"context"
	"fmt"
	"testing"
	"time"

	"weir/filters/store"
	"weir/filters/store/storetest"
)

const week = 7 * 24 * time.Hour

// union makes one owner of from and to, of which each has one counter.
func union(from, to uint32) store.Union {
	return store.Union{From: from, To: to, Life: week, Counters: [][2]string{{counterOf(from), counterOf(to)}}}
}

func counterOf(owner uint32) string { return fmt.Sprintf("%d/k", owner) }

// fill counts members numbered from begin to end for owner.
func fill(t *testing.T, s *Store, owner uint32, begin, end int) {
	t.Helper()
	for n := begin; n < end; n++ {
		if _, err := s.Add(context.Background(), noon, store.Delta{Key: counterOf(owner), N: 1, Member: fmt.Sprint("member ", n), Life: week}); err != nil {
			t.Fatal(err)
		}
		if n%100 == 0 { // as many as wait for one trip at the most
			synced(t, s)
		}
	}
}

// agreed returns who two owners are, which all stores must know alike, and their counter.
func agreed(t *testing.T, a, b uint32, all ...*Store) store.Counter {
	t.Helper()
	for _, names := range [][]string{nil, nil, {counterOf(a), counterOf(b)}} { // sizes that were read are believed for a while
		for _, s := range all {
			synced(t, s, names...)
		}
	}
	one := all[0].Merged(noon, a)
	for i, s := range all {
		if x, y := s.Merged(noon, a), s.Merged(noon, b); x != one || y != one {
			t.Errorf("store %d: %d is %d and %d is %d, want both %d", i, a, x, b, y, one)
		}
	}
	found, err := all[len(all)-1].Within(context.Background(), noon, 0, counterOf(one))
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

// Two processes that merge in opposite directions at once agree on one, and nothing is counted twice.
func TestMergedInOppositeDirections(t *testing.T) {
	r := storetest.NewRedis(t)
	o := Options{Addrs: []string{r.Addr}}
	one, other, third := open(t, o), open(t, o), open(t, o)
	for _, s := range []*Store{one, other, third} {
		synced(t, s)
	}
	for n := range uint32(20) {
		a, b := 2*n+1, 2*n+2
		fill(t, one, a, 0, 30)
		fill(t, other, b, 20, 60)
		for range 2 {
			synced(t, one, counterOf(a), counterOf(b))
			synced(t, other, counterOf(a), counterOf(b))
		}
		begin, ended := make(chan struct{}), make(chan error, 2)
		for s, u := range map[*Store]store.Union{one: union(a, b), other: union(b, a)} {
			go func() {
				<-begin
				ended <- s.Merge(context.Background(), noon, u)
			}()
		}
		close(begin)
		for range 2 {
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		}
		if got := agreed(t, a, b, one, other, third); got.N != 70 || got.Distinct != 60 {
			t.Errorf("%d and %d: %+v, want 70 of 60", a, b, got)
		}
	}
}

// A process that knows the sum of a merge already, but has not heard of the merge, does not add it up again, whichever
// of the two has the greater number.
func TestMergedUnheard(t *testing.T) {
	r := storetest.NewRedis(t)
	one := open(t, Options{Addrs: []string{r.Addr}})
	third := open(t, Options{Addrs: []string{r.Addr}})
	synced(t, one)
	deaf := openWith(t, Options{Addrs: []string{r.Addr}, Since: time.Now().Add(time.Hour)}, store.NewSeeded(16<<20, one.memory.Secret()))
	for _, x := range [][2]uint32{{1, 2}, {4, 3}} {
		fill(t, one, x[0], 0, 30)
		fill(t, one, x[1], 20, 60)
		if err := one.Merge(context.Background(), noon, union(x[0], x[1])); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			synced(t, one)
		}
		synced(t, deaf, counterOf(x[0]), counterOf(x[1]))
		if deaf.Merged(noon, x[0]) != x[0] {
			t.Fatal("it has heard")
		}
		if err := deaf.Merge(context.Background(), noon, union(x[1], x[0])); err != nil {
			t.Fatal(err)
		}
		synced(t, deaf)
		if got := agreed(t, x[0], x[1], one, deaf, third); got.N != 70 || got.Distinct != 60 {
			t.Errorf("%d into %d: %+v, want 70 of 60", x[0], x[1], got)
		}
	}
}

// What is merged into an owner that has become another meanwhile is parted from it again, and keeps what it has.
func TestMergedIntoTheMerged(t *testing.T) {
	r := storetest.NewRedis(t)
	one := open(t, Options{Addrs: []string{r.Addr}})
	synced(t, one)
	deaf := openWith(t, Options{Addrs: []string{r.Addr}, Since: time.Now().Add(time.Hour)}, store.NewSeeded(16<<20, one.memory.Secret()))
	for owner := range uint32(3) {
		fill(t, one, owner+1, 0, 30)
	}
	if err := one.Merge(context.Background(), noon, union(2, 3)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		synced(t, one)
	}
	synced(t, deaf, counterOf(1), counterOf(2))
	if err := deaf.Merge(context.Background(), noon, union(1, 2)); err != nil {
		t.Fatal(err)
	}
	synced(t, deaf)
	synced(t, deaf, counterOf(1))
	if a, b := deaf.Merged(noon, 1), deaf.Merged(noon, 2); a != 1 || b != 3 {
		t.Errorf("1 is %d and 2 is %d, want 1 and 3", a, b)
	}
	if n := number(t, deaf, counterOf(1)); n != 30 {
		t.Errorf("%d of the first, want 30", n)
	}
}

// Of two large sets the union is counted, to within what is promised of one: also by who has seen neither.
func TestMergedLarge(t *testing.T) {
	for name, args := range map[string][]string{"alone": nil, "cluster": {"--cluster-enabled", "yes"}} {
		t.Run(name, func(t *testing.T) {
			r := storetest.NewRedis(t, args...)
			if args != nil {
				command(t, r.Addr, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
			}
			o := Options{Addrs: []string{r.Addr}, Prefix: "p"}
			one, third := openSeeded(t, o), openSeeded(t, o)
			synced(t, one)
			for n, c := range []struct{ a, b [2]int }{
				{[2]int{0, 2000}, [2]int{1000, 4000}}, {[2]int{0, 100}, [2]int{50, 1000}}, {[2]int{0, 1000}, [2]int{900, 1000}}, {[2]int{0, 100}, [2]int{100, 200}},
			} {
				a, b := uint32(2*n+1), uint32(2*n+2)
				fill(t, one, a, c.a[0], c.a[1])
				synced(t, one)
				fill(t, one, b, c.b[0], c.b[1])
				synced(t, one, counterOf(a), counterOf(b))
				if err := one.Merge(context.Background(), noon, union(a, b)); err != nil {
					t.Fatal(err)
				}
				got := agreed(t, a, b, one, third)
				want := max(c.a[1], c.b[1])
				if off := float64(got.Distinct)/float64(want) - 1; off < -.03 || off > .03 || got.N != int64(c.a[1]-c.a[0]+c.b[1]-c.b[0]) {
					t.Errorf("%v and %v: %+v, want %d different", c.a, c.b, got, want)
				}
			}
		})
	}
}
