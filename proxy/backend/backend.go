// Package backend is the client to the mail server behind: it takes one message at a time there and brings its
// answers back word for word.
//
//	c, err := b.Open(ctx)                  // greeted and ready for MAIL
//	c.Mail("<a@example.org>", params)
//	reply, err := c.Rcpt("<b@example.net>", nil)
//	reply, err = c.Data(headers, message)
//	c.Rest()                               // between two messages of one client
//	err = c.Resume()                       // the next one; on error, open another
//	c.Quit()
//
// An error means that the connection is out of step: nothing was promised, and the caller defers the mail. Every
// read and every write has a deadline; every reply has a bound.
package backend

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	openTimeout = 30 * time.Second // for connecting, greeting and EHLO together, if Timeout is not shorter
	downFor     = 10 * time.Second // how long an address that did not serve is asked last
	restFor     = 10 * time.Second // how long a connection may rest
	maxUses     = 100              // transactions on one connection
	defaultWait = time.Minute
)

// Backend is the server behind, at one or several addresses. Set the fields before use; any number of goroutines may
// then use it.
type Backend struct {
	Addrs   []string      // host:port; tried in order, those that failed lately last
	Hello   string        // our name in EHLO
	Timeout time.Duration // for the answer to the final dot, and at most for any other; 0: one minute

	mu    sync.Mutex
	down  map[string]time.Time // until when an address is asked last
	known Extensions
}

// Open returns a new connection, on which no transaction is open. When ctx ends, so does the connection, at once.
func (b *Backend) Open(ctx context.Context) (*Conn, error) {
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
	c.Quit()
	return nil
}

// Offers returns the extensions that a server named when it was last greeted; nil before that.
func (b *Backend) Offers() Extensions {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known
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

func (b *Backend) wait() time.Duration {
	if b.Timeout > 0 {
		return b.Timeout
	}
	return defaultWait
}
