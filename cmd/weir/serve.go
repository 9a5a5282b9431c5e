package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"weir/cmd/weir/config"
	"weir/cmd/weir/systemd"
	"weir/filters/bulk"
	"weir/proxy"
)

// drainTime bounds how long transactions in flight may take to end.
const drainTime = 10 * time.Minute

// serveFlags are for trying without a configuration file, and for shadow running.
type serveFlags struct {
	listen, backend, rules, dns, verdicts string
	shadow                                bool
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use: "serve", Short: "Run the proxy", Args: cobra.NoArgs,
		Long: `Runs the proxy by the configuration of -c FILE, or without one between --listen and --backend.
SIGHUP reloads everything, all or nothing. SIGTERM and SIGINT end after the transactions in flight, a second one at once.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(a.configFile); err != nil {
				return exit{exitUsage, err}
			}
			conf, err := a.serveConfig(f)
			if err != nil {
				return err
			}
			return a.serve(c.Context(), conf, f)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.listen, "listen", "", "listen on `ADDR`")
	flags.StringVar(&f.backend, "backend", "", "pass mail on to the server at `ADDR`")
	flags.StringVar(&f.rules, "rules", "", "judge by the rules in `FILE`")
	flags.StringVar(&f.dns, "dns", "", "ask the DNS server at `ADDR`")
	flags.StringVar(&f.verdicts, "verdicts", "", "keep the verdict log in `DIR`")
	flags.BoolVar(&f.shadow, "shadow", false, "refuse and defer nothing; tag, and record what would have been done")
	return c
}

// check reports flags that are missing or make no sense.
func (f serveFlags) check(configFile string) error {
	var all []error
	if configFile == "" && (f.listen == "" || f.backend == "") {
		all = append(all, errors.New("serve needs -c FILE, or --listen ADDR and --backend ADDR"))
	}
	if f.listen != "" && !config.IsAddress(f.listen) {
		all = append(all, fmt.Errorf("--listen %s: want ADDRESS:PORT", f.listen))
	}
	if f.backend != "" && !config.IsTarget(f.backend) {
		all = append(all, fmt.Errorf("--backend %s: want HOST:PORT", f.backend))
	}
	if _, err := netip.ParseAddrPort(f.dns); f.dns != "" && err != nil {
		all = append(all, fmt.Errorf("--dns %s: want ADDRESS:PORT", f.dns))
	}
	return errors.Join(all...)
}

// serveConfig is the configuration to serve by: what the file says, and over it the flags.
func (a *app) serveConfig(f serveFlags) (config.Config, error) {
	c, err := a.config()
	if err != nil {
		return c, err
	}
	f.over(&c)
	switch {
	case a.verbose:
		c.Log.Level = "debug"
	case a.quiet:
		c.Log.Level = "warn"
	}
	return c, c.Runnable()
}

// over puts the flags over the configuration.
func (f serveFlags) over(c *config.Config) {
	if f.listen != "" {
		c.Listen = []config.Listen{{Name: "smtp", Addr: f.listen, TLS: config.TLSOff}}
	}
	if f.backend != "" {
		c.Backend.Addrs, c.Backend.Servers = []string{f.backend}, nil
	}
	if f.dns != "" {
		c.DNS.Servers = []string{f.dns}
	}
	if f.rules != "" {
		c.Rules = f.rules
	}
	if f.verdicts != "" {
		c.Verdicts.Dir = f.verdicts
	}
}

// serve runs the proxy until a signal or ctx ends it.
func (a *app) serve(ctx context.Context, c config.Config, f serveFlags) error {
	level := new(slog.LevelVar)
	log := c.Log.Logger(a.err, level)
	resolver, err := c.DNS.Resolver()
	if err != nil {
		return err
	}
	defer resolver.Close()
	guards, stop := watchLists(resolver, log)
	defer stop()
	memory, remembered, err := openStore(c.Store, log)
	if err != nil {
		return err
	}
	defer remembered()
	guards.Store = memory
	current := &reloadable{app: a, flags: f, running: c, log: log, level: level}
	current.loader = newLoader(c, resolver, memory)
	current.loader.guards, current.loader.tally = guards, &bulk.Tally{}
	if _, err := current.load(ctx, c); err != nil {
		return err
	}
	kept, err := newKeeper(c, log)
	if err != nil {
		return err
	}
	defer kept.close()
	settings, to, err := current.settings(c)
	if err != nil {
		return err
	}
	current.ways.Store(to)
	current.server = &proxy.Server{
		Hostname: c.Hostname, Version: release, Shadow: f.shadow, Log: log, Settings: settings,
		Current: current.generation, TLS: current.tls, Record: kept.record,
	}
	return current.listen(ctx, &watched{
		reloadable: current, started: time.Now(), resolver: resolver, guards: guards, memory: memory, kept: kept, verdicts: kept.to,
	})
}

// listen opens the listeners and serves them until a signal or ctx ends it. The operator's, if there is one, shows w.
func (r *reloadable) listen(ctx context.Context, w *watched) error {
	c := r.running
	sockets, err := systemd.Handed()
	if err != nil {
		return exit{exitConfig, err}
	}
	defer sockets.Close()
	if w.listeners, err = openAll(c, sockets); err != nil {
		return err
	}
	defer closeAll(w.listeners)
	say := []any{"version", release, "listen", addresses(w.listeners), "backend", c.Backend.AllAddrs(), "shadow", r.flags.shadow}
	if shown := w.console(r.log); shown != nil {
		l, err := openAdmin(c.Admin.Addr, sockets)
		if err != nil {
			return err
		}
		w.kept.show = shown.Record
		defer serveConsole(shown, l, r.log)()
		say = append(say, "admin", l.Addr())
	}
	if err := sockets.Unused(); err != nil {
		return exit{exitConfig, err}
	}
	defer r.watchCertificate()()
	defer r.watchListFiles()()
	defer heedComplaints(c.Verdicts.Dir, w.memory, r.log)()
	defer r.feedWatchdog()()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT) // before it is said that we serve
	defer signal.Stop(signals)
	r.log.Info("serving", say...)
	return r.run(ctx, w.listeners, signals)
}

// inBackground runs f until stop is called, which waits for its end.
func inBackground(f func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { f(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// openAll opens all listeners, or none. If systemd has handed over sockets, they must be among them.
func openAll(c config.Config, h *systemd.Sockets) ([]proxy.Listener, error) {
	var all []proxy.Listener
	for _, l := range c.Listen {
		open, err := openOne(l, h)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		front := proxy.Listener{Name: l.Name, Net: open, TLS: l.Mode(), Outbound: l.Role == config.RoleOutbound}
		if l.ProxyProtocol {
			front.Proxies = c.Trusted.Proxies
		}
		all = append(all, front)
	}
	return all, nil
}

func openOne(l config.Listen, h *systemd.Sockets) (net.Listener, error) {
	if s := h.Take(l.Name, l.Addr); s != nil {
		return s, nil
	}
	if h.Any {
		return nil, exit{exitConfig, fmt.Errorf("listener %s at %s: systemd handed over other sockets, but none for it", l.Name, l.Addr)}
	}
	open, err := net.Listen("tcp", l.Addr)
	if err != nil {
		return nil, exit{exitUnavailable, fmt.Errorf("listening on %s: %w", l.Addr, err)}
	}
	return open, nil
}

func closeAll(all []proxy.Listener) {
	for _, l := range all {
		l.Net.Close()
	}
}

func addresses(all []proxy.Listener) []string {
	var out []string
	for _, l := range all {
		out = append(out, l.Net.Addr().String())
	}
	return out
}

// run serves until a signal: HUP reloads; TERM and INT drain, a second one ends at once.
func (r *reloadable) run(ctx context.Context, listeners []proxy.Listener, signals <-chan os.Signal) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var all sync.WaitGroup
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		all.Go(func() { failed <- r.server.Serve(serving, l) })
	}
	all.Go(func() { r.server.Watch(serving) })
	r.ready()
	drained := make(chan struct{})
	draining := false
	drain := func() {
		draining = true
		r.told(systemd.Stopping())
		all.Go(func() {
			r.drain(serving, listeners)
			close(drained)
		})
	}
	var err error
	for done := ctx.Done(); err == nil; {
		select {
		case sig := <-signals:
			switch {
			case sig == syscall.SIGHUP:
				r.reload(ctx)
			case draining:
				stop()
			default:
				drain()
			}
			continue
		case <-done:
			done = nil
			drain()
			continue
		case err = <-failed:
		case <-drained:
		}
		break
	}
	stop()
	all.Wait()
	return err
}

// drain lets transactions in flight end, for drainTime at most. Who connects to a socket that systemd keeps open waits
// for the next weir; at one of our own they hear 421.
func (r *reloadable) drain(ctx context.Context, listeners []proxy.Listener) {
	r.log.Info("draining", "sessions", r.server.Active())
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	leaveAll(ctx, listeners)
	if err := r.server.Drain(ctx); err != nil {
		r.log.Warn("ending with transactions in flight", "err", err)
	}
}
