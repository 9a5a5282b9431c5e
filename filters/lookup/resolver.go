package lookup

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Options are the resolver's settings.
type Options struct {
	Servers []string      // addresses such as "127.0.0.1:53" or "[::1]:53"; the port may be left out. Asked in this order
	Timeout time.Duration // of one try at one server; 0 means 1.5 s
	Budget  time.Duration // of one lookup, all tries together; 0 means 4 s
	Cache   int           // answers kept; 0 means 100,000
}

const (
	defaultTimeout = 1500 * time.Millisecond
	defaultBudget  = 4 * time.Second
	defaultCache   = 100_000

	maxFlights = 20_000 // lookups under way at once; more fail
	minTries   = 2
	maxTries   = 4
)

// Resolver asks DNS servers. It may be used by any number of goroutines.
type Resolver struct {
	direct func(question) (Answer, error) // answers without a network, if set; the rest is unused then

	upstreams []*upstream
	timeout   time.Duration
	budget    time.Duration
	cache     *lru.Cache[question, entry]
	counts    counts

	mu      sync.Mutex
	flights map[question]*flight
	ended   bool
	closed  chan struct{}
	work    sync.WaitGroup // flights and socket readers
}

// New makes a resolver of o.Servers, at least one. It owns goroutines and sockets until Close.
func New(o Options) (*Resolver, error) {
	if len(o.Servers) == 0 {
		return nil, errors.New("making a resolver: no servers given")
	}
	size := positive(o.Cache, defaultCache)
	cache, err := lru.New[question, entry](size)
	if err != nil {
		return nil, fmt.Errorf("making a cache of %d answers: %w", size, err)
	}
	r := &Resolver{
		timeout: positive(o.Timeout, defaultTimeout),
		budget:  positive(o.Budget, defaultBudget),
		cache:   cache,
		flights: map[question]*flight{},
		closed:  make(chan struct{}),
	}
	for _, s := range o.Servers {
		addr, err := parseServer(s)
		if err != nil {
			return nil, fmt.Errorf("making a resolver: %w", err)
		}
		r.upstreams = append(r.upstreams, &upstream{addr: addr.String(), resolver: r, room: make(chan struct{}, atOnce), turn: make(chan struct{}, 1)})
	}
	return r, nil
}

func positive[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// parseServer reads "address:port" or an address alone, whose port is 53.
func parseServer(s string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a, 53), nil
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil || a.Port() == 0 {
		return netip.AddrPort{}, fmt.Errorf("DNS server %q is not an address and port like 127.0.0.1:53 or [::1]:53", s)
	}
	return a, nil
}

// Close ends all lookups with ErrClosed, closes the sockets and waits for the goroutines, for the time of one try at most.
func (r *Resolver) Close() {
	if r.direct != nil {
		return
	}
	r.mu.Lock()
	first := !r.ended
	r.ended = true
	r.mu.Unlock()
	if first {
		close(r.closed)
		for _, u := range r.upstreams {
			u.close()
		}
	}
	r.work.Wait()
}

// Stats are totals since the resolver was made.
type Stats struct {
	Cached   uint64 // lookups answered from the cache
	Sent     uint64 // queries sent, repeats included
	Streams  uint64 // of these, repeated over TCP because the answer was truncated
	Failures uint64 // searches that ended in a Failure
	Dropped  uint64 // packets that were no answer to anything asked
}

type counts struct {
	cached, sent, streams, failures, dropped atomic.Uint64
}

// Stats returns the totals.
func (r *Resolver) Stats() Stats {
	c := &r.counts
	return Stats{Cached: c.cached.Load(), Sent: c.sent.Load(), Streams: c.streams.Load(),
		Failures: c.failures.Load(), Dropped: c.dropped.Load()}
}
