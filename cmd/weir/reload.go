package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/cmd/weir/config"
	"weir/cmd/weir/systemd"
	"weir/proxy"
	"weir/proxy/console"
	"weir/rules/strict"
)

// reloaded are the keys of weir.yaml, or their beginnings, that a reload puts in force. The others need a restart.
var reloaded = []string{
	"tls.", "relay_domains", "line_ends", "greet_pause", "final_dot_memory", "backend.", "routes", "recipients.", "limits.",
	"dns.budget", "dns.patience", "trusted.relays", "rules", "shadow_rules", "scan_budget", "log.level",
}

// reloadable is what a reload exchanges.
type reloadable struct {
	app     *app
	flags   serveFlags
	running config.Config // as it was at the start
	loader  *loader
	log     *slog.Logger
	level   *slog.LevelVar
	server  *proxy.Server

	handshakes atomic.Pointer[tls.Config] // nil without a certificate

	mu    sync.Mutex // held by a reload
	gen   atomic.Pointer[proxy.Generation]
	ways  atomic.Pointer[ways]
	certs certificateFiles
	lists listFiles
	last  atomic.Pointer[reloadOutcome] // nil before the first
}

// reloadOutcome is what became of a reload, and when.
type reloadOutcome struct {
	console.Reloaded
	at time.Time
}

func (r *reloadable) generation() *proxy.Generation { return r.gen.Load() }

// load reads the rules and the certificate that c names and puts them in force, or returns an error and changes nothing.
func (r *reloadable) load(ctx context.Context, c config.Config) (warnings strict.Findings, err error) {
	files := &certificateFiles{TLS: c.TLS}
	cert, err := files.read()
	if err != nil {
		return nil, err
	}
	r.loader.dnsBudget, r.loader.scanBudget, r.loader.patience = c.DNS.Budget, c.ScanBudget, c.DNS.Patience
	r.loader.relays = c.Trusted.Relays
	r.loader.shadow = c.ShadowRules
	began := time.Now()
	g, warnings, err := r.loader.load(ctx, c.Rules)
	if err != nil {
		return nil, err
	}
	for _, w := range c.Warnings() {
		r.log.Warn("configuration", "at", w.Src, "warning", w.Text)
	}
	for _, w := range warnings {
		r.log.Warn("rules", "at", w.Src, "warning", w.Text)
	}
	if cert != nil { // what listens with TLS does so until the end
		r.handshakes.Store(handshakesWith(cert))
		r.certs.loaded(files)
	}
	r.gen.Store(g)
	r.lists.note(c.Rules, c.ShadowRules, g.Rules, began)
	keepSought(r.log, r.running.Verdicts.Dir, g.Rules)
	return warnings, nil
}

// settings are those of c for the sessions to come, with the ways that they name. What is known of the backend lasts as
// long as it is the same.
func (r *reloadable) settings(c config.Config) (proxy.Settings, *ways, error) {
	c.Hostname = r.running.Hostname
	to := r.ways.Load()
	if to == nil || c.HasFiles() || !reflect.DeepEqual(to.from, c.Behind) {
		usual, routes, err := c.Ways(r.log, config.AskDNS(r.loader.resolver))
		if err != nil {
			return proxy.Settings{}, nil, err
		}
		to = &ways{usual, routes, c.Behind}
	}
	return proxy.Settings{
		Backend: to.usual, Routes: to.routes, Limits: c.Limits.Proxy(), Dialogue: c.Conduct.Dialogue(), Relay: c.Relays(),
		Trusted: r.running.Trusted.Proxies, // as the listeners, which read PROXY headers
	}, to, nil
}

// reload reads everything again. On any error all stays as it is. Any goroutine may call it; one after the other.
func (r *reloadable) reload(ctx context.Context) console.Reloaded {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told(systemd.Reloading())
	defer r.ready()
	found, err := r.exchange(ctx)
	if err != nil {
		r.log.Error("reload refused, the old configuration stays in force", "err", err)
		for _, one := range leaves(err) {
			found = append(found, one.Error())
		}
	}
	g := r.generation()
	done := console.Reloaded{OK: err == nil, Generation: g.Number, Findings: append([]string{}, found...)}
	r.last.Store(&reloadOutcome{done, time.Now()})
	if done.OK {
		r.log.Info("reloaded", "generation", g.Number, "rules", g.Rules.Digest)
	}
	return done
}

// exchange puts in force what the files say now, and returns what its reader should know, or changes nothing.
func (r *reloadable) exchange(ctx context.Context) (found []string, err error) {
	c, err := r.app.serveConfig(r.flags)
	if err != nil {
		return nil, err
	}
	next, to, err := r.settings(c)
	if err != nil {
		return nil, err
	}
	warnings, err := r.load(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		found = append(found, w.String())
	}
	if keys := changed(r.running, c); len(keys) > 0 {
		r.log.Warn("these changes need a restart", "keys", keys)
		found = append(found, "these changes need a restart: "+strings.Join(keys, ", "))
	}
	r.server.Exchange(ctx, next)
	r.ways.Store(to)
	r.level.Set(c.Log.Least())
	return found, nil
}

// changed lists the keys whose values differ and that a reload does not put in force.
func changed(running, next config.Config) []string {
	was := map[string]string{}
	for _, s := range running.Settings() {
		was[s.Key] = s.Value
	}
	for _, s := range next.Settings() {
		if old, ok := was[s.Key]; ok && old == s.Value {
			delete(was, s.Key)
		} else {
			was[s.Key] = s.Value
		}
	}
	maps.DeleteFunc(was, func(key, _ string) bool {
		return slices.ContainsFunc(reloaded, func(start string) bool { return strings.HasPrefix(key, start) })
	})
	return slices.Sorted(maps.Keys(was))
}
