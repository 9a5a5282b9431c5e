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
	Addr   string
	Offer  Extensions
	Client Client // whom it was opened for

	backend *Backend
	net     net.Conn
	r       *bufio.Reader
	w       *bufio.Writer // for messages; nil before the first
	untie   func() bool   // ends the tie to the context of Open
	rest    *time.Timer   // ends a connection at rest
	uses    int
	broken  bool
	mail    string // a MAIL command not sent yet
	refused *Reply // the refusal of MAIL, which is that of every recipient
}

// connect opens a connection to addr and greets.
func (b *Backend) connect(ctx context.Context, addr string, who Client) (*Conn, error) {
	ctxOpen, cancel := context.WithTimeout(ctx, min(openTimeout, b.wait()))
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(ctxOpen, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	c := &Conn{Addr: addr, Client: who, backend: b, net: nc, r: bufio.NewReaderSize(nc, maxReplyLine)}
	deadline, _ := ctxOpen.Deadline()
	c.untie = context.AfterFunc(ctx, func() { nc.Close() })
	if err := c.greet(deadline); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// greet brings the connection to where MAIL can be said.
func (c *Conn) greet(deadline time.Time) error {
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
	c.backend.learn(c.Offer)
	return c.introduce(deadline)
}

// hello says EHLO in one of our names, the next where one is refused, or HELO to a server that knows no better
// (RFC 5321 3.2).
func (c *Conn) hello(deadline time.Time, names ...string) error {
	commands := make([]string, 0, len(names)+1)
	for _, name := range names {
		commands = append(commands, "EHLO "+name+"\r\n")
	}
	commands = append(commands, "HELO "+c.backend.Hello+"\r\n")
	for _, command := range commands {
		reply, err := c.exchange(command, deadline)
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
		c.fail()
	}
	return reply, err
}

// fail marks the connection as out of step.
func (c *Conn) fail() { c.broken = true }

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
	c.mail, c.refused = "", nil
	c.rest = time.AfterFunc(restFor, func() { c.net.Close() })
}

// Resume makes a connection at rest ready for another transaction. The server must answer RSET, which proves that it
// still listens; on error the connection has ended and nothing of the transaction was sent.
func (c *Conn) Resume() error {
	err := errBroken
	if c.rest.Stop() && !c.broken && c.uses < maxUses {
		var reply Reply
		reply, err = c.ask("RSET\r\n", false)
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
	c.net.Close()
}
