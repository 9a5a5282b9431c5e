package backend

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Server is one address of the server behind.
type Server struct {
	Addr     string // HOST:PORT or unix:/PATH
	Priority int    // the lowest are tried first, as with MX records
	Weight   int    // its share among those of one priority; 0 is 1
}

// fixed are the servers of Addrs, in their order, and those of Servers.
func (b *Backend) fixed() []Server {
	var all []Server
	for i, addr := range b.Addrs {
		all = append(all, Server{Addr: addr, Priority: i})
	}
	return append(all, b.Servers...)
}

// order lists the addresses as they are to be tried: those that are down last, then by priority, and by lot among
// equals.
func (b *Backend) order(ctx context.Context) ([]string, error) {
	servers := b.fixed()
	if b.domain != "" {
		var err error
		if servers, err = b.exchangers(ctx); err != nil {
			return nil, err
		}
	}
	type place struct {
		Server
		down bool
		lot  float64
	}
	now := time.Now()
	var all []place
	for _, s := range servers {
		// The largest u^(1/w) wins in proportion to w.
		lot := math.Pow(rand.Float64(), 1/float64(max(s.Weight, 1))) //nolint:gosec // a lot, no secret
		all = append(all, place{s, b.isDown(s.Addr, now), lot})
	}
	slices.SortStableFunc(all, func(x, y place) int {
		switch {
		case x.down != y.down && y.down:
			return -1
		case x.down != y.down:
			return 1
		}
		return cmp.Or(cmp.Compare(x.Priority, y.Priority), cmp.Compare(y.lot, x.lot))
	})
	var addrs []string
	for _, p := range all {
		addrs = append(addrs, p.Addr)
	}
	return addrs, nil
}
