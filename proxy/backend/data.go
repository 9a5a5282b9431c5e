package backend

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"time"
)

const (
	bodyBuffer = 16 << 10
	bodyChunk  = 64 << 10 // the largest write under one deadline
	lastWords  = time.Second
	longest    = 10 * time.Minute // for a message; a client waits no longer for our answer (RFC 5321 4.5.3.2.6)
)

var errEarly = errors.New("the server answered before the end of the message")

// Data sends a message, the parts one after another, and returns the server's last word. The parts must have CRLF
// line ends alone; leading dots are doubled here. No error and class 2 mean that the server owns the message now;
// anything else means that nobody but the sender does.
func (c *Conn) Data(parts ...[]byte) (Reply, error) {
	if c.broken {
		return Reply{}, errBroken
	}
	if err := c.send("DATA\r\n"); err != nil {
		return Reply{}, fmt.Errorf("DATA: %w", err)
	}
	reply, err := c.read(time.Now().Add(c.backend.wait()))
	switch {
	case err != nil:
		return Reply{}, fmt.Errorf("DATA: %w", err)
	case reply.Refusal():
		return reply, nil
	case reply.Code != 354 || c.r.Buffered() > 0:
		c.fail()
		return Reply{}, fmt.Errorf("DATA: %w: %s", errCode, reply)
	}
	return c.transfer(func(w *bufio.Writer) { writeData(w, parts) })
}

// Binary sends a message octet for octet by BDAT (RFC 3030 2, 3), which the server must offer; else it is as Data. head, which
// may hold nothing that a stranger has chosen freely, is a chunk by itself, and the parts follow when the server has taken
// it: to one that does not know BDAT, whatever it offers, they would be commands.
func (c *Conn) Binary(head []byte, parts ...[]byte) (Reply, error) {
	reply, err := c.ask(fmt.Sprintf("BDAT %d\r\n%s", len(head), head), false)
	switch {
	case err != nil:
		return Reply{}, fmt.Errorf("BDAT: %w", err)
	case reply.Code/10 == 50: // it has not read the chunk as one
		c.broken = true
		return reply, nil
	case reply.Refusal():
		return reply, nil
	}
	return c.transfer(func(w *bufio.Writer) { writeLastChunk(w, parts) })
}

// transfer sends what write writes while it listens: a server may refuse before it has read all.
func (c *Conn) transfer(write func(*bufio.Writer)) (Reply, error) {
	if err := c.net.SetReadDeadline(time.Time{}); err != nil { // every write has a deadline; the reading follows it
		c.fail()
		return Reply{}, err
	}
	w := &bodyWriter{conn: c, spoke: make(chan struct{}), end: time.Now().Add(longest)}
	done := make(chan struct{})
	go func() { // ends with the first byte of the answer, or with the deadline set below
		defer close(done)
		_, _ = c.r.Peek(1) // an error is met again by the read below
		close(w.spoke)
		_ = c.net.SetWriteDeadline(time.Unix(1, 0)) // wakes a writer that the server does not read from
	}()
	sent := w.message(write)
	wait := c.backend.wait()
	if sent != nil {
		wait = min(wait, lastWords) // it may have said why
	}
	deadline := time.Now().Add(wait)
	_ = c.net.SetReadDeadline(deadline) // fails only when closed, which Peek has met
	<-done
	reply, err := c.read(deadline)
	switch {
	case sent != nil:
		c.fail()
		if err == nil && reply.Refusal() {
			return reply, nil
		}
		return Reply{}, fmt.Errorf("sending the message: %w", sent)
	case err != nil:
		return Reply{}, fmt.Errorf("waiting for the answer to the message: %w", err)
	case !reply.OK() && !reply.Refusal():
		c.fail()
		return Reply{}, fmt.Errorf("answer to the message: %w: %s", errCode, reply)
	}
	c.backend.strike(c.Addr, false)
	return reply, nil
}

// bodyWriter writes under a deadline that moves on with each chunk, until the server speaks.
type bodyWriter struct {
	conn  *Conn
	spoke chan struct{}
	end   time.Time
}

func (w *bodyWriter) Write(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		deadline := time.Now().Add(w.conn.backend.wait())
		if w.end.Before(deadline) {
			deadline = w.end
		}
		if err := w.conn.net.SetWriteDeadline(deadline); err != nil {
			return n, err
		}
		select {
		case <-w.spoke:
			return n, errEarly
		default:
		}
		m, err := w.conn.net.Write(p[n:min(len(p), n+bodyChunk)])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// message writes what write does; the buffer keeps an error until its Flush.
func (w *bodyWriter) message(write func(*bufio.Writer)) error {
	if w.conn.w == nil {
		w.conn.w = bufio.NewWriterSize(nil, bodyBuffer)
	}
	w.conn.w.Reset(w)
	write(w.conn.w)
	return w.conn.w.Flush()
}

// writeData writes the parts, dots doubled (RFC 5321 4.5.2), and the end of data.
func writeData(w *bufio.Writer, parts [][]byte) {
	lineStart := true
	for _, part := range parts {
		for len(part) > 0 {
			if lineStart && part[0] == '.' {
				_ = w.WriteByte('.')
			}
			end := bytes.Index(part, []byte("\n."))
			if end < 0 {
				end = len(part) - 1
			}
			_, _ = w.Write(part[:end+1])
			lineStart = part[end] == '\n'
			part = part[end+1:]
		}
	}
	if !lineStart {
		_, _ = w.WriteString("\r\n")
	}
	_, _ = w.WriteString(".\r\n")
}

// writeLastChunk writes the parts as the last chunk.
func writeLastChunk(w *bufio.Writer, parts [][]byte) {
	n := 0
	for _, part := range parts {
		n += len(part)
	}
	_, _ = fmt.Fprintf(w, "BDAT %d LAST\r\n", n)
	for _, part := range parts {
		_, _ = w.Write(part)
	}
}
