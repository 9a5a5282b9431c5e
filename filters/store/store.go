// Package store is the shared memory of filters: things that are counted and expire.
//
// There are three kinds. A counter adds numbers and counts distinct members, and answers for any window that ends now.
// A posting list says by which owners a mark was left, at most four. A point is a mark that is found again from near
// it. All forget what is older than its lifetime, and all live within a number of bytes that is given once.
//
//	memory := store.NewMemory(256 << 20)
//	counts, err := memory.Add(ctx, now, store.Delta{Key: "rate/192.0.2.1", N: 1, Life: time.Minute})
//
// The clock is the caller's: every call says what time it is. Times may come out of order, so that mail can be judged
// again as if it were its day; what is older than all that a counter knows is counted with its oldest.
package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Delta is one addition to the counter named Key.
type Delta struct {
	Key    string
	N      int64         // added to the counter's number; may be 0
	Member string        // counted once however often it is added; "" for none
	Life   time.Duration // how long this addition counts; one counter always has the same
}

// Counter is what a counter holds within a window.
type Counter struct {
	N        int64     // the sum of what was added
	Distinct int64     // different members: exact up to 128, then an estimate: docs/bulk.md says how good
	Since    time.Time // the oldest addition that still counts; zero if there is none
	Last     time.Time // the newest addition
}

// Memory keeps counters and posting lists in this process. It is safe for any number of goroutines.
type Memory struct {
	hasher atomic.Pointer[Hasher]
	secret [16]byte // of hasher; guarded by mu
	size   int64    // in bytes, as it was made

	mu       sync.Mutex
	counters *simplelru.LRU[string, *counter]
	used     int64 // bytes of counters, estimated
	max      int64
	lists    lists
	points   points
	aliases  *aliases
}

// NewMemory makes an empty memory of at most maxBytes bytes: half for posting lists, half for all else. The least
// recently used is forgotten first. Its secret is random.
func NewMemory(maxBytes int64) *Memory {
	var secret [16]byte
	rand.Read(secret[:]) // never fails
	return NewSeeded(maxBytes, secret)
}

// NewSeeded is NewMemory with a given secret, for results that repeat and for memories that several processes share. The
// secret must look like chance: with one of noughts the cheap hashes do not mix.
func NewSeeded(maxBytes int64, secret [16]byte) *Memory {
	counters, err := simplelru.NewLRU[string, *counter](math.MaxInt, nil)
	if err != nil {
		panic(err) // cannot happen: the size is positive
	}
	spots := min(max(maxBytes/64/spotBytes, 1), mostSpots)
	m := &Memory{
		secret:   secret,
		size:     maxBytes,
		counters: counters,
		max:      maxBytes/2 - spots*spotBytes,
		lists:    newLists(maxBytes / 2),
		points:   points{max: int(spots)},
		aliases:  newAliases(),
	}
	m.lists.aliases = m.aliases
	m.hasher.Store(new(NewHasher(secret)))
	return m
}

// Hasher returns the keyed hash that everybody who shares this memory uses. Who does not know the secret cannot
// foresee or aim its values.
func (m *Memory) Hasher() Hasher {
	return *m.hasher.Load()
}

// Sync does nothing: nobody else tells this memory anything.
func (m *Memory) Sync(context.Context, time.Time, func() []string) error { return nil }

// Add makes all additions and returns each counter as it is then, within its lifetime. It fails only when ctx has ended.
func (m *Memory) Add(ctx context.Context, at time.Time, deltas ...Delta) ([]Counter, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("adding to counters: %w", err)
	}
	out := make([]Counter, len(deltas))
	m.mu.Lock()
	defer m.mu.Unlock()
	now, hasher := Seconds(at), m.Hasher()
	for i, d := range deltas {
		c := m.counter(d.Key, d.Life, now)
		before := c.size()
		c.number(now, d.N)
		if d.Member != "" {
			c.members.add(hasher.Member(d.Member), now, now-min(now, c.life))
		}
		m.used += c.size() - before
		out[i] = c.within(now, c.life)
	}
	m.evict()
	return out, nil
}

// counter returns the live counter named key, a new one if need be. m.mu is held.
func (m *Memory) counter(key string, life time.Duration, now uint32) *counter {
	c, found := m.counters.Get(key)
	if found && !c.expired(now) {
		return c
	}
	if found {
		m.used -= sizeOf(key, c)
	}
	c = &counter{life: SecondsIn(life)}
	m.counters.Add(key, c)
	m.used += sizeOf(key, c)
	return c
}

// Within returns the counters named keys in the window of length over that ends at at; 0 means each counter's lifetime.
// A counter that is not there is the zero Counter. It counts nothing older than the window; of a counter that has run
// longer than that, up to a twelfth of the window may be left out, and up to an eighth if the counter is shared.
func (m *Memory) Within(ctx context.Context, at time.Time, over time.Duration, keys ...string) ([]Counter, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading counters: %w", err)
	}
	out := make([]Counter, len(keys))
	m.mu.Lock()
	defer m.mu.Unlock()
	now := Seconds(at)
	for i, key := range keys {
		c, found := m.counters.Get(key)
		if !found || c.expired(now) {
			continue
		}
		window := c.life
		if over > 0 {
			window = min(window, SecondsIn(over))
		}
		out[i] = c.within(now, window)
	}
	return out, nil
}

// Copy makes the counter named to hold what the one named from holds. It does nothing if there is no such counter, and
// fails only when ctx has ended.
func (m *Memory) Copy(ctx context.Context, from, to string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("copying a counter: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c, found := m.counters.Get(from)
	if !found || from == to {
		return nil
	}
	if old, taken := m.counters.Peek(to); taken {
		m.used -= sizeOf(to, old)
	}
	c = c.clone()
	m.counters.Add(to, c)
	m.used += sizeOf(to, c)
	m.evict()
	return nil
}

// evict forgets what was used longest ago until the rest fits. m.mu is held.
func (m *Memory) evict() {
	for m.used > m.max && m.counters.Len() > 0 {
		key, c, _ := m.counters.RemoveOldest()
		m.used -= sizeOf(key, c)
	}
}

// Keys returns the names of all counters that begin with prefix, in no order.
func (m *Memory) Keys(prefix string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(m.counters.Keys(), func(key string) bool { return !strings.HasPrefix(key, prefix) })
}

// drop forgets the counter named key. m.mu is held.
func (m *Memory) drop(key string) {
	if c, found := m.counters.Peek(key); found {
		m.counters.Remove(key)
		m.used -= sizeOf(key, c)
	}
}

// Usage returns how many counters there are and the estimated bytes in use.
func (m *Memory) Usage() (counters int, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counters.Len(), m.used + m.lists.bytes() + int64(len(m.points.spots))*spotBytes
}

// SecondsIn is a duration as the store keeps it, at least a second.
func SecondsIn(d time.Duration) uint32 { return uint32(min(max(d/time.Second, 1), math.MaxUint32)) }

// Seconds is t as the store keeps it: seconds since 1970, until 2106.
func Seconds(t time.Time) uint32 { return uint32(min(max(t.Unix(), 0), math.MaxUint32)) }
