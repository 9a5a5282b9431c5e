package lookup

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
)

// maxPacket is the largest UDP answer read; queries ask for at most 1232 bytes. What is longer is cut and so malformed.
const maxPacket = 4096

// waiter is one query that waits for its reply.
type waiter struct {
	socket  *socket
	packet  []byte // the query as sent
	replies chan<- reply
	inRoom  bool // it holds a token of its server's room
}

func (w *waiter) id() uint16 { return binary.BigEndian.Uint16(w.packet) }

// forget ends the waiting, once. A reply that comes later is dropped.
func (w *waiter) forget() {
	w.socket.remove(w)
	if w.inRoom {
		w.socket.upstream.leave()
	}
}

// socket is a connected socket and the queries under way on it.
type socket struct {
	upstream *upstream
	conn     net.Conn

	mu      sync.Mutex
	waiting map[uint16]*waiter
	left    int // queries it may still carry; at 0 it is closed as soon as nobody waits
	ended   bool
}

// take lets w wait here, changing its id until it is free, and counts it; or reports that the socket is used up.
func (s *socket) take(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.left == 0 {
		s.endIfIdle()
		return false
	}
	for s.waiting[w.id()] != nil { // at most queriesPerSocket of 65,536 are taken
		newID(w.packet)
	}
	s.left--
	s.waiting[w.id()], w.socket = w, s
	return true
}

func (s *socket) remove(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[w.id()] == w {
		delete(s.waiting, w.id())
	}
	s.endIfIdle()
}

// endIfIdle closes a used-up socket that nobody waits on. The caller holds s.mu.
func (s *socket) endIfIdle() {
	if s.left == 0 && len(s.waiting) == 0 && !s.ended {
		s.ended = true
		s.conn.Close()
	}
}

// end closes the socket and tells all who wait why.
func (s *socket) end(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended = true
		s.conn.Close()
	}
	for id, w := range s.waiting {
		delete(s.waiting, id)
		w.replies <- reply{from: s.upstream, err: cause}
	}
}

// read delivers what arrives until the socket is closed. It is the socket's goroutine.
func (s *socket) read() {
	buffer := make([]byte, maxPacket)
	for {
		n, err := s.conn.Read(buffer)
		if err != nil {
			s.end(fmt.Errorf("waiting for the answer: %w", err))
			return
		}
		if !s.deliver(buffer[:n]) {
			s.upstream.resolver.counts.dropped.Add(1)
		}
	}
}

// deliver hands packet to the query it answers. A packet with another id, question or letter case answers none, and
// the query goes on waiting.
func (s *socket) deliver(packet []byte) bool {
	if len(packet) < headerSize {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := binary.BigEndian.Uint16(packet)
	w := s.waiting[id]
	if w == nil || !answers(packet, w.packet) {
		return false
	}
	delete(s.waiting, id)
	w.replies <- reply{from: s.upstream, packet: bytes.Clone(packet)}
	s.endIfIdle()
	return true
}
