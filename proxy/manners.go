package proxy

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// What clients do that no mail server does: speak before they are greeted, send more before they can know that they may,
// send what is no command. It is noted for the rules to weigh.

const (
	friendFor   = 24 * time.Hour
	friendAfter = 10                     // messages accepted, after which an origin is no stranger for so long
	overheard   = 100 * time.Millisecond // how long a client that has made TLS is listened to before it is greeted
)

// strange reports whether the client has to wait for its greeting.
func (g *gate) strange() bool {
	return g.client.settings.Dialogue.GreetPause > 0 && !g.client.listener.Outbound && !g.client.speaks &&
		g.server.friends.recall(origin(g.client.addr.Addr()), friendFor) < friendAfter
}

// befriend counts a message accepted of this client.
func (g *gate) befriend() {
	if g.client.settings.Dialogue.GreetPause > 0 {
		g.server.friends.change(origin(g.client.addr.Addr()), friendFor, func(n int) int { return n + 1 })
	}
}

// hold lets a stranger wait where TLS comes first: there its first bytes are those of the handshake and mean nothing.
func (g *gate) hold() error {
	if g.client.listener.TLS != ImplicitTLS || !g.strange() {
		return nil
	}
	return g.wait(g.client.settings.Dialogue.GreetPause)
}

// listen makes a stranger wait for its greeting, of which it reads a first line at once, and notes if it speaks. A
// client that does is not kept waiting longer.
func (g *gate) listen() error {
	if !g.strange() {
		return nil
	}
	pause := overheard
	if g.client.listener.TLS != ImplicitTLS {
		pause = g.client.settings.Dialogue.GreetPause
		g.out = append(g.out, firstLine(g.server.Hostname)...)
	}
	said, err := g.some(time.Now().Add(pause))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded): // it waits as it should, or there is a drain
		return nil
	case err != nil:
		return err
	}
	offence(&g.client.manners.Greeter, quoted(said))
	return nil
}

// watch notes a command behind which more came than may, and one that is none.
func (g *gate) watch() {
	if g.in.Buffered() == 0 {
		return
	}
	switch g.cmd.verb {
	case "HELO", "EHLO", "STARTTLS", "AUTH", "DATA": // RFC 2920 3.1
		offence(&g.client.manners.Pipelining, g.cmd.verb)
	case "QUIT":
	default:
		if !g.state.esmtp {
			offence(&g.client.manners.Pipelining, quoted([]byte(g.cmd.verb)))
		}
	}
}

// offence keeps the first evidence.
func offence(field *string, what string) {
	if *field == "" {
		*field = what
	}
}

func quoted(said []byte) string { return fmt.Sprintf("%.40q", said) }
