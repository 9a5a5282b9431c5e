package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"weir/cmd/weir/config"
	"weir/cmd/weir/systemd"
	"weir/filters/dnsbl"
	"weir/filters/lookup"
	"weir/filters/store"
	"weir/proxy"
	"weir/proxy/backend"
	"weir/proxy/console"
	"weir/scoring/verdictlog"
)

// This file is the operator's listener, and the state that is seen there.

// alarmFor is how long an alarm stays raised that nothing tells the end of.
const alarmFor = 5 * time.Minute

// watched is what the operator sees of a running weir. Its fields are set before the console is asked.
type watched struct {
	*reloadable
	started   time.Time
	resolver  *lookup.Resolver
	guards    *dnsbl.Guards
	memory    store.Store
	kept      *keeper
	verdicts  *verdictlog.Log // nil without one
	listeners []proxy.Listener
}

// console makes the operator's console, nil if none is configured.
func (w *watched) console(log *slog.Logger) *console.Console {
	c := w.running
	if c.Admin.Addr == "" {
		return nil
	}
	return console.New(console.Options{Allow: c.Admin.Allow, Host: c.Hostname, State: w.state, Reload: w.reload, Bulk: w.campaigns(), Log: log})
}

// state is how weir fares now.
func (w *watched) state() console.State {
	g, counts := w.generation(), w.server.Counts()
	counters, bytes := w.memory.Usage()
	s := console.State{
		Version: release, Host: w.running.Hostname, Started: w.started, Shadow: w.flags.shadow,
		Rules:    console.Rules{Generation: g.Number, Digest: g.Rules.Digest, Reloaded: true},
		Sessions: console.Sessions{Active: w.server.Active(), Ended: []console.Outcome{}}, Backends: w.ways.Load().health(), Lists: w.lists(),
		Limits: []console.Limit{}, Memory: console.Memory{Counters: counters, Bytes: bytes, Max: int64(w.running.Store.Memory.Max), Shared: sharing(w.memory)},
		Bulk: console.Compared(w.loader.tally.Totals()),
	}
	if last := w.last.Load(); last != nil {
		s.Rules.Reloaded, s.Rules.At = last.OK, last.at
	}
	for o, n := range counts.Sessions {
		s.Sessions.Ended = append(s.Sessions.Ended, console.Outcome{Listener: o.Listener, Result: o.Result, Sessions: n})
	}
	slices.SortFunc(s.Sessions.Ended, func(a, b console.Outcome) int {
		return strings.Compare(a.Listener+" "+a.Result, b.Listener+" "+b.Result)
	})
	for _, name := range slices.Sorted(maps.Keys(counts.Limits)) {
		s.Limits = append(s.Limits, console.Limit{Name: name, Times: counts.Limits[name].Times, Last: counts.Limits[name].Last})
	}
	for i, l := range w.listeners {
		said := w.running.Listen[i]
		s.Listeners = append(s.Listeners, console.Listener{Name: l.Name, Addr: l.Net.Addr().String(), Role: said.Role, TLS: said.TLS})
	}
	if w.verdicts != nil {
		waiting, room := w.verdicts.Waiting()
		s.VerdictLog = &console.Log{Waiting: waiting, Room: room, Dropped: w.verdicts.Dropped()}
		if err := w.verdicts.Stuck(); err != nil {
			s.VerdictLog.Trouble = err.Error()
		}
		s.VerdictLog.Messages = w.kept.messages()
	}
	s.Missing, s.Alarms = w.missing(s), w.alarms(s, counts)
	return s
}

func (w *watched) lists() []console.List {
	all := []console.List{}
	for _, l := range w.guards.Status() {
		all = append(all, console.List{
			Rule: l.Rule, Zone: l.Zone, Parked: l.Parked, Why: l.Why, Until: l.Until, Warning: l.Warning, LastError: l.LastError,
			Asked: l.Asked, Listed: l.Listed, Unknown: l.Unknown,
			Took: console.Times{Count: l.Took.Count, Total: l.Took.Total, Upto: l.Took.Upto()},
		})
	}
	return all
}

// missing is what weir lacks to take mail and hand it on.
func (w *watched) missing(s console.State) []string {
	missing := []string{}
	if open := w.server.Listening(); open < len(w.running.Listen) {
		missing = append(missing, fmt.Sprintf("%d of %s not open", len(w.running.Listen)-open, count(len(w.running.Listen), "listener")))
	}
	if noneUp(s.Backends) {
		missing = append(missing, "no server behind is up")
	}
	return missing
}

// noneUp reports whether all servers are down. Where there is none to look at, nobody knows.
func noneUp(all []console.Backend) bool {
	return len(all) > 0 && !slices.ContainsFunc(all, func(b console.Backend) bool { return b.Up })
}

// alarms are what the operator should look at.
func (w *watched) alarms(s console.State, counts proxy.Counts) []console.Alarm {
	all := []console.Alarm{}
	raise := func(when bool, name, format string, args ...any) {
		if when {
			all = append(all, console.Alarm{Name: name, Text: fmt.Sprintf(format, args...)})
		}
	}
	lately := func(limit string) bool { return time.Since(counts.Limits[limit].Last) < alarmFor }
	raise(noneUp(s.Backends), console.AlarmBackend, "no server behind is up: all mail is deferred")
	raise(w.certs.odd.Load(), console.AlarmCertificate, "the files hold no certificate that can be used, the old one stays in force")
	raise(lately(proxy.LimitDescriptors), console.AlarmDescriptors, "clients were turned away because there were no file descriptors")
	raise(lately(proxy.LimitDisk), console.AlarmDisk, "messages were put off because there was no space for them")
	var parked []string
	for _, l := range s.Lists {
		if l.Parked {
			parked = append(parked, l.Rule)
		}
	}
	raise(len(parked) > 0, console.AlarmLists, "not asked: %s", strings.Join(parked, ", "))
	raise(!s.Rules.Reloaded, console.AlarmReload, "the last reload was refused, the old configuration stays in force; the log says why")
	raise(w.resolver.Silent(), console.AlarmResolver, "no DNS server answers: mail is judged without lists and authentication")
	if away := unshared(w.memory); away != nil {
		raise(true, console.AlarmStore, "Redis is away, each proxy counts alone: %v", away)
	}
	if v := s.VerdictLog; v != nil {
		raise(v.Trouble != "", console.AlarmVerdictLog, "%s", v.Trouble)
		raise(v.Trouble == "" && time.Since(w.verdicts.LastDrop()) < alarmFor, console.AlarmVerdictLog, "records were lost")
		if m := v.Messages; m != nil {
			raise(m.Trouble != "", console.AlarmBodies, "messages are not kept: %s", m.Trouble)
			raise(m.Trouble == "" && time.Since(w.kept.bodies.LastLost()) < alarmFor, console.AlarmBodies, "some messages were not kept")
		}
	}
	return all
}

// ways are the servers behind, and the configuration that they were made from.
type ways struct {
	usual  *backend.Backend
	routes proxy.Routes
	from   config.Behind
}

// health says of each address of weir.yaml whether mail goes there.
func (w *ways) health() []console.Backend {
	all := []console.Backend{}
	add := func(key string, said config.Backend, b *backend.Backend) {
		up := b.Health()
		for i, addr := range said.AllAddrs() {
			if known, ok := up[addr]; ok {
				all = append(all, console.Backend{Name: said.Place(key, i), Addr: addr, Up: known})
			}
		}
	}
	add("backend", w.from.Backend, w.usual)
	for i, r := range w.from.Routes {
		if b := w.routes[strings.ToLower(r.Domains[0])]; b != nil {
			add(fmt.Sprintf("routes[%d].backend", i), r.Backend, b)
		}
	}
	return all
}

// openAdmin opens the operator's listener: the one that systemd hands over by the name of admin, or its own.
func openAdmin(addr string, h *systemd.Sockets) (net.Listener, error) {
	if s := h.Take("admin", addr); s != nil {
		return s.TCPListener, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, exit{exitUnavailable, fmt.Errorf("admin.addr: listening on %s: %w", addr, err)}
	}
	return l, nil
}

// serveConsole serves the console until stop is called.
func serveConsole(c *console.Console, l net.Listener, log *slog.Logger) (stop func()) {
	return inBackground(func(ctx context.Context) {
		if err := c.Serve(ctx, l); err != nil {
			log.Error("nobody can see how weir fares", "err", err)
		}
	})
}
