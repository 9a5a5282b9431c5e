package store

import (
	"context"
	"slices"
	"time"
)

// Store is what filters remember by. A *Memory is one for this process alone; that of the package redisstore is shared
// with other processes. Each method says at Memory what it does.
type Store interface {
	Counters
	Lists
	Points
	Owners
	// Hasher returns the keyed hash of all who share the store. A shared one may get another secret while it is used,
	// and forgets all when it does: ask for it once a message.
	Hasher() Hasher
	// Sync learns what others have told: marks, points, and the counters that wanted names, which is called again when
	// marks have come. What this process tells is seen by the others soon, and by their next Sync at the latest. An error
	// means that for now the store knows only what this process has seen, and what it had learned before; it goes on
	// with that, and the answer came within a fraction of a second.
	Sync(ctx context.Context, at time.Time, wanted func() []string) error
	// Usage returns how many counters this process holds, and the bytes that all it holds take, about.
	Usage() (counters int, bytes int64)
}

// Counters are numbers and sets over time.
type Counters interface {
	Add(ctx context.Context, at time.Time, deltas ...Delta) ([]Counter, error)
	Within(ctx context.Context, at time.Time, over time.Duration, keys ...string) ([]Counter, error)
	Copy(ctx context.Context, from, to string) error
}

// Lists are posting lists.
type Lists interface {
	Mark(ctx context.Context, at time.Time, life time.Duration, owner uint32, keys ...uint64) error
	Marked(ctx context.Context, at time.Time, out []Postings, keys ...uint64) ([]Postings, error)
	Hand(ctx context.Context, at time.Time, from, to uint32, keys ...uint64) error
}

// Points are marks that are found again from near them.
type Points interface {
	Place(ctx context.Context, at time.Time, life time.Duration, owner uint32, p Point) error
	Nearest(ctx context.Context, at time.Time, p Point) (Neighbour, error)
}

// Owners are those who leave marks and points.
type Owners interface {
	Merge(ctx context.Context, at time.Time, u Union) error
	Merged(at time.Time, owner uint32) uint32
	Forget(ctx context.Context, at time.Time, life time.Duration, owner uint32, prefix string) error
}

var _ Store = (*Memory)(nil)

// Known is what a counter holds, to be carried from one memory to another.
type Known struct {
	Life    time.Duration
	Spans   []Span // by time, oldest first
	Members []Seen // the newest; all of them if they are fewer than 128
	Sizes   []Size // of the set, in windows
}

// Known returns what the counter named key holds; without one it has no spans.
func (m *Memory) Known(key string) Known {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, found := m.counters.Peek(key)
	if !found {
		return Known{}
	}
	return Known{time.Duration(c.life) * time.Second, slices.Clone(c.spans), slices.Clone(c.members.recent), slices.Clone(c.members.sizes)}
}

// Learn makes the counter named key hold the spans and sizes of k in the place of its own, and k's members beside its
// own. Without spans it is forgotten.
func (m *Memory) Learn(at time.Time, key string, k Known) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(k.Spans) == 0 {
		m.drop(key)
		return
	}
	now := Seconds(at)
	c := m.counter(key, k.Life, now)
	before := c.size()
	c.spans, c.members.sizes = k.Spans, k.Sizes
	for _, s := range k.Members {
		c.members.add(s.Member, s.At, now-min(now, c.life))
	}
	m.used += c.size() - before
	m.evict()
}

// Begin forgets everything and goes on with another secret.
func (m *Memory) Begin(secret [16]byte) {
	empty := NewSeeded(m.size, secret)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.secret = secret
	m.hasher.Store(empty.hasher.Load())
	m.counters, m.used, m.lists, m.points, m.aliases = empty.counters, 0, empty.lists, empty.points, empty.aliases
}

// Secret returns what the Hasher is made of. It is for those who may share the memory, and for nobody else.
func (m *Memory) Secret() [16]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.secret
}
