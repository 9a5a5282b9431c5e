package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"weir/filters"
	"weir/scoring/verdictlog"
)

// TLSMode says how a listener does TLS.
type TLSMode uint8

// The modes.
const (
	NoTLS TLSMode = iota
	StartTLS
	ImplicitTLS
)

// Listener is where clients come in.
type Listener struct {
	Name    string
	Net     net.Listener
	TLS     TLSMode
	Proxies []netip.Prefix // peers that must say by a PROXY header whom they speak for

	Outbound bool // for users: they must authenticate, over TLS, and may send to everywhere
}

// client is who is at the other end of one connection, and what is known of them before the first message.
type client struct {
	id       string
	addr     netip.AddrPort
	listener *Listener
	accepted time.Time
	settings *Settings       // those of the server when it came
	ctx      context.Context // ends with the connection
	cancel   context.CancelFunc
	untie    func() bool // lets ctx end without closing the connection
	tls      string      // "TLS1.3", "" in clear
	gen      *Generation
	pass     *filters.Pass // the checks of the connection
	manners  filters.Manners
	user     string           // authenticated, "" before
	speaks   bool             // it is trusted to say by XCLIENT whom it speaks for
	named    *filters.Reverse // its reverse name as said by XCLIENT; nil if nothing was said
}

// begin starts the checks of the client's address, under the generation of now. Where users come from says nothing.
func (c *client) begin(gen *Generation) {
	c.gen = gen
	if c.listener.Outbound {
		c.pass = gen.Checks.Begin(c.ctx)
		return
	}
	c.pass = gen.BeginConnection(c.ctx, filters.Mail{At: c.accepted, Session: c.session()})
}

// session is what filters may know of the client as long as it has not said hello.
func (c *client) session() *filters.Session {
	s := &filters.Session{ID: c.id, Listener: c.listener.Name, Addr: c.addr, TLS: c.tls, User: c.user, Manners: c.manners}
	if c.named != nil {
		s.ReverseName, s.ReverseOK, s.ReverseKnown = c.named.Name, c.named.OK, true
	}
	return s
}

func (c *client) close() {
	if c.pass != nil {
		c.pass.End()
	}
	c.untie()
	c.cancel()
}

// door is the listener that go-smtp accepts from.
type door struct {
	server   *Server
	listener *Listener
	ctx      context.Context
	spare    *os.File                  // a descriptor for a last word; nil if there is none. Accept's alone
	left     atomic.Pointer[time.Time] // when it last stopped waiting for clients; nil while it waits
}

func (d *door) Close() error   { return d.listener.Net.Close() }
func (d *door) Addr() net.Addr { return d.listener.Net.Addr() }

// Accept waits for the next client and never for anything else: nothing is read or written here.
func (d *door) Accept() (net.Conn, error) {
	pause := 5 * time.Millisecond
	for {
		d.left.Store(nil)
		tcp, err := d.listener.Net.Accept()
		now := time.Now()
		d.left.Store(&now)
		if err == nil {
			return d.admit(tcp), nil
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		d.server.logger().Error("accepting a client", "listener", d.listener.Name, "err", err)
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			d.server.sessions.ledger.met(LimitDescriptors)
			d.turnAway()
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, time.Second)
		case <-d.ctx.Done():
			return nil, net.ErrClosed
		}
	}
}

// turnAway tells one client to come again, for which it gives up the descriptor kept for that.
func (d *door) turnAway() {
	if d.spare == nil {
		return
	}
	d.spare.Close()
	d.spare = nil
	d.left.Store(nil)
	if tcp, err := d.listener.Net.Accept(); err == nil {
		d.server.sessions.ledger.ended(d.listener.Name, Refused)
		_ = tcp.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = tcp.Write(replyTooManySessions.wire()) // it has been told, or it has gone
		tcp.Close()
	}
	d.keepSpare()
}

// keepSpare keeps a descriptor for when there are none.
func (d *door) keepSpare() { d.spare, _ = os.Open(os.DevNull) } // without it clients wait instead

func (d *door) admit(tcp net.Conn) *gate {
	now, settings := time.Now(), d.server.settings()
	ctx, cancel := context.WithCancel(d.ctx)
	g := &gate{
		wire:   newWire(tcp, settings.Limits.timeout()),
		server: d.server,
		client: &client{
			id: verdictlog.NewID(now), addr: addrOf(tcp.RemoteAddr()), listener: d.listener,
			accepted: now, settings: settings, ctx: ctx, cancel: cancel,
		},
	}
	g.client.untie = context.AfterFunc(ctx, func() { tcp.Close() })
	d.server.sessions.join(g)
	return g
}

func addrOf(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return clean(tcp.AddrPort())
	}
	return netip.AddrPort{}
}

// tlsVersion names a version as records do: "TLS1.3".
func tlsVersion(v uint16) string { return strings.ReplaceAll(tls.VersionName(v), " ", "") }
