// Package backend is the client to the mail server behind: it takes one message at a time there and brings its
// answers back word for word.
//
//	c, err := b.Open(ctx)              // a connection ready for MAIL, a kept one if there is one
//	defer c.Release()                  // kept for the next transaction if it is still in step
//	c.Mail("<a@example.org>", "SIZE=900")
//	reply, err := c.Rcpt("<b@example.net>")
//	reply, err = c.Data(headers, message)
//
// An error means that the connection is out of step: nothing was promised, and the caller defers the mail. Every
// read and every write has a deadline; every reply has a bound.
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
	openTimeout = 30 * time.Second // for connecting, greeting and EHLO together, if Timeout is not shorter
	downFor     = 10 * time.Second // how long an address that did not serve is asked last
	idleFor     = 10 * time.Second // how long a connection is kept without work
	maxUses     = 100              // transactions on one connection
	defaultWait = time.Minute
	defaultIdle = 16
)

// Backend is the server behind, at one or several addresses. Set the fields before use; any number of goroutines may
// then use it.
type Backend struct {
	Addrs   []string      // host:port; tried in order, those that failed lately last
	Hello   string        // our name in EHLO
	Timeout time.Duration // for the answer to the final dot, and at most for any other; 0: one minute
	MaxIdle int           // connections kept between transactions; 0: 16

	mu     sync.Mutex
	closed bool
	idle   []*Conn // the latest used last
	down   map[string]time.Time
	known  Extensions
}

// Open returns a connection on which no transaction is open. ctx ends it, at once, until it is released.
func (b *Backend) Open(ctx context.Context) (*Conn, error) {
	for c := b.takeIdle(); c != nil; c = b.takeIdle() {
		c.own(ctx)
		if c.reset() == nil {
			return c, nil
		}
		c.Close()
	}
	var failed []error
	for _, addr := range b.order() {
		c, err := b.connect(ctx, addr)
		b.mark(addr, err == nil)
		if err == nil {
			return c, nil
		}
		failed = append(failed, fmt.Errorf("backend %s: %w", addr, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(failed...)
}

// Probe asks the server what it offers, so that Offers knows before the first message comes.
func (b *Backend) Probe(ctx context.Context) error {
	c, err := b.Open(ctx)
	if err != nil {
		return err
	}
	c.Release()
	return nil
}

// Offers returns the extensions that a server named when it was last greeted; nil before that.
func (b *Backend) Offers() Extensions {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known
}

// Close ends the connections kept. Those in use end when they are released.
func (b *Backend) Close() {
	b.mu.Lock()
	idle := b.idle
	b.idle, b.closed = nil, true
	b.mu.Unlock()
	for _, c := range idle {
		c.expire.Stop()
		c.quit()
	}
}

// order lists the addresses, those that are down last.
func (b *Backend) order() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	up, down := []string{}, []string{}
	for _, addr := range b.Addrs {
		if until, ok := b.down[addr]; ok && now.Before(until) {
			down = append(down, addr)
		} else {
			up = append(up, addr)
		}
	}
	return append(up, down...)
}

func (b *Backend) mark(addr string, up bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if up {
		delete(b.down, addr)
		return
	}
	if b.down == nil {
		b.down = map[string]time.Time{}
	}
	b.down[addr] = time.Now().Add(downFor)
}

func (b *Backend) learn(e Extensions) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known = e
}

func (b *Backend) takeIdle() *Conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.idle) == 0 {
		return nil
	}
	c := b.idle[len(b.idle)-1]
	b.idle = b.idle[:len(b.idle)-1]
	c.expire.Stop()
	return c
}

// keep takes c for later use and reports whether it did.
func (b *Backend) keep(c *Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	limit := b.MaxIdle
	if limit == 0 {
		limit = defaultIdle
	}
	if b.closed || len(b.idle) >= limit {
		return false
	}
	b.idle = append(b.idle, c)
	c.expire = time.AfterFunc(idleFor, func() { b.drop(c) })
	return true
}

// drop ends c if it is still kept.
func (b *Backend) drop(c *Conn) {
	b.mu.Lock()
	i := slices.Index(b.idle, c)
	if i >= 0 {
		b.idle = slices.Delete(b.idle, i, i+1)
	}
	b.mu.Unlock()
	if i >= 0 {
		c.quit()
	}
}

func (b *Backend) wait() time.Duration {
	if b.Timeout > 0 {
		return b.Timeout
	}
	return defaultWait
}
