package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"weir/cmd/weir/config"
	"weir/filters"
	"weir/proxy"
	"weir/rules"
	"weir/scoring"
)

// This file is weir as a service of systemd: sockets that it hands over, and what it is told. Elsewhere nothing of it
// happens.

// handed are the sockets that systemd has opened for us.
type handed struct {
	left []*socket
	any  bool // there were some
}

// socket is a listener that systemd keeps open when we end: who connects meanwhile waits for the next weir.
type socket struct {
	*net.TCPListener
	name    string
	leaving atomic.Bool
	once    sync.Once
	idle    chan struct{} // closed when nobody will be accepted any more
	closed  chan struct{}
}

// handedSockets takes the sockets over, none if systemd has not started us.
func handedSockets() (*handed, error) {
	h := &handed{}
	for _, f := range activation.Files(true) {
		l, err := net.FileListener(f)
		f.Close()
		tcp, ok := l.(*net.TCPListener)
		if !ok {
			h.close()
			return nil, exit{exitConfig, errors.Join(fmt.Errorf("systemd handed over %s, which is no TCP socket that listens", f.Name()), err)}
		}
		h.any = true
		h.left = append(h.left, &socket{TCPListener: tcp, name: f.Name(), idle: make(chan struct{}), closed: make(chan struct{})})
	}
	return h, nil
}

// take returns the socket that is meant for l: the only one of its name, else the one at its address; nil if there is none.
func (h *handed) take(l config.Listen) *socket {
	named := func(s *socket) bool { return s.name == l.Name }
	at := func(s *socket) bool { return sameAddress(s.Addr().String(), l.Addr) }
	i := slices.IndexFunc(h.left, named)
	if i < 0 || slices.ContainsFunc(h.left[i+1:], named) {
		i = slices.IndexFunc(h.left, at)
	}
	if i < 0 {
		return nil
	}
	s := h.left[i]
	h.left = slices.Delete(h.left, i, i+1)
	return s
}

// err names the sockets that nobody has taken.
func (h *handed) err() error {
	var all []error
	for _, s := range h.left {
		all = append(all, fmt.Errorf("systemd handed over the socket %s at %s, for which there is no listener\n"+
			"  FileDescriptorName= in the socket unit is the name of a listener, or ListenStream= its addr", s.name, s.Addr()))
	}
	if len(all) == 0 {
		return nil
	}
	return exit{exitConfig, errors.Join(all...)}
}

func (h *handed) close() {
	for _, s := range h.left {
		s.Close()
	}
}

// sameAddress reports whether a socket at a is what a configuration calls b. All addresses of this machine are one.
func sameAddress(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB {
		return false
	}
	ipA, _ := netip.ParseAddr(cmp.Or(hostA, "::"))
	ipB, _ := netip.ParseAddr(cmp.Or(hostB, "::"))
	return ipA.Unmap() == ipB.Unmap() && ipA.IsValid() || ipA.IsUnspecified() && ipB.IsUnspecified()
}

// Accept waits for a client. Once the socket is left nobody is accepted, and it waits for Close.
func (s *socket) Accept() (net.Conn, error) {
	if !s.leaving.Load() {
		c, err := s.TCPListener.Accept()
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return c, err
		}
	}
	s.once.Do(func() { close(s.idle) })
	<-s.closed
	return nil, net.ErrClosed
}

// leave lets those who connect wait for the next weir. It returns when those accepted before are at work, so that none
// is lost, or when ctx ends.
func (s *socket) leave(ctx context.Context) {
	s.leaving.Store(true)
	if s.SetDeadline(time.Unix(1, 0)) != nil { // it is closed
		return
	}
	select {
	case <-s.idle:
	case <-ctx.Done():
	}
}

// Close ends our use of the socket, which stays open at systemd. Only the first call does.
func (s *socket) Close() error {
	err := s.TCPListener.Close()
	if err == nil {
		close(s.closed)
	}
	return err
}

// tell tells systemd of a change, if it wants to know.
func (r *reloadable) tell(states ...string) {
	if _, err := daemon.SdNotify(false, strings.Join(states, "\n")); err != nil {
		r.log.Warn("telling systemd", "err", err)
	}
}

// ready tells systemd that mail is served, and by what.
func (r *reloadable) ready() {
	g := r.generation()
	r.tell(daemon.SdNotifyReady, fmt.Sprintf("STATUS=%s, %s, rules of generation %d",
		count(len(r.running.Listen), "listener"), count(len(g.Rules.Symbols), "symbol"), g.Number))
}

// feedWatchdog tells systemd that weir is well as often as it wants to hear it, until stop is called. While weir is not
// well systemd hears nothing, and restarts it in the end.
func (r *reloadable) feedWatchdog() (stop func()) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		r.log.Warn("the watchdog of systemd", "err", err)
	}
	if interval == 0 {
		return func() {}
	}
	return inBackground(func(ctx context.Context) {
		tick := time.NewTicker(interval / 4)
		defer tick.Stop()
		var answer chan error // of a check under way
		for {
			select {
			case err := <-answer:
				if answer = nil; err == nil {
					r.tell(daemon.SdNotifyWatchdog)
				} else {
					r.log.Error("weir is not well and systemd is not told otherwise", "err", err)
				}
			case <-tick.C:
				if answer == nil { // a check that hangs says enough
					answer = make(chan error, 1)
					go func(to chan<- error) { to <- r.well(ctx, interval/4) }(answer)
				}
			case <-ctx.Done():
				return
			}
		}
	})
}

// well returns an error if a listener is stuck or nothing is judged in time. It asks no DNS server and counts nothing.
func (r *reloadable) well(ctx context.Context, limit time.Duration) error {
	if err := r.server.Alive(limit); err != nil {
		return err
	}
	began := time.Now()
	g := r.generation()
	mail := filters.Mail{At: began, Session: &filters.Session{User: "watchdog"}}
	pass := g.BeginConnection(ctx, mail)
	defer pass.End()
	facts := scoring.FactsOf(mail, pass.Results(filters.Connect))
	scoring.Judge(g.Rules, g.Rules.PolicyFor(rules.Whose{Rcpt: "postmaster"}), facts)
	if took := time.Since(began); took > limit {
		return fmt.Errorf("a judgement took %s", took)
	}
	return nil
}

// leaveAll is what a drain does first with the sockets among listeners that systemd keeps open.
func leaveAll(ctx context.Context, listeners []proxy.Listener) {
	for _, l := range listeners {
		if s, ok := l.Net.(*socket); ok {
			s.leave(ctx)
		}
	}
}
