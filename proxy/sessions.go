package proxy

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// sessions are the connections there are. The zero value is ready.
type sessions struct {
	mu      sync.Mutex
	live    map[*gate]bool       // whether it counts against the limits
	per     map[netip.Prefix]int // of addresses and of networks
	counted int
	stress  atomic.Bool   // few are left
	drained chan struct{} // not nil in a drain; closed when the last has left
	doors   map[*door]bool
	ledger  ledger
}

// join adds g, not counted yet.
func (s *sessions) join(g *gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil {
		s.live, s.per = map[*gate]bool{}, map[netip.Prefix]int{}
	}
	s.live[g] = false
}

// admit counts g against the limits, its address being known now, or says why it may not stay.
func (s *sessions) admit(g *gate, limits Limits) *Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, net := origin(g.client.addr.Addr()), network(g.client.addr.Addr())
	switch {
	case s.drained != nil:
		return &replyClosing
	case s.counted >= limits.sessions():
		return &replyTooManySessions
	case s.per[from] >= limits.perIP():
		return &replyTooManyFromYou
	case s.per[net] >= max(limits.perNet(), limits.perIP()):
		return &replyTooManyFromNet
	}
	s.live[g] = true
	s.add(g, 1)
	s.stress.Store(s.counted > limits.sessions()*7/8)
	return nil
}

// release counts g no longer against the limits.
func (s *sessions) release(g *gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[g] {
		s.live[g] = false
		s.add(g, -1)
	}
}

// leave removes g.
func (s *sessions) leave(g *gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	counted, ok := s.live[g]
	if !ok {
		return
	}
	delete(s.live, g)
	s.ledger.ended(g.client.listener.Name, g.result(counted))
	if counted {
		s.add(g, -1)
		s.stress.Store(s.counted > g.client.settings.Limits.sessions()*7/8)
	}
	if s.drained != nil && len(s.live) == 0 {
		s.closeDrained()
	}
}

// result says what became of g, which was let in or not.
func (g *gate) result(admitted bool) string {
	switch {
	case !admitted:
		return Refused
	case g.last:
		return Cut
	}
	return Served
}

// add counts n sessions more like g.
func (s *sessions) add(g *gate, n int) {
	s.counted += n
	for _, from := range []netip.Prefix{origin(g.client.addr.Addr()), network(g.client.addr.Addr())} {
		if s.per[from] += n; s.per[from] == 0 {
			delete(s.per, from)
		}
	}
}

// drain asks all sessions to end. The channel is closed when none is left.
func (s *sessions) drain() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drained == nil {
		s.drained = make(chan struct{})
	}
	for g := range s.live {
		g.drain()
	}
	if len(s.live) == 0 {
		s.closeDrained()
	}
	return s.drained
}

func (s *sessions) closeDrained() {
	select {
	case <-s.drained:
	default:
		close(s.drained)
	}
}

func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counted
}

// origin is what a limit per address counts: an IPv4 address, or the /64 that one IPv6 host has for itself.
func origin(a netip.Addr) netip.Prefix { return prefix(a, 32, 64) }

// network is what a limit per network counts.
func network(a netip.Addr) netip.Prefix { return prefix(a, 24, 48) }

func prefix(a netip.Addr, bits4, bits6 int) netip.Prefix {
	bits := bits4
	if a.Is6() {
		bits = bits6
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
