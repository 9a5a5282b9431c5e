package main

import (
	"context"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"weir/proxy"
	"weir/proxy/backend"
)

// reloaded are the keys of weir.yaml, or their beginnings, that a reload puts in force. The others need a restart.
var reloaded = []string{
	"tls.", "relay_domains", "line_ends", "greet_pause", "final_dot_memory", "backend.", "routes", "recipients.", "limits.",
	"dns.budget", "rules", "scan_budget", "log.level",
}

// reloadable is what a reload exchanges.
type reloadable struct {
	app     *app
	flags   serveFlags
	running config // as it was at the start
	loader  *loader
	log     *slog.Logger
	level   *slog.LevelVar
	server  *proxy.Server
	behind  *backend.Backend // made, with routes, from named
	routes  proxy.Routes
	named   behindConfig

	gen  atomic.Pointer[proxy.Generation]
	cert atomic.Pointer[certificate]
}

func (r *reloadable) generation() *proxy.Generation { return r.gen.Load() }

// load reads the rules and the certificate that c names and puts them in force, or returns an error and changes nothing.
func (r *reloadable) load(ctx context.Context, c config) error {
	cert, err := c.certificate()
	if err != nil {
		return err
	}
	r.loader.dnsBudget, r.loader.scanBudget, r.loader.patience = c.DNS.Budget, c.ScanBudget, c.DNS.Patience
	g, warnings, err := r.loader.load(ctx, c.Rules)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		r.log.Warn("rules", "at", w.Src, "warning", w.Text)
	}
	if cert != nil { // what listens with TLS does so until the end
		r.cert.Store(cert)
	}
	r.gen.Store(g)
	keepSought(r.log, r.running.Verdicts.Dir, g.Rules)
	return nil
}

// settings are those of c for the sessions to come. What is known of the backend lasts as long as it is the same.
func (r *reloadable) settings(c config) (proxy.Settings, error) {
	c.Hostname = r.running.Hostname
	if r.behind == nil || c.hasFiles() || !reflect.DeepEqual(r.named, c.behindConfig) {
		behind, routes, err := c.behind(r.log, askDNS(r.loader.resolver))
		if err != nil {
			return proxy.Settings{}, err
		}
		r.behind, r.routes, r.named = behind, routes, c.behindConfig
	}
	return proxy.Settings{
		Backend: r.behind, Routes: r.routes, Limits: c.Limits.limits(), Dialogue: c.Conduct.dialogue(), Relay: c.relays(),
		Trusted: r.running.Trusted.Proxies, // as the listeners, which read PROXY headers
	}, nil
}

// reload reads everything again. On any error all stays as it is.
func (r *reloadable) reload(ctx context.Context) {
	c, err := r.app.serveConfig(r.flags)
	var next proxy.Settings
	if err == nil {
		next, err = r.settings(c)
	}
	if err == nil {
		err = r.load(ctx, c)
	}
	if err != nil {
		r.log.Error("reload refused, the old configuration stays in force", "err", err)
		return
	}
	if keys := changed(r.running, c); len(keys) > 0 {
		r.log.Warn("these changes need a restart", "keys", keys)
	}
	r.server.Exchange(ctx, next)
	r.level.Set(logLevels[c.Log.Level])
	g := r.generation()
	r.log.Info("reloaded", "generation", g.Number, "rules", g.Rules.Digest)
}

// changed lists the keys whose values differ and that a reload does not put in force.
func changed(running, next config) []string {
	was := map[string]string{}
	for _, s := range running.settings() {
		was[s.Key] = s.Value
	}
	for _, s := range next.settings() {
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
