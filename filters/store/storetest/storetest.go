// Package storetest says what every store does, as tests that each implementation runs.
package storetest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"weir/filters/store"
)

// noon is the time by the given clock. It is not the present, for no store may look at a clock of its own.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// Run tests the stores that open makes. Each is empty, and open sees to its end.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for name, test := range map[string]func(*testing.T, fixture){
		"counts": counts, "since": since, "lifetime": lifetime, "windows": windows, "fewMembers": fewMembers, "membersAlone": membersAlone, "manyMembers": manyMembers,
		"copies": copies, "marks": marks, "marksAreBounded": marksAreBounded, "hands": hands, "merges": merges, "forgets": forgets, "points": points, "atOnce": atOnce, "ended": ended,
	} {
		t.Run(name, func(t *testing.T) { test(t, fixture{t, open(t)}) })
	}
}

// fixture is a store whose calls must not fail.
type fixture struct {
	t *testing.T
	store.Store
}

func (f fixture) add(at time.Time, deltas ...store.Delta) {
	f.t.Helper()
	if _, err := f.Add(context.Background(), at, deltas...); err != nil {
		f.t.Fatal(err)
	}
}

// keys are n different keys of marks.
func (f fixture) keys(n int) []uint64 {
	all := make([]uint64, n)
	for i := range all {
		all[i] = f.Hasher().Sum(fmt.Append(nil, "key ", i))
	}
	return all
}

// synced makes sure that the store knows the counters named, and all marks and points.
func (f fixture) synced(at time.Time, counters ...string) {
	f.t.Helper()
	if err := f.Sync(context.Background(), at, func() []string { return counters }); err != nil {
		f.t.Fatal(err)
	}
}

func (f fixture) within(at time.Time, over time.Duration, key string) store.Counter {
	f.t.Helper()
	f.synced(at, key)
	all, err := f.Within(context.Background(), at, over, key)
	if err != nil {
		f.t.Fatal(err)
	}
	return all[0]
}

func (f fixture) marked(at time.Time, keys ...uint64) []store.Postings {
	f.t.Helper()
	f.synced(at)
	all, err := f.Marked(context.Background(), at, nil, keys...)
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

func (f fixture) mark(at time.Time, owner uint32, keys ...uint64) {
	f.t.Helper()
	if err := f.Mark(context.Background(), at, time.Hour, owner, keys...); err != nil {
		f.t.Fatal(err)
	}
}

func counts(t *testing.T, f fixture) {
	f.synced(noon, "a", "b")
	for _, d := range []store.Delta{
		{Key: "a", N: 1, Life: time.Hour}, {Key: "b", N: 5, Life: time.Hour}, {Key: "a", N: 2, Life: time.Hour}, {Key: "c", Life: time.Hour},
	} {
		f.add(noon, d)
	}
	for key, want := range map[string]int64{"a": 3, "b": 5, "c": 0, "none": 0} {
		if got := f.within(noon, 0, key).N; got != want {
			t.Errorf("%s is %d, want %d", key, got, want)
		}
	}
	got, err := f.Add(context.Background(), noon, store.Delta{Key: "a", N: 1, Life: time.Hour}, store.Delta{Key: "b", N: -2, Life: time.Hour})
	if err != nil || len(got) != 2 || got[0].N != 4 || got[1].N != 3 {
		t.Errorf("adding returned %v, %v", got, err)
	}
}

// since is what greylisting asks: to the second, and with a lifetime of weeks.
func since(t *testing.T, f fixture) {
	const life = 36 * 24 * time.Hour
	f.add(noon, store.Delta{Key: "k", N: 1, Life: life})
	last := noon.Add(20*time.Minute + 3*time.Second)
	f.synced(last, "k")
	f.add(last, store.Delta{Key: "k", N: 1, Life: life})
	if got := f.within(last, 0, "k"); !got.Since.Equal(noon) || !got.Last.Equal(last) || got.N != 2 {
		t.Errorf("%+v, want 2 from %s to %s", got, noon, last)
	}
}

func lifetime(t *testing.T, f fixture) {
	for _, life := range []time.Duration{time.Minute, time.Hour, 7 * 24 * time.Hour} {
		key := life.String()
		f.add(noon, store.Delta{Key: key, N: 7, Member: "m", Life: life})
		if got := f.within(noon.Add(life-time.Second), 0, key); got.N != 7 || got.Distinct != 1 {
			t.Errorf("just before %s: %+v", life, got)
		}
		if got := f.within(noon.Add(life), 0, key); got != (store.Counter{}) {
			t.Errorf("after %s: %+v", life, got)
		}
		f.add(noon.Add(life), store.Delta{Key: key, N: 1, Member: "n", Life: life})
		if got := f.within(noon.Add(life), 0, key); got.N != 1 || got.Distinct != 1 || !got.Since.Equal(noon.Add(life)) {
			t.Errorf("begun anew after %s: %+v", life, got)
		}
	}
}

// windows adds one each five minutes for a week, and asks for all windows that rules use.
func windows(t *testing.T, f fixture) {
	const every, life = 5 * time.Minute, 7 * 24 * time.Hour
	at := noon
	for range life / every {
		at = at.Add(every)
		f.add(at, store.Delta{Key: "k", N: 1, Life: life})
	}
	for _, over := range []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, life} {
		got, want := f.within(at, over, "k").N, int64(over/every)
		if got > want || float64(got) < float64(want)*7/8-1 {
			t.Errorf("%d in %s, want %d or up to an eighth less", got, over, want)
		}
	}
}

func fewMembers(t *testing.T, f fixture) {
	for i := range 100 {
		at := noon.Add(time.Duration(i) * time.Minute)
		f.add(at, store.Delta{Key: "k", N: 1, Member: fmt.Sprint("member ", i%50), Life: 24 * time.Hour})
	}
	end := noon.Add(99 * time.Minute)
	if got := f.within(end, 0, "k"); got.Distinct != 50 || got.N != 100 {
		t.Errorf("%+v, want 50 members", got)
	}
	if got := f.within(end, 10*time.Minute, "k").Distinct; got < 9 || got > 10 {
		t.Errorf("%d members in ten minutes, want 10", got)
	}
}

// membersAlone is a set without a number: what was added last keeps it alive.
func membersAlone(t *testing.T, f fixture) {
	const life = 7 * 24 * time.Hour
	f.add(noon, store.Delta{Key: "k", N: 1, Member: "first", Life: life})
	f.add(noon, store.Delta{Key: "set", Member: "first", Life: life})
	later := noon.Add(5 * 24 * time.Hour)
	f.synced(later, "k", "set")
	f.add(later, store.Delta{Key: "k", Member: "last", Life: life}, store.Delta{Key: "set", Member: "last", Life: life})
	end := later.Add(6 * 24 * time.Hour)
	if k, set := f.within(end, 0, "k"), f.within(end, 0, "set"); k.N != 0 || k.Distinct != 1 || set.Distinct != 1 || !set.Last.Equal(later) {
		t.Errorf("after eleven days: %+v %+v", k, set)
	}
	if got := f.within(end, 24*time.Hour, "set"); got.Distinct != 0 {
		t.Errorf("within a day: %+v", got)
	}
	if got := f.within(later.Add(life), 0, "set"); got != (store.Counter{}) {
		t.Errorf("when nothing counts any more: %+v", got)
	}
}

func manyMembers(t *testing.T, f fixture) {
	const many = 5000
	key := store.Delta{Key: "k", Life: 7 * 24 * time.Hour}
	for i := range many {
		d := key
		d.Member = fmt.Sprint("member ", i)
		f.add(noon.Add(time.Duration(i)*time.Second), d)
		if i%100 == 0 {
			f.synced(noon.Add(time.Duration(i)*time.Second), "k")
		}
	}
	end := noon.Add(many * time.Second)
	for over, want := range map[time.Duration]float64{0: many, time.Hour: 3600} {
		got := float64(f.within(end, over, "k").Distinct)
		if off := math.Abs(got-want) / want; off > .2 {
			t.Errorf("%.0f members within %s, want %.0f: %.0f %% off", got, over, want, 100*off)
		}
	}
}

func copies(t *testing.T, f fixture) {
	f.add(noon, store.Delta{Key: "from", N: 3, Member: "x", Life: time.Hour})
	f.synced(noon, "from", "to")
	for _, from := range []string{"from", "to", "none"} {
		if err := f.Copy(context.Background(), from, "to"); err != nil {
			t.Fatal(err)
		}
	}
	f.add(noon, store.Delta{Key: "to", N: 1, Member: "y", Life: time.Hour})
	if from, to := f.within(noon, 0, "from"), f.within(noon, 0, "to"); from.N != 3 || from.Distinct != 1 || to.N != 4 || to.Distinct != 2 {
		t.Errorf("%+v %+v", from, to)
	}
}

func marks(t *testing.T, f fixture) {
	keys := f.keys(3)
	a, b, c := keys[0], keys[1], keys[2]
	f.mark(noon, 1, a, b)
	f.mark(noon.Add(time.Minute), 1, a)
	f.mark(noon.Add(time.Minute), 2, a)
	got := f.marked(noon.Add(30*time.Minute), c, a, b)
	if len(got) != 3 || got[0].Len() != 0 || got[1].Of(1).N != 2 || got[1].Of(2).N != 1 || got[2].Of(1).N != 1 || got[2].Len() != 1 {
		t.Errorf("%v", got)
	}
	got = f.marked(noon.Add(time.Hour), a, b)
	if got[0].Of(1).N != 2 || got[1].Len() != 0 {
		t.Errorf("b was marked an hour ago, a is alive: %v", got)
	}
}

func marksAreBounded(t *testing.T, f fixture) {
	keys := f.keys(2000)
	for owner := range uint32(6) {
		f.mark(noon, owner+1, keys[0])
		f.mark(noon, 1, keys[0])
	}
	if got := f.marked(noon, keys[0])[0]; got.Len() != len(store.Postings{}) || got.Of(1).N != 7 {
		t.Errorf("%v", got)
	}
	keys = keys[1:]
	f.mark(noon, 3, keys...)
	if found := f.marked(noon, keys...); slices.ContainsFunc(found, func(p store.Postings) bool { return p.Of(3).N != 1 }) {
		t.Error("a call of many marks has lost some")
	}
}

func hands(t *testing.T, f fixture) {
	keys := f.keys(3)
	a, b, c := keys[0], keys[1], keys[2]
	f.mark(noon, 1, a, b)
	f.mark(noon, 1, a)
	f.synced(noon)
	if err := f.Hand(context.Background(), noon, 1, 2, a, c); err != nil {
		t.Fatal(err)
	}
	if got := f.marked(noon, a, b, c); got[0].Of(2).N != 2 || got[0].Len() != 1 || got[1].Of(1).N != 1 || got[2].Len() != 0 {
		t.Errorf("%v", got)
	}
}

// merges is what becomes of two owners that are one: nothing of them is lost, and nothing counted twice, also when two
// processes find it out at once.
func merges(t *testing.T, f fixture) {
	ctx, keys, week := context.Background(), f.keys(4), 7*24*time.Hour
	f.mark(noon, 1, keys[0], keys[1])
	f.mark(noon, 2, keys[1], keys[2])
	if err := f.Place(ctx, noon, week, 1, store.Point{9}); err != nil {
		t.Fatal(err)
	}
	sets := map[string][2]int{"1/few": {0, 20}, "2/few": {10, 40}, "1/many": {0, 100}, "2/many": {50, 400}}
	for key, of := range sets {
		for i := of[0]; i < of[1]; i++ {
			f.add(noon.Add(time.Duration(i)*time.Second), store.Delta{Key: key, N: 1, Member: fmt.Sprint("member ", i), Life: week})
		}
	}
	at := noon.Add(10 * time.Minute)
	f.synced(at, "1/few", "2/few", "1/many", "2/many")
	for range 2 {
		union := store.Union{From: 1, To: 2, Life: week, Counters: [][2]string{{"1/few", "2/few"}, {"1/many", "2/many"}, {"1/none", "2/none"}}}
		if err := f.Merge(ctx, at, union); err != nil {
			t.Fatal(err)
		}
	}
	f.synced(at)
	f.mark(at, 1, keys[3]) // by who has not heard of it
	got := f.marked(at, keys...)
	if got[0].Of(2).N != 1 || got[1].Of(2).N != 2 || got[2].Of(2).N != 1 || got[3].Of(2).N != 1 || got[1].Len() != 1 {
		t.Errorf("marks %v", got)
	}
	if near, err := f.Nearest(ctx, at, store.Point{9}); err != nil || near.Owner != 2 {
		t.Errorf("point %+v %v", near, err)
	}
	if got, none := f.Merged(at, 1), f.Merged(at, 7); got != 2 || none != 7 || f.Merged(at, 2) != 2 || f.Merged(at.Add(week), 1) != 1 {
		t.Errorf("1 is %d now, 7 is %d, and 1 after its life %d", got, none, f.Merged(at.Add(week), 1))
	}
	f.synced(at, "2/few", "2/many")
	f.add(at, store.Delta{Key: "2/few", N: 1, Member: "member 5", Life: week})
	if got := f.within(at, 0, "2/few"); got.N != 51 || got.Distinct != 40 || got.Since.Sub(noon) > time.Second || !got.Last.Equal(at) {
		t.Errorf("few: %+v, want 51 of 40", got)
	}
	if got := f.within(at, 0, "2/many"); got.N != 450 || got.Distinct < 320 || got.Distinct > 480 {
		t.Errorf("many: %+v, want 450 of 400", got)
	}
}

func forgets(t *testing.T, f fixture) {
	key := f.keys(1)[0]
	f.mark(noon, 5, key)
	f.mark(noon, 6, key)
	for _, name := range []string{"p/5/a", "p/5/b", "p/6/a"} {
		for i := range 200 {
			f.add(noon, store.Delta{Key: name, N: 1, Member: fmt.Sprint(i), Life: time.Hour})
		}
	}
	f.synced(noon, "p/5/a", "p/5/b", "p/6/a")
	if err := f.Forget(context.Background(), noon, time.Hour, 5, "p/5/"); err != nil {
		t.Fatal(err)
	}
	if a, b, other := f.within(noon, 0, "p/5/a"), f.within(noon, 0, "p/5/b"), f.within(noon, 0, "p/6/a"); a != (store.Counter{}) || b.N != 0 || other.N != 200 {
		t.Errorf("%+v %+v %+v", a, b, other)
	}
	if got := f.marked(noon, key)[0]; got.Len() != 1 || got.Of(6).N != 1 {
		t.Errorf("marks %v", got)
	}
	f.mark(noon, 5, key)
	if got := f.marked(noon, key)[0]; got.Len() != 1 || f.Merged(noon, 5) == 5 {
		t.Errorf("marks of the forgotten: %v", got)
	}
	f.add(noon, store.Delta{Key: "p/5/a", N: 1, Member: "x", Life: time.Hour})
	if got := f.within(noon, 0, "p/5/a"); got.N != 1 || got.Distinct != 1 {
		t.Errorf("begun anew: %+v", got)
	}
}

func points(t *testing.T, f fixture) {
	ctx := context.Background()
	for owner, p := range []store.Point{1: {0, 0, 0, 0xff}, 2: {0, 0, ^uint64(0), 0}} {
		if owner > 0 {
			if err := f.Place(ctx, noon, time.Hour*time.Duration(owner), uint32(owner), p); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		after    time.Duration
		owner    uint32
		distance int
	}{{0, 1, 7}, {time.Hour, 2, 65}, {2 * time.Hour, 0, 0}} {
		f.synced(noon)
		got, err := f.Nearest(ctx, noon.Add(c.after), store.Point{3: 1})
		if err != nil || got.Owner != c.owner || got.Owner != 0 && got.Distance != c.distance {
			t.Errorf("after %s: %+v, %v, want %d at %d", c.after, got, err, c.owner, c.distance)
		}
	}
}

func atOnce(t *testing.T, f fixture) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 100 {
				f.synced(noon, "k")
				f.add(noon, store.Delta{Key: "k", N: 1, Member: fmt.Sprint("member ", j%20), Life: time.Hour})
				f.mark(noon, uint32(i%4)+1, 77)
			}
		})
	}
	all.Wait()
	if got := f.within(noon, 0, "k"); got.N != 800 || got.Distinct != 20 {
		t.Errorf("%+v, want 800 of 20", got)
	}
	if got := f.marked(noon, 77)[0]; got.Len() != 4 {
		t.Errorf("%v", got)
	}
}

// ended is what a call does whose context is over: nothing.
func ended(t *testing.T, f fixture) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, added := f.Add(ctx, noon, store.Delta{Key: "k", N: 1, Life: time.Hour})
	_, within := f.Within(ctx, noon, 0, "k")
	_, marked := f.Marked(ctx, noon, nil, 1)
	_, nearest := f.Nearest(ctx, noon, store.Point{})
	for name, err := range map[string]error{
		"Add": added, "Within": within, "Marked": marked, "Nearest": nearest, "Copy": f.Copy(ctx, "k", "l"), "Merge": f.Merge(ctx, noon, store.Union{From: 1, To: 2}), "Forget": f.Forget(ctx, noon, time.Hour, 1, "k"),
		"Mark": f.Mark(ctx, noon, time.Hour, 1, 1), "Hand": f.Hand(ctx, noon, 1, 2, 1), "Place": f.Place(ctx, noon, time.Hour, 1, store.Point{}),
	} {
		if err == nil {
			t.Errorf("%s did something", name)
		}
	}
	if got := f.within(noon, 0, "k"); got.N != 0 || f.marked(noon, 1)[0].Len() != 0 {
		t.Errorf("%+v", got)
	}
}
