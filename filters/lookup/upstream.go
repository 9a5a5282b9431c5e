package lookup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	socketsEach      = 4               // connected sockets to a server, each with a random port
	queriesPerSocket = 500             // after so many a socket is replaced, so that ports stay hard to guess
	ailingFor        = 5 * time.Second // how long a server that gave no answer is asked last
	silentAfter      = 10              // answers missing in a row that are more than a domain's own trouble
)

// upstream is a server that is asked, and the sockets to it.
type upstream struct {
	addr     string
	resolver *Resolver
	ailed    atomic.Pointer[time.Time] // when it last gave no answer; nil once it has
	misses   atomic.Int64              // answers that did not come, in a row

	mu      sync.Mutex
	sockets [socketsEach]*socket // opened when first used
	closed  bool
}

func (u *upstream) ail() {
	now := time.Now()
	u.ailed.Store(&now)
	u.misses.Add(1)
}

func (u *upstream) well() {
	u.ailed.Store(nil)
	u.misses.Store(0)
}

// Silent reports whether no server has answered any of the last questions that it was asked.
func (r *Resolver) Silent() bool {
	return len(r.upstreams) > 0 && !slices.ContainsFunc(r.upstreams, func(u *upstream) bool { return u.misses.Load() < silentAfter })
}

// ailing is 1 if u lately gave no answer, else 0.
func (u *upstream) ailing(now time.Time) int {
	if at := u.ailed.Load(); at != nil && now.Sub(*at) < ailingFor {
		return 1
	}
	return 0
}

// send asks u. The reply is delivered to replies, at most one; the caller must forget the waiter when it stops waiting.
func (u *upstream) send(ask query, replies chan<- reply) (*waiter, error) {
	s, err := u.socket()
	if err != nil {
		return nil, err
	}
	packet := ask.packet()
	w := &waiter{socket: s, packet: packet, replies: replies}
	if err := s.add(w); err != nil {
		return nil, err
	}
	u.resolver.counts.sent.Add(1)
	if _, err := s.conn.Write(packet); err != nil {
		w.forget()
		s.end(err)
		return nil, fmt.Errorf("sending the query: %w", err)
	}
	return w, nil
}

// socket picks one of the sockets at random and counts its use; a used-up one is replaced.
func (u *upstream) socket() (*socket, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil, ErrClosed
	}
	place := &u.sockets[rand.N(socketsEach)]
	if s := *place; s != nil && s.use() {
		return s, nil
	}
	conn, err := net.Dial("udp", u.addr) // of a literal address: does not block
	if err != nil {
		return nil, fmt.Errorf("opening a socket: %w", err)
	}
	s := &socket{upstream: u, conn: conn, left: queriesPerSocket - 1, waiting: map[uint16]*waiter{}}
	*place = s
	u.resolver.work.Go(s.read)
	return s, nil
}

func (u *upstream) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	for _, s := range u.sockets {
		if s != nil {
			s.end(ErrClosed)
		}
	}
}

// stream asks over TCP and returns the answer's packet. It takes at most the given time.
func (u *upstream) stream(ask query, limit time.Duration) ([]byte, error) {
	deadline := time.Now().Add(limit)
	conn, err := net.DialTimeout("tcp", u.addr, max(limit, 1))
	if err != nil {
		return nil, fmt.Errorf("asking again over TCP: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, fmt.Errorf("asking again over TCP: %w", err)
	}
	packet := ask.packet()
	u.resolver.counts.sent.Add(1)
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)); err != nil {
		return nil, fmt.Errorf("asking again over TCP: %w", err)
	}
	for { // RFC 7766 §6.2.1: other messages may come before ours; the deadline bounds how many
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return nil, fmt.Errorf("reading the answer over TCP: %w", err)
		}
		answer := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, answer); err != nil {
			return nil, fmt.Errorf("reading the answer over TCP: %w", err)
		}
		if answers(answer, packet) && !truncated(answer) {
			return answer, nil
		}
		u.resolver.counts.dropped.Add(1)
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
