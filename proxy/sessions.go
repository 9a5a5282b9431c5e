package proxy

import (
	"net/netip"
	"sync"
)

// sessions are the connections there are. The zero value is ready.
type sessions struct {
	mu      sync.Mutex
	live    map[*gate]bool // whether it counts against the limits
	perIP   map[netip.Prefix]int
	counted int
	drained chan struct{} // not nil in a drain; closed when the last has left
}

// join adds g, not counted yet.
func (s *sessions) join(g *gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil {
		s.live, s.perIP = map[*gate]bool{}, map[netip.Prefix]int{}
	}
	s.live[g] = false
}

// admit counts g against the limits, its address being known now, or says why it may not stay.
func (s *sessions) admit(g *gate, limits Limits) *Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := origin(g.client.addr.Addr())
	switch {
	case s.drained != nil:
		return &replyClosing
	case s.counted >= limits.sessions():
		return &replyTooManySessions
	case s.perIP[from] >= limits.perIP():
		return &replyTooManyFromYou
	}
	s.live[g] = true
	s.counted++
	s.perIP[from]++
	return nil
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
	if counted {
		s.counted--
		from := origin(g.client.addr.Addr())
		if s.perIP[from]--; s.perIP[from] == 0 {
			delete(s.perIP, from)
		}
	}
	if s.drained != nil && len(s.live) == 0 {
		s.closeDrained()
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
func origin(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
