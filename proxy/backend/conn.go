package backend

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"strings"
	"time"
)

var (
	errAhead   = errors.New("the server sent more than it was asked for")
	errCode    = errors.New("a reply of this code has no place here")
	errOneOnly = errors.New("LMTP takes one recipient at a time here")
	errBroken  = errors.New("the connection is out of step")
)

// ErrStale is the error of Rcpt when a connection that had been used before was lost before the server answered to MAIL.
// Nothing has happened, and another connection may do better; those that wait have ended too.
var ErrStale = errors.New("the connection had ended")

// Conn is one connection to the server. One goroutine may use it.
type Conn struct {
	Addr   string
	Offer  Extensions
	Client Client // whom it was opened for

	backend *Backend
	tcp     net.Conn
	net     net.Conn // tcp, or TLS on it
	r       *bufio.Reader
	w       *bufio.Writer   // for messages; nil before the first
	ctx     context.Context // of Open
	untie   func() bool     // ends the tie to the context of Open
	rest    *time.Timer     // ends a connection at rest
	broken  bool
	mail    transaction
	life
}

// life is what has become of a connection so far.
type life struct {
	born  time.Time
	uses  int
	owned bool // an authenticated user's, whom nobody can authenticate again
	named bool // the server takes it for the client's own
}

// transaction is what the connection knows of the one that is open.
type transaction struct {
	command string // MAIL, not sent yet
	refused *Reply // the refusal of MAIL, which is that of every recipient
	taken   int    // recipients accepted
	live    bool   // there is one
}

// connect opens a connection to a server, at the first of its places that lets itself be greeted, and all within a time.
func (b *Backend) connect(ctx context.Context, server string, who Client, within time.Duration) (*Conn, error) {
	end := time.Now().Add(within)
	places, err := b.places(ctx, server)
	if err != nil {
		return nil, err
	}
	var failed []error
	for i, p := range places {
		share := time.Until(end) / time.Duration(len(places)-i)
		c := &Conn{Addr: server, Client: who, backend: b, life: life{born: time.Now()}}
		err := c.open(ctx, p, share)
		if err == nil {
			return c, nil
		}
		failed = append(failed, err)
		var refusal *Refusal
		if errors.As(err, &refusal) || ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(failed...)
}

// open connects to a place and greets. Where TLS is wished for and fails, it tries once more without.
func (c *Conn) open(ctx context.Context, at place, within time.Duration) error {
	err := c.dial(ctx, at, within, c.backend.Security)
	if errors.Is(err, errHandshake) && c.backend.Security == Opportunistic && ctx.Err() == nil {
		err = c.dial(ctx, at, within, InClear)
	}
	return err
}

func (c *Conn) dial(ctx context.Context, at place, within time.Duration, want Security) error {
	deadline := time.Now().Add(within)
	d := net.Dialer{Deadline: deadline}
	nc, err := d.DialContext(ctx, at.network, at.addr)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	return c.begin(ctx, nc, want, deadline)
}

// begin greets on a new connection, and closes it if that fails.
func (c *Conn) begin(ctx context.Context, nc net.Conn, want Security, deadline time.Time) error {
	c.tcp, c.net, c.r, c.broken = nc, nc, bufio.NewReaderSize(nc, maxReplyLine), false
	c.tie(ctx)
	if err := c.greet(want, deadline); err != nil {
		c.Close()
		return err
	}
	return nil
}

// tie makes the connection end with ctx.
func (c *Conn) tie(ctx context.Context) {
	c.ctx = ctx
	tcp := c.tcp
	c.untie = context.AfterFunc(ctx, func() { tcp.Close() })
}

// greet brings the connection to where MAIL can be said.
func (c *Conn) greet(want Security, deadline time.Time) error {
	if err := c.present(deadline); err != nil {
		return err
	}
	banner, err := c.read(deadline)
	if err != nil {
		return fmt.Errorf("reading the banner: %w", err)
	}
	if banner.Code != 220 {
		return fmt.Errorf("the server does not serve: %s", banner)
	}
	if err := c.hello(deadline, c.backend.Hello); err != nil {
		return err
	}
	if err := c.secure(want, deadline); err != nil {
		return err
	}
	c.backend.learn(c.Addr, maps.Clone(c.Offer))
	return c.introduce(deadline)
}

// hello says EHLO in one of our names, the next where one is refused, or HELO to a server that knows no better
// (RFC 5321 3.2).
func (c *Conn) hello(deadline time.Time, names ...string) error {
	verb := "EHLO "
	if c.backend.LMTP {
		verb = "LHLO "
	}
	commands := make([]string, 0, len(names)+1)
	for _, name := range names {
		commands = append(commands, verb+name+"\r\n")
	}
	if !c.backend.LMTP && !c.proxied() { // else a refusal may be of the PROXY header
		commands = append(commands, "HELO "+c.backend.Hello+"\r\n")
	}
	for _, command := range commands {
		reply, err := c.exchange(command, deadline)
		if err != nil {
			return fmt.Errorf("greeting: %w", err)
		}
		if reply.Code == 250 {
			c.Offer = extensions(reply.Lines[1:])
			if !c.Secured() {
				delete(c.Offer, "REQUIRETLS") // RFC 8689 4.2.1: only over TLS that is verified
			}
			if !c.private() {
				c.Offer.withholdSecrets()
			}
			if c.backend.LMTP {
				c.Offer["LIMITS"] = "RCPTMAX=1"
			}
			return nil
		}
		if reply.Code/100 != 5 {
			return fmt.Errorf("the greeting was refused: %s", reply)
		}
	}
	return errors.New("the greeting was refused")
}

// exchange sends a command of the greeting and reads the reply, of whatever class, behind which nothing may come.
func (c *Conn) exchange(command string, deadline time.Time) (Reply, error) {
	if err := c.send(command); err != nil {
		return Reply{}, err
	}
	reply, err := c.read(deadline)
	if err == nil && c.r.Buffered() > 0 && reply.Code != 421 {
		err = errAhead
	}
	return reply, err
}

// Mail begins a transaction. path is the reverse-path with its brackets; params are as the client wrote them, and
// only such as the server offers. The command is sent with the first recipient, whose reply is then the refusal, if
// there is one.
func (c *Conn) Mail(path string, params []string) {
	c.uses++
	c.mail = transaction{live: true, command: strings.Join(append([]string{"MAIL FROM:" + path}, params...), " ") + "\r\n"}
}

// Rcpt adds a recipient, path with its brackets, and returns what the server says. By LMTP there can be one only.
func (c *Conn) Rcpt(path string, params []string) (Reply, error) {
	if c.backend.LMTP && c.mail.taken > 0 {
		return Reply{}, errOneOnly
	}
	reply, err := c.rcpt(strings.Join(append([]string{"RCPT TO:" + path}, params...), " ") + "\r\n")
	if err == nil && reply.OK() {
		c.mail.taken++
	}
	if err == nil && c.mail.refused == nil {
		c.backend.unknown.learn(path, reply, c.backend.Remember)
	}
	return reply, err
}

func (c *Conn) rcpt(command string) (Reply, error) {
	mail := c.mail.command
	c.mail.command = ""
	together := c.Offer.Has("PIPELINING") // RFC 2920
	if mail != "" {
		lines := mail
		if together {
			lines += command
		}
		reply, err := c.ask(lines, together)
		if err != nil {
			return Reply{}, c.stale(fmt.Errorf("MAIL: %w", err))
		}
		if !reply.OK() {
			c.mail.refused = &reply
		}
	}
	if mail != "" && together {
		reply, err := c.answer(false)
		if err != nil {
			return Reply{}, fmt.Errorf("RCPT: %w", err)
		}
		if c.mail.refused == nil {
			return reply, nil
		}
	}
	if c.mail.refused != nil {
		return *c.mail.refused, nil
	}
	reply, err := c.ask(command, false)
	if err != nil {
		return Reply{}, fmt.Errorf("RCPT: %w", err)
	}
	return reply, nil
}

// stale makes the loss of a connection while MAIL is answered what it is.
func (c *Conn) stale(err error) error {
	if c.uses < 2 || c.ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	c.backend.drop(c.Addr)
	return fmt.Errorf("%w: %w", ErrStale, err)
}

// ask sends a command and returns its reply, of class 2, 4 or 5. more says that further replies may already be there.
func (c *Conn) ask(command string, more bool) (Reply, error) {
	if c.broken {
		return Reply{}, errBroken
	}
	if err := c.send(command); err != nil {
		return Reply{}, err
	}
	return c.answer(more)
}

func (c *Conn) answer(more bool) (Reply, error) {
	reply, err := c.read(time.Now().Add(c.backend.wait()))
	if err == nil && !reply.OK() && !reply.Refusal() {
		err = fmt.Errorf("%w: %s", errCode, reply)
	}
	if err == nil && !more && c.r.Buffered() > 0 && reply.Code != 421 {
		err = errAhead
	}
	if err != nil {
		c.fail()
	}
	return reply, err
}

// fail marks the connection as out of step. In the middle of a transaction that counts against the server, unless it
// was us who gave up.
func (c *Conn) fail() {
	if !c.broken && c.mail.live && c.ctx.Err() == nil {
		c.backend.strike(c.Addr, true)
	}
	c.broken = true
}

// Of reports whether the connection is one of b's.
func (c *Conn) Of(b *Backend) bool { return c.backend == b }

func (c *Conn) read(deadline time.Time) (Reply, error) {
	if err := c.net.SetReadDeadline(deadline); err != nil {
		return Reply{}, err
	}
	reply, err := readReply(c.r)
	if err != nil || reply.Code == 421 { // RFC 5321 3.8: it closes the channel
		c.fail()
	}
	return reply, err
}

func (c *Conn) send(command string) error {
	err := c.net.SetWriteDeadline(time.Now().Add(c.backend.wait()))
	if err == nil {
		_, err = c.net.Write([]byte(command))
	}
	if err != nil {
		c.fail()
	}
	return err
}

// Rest puts the connection aside between two transactions. One that is not resumed within restFor ends by itself.
func (c *Conn) Rest() {
	c.mail = transaction{}
	rest := restFor
	if c.owned {
		rest = ownedFor
	}
	c.rest = time.AfterFunc(rest, func() { c.tcp.Close() })
}

// Resume makes a connection at rest ready for another transaction. The server must answer RSET, which proves that it
// still listens; on error the connection has ended and nothing of the transaction was sent.
func (c *Conn) Resume() error {
	err, rested := errBroken, c.rest.Stop()
	c.rest = nil
	if rested && !c.broken && (c.uses < maxUses || c.owned) {
		var reply Reply
		reply, err = c.exchange("RSET\r\n", time.Now().Add(min(resumeFor, c.backend.wait())))
		if err == nil && !reply.OK() {
			err = fmt.Errorf("%w: %s", errCode, reply)
		}
	}
	if err != nil {
		c.Quit()
	}
	return err
}

// Quit ends the connection politely, without waiting for the farewell. A transaction still open is dropped.
func (c *Conn) Quit() {
	if !c.broken {
		_ = c.send("QUIT\r\n") // the connection ends either way
	}
	c.Close()
}

// Close ends the connection at once.
func (c *Conn) Close() {
	c.broken = true
	c.untie()
	if c.rest != nil {
		c.rest.Stop()
	}
	c.tcp.Close()
}
