package backend

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// Security says whether the way to the server is encrypted, by STARTTLS (RFC 3207).
type Security uint8

// The degrees. Opportunistic encrypts where the server can and goes on in clear where not, which helps against who
// listens and not against who interferes. Required goes nowhere in clear and verifies the server's certificate.
const (
	InClear Security = iota
	Opportunistic
	Required
)

var (
	errNoTLS     = errors.New("the server does not offer STARTTLS, which is required")
	errHandshake = errors.New("no TLS came about")
)

// secure takes up TLS if the server can and we want it. Nothing that was said in clear is remembered.
func (c *Conn) secure(want Security, deadline time.Time) error {
	if want == InClear {
		return nil
	}
	if !c.Offer.Has("STARTTLS") {
		if want == Required {
			return errNoTLS
		}
		return nil
	}
	reply, err := c.exchange("STARTTLS\r\n", deadline)
	switch {
	case err != nil:
		return fmt.Errorf("STARTTLS: %w", err)
	case reply.Code != 220 && want == Opportunistic && reply.Code != 421:
		return nil
	case reply.Code != 220:
		return fmt.Errorf("STARTTLS: %w: %s", errNoTLS, reply)
	}
	secure := tls.Client(c.net, c.tlsConfig())
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("%w: %w", errHandshake, err)
	}
	c.net, c.r = secure, bufio.NewReaderSize(secure, maxReplyLine)
	return c.hello(deadline, c.backend.Hello)
}

// Secured reports whether the connection is encrypted, and the server is who it should be.
func (c *Conn) Secured() bool {
	_, ok := c.net.(*tls.Conn)
	return ok && c.backend.Security == Required
}

// private reports whether nobody else reads the connection: it is encrypted, or does not leave this machine.
func (c *Conn) private() bool {
	_, encrypted := c.net.(*tls.Conn)
	return encrypted || staysHere(c.tcp.RemoteAddr())
}

func staysHere(to net.Addr) bool {
	tcp, ok := to.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback() // else a socket file
}

// tlsConfig is the backend's configuration for the server that c is to.
func (c *Conn) tlsConfig() *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.backend.TLS != nil {
		config = c.backend.TLS.Clone()
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(c.Addr) // a bad address was met when dialling
	}
	config.InsecureSkipVerify = c.backend.Security == Opportunistic //nolint:gosec // there is nothing to hold it to
	return config
}
