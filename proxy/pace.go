package proxy

import (
	"context"
	"sync"
	"time"
)

// pace is what a client has left of a rate: so many at once, and so many a minute from then on.
type pace struct {
	left float64
	seen time.Time // zero: all is left
	ok   bool      // the last one was within the rate
}

// next takes one more at now.
func (p pace) next(now time.Time, perMinute int) pace {
	limit := float64(perMinute)
	if p.seen.IsZero() {
		p.left = limit
	}
	p.left = min(limit, p.left+limit*now.Sub(p.seen).Minutes())
	p.seen, p.ok = now, p.left >= 1
	if p.ok {
		p.left--
	}
	return p
}

// paces are the paces of clients. The zero value is ready.
type paces struct{ memory[string, pace] }

// within takes one more of the client, or of the user wherever that comes from, and reports whether it keeps the rate;
// 0 is no limit.
func (p *paces) within(c *client, perMinute int) bool {
	if perMinute == 0 {
		return true
	}
	now := time.Now()
	who := c.user
	if who == "" {
		who = origin(c.addr.Addr()).String()
	}
	return p.change(who, time.Minute, func(p pace) pace { return p.next(now, perMinute) }).ok
}

// rates are what clients did within the last minute, and of which users the operator was told.
type rates struct{ connections, messages, told paces }

// roomWait is how long a message waits to be judged, its sender waiting with it.
const roomWait = 10 * time.Second

// room bounds the bytes of messages that are judged at once. The zero value is empty.
type room struct {
	mu    sync.Mutex
	used  int64
	freed chan struct{} // closed when something leaves; nil if nobody waits
}

// enter waits until there is room for n bytes among limit, for roomWait at most, and reports whether there was. What is
// larger than the limit has room when it is alone.
func (r *room) enter(ctx context.Context, n, limit int64) bool {
	ctx, cancel := context.WithTimeout(ctx, roomWait)
	defer cancel()
	for {
		freed := r.take(n, limit)
		if freed == nil {
			return true
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return false
		}
	}
}

// take returns nil when n has been taken, else what to wait for.
func (r *room) take(n, limit int64) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.used == 0 || r.used+n <= limit {
		r.used += n
		return nil
	}
	if r.freed == nil {
		r.freed = make(chan struct{})
	}
	return r.freed
}

func (r *room) leave(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used -= n
	if r.freed != nil {
		close(r.freed)
		r.freed = nil
	}
}
