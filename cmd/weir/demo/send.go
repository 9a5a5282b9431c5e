package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"sync"
	"sync/atomic"
)

// connections at once.
const connections = 8

// Sender sends the demo's letters to a weir that takes PROXY headers.
type Sender struct {
	Addr string       // of weir
	Sent atomic.Int64 // letters answered so far
}

// Send sends the letters over several connections at once and returns the code of the last reply to each. It returns when
// all is sent, with the first error, or when ctx ends.
func (s *Sender) Send(ctx context.Context, letters []Letter) ([]int, error) {
	replies := make([]int, len(letters))
	var next atomic.Int64
	var senders sync.WaitGroup
	failed := make(chan error, connections)
	for range connections {
		senders.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(letters) {
					return
				}
				code, err := send(ctx, s.Addr, letters[i])
				if err != nil {
					failed <- fmt.Errorf("sending %s: %w", letters[i].kind, err)
					return
				}
				replies[i] = code
				s.Sent.Add(1)
			}
		})
	}
	senders.Wait()
	close(failed)
	return replies, errors.Join(<-failed, ctx.Err())
}

// send plays one client: it says by a PROXY header who it is, and sends one letter. The code is that of the last reply.
func send(ctx context.Context, addr string, l Letter) (int, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	host, port, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintf(conn, "PROXY TCP4 %s %s %s 25\r\n", l.client, host, port); err != nil {
		return 0, err
	}
	c, err := smtp.NewClient(conn, "mx.demo.test")
	if err != nil {
		return replyCode(err)
	}
	defer c.Close()
	for _, step := range []func() error{
		func() error { return c.Hello(l.helo) },
		func() error { return c.Mail(l.from) },
		func() error { return c.Rcpt(l.to) },
		func() error { return sendData(c, l.raw) },
	} {
		if err := step(); err != nil {
			return replyCode(err)
		}
	}
	return 250, c.Quit()
}

func sendData(c *smtp.Client, raw []byte) error {
	data, err := c.Data()
	if err != nil {
		return err
	}
	w := bufio.NewWriter(data)
	w.Write(raw)
	return errors.Join(w.Flush(), data.Close())
}

// replyCode is the code of a refusal; other errors stay errors.
func replyCode(err error) (int, error) {
	var refused *textproto.Error
	if errors.As(err, &refused) {
		return refused.Code, nil
	}
	return 0, err
}
