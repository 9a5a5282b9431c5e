package proxy

import (
	"errors"
	"time"
)

// errTooMuch means that a message goes on far beyond the limit.
var errTooMuch = errors.New("message far larger than the limit")

// transfer is one message on its way in.
type transfer struct {
	body
	mender *mender   // instead of body where line ends are mended
	chunks *chunks   // instead of both where the message comes by BDAT
	due    time.Time // by when more must have come, at the slowest rate taken
	size   int64
	most   int64 // at which it is not read on
}

// transfer is a message of which nothing has come yet.
func (g *gate) transfer() transfer {
	return transfer{due: time.Now().Add(g.slack()), most: 2 * g.client.settings.maxSize()}
}

// readData hands over the next bytes of a message, none beyond its end, and leaves in line what p has no room for. A
// message must keep coming, the next bytes within the timeout and none of its minutes slower than the rate wanted, and it
// must end: one larger than the limit is read as far as twice the limit.
func (g *gate) readData(p []byte) (int, error) {
	if g.body.size > g.body.most {
		return 0, errTooMuch
	}
	waiting, err := g.more()
	if err != nil {
		return 0, err
	}
	handed, n, done, err := g.body.next(p, waiting[:min(len(p), len(waiting))])
	if err != nil {
		return 0, err
	}
	if len(handed) > len(p) {
		g.line = handed[len(p):]
	}
	copied := copy(p, handed)
	g.received(n)
	if done {
		g.phase = inCommands
	}
	return copied, nil
}

// more returns the bytes of a message that wait, or waits for the next.
func (g *gate) more() ([]byte, error) {
	waiting := g.in.Buffered() > 0
	g.widen()
	bytes, err := g.some(g.due())
	if err == nil && !waiting {
		g.heard(spoke)
	}
	return bytes, err
}

// due is by when the next bytes of a message must come.
func (g *gate) due() time.Time {
	deadline := time.Now().Add(g.idle)
	if g.body.due.Before(deadline) {
		return g.body.due
	}
	return deadline
}

// received counts n bytes of those that wait as taken.
func (g *gate) received(n int) {
	g.discard(n)
	g.body.size += int64(n)
	g.earn(n)
}

// slack is how long a message may be slower than the rate that it must come with.
func (g *gate) slack() time.Duration { return min(time.Minute, g.idle) }

// earn gives a message the time for which n bytes last, and never more than the slack.
func (g *gate) earn(n int) {
	due := g.body.due.Add(time.Duration(n) * time.Second / time.Duration(g.client.settings.Limits.minRate()))
	if most := time.Now().Add(g.slack()); due.After(most) {
		due = most
	}
	g.body.due = due
}

// next takes the bytes of the message that wait, as far as they belong to it, and returns what is handed on for them:
// themselves, or what became of them, for which p serves as long as it has room.
func (t *transfer) next(p, waiting []byte) (handed []byte, n int, done bool, err error) {
	if t.mender != nil {
		return t.mender.mend(p[:0:len(p)], waiting)
	}
	n, done, err = t.scan(waiting)
	return waiting[:n], n, done, err
}
