package backend

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Extensions are the keywords of an EHLO reply, in capitals, with their parameters.
type Extensions map[string]string

// Has reports whether the keyword was offered.
func (e Extensions) Has(keyword string) bool {
	_, ok := e[keyword]
	return ok
}

// MaxSize is the largest message taken (RFC 1870), 0 if no limit was named.
func (e Extensions) MaxSize() int64 {
	n, err := strconv.ParseInt(e["SIZE"], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

var (
	errAhead  = errors.New("the server sent more than it was asked for")
	errCode   = errors.New("a reply of this code has no place here")
	errBroken = errors.New("the connection is out of step")
)

// Conn is one connection to the server. One goroutine may use it.
type Conn struct {
	Addr  string
	Offer Extensions

	backend *Backend
	net     net.Conn
	r       *bufio.Reader
	stop    func() bool // ends the tie to the context of Open
	expire  *time.Timer // while kept
	uses    int
	broken  bool
	mail    string // a MAIL command not sent yet
	refused *Reply // the refusal of MAIL, which is that of every recipient
}

// connect opens a connection to addr and greets.
func (b *Backend) connect(ctx context.Context, addr string) (*Conn, error) {
	ctxOpen, cancel := context.WithTimeout(ctx, min(openTimeout, b.wait()))
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(ctxOpen, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	c := &Conn{Addr: addr, backend: b, net: nc, r: bufio.NewReaderSize(nc, maxReplyLine)}
	deadline, _ := ctxOpen.Deadline()
	c.own(ctx)
	if err := c.greet(deadline); err != nil {
		c.Close()
		return nil, err
	}
	b.learn(c.Offer)
	return c, nil
}

// own ties the connection to ctx: when ctx ends, so does every wait on it.
func (c *Conn) own(ctx context.Context) {
	c.stop = context.AfterFunc(ctx, func() { c.net.Close() })
}

// greet reads the banner and says EHLO, or HELO to a server that knows no better (RFC 5321 3.2).
func (c *Conn) greet(deadline time.Time) error {
	banner, err := c.read(deadline)
	if err != nil {
		return fmt.Errorf("reading the banner: %w", err)
	}
	if banner.Code != 220 {
		return fmt.Errorf("the server does not serve: %s", banner)
	}
	for _, verb := range []string{"EHLO ", "HELO "} {
		if err := c.send(verb + c.backend.Hello + "\r\n"); err != nil {
			return fmt.Errorf("greeting: %w", err)
		}
		reply, err := c.read(deadline)
		if err != nil {
			return fmt.Errorf("greeting: %w", err)
		}
		if reply.Code == 250 {
			c.Offer = extensions(reply.Lines[1:])
			return nil
		}
		if reply.Code/100 != 5 {
			return fmt.Errorf("the greeting was refused: %s", reply)
		}
	}
	return errors.New("the greeting was refused")
}

func extensions(lines []string) Extensions {
	e := Extensions{}
	for _, line := range lines {
		keyword, params, _ := strings.Cut(strings.TrimSpace(line), " ")
		e[strings.ToUpper(keyword)] = strings.TrimSpace(params)
	}
	return e
}

// Mail begins a transaction. path is the reverse-path with its brackets; params are as the client wrote them, and
// only such as the server offers. The command is sent with the first recipient, whose reply is then the refusal, if
// there is one.
func (c *Conn) Mail(path string, params []string) {
	c.uses++
	c.refused = nil
	c.mail = strings.Join(append([]string{"MAIL FROM:" + path}, params...), " ") + "\r\n"
}

// Rcpt adds a recipient, path with its brackets, and returns what the server says.
func (c *Conn) Rcpt(path string, params []string) (Reply, error) {
	command := strings.Join(append([]string{"RCPT TO:" + path}, params...), " ") + "\r\n"
	mail := c.mail
	c.mail = ""
	together := c.Offer.Has("PIPELINING") // RFC 2920
	if mail != "" {
		lines := mail
		if together {
			lines += command
		}
		reply, err := c.ask(lines, together)
		if err != nil {
			return Reply{}, fmt.Errorf("MAIL: %w", err)
		}
		if !reply.OK() {
			c.refused = &reply
		}
	}
	if mail != "" && together {
		reply, err := c.answer(false)
		if err != nil {
			return Reply{}, fmt.Errorf("RCPT: %w", err)
		}
		if c.refused == nil {
			return reply, nil
		}
	}
	if c.refused != nil {
		return *c.refused, nil
	}
	reply, err := c.ask(command, false)
	if err != nil {
		return Reply{}, fmt.Errorf("RCPT: %w", err)
	}
	return reply, nil
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
		c.broken = true
	}
	return reply, err
}

func (c *Conn) read(deadline time.Time) (Reply, error) {
	if err := c.net.SetReadDeadline(deadline); err != nil {
		return Reply{}, err
	}
	reply, err := readReply(c.r)
	if err != nil || reply.Code == 421 { // RFC 5321 3.8: it closes the channel
		c.broken = true
	}
	return reply, err
}

func (c *Conn) send(command string) error {
	err := c.net.SetWriteDeadline(time.Now().Add(c.backend.wait()))
	if err == nil {
		_, err = c.net.Write([]byte(command))
	}
	if err != nil {
		c.broken = true
	}
	return err
}

// reset asks the server to forget, which proves that it still listens.
func (c *Conn) reset() error {
	reply, err := c.ask("RSET\r\n", false)
	if err == nil && !reply.OK() {
		err = fmt.Errorf("%w: %s", errCode, reply)
	}
	return err
}

// Release gives the connection back: it is kept for another transaction, or ended. A transaction still open is
// dropped.
func (c *Conn) Release() {
	if !c.stop() {
		c.Close()
		return
	}
	c.mail, c.refused = "", nil
	if c.broken || c.uses >= maxUses || c.r.Buffered() > 0 || !c.backend.keep(c) {
		c.quit()
	}
}

// quit ends the connection politely, without waiting for the farewell.
func (c *Conn) quit() {
	if !c.broken {
		_ = c.send("QUIT\r\n") // the connection ends either way
	}
	c.Close()
}

// Close ends the connection at once.
func (c *Conn) Close() {
	c.broken = true
	c.stop()
	c.net.Close()
}
