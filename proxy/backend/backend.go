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
//	c.Free()                               // for other clients, if it can be
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
	openFor     = 2 * time.Minute  // for trying one server after another
	restFor     = 10 * time.Second // how long a connection may rest
	maxUses     = 100              // transactions on one connection
	defaultWait = time.Minute
)

// Backend is the server behind, at one or several addresses. Set the fields before use; any number of goroutines may
// then use it.
type Backend struct {
	Addrs   []string      // HOST:PORT or unix:/PATH; tried in order, those that failed lately last
	Servers []Server      // others, with priority and weight
	Hello   string        // our name in EHLO
	Timeout time.Duration // for the answer to the final dot, and at most for any other; 0: one minute

	LMTP       bool        // it speaks LMTP (RFC 2033)
	Security   Security    // whether by TLS
	TLS        *tls.Config // of which RootCAs, Certificates and ServerName matter; nil for the system's roots and its name in Addrs
	PassClient PassClient
	Remember   time.Duration // how long a server's "no such user" is not asked for again; 0: not at all
	Idle       int           // connections to each server that may wait for another client; 0: none
	Names      *Names        // how host names are resolved; nil: as the system does
	Exchange   *Exchange     // the servers are those of each domain, and Addrs and Servers are empty; needs Names. See For
	Log        *slog.Logger  // nil for none

	domain string // whose servers these are, by Exchange; "" for Addrs and Servers
	state
}

// state is what a Backend knows of its servers.
type state struct {
	unknown unknown
	mu      sync.Mutex
	fates   map[string]*fate   // by address
	waiting map[string][]*Conn // by address; for another client
	said    map[string]bool    // what was logged and need not be again
}

// Open returns a new connection on behalf of nobody.
func (b *Backend) Open(ctx context.Context) (*Conn, error) { return b.OpenFor(ctx, Client{}) }

// OpenFor returns a connection on behalf of a client, a new one or one that waits, on which no transaction is open. When
// ctx ends, so does the connection, at once. A *Refusal is the server's word on the client, or the DNS's on the domain.
func (b *Backend) OpenFor(ctx context.Context, who Client) (*Conn, error) {
	addrs, err := b.order(ctx)
	if err != nil {
		return nil, fmt.Errorf("finding the servers of %s: %w", b.domain, err)
	}
	var failed []error
	for end := time.Now().Add(openFor); len(addrs) > 0 && time.Now().Before(end); addrs = addrs[1:] {
		addr := addrs[0]
		if c := b.take(ctx, addr, who); c != nil {
			return c, nil
		}
		b.try(addr)
		c, err := b.connect(ctx, addr, who, min(openTimeout, b.wait()))
		var refusal *Refusal
		refused := errors.As(err, &refusal)
		if ctx.Err() == nil {
			b.mark(addr, unless(refused, err))
		}
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

// unless drops an error that is none.
func unless(fine bool, err error) error {
	if fine {
		return nil
	}
	return err
}

// Unknown returns what a server said of a recipient lately, if that was that there is none. path has its brackets.
func (b *Backend) Unknown(path string) (Reply, bool) { return b.unknown.reply(path) }

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
