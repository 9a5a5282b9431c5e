package backend

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// PassClient says how the server behind learns who the client is. It sees our address otherwise.
type PassClient uint8

// The ways. PassXClient and PassXForward are demands: a server that does not take them is not used. PassAuto takes
// XCLIENT or else XFORWARD where it is offered, and goes on without where it is not or where we are not trusted.
// PassProxy and PassProxyLine are the PROXY protocol, version 2 and 1, to a server that expects it.
const (
	PassAuto PassClient = iota
	PassXClient
	PassXForward
	PassNone
	PassProxy
	PassProxyLine
)

// Client is the true client of a session, as far as a server can be told. The zero Client is nobody: of it nothing
// is said.
type Client struct {
	Addr      netip.AddrPort
	Local     netip.AddrPort // where it has come in
	Name      string         // its reverse name, if that points back to it
	NameKnown bool           // false: whether there is a name could not be found out
	Hello     string         // the argument of its HELO or EHLO
	Proto     string         // SMTP or ESMTP
	User      string         // authenticated, "" for none
}

// Refusal is the error of Open when a server will have nothing of this client and says so, or the DNS sends the mail of
// the domain nowhere.
type Refusal struct{ Reply Reply }

func (r *Refusal) Error() string { return "refused: " + r.Reply.String() }

var errNotTold = errors.New("the server does not let us say who the client is")

// maxAttributes is the length of an XCLIENT or XFORWARD command, CRLF included, as Postfix documents them.
const maxAttributes = 512

const unavailable = "[UNAVAILABLE]"

// introduce tells the server by XCLIENT whom we speak for. It then takes us for that client and is greeted again, in
// the client's name.
func (c *Conn) introduce(deadline time.Time) error {
	pass := c.backend.PassClient
	switch {
	case !c.Client.Addr.IsValid(), !pass.asks(), pass == PassXForward && c.Offer.Has("XFORWARD"):
		return nil
	case pass == PassXForward, pass == PassXClient && !c.Offer.Has("XCLIENT"):
		return errNotTold
	case !c.Offer.Has("XCLIENT"):
		return nil
	}
	for _, command := range c.attributes("XCLIENT", "") {
		reply, err := c.exchange(command, deadline)
		switch {
		case err != nil:
			return fmt.Errorf("XCLIENT: %w", err)
		case isUntrusting(reply) && pass == PassAuto:
			delete(c.Offer, "XCLIENT")
			c.backend.once(c.Addr, "XCLIENT", reply)
			return nil
		case isUntrusting(reply):
			return fmt.Errorf("%w: %s", errNotTold, reply)
		case reply.Code == 421, !reply.OK() && !reply.Refusal():
			return fmt.Errorf("XCLIENT: %w: %s", errCode, reply)
		case reply.Refusal():
			return &Refusal{reply}
		}
	}
	c.named = true
	if err := c.hello(deadline, c.Client.Hello, c.backend.Hello); err != nil {
		return fmt.Errorf("after XCLIENT: %w", err)
	}
	delete(c.Offer, "XFORWARD")
	return nil
}

// asks reports whether the server is to say if it wants to know.
func (p PassClient) asks() bool { return p == PassAuto || p == PassXClient || p == PassXForward }

// proxied reports whether the server has got a PROXY header, or something it did not expect.
func (c *Conn) proxied() bool {
	return c.backend.PassClient == PassProxy || c.backend.PassClient == PassProxyLine
}

// present sends the PROXY header, where that is how the server learns.
func (c *Conn) present(deadline time.Time) error {
	if !c.proxied() {
		return nil
	}
	version := 2
	if c.backend.PassClient == PassProxyLine {
		version = 1
	}
	c.named = true
	err := c.tcp.SetWriteDeadline(deadline)
	if err == nil {
		_, err = c.tcp.Write(proxyHeader(c.Client, version))
	}
	if err != nil {
		return fmt.Errorf("sending the PROXY header: %w", err)
	}
	return nil
}

// isUntrusting reports whether the reply refuses the command and not the client.
func isUntrusting(r Reply) bool {
	switch r.Code {
	case 500, 501, 502, 503, 504, 550:
		return true
	}
	return false
}

// Trace tells the server by XFORWARD which message comes next and from whom, if that is how it learns. id is the
// verdict's. On error the connection is out of step.
func (c *Conn) Trace(id string) error {
	pass := c.backend.PassClient
	if !c.Client.Addr.IsValid() || !pass.asks() || pass == PassXClient || !c.Offer.Has("XFORWARD") {
		return nil
	}
	for _, command := range c.attributes("XFORWARD", id) {
		reply, err := c.ask(command, false)
		switch {
		case err != nil:
			return fmt.Errorf("XFORWARD: %w", err)
		case reply.OK():
		case pass == PassAuto && reply.Code != 421:
			delete(c.Offer, "XFORWARD")
			c.backend.once(c.Addr, "XFORWARD", reply)
			return nil
		default:
			c.fail()
			return fmt.Errorf("%w: %s", errNotTold, reply)
		}
	}
	return nil
}

// attributes makes the commands that say all that the server wants to know. What does not fit a command is left out.
func (c *Conn) attributes(verb, id string) []string {
	var commands []string
	line := verb
	for _, name := range strings.Fields(strings.ToUpper(c.Offer[verb])) {
		value := c.Client.attribute(verb, name, id)
		word := " " + name + "=" + xtext(value)
		if value == "" || len(verb+word) > maxAttributes-2 {
			continue
		}
		if len(line+word) > maxAttributes-2 {
			commands = append(commands, line+"\r\n")
			line = verb
		}
		line += word
	}
	if line != verb {
		commands = append(commands, line+"\r\n")
	}
	return commands
}

// attribute is the value of an attribute, "" of one that we do not know.
func (w Client) attribute(verb, name, id string) string {
	orUnavailable := func(s string) string {
		if s == "" {
			return unavailable
		}
		return s
	}
	switch name {
	case "NAME":
		if w.Name == "" && !w.NameKnown && verb == "XCLIENT" {
			return "[TEMPUNAVAIL]"
		}
		return orUnavailable(w.Name)
	case "ADDR":
		return addrText(w.Addr.Addr())
	case "PORT":
		return strconv.Itoa(int(w.Addr.Port()))
	case "PROTO":
		return w.Proto
	case "HELO":
		return orUnavailable(w.Hello)
	case "LOGIN":
		return orUnavailable(w.User)
	case "DESTADDR":
		return addrText(w.Local.Addr())
	case "DESTPORT":
		return strconv.Itoa(int(w.Local.Port()))
	case "IDENT":
		return id
	case "SOURCE":
		return "REMOTE"
	}
	return ""
}

func addrText(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	switch {
	case !a.IsValid():
		return unavailable
	case a.Is6():
		return "IPV6:" + a.String()
	}
	return a.String()
}

// xtext encodes a value (RFC 3461 4).
func xtext(s string) string {
	var out strings.Builder
	for i := range len(s) {
		if b := s[i]; b <= ' ' || b > '~' || b == '+' || b == '=' {
			fmt.Fprintf(&out, "+%02X", b)
		} else {
			out.WriteByte(b)
		}
	}
	return out.String()
}
