package redisstore

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"weir/filters/store"
	"weir/filters/store/storetest"
)

// open makes a store of one process.
func open(t testing.TB, o Options) *Store {
	t.Helper()
	return openWith(t, o, store.NewMemory(16<<20))
}

// openSeeded makes one with a given secret: with another one other samples stand for large sets, and may miss by more than
// a test allows.
func openSeeded(t testing.TB, o Options) *Store {
	t.Helper()
	return openWith(t, o, store.NewSeeded(16<<20, [16]byte{1}))
}

func openWith(t testing.TB, o Options, memory *store.Memory) *Store {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second // the machine of a test may be slow
	}
	if o.Prefix == "" {
		o.Prefix = t.Name()
	}
	s := New(o, memory)
	t.Cleanup(s.Close)
	return s
}

// pair is two processes that share a store and take turns in writing. Who reads it is a third one.
type pair struct {
	*Store
	writers [2]*Store
	turn    *atomic.Uint32
}

func openPair(t *testing.T, r *storetest.Redis) store.Store {
	o := Options{Addrs: []string{r.Addr}}
	return pair{openSeeded(t, o), [2]*Store{openSeeded(t, o), openSeeded(t, o)}, new(atomic.Uint32)}
}

func (p pair) writer() *Store { return p.writers[p.turn.Add(1)%2] }

// Sync makes sure that all three know all.
func (p pair) Sync(ctx context.Context, at time.Time, wanted func() []string) error {
	for _, s := range []*Store{p.writers[0], p.writers[1], p.writers[0], p.Store} {
		if err := s.Sync(ctx, at, wanted); err != nil {
			return err
		}
	}
	return nil
}

func (p pair) Add(ctx context.Context, at time.Time, deltas ...store.Delta) ([]store.Counter, error) {
	return p.writer().Add(ctx, at, deltas...)
}

func (p pair) Merge(ctx context.Context, at time.Time, u store.Union) error {
	return p.writer().Merge(ctx, at, u)
}

func (p pair) Forget(ctx context.Context, at time.Time, life time.Duration, owner uint32, prefix string) error {
	return p.writer().Forget(ctx, at, life, owner, prefix)
}

func (p pair) Copy(ctx context.Context, from, to string) error { return p.writer().Copy(ctx, from, to) }

func (p pair) Mark(ctx context.Context, at time.Time, life time.Duration, owner uint32, keys ...uint64) error {
	return p.writer().Mark(ctx, at, life, owner, keys...)
}

func (p pair) Hand(ctx context.Context, at time.Time, from, to uint32, keys ...uint64) error {
	return p.writer().Hand(ctx, at, from, to, keys...)
}

func (p pair) Place(ctx context.Context, at time.Time, life time.Duration, owner uint32, at2 store.Point) error {
	return p.writer().Place(ctx, at, life, owner, at2)
}

func TestConformance(t *testing.T) {
	r := storetest.NewRedis(t)
	t.Run("one", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store { return openSeeded(t, Options{Addrs: []string{r.Addr}}) })
	})
	t.Run("several", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store { return openPair(t, r) })
	})
}
