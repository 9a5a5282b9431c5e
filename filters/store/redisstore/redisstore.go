// Package redisstore is a store that several processes share through Redis.
//
// Each process has a whole memory of its own, and everything is asked of that. What a process adds is written down in a
// journal as well, and told to Redis: sums and sets by counter, marks and points as a stream of posts. Sync makes one
// round trip, which tells what waits in the journal, reads the posts of the others, and reads the counters that a
// message is about. So no call but Sync ever waits, and when Redis is away all goes on: the process then knows what it
// sees itself, and tells it later.
//
//	redisstore.go   the calls of a store
//	trip.go         one round trip, and what comes of it
//	link.go         when a trip is made, and when Redis is left alone
//	journal.go      what waits to be told
//	layout.go       counters in Redis
//	browse.go       a look at Redis from outside
//	owners.go       owners that become one, or are forgotten
//	posts.go        marks and points in Redis
package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"weir/filters/store"
)

// Options say where Redis is. Redis 6 and 7 and Valkey will do, alone, as a cluster, or behind Sentinels.
type Options struct {
	Addrs    []string // one server, or some of a cluster's, or the Sentinels'
	Master   string   // the name of the server that the Sentinels watch; "" without Sentinels
	User     string
	Password string
	TLS      *tls.Config   // nil for none
	Prefix   string        // before the names of all keys
	Timeout  time.Duration // the longest that a message waits
	// Posts is about how many entries of marks and points Redis keeps, each of at most 4 KiB: the marks of one or two
	// messages. 0 is 50,000.
	Posts int64
	// Since is when the memory was last saved, if it was restored: older posts are in it. Zero reads all there are.
	Since time.Time
	// Changed is told when Redis goes away and why, and nil when it is back. It may be nil.
	Changed func(away error)
}

const usualPosts = 50_000

// Store is a store.Store that is shared. It is safe for any number of goroutines.
type Store struct {
	memory  *store.Memory
	options Options
	prefix  string
	self    string // names this process among those that post

	client rueidis.Client // of the goroutine of run; nil until Redis was reached
	posted string         // likewise: the last entry of the stream that was read

	wake   chan struct{} // somebody waits for a trip
	told   chan struct{} // something is in the journal
	ending chan struct{}
	runner sync.WaitGroup

	mu     sync.Mutex // also makes one of a call of the memory and its note in the journal
	shared shared
}

// shared is what Store.mu guards.
type shared struct {
	journal journal
	asked   []*question
	away    error // nil while Redis answers in time
	since   time.Time
	trips   int64
	lost    int64
}

var _ store.Store = (*Store)(nil)

// Errors of Sync.
var (
	errSlow   = errors.New("Redis does not answer in time")
	errAbsent = errors.New("Redis has not been reached yet")
)

// New makes a store of memory, which must not be used by anybody else any more but for saving it. It waits at most the
// timeout for Redis to be there, and goes on without it. Close must be called.
func New(o Options, memory *store.Memory) *Store {
	if o.Posts <= 0 {
		o.Posts = usualPosts
	}
	s := &Store{
		memory: memory, options: o, prefix: o.Prefix + ":" + version + ":", self: newName(), posted: firstEntry(o.Since),
		wake: make(chan struct{}, 1), told: make(chan struct{}, 1), ending: make(chan struct{}),
		shared: shared{away: errAbsent, since: time.Now()},
	}
	reached := make(chan struct{})
	s.runner.Go(func() { s.run(reached) })
	timer := time.NewTimer(o.Timeout)
	defer timer.Stop()
	select {
	case <-reached:
	case <-timer.C:
	}
	return s
}

// Close tells what still waits, if Redis is there, and ends the connection.
func (s *Store) Close() {
	close(s.ending)
	s.runner.Wait()
}

// Status is how the sharing goes.
type Status struct {
	Away    error     // why nothing is shared now; nil if all is
	Since   time.Time // of Away, or of its end
	Trips   int64     // round trips made
	Waiting int       // counters and entries that wait to be told
	Lost    int64     // additions and entries that were never told, or perhaps not
}

// Status returns how the sharing goes.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := &s.shared
	return Status{x.away, x.since, x.trips, len(x.journal.counters) + len(x.journal.entries), x.lost + x.journal.lost}
}

// Hasher implements store.Store.
func (s *Store) Hasher() store.Hasher { return s.memory.Hasher() }

// Within is that of a Memory.
func (s *Store) Within(ctx context.Context, at time.Time, over time.Duration, keys ...string) ([]store.Counter, error) {
	return s.memory.Within(ctx, at, over, keys...)
}

// Marked is that of a Memory.
func (s *Store) Marked(ctx context.Context, at time.Time, out []store.Postings, keys ...uint64) ([]store.Postings, error) {
	return s.memory.Marked(ctx, at, out, keys...)
}

// Nearest is that of a Memory.
func (s *Store) Nearest(ctx context.Context, at time.Time, p store.Point) (store.Neighbour, error) {
	return s.memory.Nearest(ctx, at, p)
}

// Usage is that of a Memory.
func (s *Store) Usage() (counters int, bytes int64) { return s.memory.Usage() }

// Add is that of a Memory; the others learn of it.
func (s *Store) Add(ctx context.Context, at time.Time, deltas ...store.Delta) ([]store.Counter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	counters, err := s.memory.Add(ctx, at, deltas...)
	if err != nil {
		return nil, err
	}
	now, hasher := store.Seconds(at), s.memory.Hasher()
	for i, d := range deltas {
		e := s.shared.journal.counter(d.Key, store.SecondsIn(d.Life))
		if e == nil {
			continue
		}
		e.add(store.Span{First: now, Last: now, N: d.N})
		if d.Member == "" {
			continue
		}
		e.see(store.Seen{Member: hasher.Member(d.Member), At: now})
		if counters[i].Distinct >= store.Exact {
			s.enlarge(d.Key, e)
		}
	}
	s.noteTold()
	return counters, nil
}

// enlarge makes e one of many members. Unless Redis is known to have the others, it gets them. s.mu is held.
func (s *Store) enlarge(key string, e *pending) {
	e.large = true
	if known := s.memory.Known(key); len(known.Sizes) == 0 {
		for _, m := range known.Members {
			e.see(m)
		}
	}
}

// Copy is that of a Memory; for the others it is an addition of all that the counter holds.
func (s *Store) Copy(ctx context.Context, from, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.memory.Copy(ctx, from, to); err != nil || from == to {
		return err
	}
	s.tellKnown(to, s.memory.Known(from))
	s.noteTold()
	return nil
}

// From oftenMarked on a mark is posted only each refreshed time: that it is there often, the others know.
const (
	oftenMarked = 64
	refreshed   = 16
)

// Mark is that of a Memory; the others learn of it.
func (s *Store) Mark(ctx context.Context, at time.Time, life time.Duration, owner uint32, keys ...uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	lists, err := s.memory.Marked(ctx, at, make([]store.Postings, 0, len(keys)), keys...)
	if err != nil {
		return err
	}
	news := make([]uint64, 0, len(keys))
	for i := range lists {
		if n := lists[i].Of(owner).N; n < oftenMarked || n%refreshed == 0 {
			news = append(news, keys[i])
		}
	}
	if err := s.memory.Mark(ctx, at, life, owner, keys...); err != nil {
		return err
	}
	s.post(post{postMark, store.Seconds(at), store.SecondsIn(life), owner, news})
	return nil
}

// Hand is that of a Memory; the others learn of it.
func (s *Store) Hand(ctx context.Context, at time.Time, from, to uint32, keys ...uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.memory.Hand(ctx, at, from, to, keys...); err != nil {
		return err
	}
	s.post(post{postHand, store.Seconds(at), from, to, keys})
	return nil
}

// Place is that of a Memory; the others learn of it.
func (s *Store) Place(ctx context.Context, at time.Time, life time.Duration, owner uint32, p store.Point) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.memory.Place(ctx, at, life, owner, p); err != nil {
		return err
	}
	s.post(post{postPoint, store.Seconds(at), store.SecondsIn(life), owner, p[:]})
	return nil
}

// post notes p in the journal, in pieces if need be. s.mu is held.
func (s *Store) post(p post) {
	for values := p.values; len(values) > 0; {
		n := min(len(values), mostPosted)
		p.values, values = values[:n], values[n:]
		s.shared.journal.post(p)
	}
	s.noteTold()
}

func (s *Store) noteTold() {
	select {
	case s.told <- struct{}{}:
	default:
	}
}
