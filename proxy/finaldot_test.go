package proxy

import (
	"net"
	"strings"
	"testing"
	"time"

	"weir/proxy/backend/sink"
)

func remembering(t *testing.T) *front {
	return newFront(t, func(f *front) { f.Dialogue.FinalDot = time.Hour })
}

// delays makes the sink answer a message late, in words of its own.
func (f *front) delays(d time.Duration) {
	f.sink.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Dot: {Kind: sink.Answer, Text: "250 2.0.0 queued as 4D3C", Delay: d}}})
}

// vanish sends a message and closes without reading the answer.
func (f *front) vanish(t *testing.T) {
	t.Helper()
	c := f.rcpt()
	c.cmd("DATA", "354")
	c.send(note + ".\r\n")
	f.until("message on its way", func() bool {
		f.dots.mu.Lock()
		defer f.dots.mu.Unlock()
		return len(f.dots.open) > 0
	})
	if err := c.conn.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAMessageWhoseClientVanishedIsNotDeliveredTwice(t *testing.T) {
	f := remembering(t)
	f.delays(200 * time.Millisecond)
	f.vanish(t)
	again := f.rcpt() // while the first is on its way
	if got := again.data(note, "250"); got != "250 2.0.0 queued as 4D3C" {
		t.Errorf("the client reads %q", got)
	}
	again.conn.Close() // it has the bytes
	f.until("end of the sessions", func() bool { return f.Active() == 0 })
	if n := len(f.taken()); n != 1 {
		t.Errorf("%d copies", n)
	}
	last := f.recorded(2)[1]
	if last.Verdict.Reply.Code != 250 || !strings.HasPrefix(last.Backend.Reply, "delivered before: 250") {
		t.Errorf("record %+v %+v", last.Verdict, last.Backend)
	}
}

func TestARetryIsAnsweredWhenTheFirstHasEnded(t *testing.T) {
	f := remembering(t)
	f.delays(100 * time.Millisecond)
	f.vanish(t)
	f.until("end of the session", func() bool { return f.Active() == 0 })
	for name, different := range map[string]func(c *talker) string{
		"another body":      func(c *talker) string { return c.data(note+"P.S.\r\n", "250") },
		"another recipient": func(c *talker) string { c.cmd("RCPT TO:<eve@weir.example>", "250"); return c.data(note, "250") },
	} {
		before := len(f.taken())
		different(f.rcpt())
		f.until("delivery of "+name, func() bool { return len(f.taken()) == before+1 })
	}
	before := len(f.taken())
	c := f.rcpt()
	c.data(note, "250 2.0.0 queued as 4D3C")
	c.cmd("RSET", "250")
	if n := len(f.taken()); n != before {
		t.Errorf("%d copies more", n-before)
	}
	c = f.rcpt() // the retry was heard: what comes now is meant
	c.data(note, "250")
	f.until("another copy", func() bool { return len(f.taken()) == before+1 })
}

func TestAMessageThatWasHeardMayComeAgain(t *testing.T) {
	f := remembering(t)
	for range 2 { // one that says no more and closes, having read the answer
		c := f.rcpt()
		c.data(note, "250")
		c.conn.Close()
		f.until("end of the session", func() bool { return f.Active() == 0 })
	}
	for range 2 { // one that sends all at once, and only reads
		c := f.dial()
		c.send("HELO client.example\r\nMAIL FROM:<ann@client.example>\r\nRCPT TO:<bob@weir.example>\r\nDATA\r\n" + note + ".\r\nQUIT\r\n")
		_ = c.conn.(*net.TCPConn).CloseWrite()
		for _, want := range []string{"250", "250", "250", "354", "250", "221", ""} {
			c.expect(want)
		}
		f.until("end of the session", func() bool { return f.Active() == 0 })
	}
	f.until("fourth copy", func() bool { return len(f.taken()) == 4 })
}

// A client may send the next envelope behind a message (RFC 2920 3.1), and some send the next message too.
func TestAMessageIsHeardBehindWhichTheNextWasSent(t *testing.T) {
	const next = "MAIL FROM:<ann@client.example>\r\nRCPT TO:<bob@weir.example>\r\nDATA\r\n"
	open := func(f *front) int {
		f.dots.mu.Lock()
		defer f.dots.mu.Unlock()
		return len(f.dots.open)
	}
	for name, play := range map[string]func(f *front, c *talker){
		"as far as it may be": func(f *front, c *talker) {
			c.send(note + ".\r\n" + next)
			for _, want := range []string{"250", "250", "250", "354"} {
				c.expect(want)
			}
			c.send("another\r\n")
			f.until("the first to be heard", func() bool { return open(f) == 0 })
			c.send(".\r\n")
		},
		"whole": func(_ *front, c *talker) {
			c.send(note + ".\r\n" + next + "another\r\n.\r\n")
			for _, want := range []string{"250", "250", "250", "354"} {
				c.expect(want)
			}
		},
	} {
		f := remembering(t)
		c := f.rcpt()
		c.cmd("DATA", "354")
		play(f, c)
		c.expect("250")
		if n := open(f); n != 1 {
			t.Errorf("%s: of %d messages it is not known whether they were heard", name, n)
		}
		c.cmd("QUIT", "221")
		f.rcpt().data(note, "250")
		f.until("third copy", func() bool { return len(f.taken()) == 3 })
	}
}

// A client that has read its 250 and then stays, saying nothing, does not stop another from sending the same.
func TestASilentClientThatHasHeardDoesNotSwallowTheNextCopy(t *testing.T) {
	f := remembering(t)
	silent := f.rcpt()
	silent.data(note, "250")
	f.until("the kernel's acknowledgement", func() bool { // which it may delay
		f.dots.mu.Lock()
		defer f.dots.mu.Unlock()
		for _, d := range f.dots.open {
			if d.reply.Code == 250 && d.gate.took() {
				d.said = d.said.Add(-2 * dotQuiet)
				return true
			}
		}
		return false
	})
	f.rcpt().data(note, "250")
	f.until("second copy", func() bool { return len(f.taken()) == 2 })
}

func TestARefusalIsNotRemembered(t *testing.T) {
	f := remembering(t)
	f.sink.Set(sink.Script{On: map[sink.Stage]sink.Action{sink.Dot: {Kind: sink.Answer, Text: "451 4.3.0 later"}}})
	f.rcpt().data(note, "451")
	f.sink.Set(sink.Script{})
	f.rcpt().data(note, "250")
	f.until("delivery", func() bool { return len(f.taken()) == 1 })
	f.dots.mu.Lock()
	defer f.dots.mu.Unlock()
	if n := len(f.dots.open); n > 1 {
		t.Errorf("%d are still on their way", n)
	}
}
