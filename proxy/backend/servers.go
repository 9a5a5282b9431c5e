package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	downFor     = 10 * time.Second // how long a server that did not serve is asked last
	sickFor     = time.Minute      // the same for one that greets and then fails
	maxStrikes  = 3                // failures in a row that make a server sick
	freshFor    = 30 * time.Second // how long what a server said of itself is believed without asking
	CheckPeriod = 5 * time.Second  // how often Check wants to be called
)

// Server is one address of the server behind.
type Server struct {
	Addr     string // HOST:PORT or unix:/PATH
	Priority int    // the lowest are tried first, as with MX records
	Weight   int    // its share among those of one priority; 0 is 1
}

// fate is how a server has fared. The Backend's mutex guards it.
type fate struct {
	offer     Extensions // nil before the first greeting
	greeted   time.Time
	downUntil time.Time
	sickUntil time.Time
	strikes   int
}

func (f *fate) down(now time.Time) bool { return now.Before(f.downUntil) || now.Before(f.sickUntil) }

// servers are those of Addrs, in their order, and those of Servers.
func (b *Backend) servers() []Server {
	var all []Server
	for i, addr := range b.Addrs {
		all = append(all, Server{Addr: addr, Priority: i})
	}
	return append(all, b.Servers...)
}

// order lists the addresses as they are to be tried: those that are down last, then by priority, and by lot among equals.
func (b *Backend) order() []string {
	type place struct {
		Server
		down bool
		lot  float64
	}
	now := time.Now()
	var all []place
	for _, s := range b.servers() {
		b.mu.Lock()
		down := b.fate(s.Addr).down(now)
		b.mu.Unlock()
		// The largest u^(1/w) wins in proportion to w.
		lot := math.Pow(rand.Float64(), 1/float64(max(s.Weight, 1))) //nolint:gosec // a lot, no secret
		all = append(all, place{s, down, lot})
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
	return addrs
}

// fate returns what is known of addr. The caller holds the mutex.
func (b *Backend) fate(addr string) *fate {
	if b.fates == nil {
		b.fates = map[string]*fate{}
	}
	f := b.fates[addr]
	if f == nil {
		f = &fate{}
		b.fates[addr] = f
	}
	return f
}

// mark takes down whether a server let itself be greeted, and logs what changes.
func (b *Backend) mark(addr string, cause error) {
	b.mu.Lock()
	f := b.fate(addr)
	was := !f.downUntil.IsZero()
	f.downUntil = time.Time{}
	if cause != nil {
		f.downUntil = time.Now().Add(downFor)
	}
	b.mu.Unlock()
	switch {
	case cause != nil && !was:
		b.logger().Warn("a server behind is down", "backend", addr, "err", cause)
	case cause == nil && was:
		b.logger().Info("a server behind is up again", "backend", addr)
	}
}

// strike takes down that a transaction failed in the middle, or with nil that one did not.
func (b *Backend) strike(addr string, failed bool) {
	b.mu.Lock()
	f := b.fate(addr)
	if failed {
		f.strikes++
	} else {
		f.strikes, f.sickUntil = 0, time.Time{}
	}
	sick := f.strikes >= maxStrikes
	if sick {
		f.strikes = 0
		f.sickUntil = time.Now().Add(sickFor)
	}
	b.mu.Unlock()
	if sick {
		b.logger().Warn("a server behind greets and then fails; it is asked last for a while", "backend", addr, "for", sickFor)
	}
}

func (b *Backend) learn(addr string, e Extensions) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.fate(addr)
	f.offer, f.greeted = e, time.Now()
}

// Check greets the servers that are down or have not been greeted for a while, all at once, and returns when it is done.
// Somebody should call it every CheckPeriod.
func (b *Backend) Check(ctx context.Context) {
	now := time.Now()
	_ = b.probe(ctx, func(f *fate) bool { return f.down(now) || now.Sub(f.greeted) > freshFor }) // logged as it changes
}

// Probe asks all servers what they offer, so that Offers knows before the first message comes. The error says why
// none of them serves.
func (b *Backend) Probe(ctx context.Context) error {
	return b.probe(ctx, func(*fate) bool { return true })
}

func (b *Backend) probe(ctx context.Context, due func(*fate) bool) error {
	all := b.servers()
	failed := make([]error, len(all))
	var probes sync.WaitGroup
	for i, s := range all {
		b.mu.Lock()
		ask := due(b.fate(s.Addr))
		b.mu.Unlock()
		if !ask {
			continue
		}
		probes.Go(func() {
			c, err := b.connect(ctx, s.Addr, Client{})
			if ctx.Err() == nil { // else it is not the server's fault
				b.mark(s.Addr, err)
			}
			if err != nil {
				failed[i] = fmt.Errorf("backend %s: %w", s.Addr, err)
				return
			}
			c.Quit()
		})
	}
	probes.Wait()
	if slices.Contains(failed, nil) {
		return nil
	}
	return errors.Join(failed...)
}

// Health says of each server whether mail goes there first.
func (b *Backend) Health() map[string]bool {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	up := map[string]bool{}
	for _, s := range b.servers() {
		f := b.fate(s.Addr)
		up[s.Addr] = f.offer != nil && !f.down(now)
	}
	return up
}

// Offers returns the extensions that all servers which are up have named when they were last greeted, or all that ever
// were up if none is; nil before any was.
func (b *Backend) Offers() Extensions {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	var up, ever []Extensions
	for _, s := range b.servers() {
		f := b.fate(s.Addr)
		if f.offer == nil {
			continue
		}
		ever = append(ever, f.offer)
		if !f.down(now) {
			up = append(up, f.offer)
		}
	}
	if len(up) > 0 {
		return Common(up...)
	}
	return Common(ever...)
}
