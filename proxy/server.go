package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"

	"weir/proxy/backend"
)

// Server is the front: it serves any number of listeners with one backend. Set the fields before the first Serve.
type Server struct {
	Hostname string             // in greeting, Received and Authentication-Results
	Version  string             // "1.0.0", in X-Spam-Status and records
	Settings                    // those to begin with; Exchange makes others
	TLS      func() *tls.Config // asked at each handshake, so that certificates can be exchanged; nil for none
	Current  func() *Generation // asked at each accept; a session keeps what it began with
	Record   Recorder           // takes the record of each transaction and refused session
	Shadow   bool               // refuse and defer nothing, record what would have been
	TempDir  string             // where large messages are spooled; "" for the system's
	Log      *slog.Logger       // nil for none

	exchanged atomic.Pointer[Settings] // nil before the first Exchange
	sessions  sessions
	friends   memory[netip.Prefix, int] // how many messages of an origin were accepted lately
	rates     rates
	dots      dots
	room      room // for messages that are judged
}

// Settings are what a running server can exchange. A session keeps those it began with.
type Settings struct {
	Backend  *backend.Backend
	Routes   Routes // by the recipient's domain; the others go to Backend
	Limits   Limits
	Dialogue Dialogue
	Trusted  []netip.Prefix           // peers that may say by XCLIENT whom they speak for
	Relay    func(domain string) bool // whose mail is taken, lower case; nil: what the backend takes
}

// Dialogue is how clients are spoken with where there is a choice.
type Dialogue struct {
	Mend       bool          // bare CR and LF in messages become CRLF; else they are refused
	GreetPause time.Duration // how long strangers wait for the greeting; who speaks meanwhile is noted
	FinalDot   time.Duration // how long a 250 that its client did not hear is remembered; 0: not at all
}

// Limits bound what clients may use. A zero field has its default.
type Limits struct {
	MessageSize    int64         // bytes; 25 MiB
	Recipients     int           // of one message; 100
	Sessions       int           // at once; 1000
	SessionsPerIP  int           // at once, of an IPv4 address or IPv6 /64; 20
	SessionsPerNet int           // at once, of an IPv4 /24 or IPv6 /48; 100
	Connections    int           // a minute, of an IPv4 address or IPv6 /64; 0 for any number
	Messages       int           // a minute, of the same or of a user; 0 for any number
	MinRate        int64         // bytes a second with which a message must come, measured over a minute; 500
	Scanning       int64         // bytes of messages judged at once; 256 MiB
	CommandTimeout time.Duration // between commands, and between bytes of a message; 5 minutes
	Errors         int           // of one session; 20. From half of it on the client is slowed down
}

func (l Limits) messageSize() int64     { return orDefault(l.MessageSize, 25<<20) }
func (l Limits) recipients() int        { return orDefault(l.Recipients, 100) }
func (l Limits) sessions() int          { return orDefault(l.Sessions, 1000) }
func (l Limits) perIP() int             { return orDefault(l.SessionsPerIP, 20) }
func (l Limits) perNet() int            { return orDefault(l.SessionsPerNet, 100) }
func (l Limits) minRate() int64         { return orDefault(l.MinRate, 500) }
func (l Limits) scanning() int64        { return orDefault(l.Scanning, 256<<20) }
func (l Limits) timeout() time.Duration { return orDefault(l.CommandTimeout, 5*time.Minute) }
func (l Limits) errors() int            { return orDefault(l.Errors, 20) }

func orDefault[N int | int64 | time.Duration](n, otherwise N) N {
	if n == 0 {
		return otherwise
	}
	return n
}

// probeFor is how long the first clients may wait for us to know what the backend offers.
const probeFor = time.Second

// Serve accepts clients on l until ctx ends, which ends their sessions at once; it returns when the last has ended.
// A Drain before lets transactions finish.
func (s *Server) Serve(ctx context.Context, l Listener) error {
	if l.TLS != NoTLS && s.TLS == nil {
		return fmt.Errorf("listener %s: %w: there is no certificate", l.Name, errNoTLS)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.probe(ctx, s.settings())
	engine := smtp.NewServer(smtp.BackendFunc(newSession))
	engine.Domain = s.Hostname
	engine.MaxLineLength = 0 // the gate's matter
	engine.EnableSMTPUTF8 = true
	engine.EnableDSN = true
	engine.EnableREQUIRETLS = true
	engine.ErrorLog = engineLog{s.logger()}
	door := &door{server: s, listener: &l, ctx: ctx}
	door.keepSpare()
	s.sessions.enter(door)
	defer s.sessions.exit(door)
	stop := context.AfterFunc(ctx, func() { door.Close() })
	defer stop()
	err := engine.Serve(door)
	if door.spare != nil {
		door.spare.Close()
	}
	cancel()
	_ = engine.Shutdown(context.Background()) // waits for sessions, which ctx has ended
	if err == nil || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("listener %s: %w", l.Name, err)
}

// Drain answers new clients with 421 and lets transactions finish; idle sessions end now. It returns nil when no
// session is left, or ctx's error.
func (s *Server) Drain(ctx context.Context) error {
	select {
	case <-s.sessions.drain():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("draining: %w", ctx.Err())
	}
}

// Active returns how many sessions there are.
func (s *Server) Active() int { return s.sessions.count() }

// Exchange puts other settings in force for the sessions to come. It may wait a moment for the backend.
func (s *Server) Exchange(ctx context.Context, next Settings) {
	s.probe(ctx, &next)
	s.exchanged.Store(&next)
}

func (s *Server) settings() *Settings {
	if next := s.exchanged.Load(); next != nil {
		return next
	}
	return &s.Settings
}

// admit counts a client against the limits, or says why it may not stay.
func (s *Server) admit(g *gate) *Reply {
	limits := g.client.settings.Limits
	if !s.rates.connections.within(g.client, limits.Connections) {
		return &replyTooFast
	}
	return s.sessions.admit(g, limits)
}

// move counts a client that has come under another address as one that comes from there, or says why it may not stay.
func (s *Server) move(g *gate, to netip.AddrPort) *Reply {
	s.sessions.release(g)
	g.client.addr = to
	return s.admit(g)
}

func (s *Server) logger() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// panicked logs a panic that was contained.
func (s *Server) panicked(c *client, cause any, stack []byte) {
	s.logger().Error("a session panicked", "session", c.id, "cause", cause, "stack", string(stack))
}

// engineLog takes what go-smtp logs: what it says of its clients is of interest to debuggers only.
type engineLog struct{ log *slog.Logger }

func (l engineLog) Printf(format string, v ...any) {
	l.log.Debug(strings.TrimSpace(fmt.Sprintf(format, v...)))
}

func (l engineLog) Println(v ...any) { l.log.Debug(strings.TrimSpace(fmt.Sprintln(v...))) }
