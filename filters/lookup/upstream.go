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

	// So many queries fit into the receive buffer that a server has unless told otherwise; of a burst of more it would lose
	// most. The others wait for answers to these. Where no answers come, one of them is sent each millisecond all the same,
	// since a few lists that never answer must not hold up the rest.
	atOnce   = 128
	turnTime = time.Millisecond
	turnWait = 250 * time.Millisecond // that nobody waits longer than
)

// upstream is a server that is asked, and the sockets to it.
type upstream struct {
	addr     string
	resolver *Resolver
	ailed    atomic.Pointer[time.Time] // when it last gave no answer; nil once it has
	misses   atomic.Int64              // answers that did not come, in a row
	room     chan struct{}             // holds a token for each query under way, at most atOnce
	turn     chan struct{}             // holds a token of the query that is next to go without one

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

// enter waits until fewer than atOnce queries are under way, which it then reports, or until it is this query's turn.
func (u *upstream) enter() (inRoom bool) {
	select {
	case u.room <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(turnWait)
	defer timer.Stop()
	select {
	case u.room <- struct{}{}:
		return true
	case <-timer.C:
		return false
	case u.turn <- struct{}{}:
	}
	defer func() { <-u.turn }()
	timer.Reset(turnTime)
	select {
	case u.room <- struct{}{}:
		return true
	case <-timer.C:
		return false
	}
}

// leave gives back what enter has taken.
func (u *upstream) leave() { <-u.room }

// send asks u. The reply is delivered to replies, at most one; the caller must forget the waiter when it stops waiting.
func (u *upstream) send(ask query, replies chan<- reply) (*waiter, error) {
	w := &waiter{packet: ask.packet(), replies: replies, inRoom: u.enter()}
	if err := u.seat(w); err != nil {
		if w.inRoom {
			u.leave()
		}
		return nil, err
	}
	u.resolver.counts.sent.Add(1)
	if _, err := w.socket.conn.Write(w.packet); err != nil {
		w.forget()
		w.socket.end(err)
		return nil, fmt.Errorf("sending the query: %w", err)
	}
	return w, nil
}

// seat lets w wait on one of the sockets, picked at random; a used-up one is replaced.
func (u *upstream) seat(w *waiter) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return ErrClosed
	}
	place := &u.sockets[rand.N(socketsEach)]
	if s := *place; s != nil && s.take(w) {
		return nil
	}
	conn, err := net.Dial("udp", u.addr) // of a literal address: does not block
	if err != nil {
		return fmt.Errorf("opening a socket: %w", err)
	}
	s := &socket{upstream: u, conn: conn, left: queriesPerSocket, waiting: map[uint16]*waiter{}}
	s.take(w)
	*place = s
	u.resolver.work.Go(s.read)
	return nil
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
