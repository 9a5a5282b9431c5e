package redisstore

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"weir/filters/store"
	"weir/filters/store/storetest"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func wanted(keys ...string) func() []string { return func() []string { return keys } }

func add(t *testing.T, s *Store, key string, n int64) {
	t.Helper()
	if _, err := s.Add(context.Background(), noon, store.Delta{Key: key, N: n, Member: fmt.Sprint(key, n), Life: time.Hour}); err != nil {
		t.Fatal(err)
	}
}

// number is what s knows of a counter.
func number(t *testing.T, s *Store, key string) int64 {
	t.Helper()
	all, err := s.Within(context.Background(), noon, 0, key)
	if err != nil {
		t.Fatal(err)
	}
	return all[0].N
}

// synced waits until s can ask Redis, and asks.
func synced(t *testing.T, s *Store, keys ...string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		err := s.Sync(context.Background(), noon, wanted(keys...))
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// away waits until s has noticed that Redis cannot be asked, and returns why.
func away(t *testing.T, s *Store) error {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		if err := s.Sync(context.Background(), noon, wanted("k")); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			t.Fatal("Redis was never away")
		}
	}
}

// command sends the server a command past the store.
func command(t *testing.T, addr string, words ...string) rueidis.RedisResult {
	t.Helper()
	c := raw(t, addr)
	r := c.Do(context.Background(), c.B().Arbitrary(words...).Build())
	if err := failure(r); err != nil {
		t.Fatalf("%v: %v", words, err)
	}
	return r
}

// Whatever Redis suffers from, nobody waits long, what is counted meanwhile is known here, and told when it is over.
func TestAway(t *testing.T) {
	for name, c := range map[string]struct {
		begin, end func(*testing.T, *storetest.Redis)
		why        string
	}{
		"stopped": {
			func(_ *testing.T, r *storetest.Redis) { r.Stop() },
			func(t *testing.T, r *storetest.Redis) { r.Start(t) }, "",
		},
		"hanging": {
			func(t *testing.T, r *storetest.Redis) { r.Signal(t, syscall.SIGSTOP) },
			func(t *testing.T, r *storetest.Redis) { r.Signal(t, syscall.SIGCONT) }, "in time",
		},
		"full": {
			func(t *testing.T, r *storetest.Redis) { command(t, r.Addr, "CONFIG", "SET", "maxmemory", "1") },
			func(t *testing.T, r *storetest.Redis) { command(t, r.Addr, "CONFIG", "SET", "maxmemory", "0") }, "OOM",
		},
		"a replica": {
			func(t *testing.T, r *storetest.Redis) { command(t, r.Addr, "REPLICAOF", "127.0.0.1", "1") },
			func(t *testing.T, r *storetest.Redis) { command(t, r.Addr, "REPLICAOF", "NO", "ONE") }, "READONLY",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := storetest.NewRedis(t, "--appendonly", "yes", "--appendfsync", "always")
			var mu sync.Mutex
			var told []error
			s := open(t, Options{Addrs: []string{r.Addr}, Timeout: 500 * time.Millisecond, Changed: func(err error) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, err)
			}})
			synced(t, s)
			add(t, s, "k", 1)
			synced(t, s, "k")

			c.begin(t, r)
			if err := away(t, s); !strings.Contains(err.Error(), c.why) {
				t.Errorf("away because of %q, want %q", err, c.why)
			}
			begun := time.Now()
			for n := range 100 {
				add(t, s, "k", int64(n))
				if s.Sync(context.Background(), noon, wanted("k")) == nil {
					t.Fatal("Redis is not away any more")
				}
			}
			if took := time.Since(begun); took > 3*s.options.Timeout { // one of them may try; all would take fifty seconds
				t.Errorf("a hundred messages waited %s for who is known to be away", took)
			}
			if n := number(t, s, "k"); n != 4951 {
				t.Errorf("%d known here, want 4951", n)
			}
			if s.Status().Away == nil || s.Status().Waiting == 0 {
				t.Errorf("%+v", s.Status())
			}

			c.end(t, r)
			synced(t, s, "k")
			other := open(t, Options{Addrs: []string{r.Addr}})
			synced(t, other, "k")
			if here, there := number(t, s, "k"), number(t, other, "k"); here != 4951 || there != 4951 {
				t.Errorf("%d and %d, want 4951", here, there)
			}
			if x := s.Status(); x.Away != nil || x.Lost != 0 {
				t.Errorf("%+v", x)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(told) != 2 || told[0] == nil || told[1] != nil {
				t.Errorf("told %v, want once that it is away and once that it is back", told)
			}
		})
	}
}

// What a server refuses, for it is full, is told when it is not.
func TestRefused(t *testing.T) {
	r := storetest.NewRedis(t)
	o := Options{Addrs: []string{r.Addr}}
	s, other := open(t, o), open(t, o)
	synced(t, s)
	synced(t, other)
	command(t, r.Addr, "CONFIG", "SET", "maxmemory", "1")
	add(t, s, "k", 5)
	key := s.Hasher().Sum([]byte("a mark"))
	if err := s.Mark(context.Background(), noon, time.Hour, 9, key); err != nil {
		t.Fatal(err)
	}
	away(t, s)
	away(t, other)
	command(t, r.Addr, "CONFIG", "SET", "maxmemory", "0")
	synced(t, s)
	synced(t, other, "k")
	lists, err := other.Marked(context.Background(), noon, nil, key)
	if n := number(t, other, "k"); n != 5 || err != nil || lists[0].Of(9).N != 1 {
		t.Errorf("%d and %v came, %v; want 5 and the mark", n, lists, err)
	}
}

// What has not been told yet counts beside what Redis holds.
func TestUntold(t *testing.T) {
	s := open(t, Options{Addrs: []string{"127.0.0.1:1"}})
	add(t, s, "k", 2)
	s.mu.Lock()
	s.hold(counted{name: "k", at: noon}, decode(map[string]string{fieldLife: "3600", fieldFirst: "1", fieldLast: decimal(store.Seconds(noon)),
		slotField(0, store.Seconds(noon)/widths[0]): "5", slotField(1, store.Seconds(noon)/widths[1]): "5"}, store.Seconds(noon)))
	s.mu.Unlock()
	if n := number(t, s, "k"); n != 7 {
		t.Errorf("%d, want 5 in Redis and 2 here", n)
	}
}

func TestBeginsWithoutRedis(t *testing.T) {
	r := storetest.NewRedis(t)
	r.Stop()
	s := open(t, Options{Addrs: []string{r.Addr}, Timeout: 200 * time.Millisecond})
	add(t, s, "k", 3)
	if err := s.Sync(context.Background(), noon, wanted("k")); err == nil || number(t, s, "k") != 3 {
		t.Errorf("%v, %d", err, number(t, s, "k"))
	}
	r.Start(t)
	synced(t, s, "k")
	other := open(t, Options{Addrs: []string{r.Addr}})
	synced(t, other, "k")
	if n := number(t, other, "k"); n != 3 {
		t.Errorf("%d told, want 3", n)
	}
}

// A process that began alone has a secret of its own; what it remembered means nothing to the others.
func TestAnotherSecret(t *testing.T) {
	r := storetest.NewRedis(t)
	first := open(t, Options{Addrs: []string{r.Addr}})
	synced(t, first)
	secret := first.memory.Secret()
	other := open(t, Options{Addrs: []string{r.Addr}})
	synced(t, other)
	if other.memory.Secret() != secret {
		t.Error("two secrets")
	}
	add(t, other, "k", 1)
	other.mu.Lock()
	other.memory.Begin([16]byte{1}) // as if it had begun alone
	other.mu.Unlock()
	synced(t, other, "k")
	if other.memory.Secret() != secret {
		t.Error("it keeps a secret of its own")
	}
}

func TestPassword(t *testing.T) {
	r := storetest.NewRedis(t, "--requirepass", "correct horse")
	s := open(t, Options{Addrs: []string{r.Addr}, Password: "wrong donkey"})
	err := s.Sync(context.Background(), noon, wanted())
	if err == nil || !strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), "donkey") {
		t.Error(err)
	}
	s = open(t, Options{Addrs: []string{r.Addr}, Password: "correct horse"})
	synced(t, s)
}

// A Redis that answers, but never in time, stays away: it is told everything, and nobody waits for it.
func TestSlow(t *testing.T) {
	r := storetest.NewRedis(t)
	other := open(t, Options{Addrs: []string{r.Addr}})
	synced(t, other)
	s := New(Options{Addrs: []string{r.Addr}, Timeout: time.Nanosecond, Prefix: t.Name()}, store.NewSeeded(1<<20, other.memory.Secret()))
	t.Cleanup(s.Close)
	add(t, s, "k", 3)
	for deadline := time.Now().Add(time.Minute); number(t, other, "k") != 3; {
		synced(t, other, "k")
		if time.Now().After(deadline) {
			t.Fatalf("nothing was told: %+v", s.Status())
		}
	}
	if err := s.Sync(context.Background(), noon, wanted("k")); err != errSlow {
		t.Error(err)
	}
}
