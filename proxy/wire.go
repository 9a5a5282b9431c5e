package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	inBuffer  = 512 // every idle session has one
	bodyIn    = 8 << 10
	outBuffer = 16 << 10
	keptOut   = 256 // what an idle session keeps of it: room for all replies but that to EHLO
	lingerFor = 5 * time.Second
)

var (
	errLineTooLong = errors.New("line too long")
	errEndlessLine = errors.New("line without an end")
)

// wire is the bytes to and from one client, in clear or through TLS. Replies are gathered and written together when
// there is nothing left to answer. All its methods but drain and Close belong to the goroutine of the session.
type wire struct {
	tcp    net.Conn
	stream net.Conn      // tcp, or TLS over it
	in     *bufio.Reader // narrow, or a wide one before it
	narrow *bufio.Reader
	out    []byte
	idle   time.Duration

	mu       sync.Mutex
	busy     bool // in a transaction, which a drain lets finish
	draining bool
}

func newWire(tcp net.Conn, idle time.Duration) *wire {
	in := bufio.NewReaderSize(tcp, inBuffer)
	return &wire{tcp: tcp, stream: tcp, in: in, narrow: in, idle: idle}
}

// startTLS takes up TLS. What the client sent in clear after the command that asked for it is forgotten (RFC 3207 4.2).
func (w *wire) startTLS(ctx context.Context, config *tls.Config) error {
	stream := tls.Server(w.tcp, config)
	if err := w.tcp.SetDeadline(time.Now().Add(w.idle)); err != nil {
		return err
	}
	if err := stream.HandshakeContext(ctx); err != nil {
		return err
	}
	w.stream = stream
	w.in = w.narrow
	w.in.Reset(stream)
	return nil
}

// tlsState returns the state of TLS, or nil in clear.
func (w *wire) tlsState() *tls.ConnectionState {
	if t, ok := w.stream.(*tls.Conn); ok {
		state := t.ConnectionState()
		return &state
	}
	return nil
}

// readLine reads a line to its LF, which it keeps. Replies waiting are written before it blocks. A line longer than most
// is read to its end and is errLineTooLong; one longer than sixteen times maxCommand is not, and is errEndlessLine.
func (w *wire) readLine(most int) (string, error) {
	if w.in.Buffered() == 0 {
		w.in = w.narrow
	}
	if err := w.ready(); err != nil {
		return "", err
	}
	if err := w.arm(time.Now().Add(w.idle)); err != nil {
		return "", err
	}
	var line []byte
	for length := 0; length < 16*maxCommand; {
		piece, err := w.in.ReadSlice('\n')
		if err == nil && length == 0 {
			return string(piece), nil
		}
		length += len(piece)
		if length <= most {
			line = append(line, piece...)
		}
		switch {
		case err == nil && length > most:
			return "", errLineTooLong
		case err == nil:
			return string(line), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", err // a line without an end is no line (RFC 5321 2.3.8)
		}
	}
	return "", errEndlessLine
}

// ready writes the replies unless the next line is there already.
func (w *wire) ready() error {
	if n := w.in.Buffered(); n > 0 && len(w.out) < outBuffer {
		if waiting, err := w.in.Peek(n); err == nil && bytes.IndexByte(waiting, '\n') >= 0 {
			return nil
		}
	}
	return w.flush()
}

// widen gives a message a wide buffer, until all that it has read is used.
func (w *wire) widen() {
	if w.in == w.narrow {
		w.in = bufio.NewReaderSize(w.narrow, bodyIn)
	}
}

// some returns the bytes waiting, or waits for the next. They must be used with discard before the next call.
func (w *wire) some(deadline time.Time) ([]byte, error) {
	if w.in.Buffered() == 0 {
		if err := w.flush(); err != nil {
			return nil, err
		}
		if err := w.arm(deadline); err != nil {
			return nil, err
		}
		if _, err := w.in.Peek(1); err != nil {
			return nil, err
		}
	}
	return w.in.Peek(w.in.Buffered())
}

func (w *wire) discard(n int) { _, _ = w.in.Discard(n) } // n bytes were seen by some

// arm sets the deadline of the next read; none waits in a drain unless a transaction is open.
func (w *wire) arm(deadline time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.draining && !w.busy {
		return w.tcp.SetReadDeadline(time.Unix(1, 0))
	}
	return w.tcp.SetReadDeadline(deadline)
}

// setBusy says whether a transaction is open.
func (w *wire) setBusy(busy bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = busy
}

// closing reports whether the session is to end now because of a drain.
func (w *wire) closing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.draining && !w.busy
}

// drain ends the session as soon as no transaction is open. Any goroutine may call it.
func (w *wire) drain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.draining = true
	if !w.busy {
		_ = w.tcp.SetReadDeadline(time.Unix(1, 0)) // fails only on a connection that has ended
	}
}

// flush writes what waits.
func (w *wire) flush() error {
	if len(w.out) == 0 {
		return nil
	}
	err := w.tcp.SetWriteDeadline(time.Now().Add(w.idle))
	if err == nil {
		_, err = w.stream.Write(w.out)
	}
	if w.out = w.out[:0]; cap(w.out) > keptOut {
		w.out = nil
	}
	return err
}

// linger says the end and reads on for a while, so that a client in the middle of sending reads our last word and not
// a reset.
func (w *wire) linger() {
	type halfCloser interface{ CloseWrite() error }
	if c, ok := w.stream.(halfCloser); ok && c.CloseWrite() == nil {
		if w.tcp.SetReadDeadline(time.Now().Add(lingerFor)) == nil {
			_, _ = io.Copy(io.Discard, w.tcp) // until it has had enough
		}
	}
}
