// Package backend is the client to the mail server behind: it takes one message at a time there and brings its
// answers back word for word.
//
//	c, err := b.OpenFor(ctx, client)       // greeted and ready for MAIL
//	err = c.Trace(id)                      // for servers that log it
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
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
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
	Addrs   []string      // HOST:PORT or unix:/PATH; tried in order, those that failed lately last
	Hello   string        // our name in EHLO
	Timeout time.Duration // for the answer to the final dot, and at most for any other; 0: one minute

	LMTP       bool        // it speaks LMTP (RFC 2033)
	Security   Security    // whether by TLS
	TLS        *tls.Config // of which RootCAs, Certificates and ServerName matter; nil for the system's roots and its name in Addrs
	PassClient PassClient
	Log        *slog.Logger // nil for none

	mu    sync.Mutex
	down  map[string]time.Time // until when an address is asked last
	known Extensions
	said  map[string]bool // what was logged and need not be again
}

// Open returns a new connection on behalf of nobody.
func (b *Backend) Open(ctx context.Context) (*Conn, error) { return b.OpenFor(ctx, Client{}) }

// OpenFor returns a new connection on behalf of a client, on which no transaction is open. When ctx ends, so does the
// connection, at once. A *Refusal is the server's word on the client.
func (b *Backend) OpenFor(ctx context.Context, who Client) (*Conn, error) {
	var failed []error
	for _, addr := range b.order() {
		c, err := b.connect(ctx, addr, who)
		var refusal *Refusal
		refused := errors.As(err, &refusal)
		b.mark(addr, err == nil || refused)
		if err == nil {
			return c, nil
		}
		failed = append(failed, fmt.Errorf("backend %s: %w", addr, err))
		if refused || ctx.Err() != nil {
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

// once logs that a server does not take a command, the first time.
func (b *Backend) once(addr, command string, r Reply) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.said == nil {
		b.said = map[string]bool{}
	}
	if key := addr + command; !b.said[key] {
		b.said[key] = true
		b.logger().Warn("the backend does not let us say who the client is", "backend", addr, "command", command, "reply", r)
	}
}

func (b *Backend) logger() *slog.Logger {
	if b.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return b.Log
}

func (b *Backend) wait() time.Duration {
	if b.Timeout > 0 {
		return b.Timeout
	}
	return defaultWait
}
