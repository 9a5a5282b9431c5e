package backend

import (
	"context"
	"slices"
	"time"
)

const (
	idleFor   = 10 * time.Second // how long a connection waits for another client
	maxAge    = 10 * time.Minute // of a connection that several clients use
	resumeFor = 5 * time.Second  // for the answer to RSET, which is always quick
)

// Free gives a connection back that its client does not need any more. It waits for the next client, if it can be
// anybody's: the server was not told by XCLIENT, PROXY or AUTH whose it is. Else it ends.
func (c *Conn) Free() {
	if c.rest != nil && !c.rest.Stop() {
		c.Close() // its rest was too long
		return
	}
	shared := !c.broken && !c.owned && !c.named && c.uses < maxUses && time.Since(c.born) < maxAge
	if !shared || !c.untie() || !c.backend.keep(c) {
		c.Quit()
	}
}

// keep puts a connection among those that wait, if there is room.
func (b *Backend) keep(c *Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting[c.Addr]) >= b.Idle {
		return false
	}
	if b.waiting == nil {
		b.waiting = map[string][]*Conn{}
	}
	c.mail = transaction{}
	c.ctx = context.Background()
	c.rest = time.AfterFunc(idleFor, func() {
		if b.forget(c) {
			c.Quit()
		}
	})
	b.waiting[c.Addr] = append(b.waiting[c.Addr], c)
	return true
}

// forget takes a connection out, and reports whether it was there.
func (b *Backend) forget(c *Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.waiting[c.Addr]
	at := slices.Index(all, c)
	if at >= 0 {
		b.waiting[c.Addr] = slices.Delete(all, at, at+1)
	}
	return at >= 0
}

// take returns a connection to a server that waits and still works, for another client, or nil. If one does not work,
// the server has been away, and the others will not work either.
func (b *Backend) take(ctx context.Context, addr string, who Client) *Conn {
	b.mu.Lock()
	all := b.waiting[addr]
	var c *Conn
	if last := len(all) - 1; last >= 0 {
		c, b.waiting[addr] = all[last], all[:last]
	}
	b.mu.Unlock()
	if c == nil {
		return nil
	}
	c.Client = who
	c.tie(ctx)
	if c.Resume() == nil {
		return c
	}
	b.drop(addr)
	return nil
}

// drop ends all connections to a server that wait.
func (b *Backend) drop(addr string) {
	b.mu.Lock()
	all := b.waiting[addr]
	delete(b.waiting, addr)
	b.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}

// Close ends all connections that wait. Those in use go on.
func (b *Backend) Close() {
	if b.Exchange != nil && b.domain == "" {
		for _, d := range b.Exchange.domains() {
			d.Close()
		}
	}
	b.mu.Lock()
	all := b.waiting
	b.waiting = nil
	b.mu.Unlock()
	for _, conns := range all {
		for _, c := range conns {
			c.Quit()
		}
	}
}
