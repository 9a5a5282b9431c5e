package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	downFor     = 10 * time.Second // how long a server that did not serve is asked last, the first time
	maxDown     = time.Minute      // and at most, each time twice as long
	sickFor     = time.Minute      // the same for one that greets and then fails
	maxSick     = 10 * time.Minute
	maxStrikes  = 3                // failures in a row that make a server sick
	trialFor    = 30 * time.Second // how long one alone tries a server whose time is over
	probeFor    = 10 * time.Second // for a greeting that serves nobody
	freshFor    = 30 * time.Second // how long what a server said of itself is believed without asking
	CheckPeriod = 5 * time.Second  // how often Check wants to be called
)

// fate is how a server has fared. The Backend's mutex guards it.
type fate struct {
	offer   Extensions // nil before the first greeting
	greeted time.Time
	away    outage // it does not let itself be greeted
	sick    outage // it greets and then fails
	strikes int    // failures in a row
	probed  bool   // somebody is greeting it just now
}

func (f *fate) down(now time.Time) bool { return f.away.down(now) || f.sick.down(now) }

// due reports whether the server is to be greeted without need: before somebody else meets it, if it was away.
func (f *fate) due(now time.Time) bool {
	if f.away.times > 0 {
		return now.Add(CheckPeriod).After(f.away.until)
	}
	return now.Sub(f.greeted) > freshFor
}

// outage is a time in which a server is asked last. After it, one alone tries how it is; the others come when it has
// done well.
type outage struct {
	times int // in a row
	until time.Time
	trial time.Time // until then somebody tries
}

func (o *outage) down(now time.Time) bool {
	return o.times > 0 && (now.Before(o.until) || now.Before(o.trial))
}

// begin starts an outage or the next one, twice as long as the last. Failures within one are part of it.
func (o *outage) begin(now time.Time, usual, most time.Duration) {
	if o.times > 0 && now.Add(CheckPeriod).Before(o.until) {
		return
	}
	life := most
	if o.times < 10 {
		life = min(usual<<o.times, most)
	}
	o.times++
	o.until, o.trial = now.Add(life), time.Time{}
}

func (o *outage) try(now time.Time) {
	if o.times > 0 && !o.down(now) {
		o.trial = now.Add(trialFor)
	}
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

// isDown reports whether a server is to be asked last.
func (b *Backend) isDown(addr string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fate(addr).down(now)
}

// try notes that somebody goes to a server; if it was down, the others wait for what comes of it.
func (b *Backend) try(addr string) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.fate(addr)
	f.away.try(now)
	f.sick.try(now)
}

// mark takes down whether a server let itself be greeted, and logs what changes.
func (b *Backend) mark(addr string, cause error) {
	b.mu.Lock()
	f := b.fate(addr)
	was := f.away.times > 0
	if cause != nil {
		f.away.begin(time.Now(), downFor, maxDown)
	} else {
		f.away = outage{}
	}
	b.mu.Unlock()
	switch {
	case cause != nil && !was:
		b.logger().Warn("a server behind is down", "backend", addr, "err", cause)
	case cause == nil && was:
		b.logger().Info("a server behind is up again", "backend", addr)
	}
}

// strike takes down that a transaction failed in the middle, or with false that one did not.
func (b *Backend) strike(addr string, failed bool) {
	now := time.Now()
	b.mu.Lock()
	f := b.fate(addr)
	if !failed {
		f.strikes, f.sick = 0, outage{}
		b.mu.Unlock()
		return
	}
	f.strikes++
	was := f.sick.down(now)
	if f.strikes >= maxStrikes || f.sick.times > 0 { // one failure is enough of who was sick
		f.strikes = 0
		f.sick.begin(now, sickFor, maxSick)
	}
	until := f.sick.until
	sick := f.sick.down(now) && !was
	b.mu.Unlock()
	if sick {
		b.logger().Warn("a server behind greets and then fails; it is asked last for a while", "backend", addr, "for", until.Sub(now).Round(time.Second))
	}
}

func (b *Backend) learn(addr string, e Extensions) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.fate(addr)
	f.offer, f.greeted = e, time.Now()
}

// Check greets the servers that are down or have not been greeted for a while, all at once, and returns when it is done.
// Somebody should call it every CheckPeriod, even while another call waits: a server is never greeted twice at once.
func (b *Backend) Check(ctx context.Context) {
	now := time.Now()
	_ = b.probe(ctx, func(f *fate) bool { return f.due(now) }) // logged as it changes
}

// Probe asks all servers what they offer, so that Offers knows before the first message comes. The error says why
// none of them serves.
func (b *Backend) Probe(ctx context.Context) error {
	return b.probe(ctx, func(*fate) bool { return true })
}

func (b *Backend) probe(ctx context.Context, due func(*fate) bool) error {
	all := b.fixed()
	failed := make([]error, len(all))
	var probes sync.WaitGroup
	for i, s := range all {
		b.mu.Lock()
		f := b.fate(s.Addr)
		ask := !f.probed && due(f)
		f.probed = f.probed || ask
		b.mu.Unlock()
		if ask {
			probes.Go(func() { failed[i] = b.greet(ctx, s.Addr) })
		}
	}
	probes.Wait()
	if slices.Contains(failed, nil) {
		return nil
	}
	return errors.Join(failed...)
}

// greet says hello to a server and goodbye, and marks how it was.
func (b *Backend) greet(ctx context.Context, addr string) error {
	c, err := b.connect(ctx, addr, Client{}, min(probeFor, b.wait()))
	if ctx.Err() == nil { // else it is not the server's fault
		b.mark(addr, err)
	}
	b.mu.Lock()
	b.fate(addr).probed = false
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("backend %s: %w", addr, err)
	}
	c.Quit()
	return nil
}

// Health says of each server whether mail goes there first. Servers that only the DNS names are not among them.
func (b *Backend) Health() map[string]bool {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	up := map[string]bool{}
	for _, s := range b.fixed() {
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
	for _, s := range b.fixed() {
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
