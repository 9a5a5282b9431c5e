package main

import (
	"context"
	"fmt"
	"time"

	"weir/cmd/weir/systemd"
	"weir/filters"
	"weir/proxy"
	"weir/rules"
	"weir/scoring"
)

// This file is what a running weir tells systemd, and how it leaves the sockets that it has from there.

// told is called with what became of telling systemd something.
func (r *reloadable) told(err error) {
	if err != nil {
		r.log.Warn("telling systemd", "err", err)
	}
}

// ready tells systemd that mail is served, and by what.
func (r *reloadable) ready() {
	g := r.generation()
	r.told(systemd.Ready(fmt.Sprintf("%s, %s, rules of generation %d",
		count(len(r.running.Listen), "listener"), count(len(g.Rules.Symbols), "symbol"), g.Number)))
}

// feedWatchdog tells systemd that weir is well as often as it wants to hear it, until stop is called. While weir is not
// well systemd hears nothing, and restarts it in the end.
func (r *reloadable) feedWatchdog() (stop func()) {
	interval, err := systemd.Watchdog()
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
					r.told(systemd.Well())
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
		if s, ok := l.Net.(*systemd.Socket); ok {
			s.Leave(ctx)
		}
	}
}
