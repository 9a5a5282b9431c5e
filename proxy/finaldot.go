package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// A client that vanishes between the end of its message and our 250 sends the message again (RFC 1047). What it did not
// hear is remembered, so that the same message with the same envelope is answered as before and not delivered again.
// A client has heard a 250 when it says something after it, or when its side has acknowledged the bytes before the
// session ends.

const (
	dotWait  = 2 * time.Minute  // for the fate of a message whose client has vanished
	dotQuiet = 10 * time.Second // after which a client whose side has not acknowledged our answer has not heard it
	dotText  = 512              // bytes kept of a reply
	ackWait  = time.Second      // for the acknowledgement of the last bytes
	ackLook  = 5 * time.Millisecond
)

// dotKey is a message and its envelope.
type dotKey [sha256.Size]byte

// dots are final dots: those whose clients have not heard the answer, and those of which that is not known yet. The zero
// value is ready.
type dots struct {
	unheard memory[dotKey, unheard]
	mu      sync.Mutex
	open    map[dotKey]*dot
}

// unheard is a 250 that its client has not read.
type unheard struct {
	reply Reply
	said  time.Time
}

// dot is one message from its end to what its client heard of it.
type dot struct {
	all  *dots
	gate *gate
	key  dotKey
	unheard
	done chan struct{}
}

// answered returns the reply to an earlier message of this key whose client has not heard it. It waits for one whose
// client has vanished, and is a refusal when that takes too long.
func (d *dots) answered(ctx context.Context, key dotKey, life time.Duration) (Reply, bool) {
	d.mu.Lock()
	earlier := d.open[key]
	var said unheard
	if earlier != nil {
		said = earlier.unheard
	}
	d.mu.Unlock()
	switch {
	case earlier == nil:
	case said.reply.Code != 0 && time.Since(said.said) > dotQuiet && !earlier.gate.took():
		return said.reply, true
	case earlier.gate.vanished():
		ctx, cancel := context.WithTimeout(ctx, dotWait)
		defer cancel()
		select {
		case <-earlier.done:
		case <-ctx.Done():
			return replyBackendFailed, true
		}
	}
	said = d.unheard.recall(key, life)
	return said.reply, said.reply.Code != 0 && time.Since(said.said) <= life
}

// begin notes that a message is on its way.
func (d *dots) begin(g *gate, key dotKey) *dot {
	mine := &dot{all: d, gate: g, key: key, done: make(chan struct{})}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		d.open = map[dotKey]*dot{}
	}
	if d.open[key] == nil { // else the same comes twice at once from clients that live
		d.open[key] = mine
	}
	return mine
}

// answer says what the client is told. If that is a refusal, there is nothing to remember.
func (d *dot) answer(r Reply) {
	if r.Code/100 != 2 {
		d.settle(true)
		return
	}
	d.gate.heard(d.gate.acknowledges)
	r.Text = r.Text[:min(len(r.Text), dotText)]
	d.all.mu.Lock()
	defer d.all.mu.Unlock()
	d.unheard = unheard{reply: r, said: time.Now()}
	d.gate.unheard = d
}

// settle says whether the client has heard the answer.
func (d *dot) settle(heard bool) {
	life := d.gate.client.settings.Dialogue.FinalDot
	switch {
	case !heard:
		d.all.unheard.keep(d.key, d.unheard, life)
	case d.reply.Code != 0:
		d.all.unheard.forget(d.key)
	}
	d.all.mu.Lock()
	defer d.all.mu.Unlock()
	if d.all.open[d.key] == d {
		delete(d.all.open, d.key)
	}
	close(d.done)
}

// heard settles the last 250, if it is not settled yet.
func (g *gate) heard(heard func() bool) {
	if d := g.unheard; d != nil {
		g.unheard = nil
		d.settle(heard())
	}
}

// spoke is for a client that has said something since.
func spoke() bool { return true }

// peer is what is known of the client's side of a connection; of one that is not there any more, nothing.
type peer struct {
	open  bool // it has not closed
	reset bool
	taken bool // it has acknowledged all that we said
}

// vanished reports whether the client has closed the connection. Any goroutine may ask; nothing is read.
func (g *gate) vanished() bool {
	p := g.peer()
	return p == nil || !p.open
}

// acknowledged reports whether the client's side has taken all that we said. It looks for a second at most.
func (g *gate) acknowledged() bool {
	for end := time.Now().Add(ackWait); time.Now().Before(end); {
		p := g.peer()
		if p == nil || p.reset {
			return false
		}
		if p.taken {
			return true
		}
		if g.wait(ackLook) != nil {
			return false
		}
	}
	return false
}

// acknowledges is for the client of an earlier message that sent this one without a pause.
func (g *gate) acknowledges() bool { return g.flush() == nil && g.acknowledged() }

// took reports whether the client's side has taken all that we said by now. Any goroutine may ask.
func (g *gate) took() bool {
	p := g.peer()
	return p != nil && !p.reset && p.taken
}

// peer is what the kernel knows of the client's side; nil when that is nothing.
func (g *gate) peer() *peer {
	tcp, ok := g.tcp.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	var p *peer
	if err := raw.Control(func(fd uintptr) { p = peerOf(fd) }); err != nil {
		return nil
	}
	return p
}

// key is what makes the message the same when it comes again: all of its envelope but SIZE, who sends it, its bytes.
func (t *transaction) key(raw []byte) dotKey {
	recipients := slices.Sorted(slices.Values(t.accepted))
	h := sha256.New()
	part := func(s string) {
		_ = binary.Write(h, binary.BigEndian, int64(len(s))) // a hash takes all
		h.Write([]byte(s))
	}
	part(t.from.wire())
	for _, p := range t.params {
		if !strings.HasPrefix(strings.ToUpper(p), "SIZE=") {
			part(p)
		}
	}
	part("")
	for _, r := range recipients {
		part(r)
	}
	part("")
	h.Write(raw)
	return dotKey(h.Sum(nil))
}
