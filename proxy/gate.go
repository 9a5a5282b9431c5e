package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"weir/proxy/backend"
)

// gate is what go-smtp takes for the connection of a client. It hands go-smtp one command at a time, and the bytes of
// a message up to its end and not one further; what go-smtp has no answer or a wrong one for, it answers itself
// (verbs.go). Because it stands above TLS, all this holds in clear and encrypted alike.
//
// go-smtp calls Read when it has answered the last command, so Read is where the gate acts, in the one goroutine of
// the session.
type gate struct {
	*wire
	client *client
	server *Server
	state  state
	phase  phase

	cmd    command // the command in go-smtp's hands; without verb, the greeting
	line   []byte  // its bytes that go-smtp has not read yet
	said   []byte  // what go-smtp wrote about it
	answer *Reply  // what is said instead; the session sets it

	body  transfer // the message that is being received
	fault error    // why the session ends, nil while it goes on
	last  bool     // our last word was said

	login   *backend.Conn // of the user who has just authenticated; nil once the session has it
	unheard *dot          // that of the last message accepted, until the client speaks again
}

// phase is what is to be done at the next Read.
type phase uint8

const (
	unopened phase = iota // nothing was said yet
	inCommands
	inMessage
	ended
)

// state is how far the dialogue has come (RFC 5321 4.1.4).
type state struct {
	hello  string // the argument of HELO or EHLO; "" before
	esmtp  bool
	utf8   bool // SMTPUTF8 was offered
	sealed bool // REQUIRETLS was offered
	chunks bool // CHUNKING was offered
	binary bool // BINARYMIME was offered
	mail   bool // a transaction is open
	asUTF8 bool // it is one with SMTPUTF8
	rcpts  int  // its recipients accepted
	putOff int  // those that got a 4xx
	errors int
	junk   int // commands that lead nowhere, since the last message

	asBinary bool // the transaction is one with BODY=BINARYMIME
}

// theMessage stands for a verb while go-smtp has yet to answer what followed 354.
const theMessage = "message"

var (
	errEnded = errors.New("the session has ended")
	errNoTLS = errors.New("no TLS came about")
)

// Read hands over the rest of a command, the next command, or the next bytes of a message.
func (g *gate) Read(p []byte) (n int, err error) {
	defer g.contain(&err)
	if len(g.line) > 0 {
		return g.hand(p), nil
	}
	if g.phase == unopened {
		g.phase = inCommands
		if err := g.open(); err != nil {
			g.end(err)
		}
	}
	if err := g.proceed(); err != nil {
		return 0, err
	}
	switch {
	case g.phase == inMessage && g.body.chunks == nil:
		n, err = g.readData(p)
	case g.phase == inMessage:
		err = g.endChunks()
	case len(g.line) == 0: // else it was said between two chunks
		err = g.nextCommand()
	}
	if err != nil {
		return n, g.broken(err)
	}
	return n + g.hand(p[n:]), nil
}

// proceed says the reply to the command in hand. The error is that of a session that has ended, which go-smtp leaves
// without a word.
func (g *gate) proceed() error {
	if g.fault == nil && g.phase == inCommands {
		g.conclude()
	}
	if g.fault != nil {
		return net.ErrClosed
	}
	return nil
}

// broken ends the session, and returns an error that nobody takes for the end of a message.
func (g *gate) broken(err error) error {
	g.end(err)
	if err == io.EOF {
		err = net.ErrClosed
	}
	return err
}

func (g *gate) hand(p []byte) int {
	n := copy(p, g.line)
	g.line = g.line[n:]
	return n
}

// Write takes what go-smtp says about the command in hand.
func (g *gate) Write(p []byte) (int, error) {
	g.said = append(g.said, p...)
	return len(p), nil
}

// Close says what is left to say and ends the connection.
func (g *gate) Close() (err error) {
	if g.phase == ended {
		return nil
	}
	g.phase = ended
	defer g.server.sessions.leave(g)
	defer g.client.close()
	defer g.contain(&err)
	if g.fault == nil {
		g.conclude()
	}
	if g.login != nil {
		g.login.Quit()
	}
	said := g.flush()
	g.heard(func() bool { return said == nil && g.acknowledged() })
	if said == nil && g.last {
		g.linger()
	}
	return g.tcp.Close()
}

// The rest of net.Conn. Deadlines are the wire's own: those that go-smtp sets once would cut a steady sender off and
// leave the rest of its message to be read as commands.

func (g *gate) LocalAddr() net.Addr              { return g.tcp.LocalAddr() }
func (g *gate) RemoteAddr() net.Addr             { return g.tcp.RemoteAddr() }
func (g *gate) SetDeadline(time.Time) error      { return nil }
func (g *gate) SetReadDeadline(time.Time) error  { return nil }
func (g *gate) SetWriteDeadline(time.Time) error { return nil }

// open begins the session: who the client is, the limits, the checks of the client's address, and TLS if the listener
// wants it at once. The greeting of go-smtp, already in said, follows when a stranger has waited for it.
func (g *gate) open() error {
	c := g.client
	if err := g.meet(); err != nil {
		return err
	}
	refusal := g.server.admit(g)
	if refusal != nil || g.server.sessions.stress.Load() { // one that is not counted must not stay in its handshake
		g.idle = min(g.idle, stressed)
	}
	if refusal == nil {
		c.begin(g.server.Current())
		if err := g.hold(); err != nil {
			return err
		}
	}
	if c.listener.TLS == ImplicitTLS {
		if err := g.secure(); err != nil {
			return err
		}
	}
	if refusal != nil {
		g.server.recordRefused(c, *refusal)
		return g.hangUp(*refusal)
	}
	return g.listen()
}

// meet learns from a trusted proxy whom it speaks for.
func (g *gate) meet() error {
	c := g.client
	if c.listener.trusts(c.addr.Addr()) {
		if err := g.arm(time.Now().Add(g.idle)); err != nil {
			return err
		}
		from, err := readProxy(g.tcp)
		if err != nil {
			g.server.logger().Warn("a trusted proxy sent no PROXY header", "proxy", c.addr, "err", err)
			return errProxy
		}
		if from.IsValid() {
			c.addr = from
		}
	}
	c.speaks = c.settings.trusted(c.addr.Addr())
	return nil
}

func (g *gate) secure() error {
	config := g.server.TLS()
	if config == nil {
		return errNoTLS
	}
	if err := g.startTLS(g.client.ctx, config); err != nil {
		g.server.logger().Debug("no TLS", "session", g.client.id, "err", err)
		return errNoTLS
	}
	g.client.tls = tlsVersion(g.tlsState().Version)
	return nil
}

// conclude says the reply to the command in hand and moves the state on.
func (g *gate) conclude() {
	if g.body.chunks != nil && g.body.chunks.dropped != nil {
		g.afterDrop()
		return
	}
	reply := g.corrected(g.said)
	if g.answer != nil {
		reply = g.answer.wire()
	}
	code := 0
	if len(reply) > 3 {
		code, _ = strconv.Atoi(string(reply[:3])) // our own replies and go-smtp's begin with a code
	}
	if code != 354 || g.cmd.verb != "BDAT" { // which to go-smtp is a DATA
		g.out = append(g.out, reply...)
	}
	g.said, g.answer = g.said[:0], nil
	if code != 0 {
		g.advance(code)
	}
}

// corrected mends what go-smtp says where the RFCs want something else.
func (g *gate) corrected(reply []byte) []byte {
	good := bytes.HasPrefix(reply, []byte("250"))
	unknown := bytes.HasPrefix(reply, []byte("500 ")) || bytes.HasPrefix(reply, []byte("504 "))
	switch g.cmd.verb {
	case "EHLO":
		if good {
			return g.offer(g.client.settings.offers())
		}
	case "HELO":
		if good {
			return Reply{Code: 250, Text: g.server.Hostname}.wire()
		}
	case "MAIL", "RCPT": // RFC 5321 4.1.1.11
		if unknown {
			return replyParameter.wire()
		}
	}
	return reply
}

// advance moves the state on after a reply to the command in hand.
func (g *gate) advance(code int) {
	if code/100 == 5 {
		g.state.errors++
	}
	if code == 421 {
		g.fault, g.last = errEnded, true
	}
	good := code/100 == 2
	switch g.cmd.verb {
	case "HELO", "EHLO":
		if good {
			g.state.hello, g.state.esmtp = g.cmd.arg, g.cmd.verb == "EHLO"
			if !g.state.esmtp {
				g.state.utf8, g.state.sealed, g.state.chunks, g.state.binary = false, false, false, false
			}
			g.transaction(false)
			g.said = nil // the longest reply of most sessions
		}
	case "MAIL":
		if good {
			g.transaction(true)
		}
	case "RCPT":
		switch {
		case good:
			g.state.rcpts++
		case code/100 == 4:
			if g.state.putOff++; g.state.putOff > maxPutOff {
				g.state.errors++
			}
		}
	case "DATA":
		if code == 354 {
			g.phase, g.body = inMessage, g.transfer()
			if g.client.settings.Dialogue.Mend {
				g.body.mender = &mender{}
			}
			g.cmd = command{verb: theMessage}
			return
		}
	case "BDAT":
		if code == 354 {
			g.phase = inMessage
		} else if g.phase != inMessage {
			g.body = transfer{}
		}
	case theMessage:
		g.transaction(false)
		g.body = transfer{}
		if good {
			g.state.junk = 0
		}
	case "RSET":
		g.transaction(false)
	}
	g.cmd = command{}
}

func (g *gate) transaction(open bool) {
	g.state.mail, g.state.rcpts, g.state.putOff = open, 0, 0
	g.setBusy(open)
}

// end makes err the end of the session and tells the client, if anybody still listens.
func (g *gate) end(err error) {
	if g.fault != nil {
		return
	}
	g.fault = err
	switch {
	case errors.Is(err, errLineEnds):
		_ = g.hangUp(replyLineEnds)
	case errors.Is(err, errEndlessLine):
		_ = g.hangUp(replyLineTooLong)
	case errors.Is(err, errTooMuch):
		_ = g.hangUp(replyTooLarge)
	case errors.Is(err, os.ErrDeadlineExceeded) && g.closing():
		_ = g.hangUp(replyClosing)
	case errors.Is(err, os.ErrDeadlineExceeded):
		_ = g.hangUp(replyTimeout)
	}
}

// hangUp says a last reply. It returns the error that ends the session.
func (g *gate) hangUp(r Reply) error {
	g.server.sessions.ledger.said(r)
	g.said, g.answer = g.said[:0], nil
	g.out = append(g.out, r.wire()...)
	g.last = true
	return errEnded
}

// contain turns a panic into the end of this session.
func (g *gate) contain(err *error) {
	if cause := recover(); cause != nil {
		g.server.panicked(g.client, cause, debug.Stack())
		g.fault = errEnded
		g.tcp.Close()
		*err = net.ErrClosed
	}
}
