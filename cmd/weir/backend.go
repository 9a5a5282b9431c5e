package main

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"weir/proxy/backend"
)

// This file is the server behind: what weir.yaml says of it, and what that becomes.

type backendConfig struct {
	Addrs      []string      `yaml:"addrs"`
	PassClient string        `yaml:"pass_client"`
	Timeout    time.Duration `yaml:"timeout"`
}

func defaultBackend() backendConfig {
	return backendConfig{PassClient: "auto", Timeout: time.Minute}
}

var passClients = map[string]backend.PassClient{
	"auto": backend.PassAuto, "xclient": backend.PassXClient, "xforward": backend.PassXForward, "none": backend.PassNone,
}

// findInBackend says what is wrong with the backend.
func (c config) findInBackend(f *finder) {
	b := c.Backend
	for i, addr := range b.Addrs {
		key := fmt.Sprintf("backend.addrs[%d]", i)
		f.want(isTarget(addr), key, "%q is not HOST:PORT", addr)
		own := slices.ContainsFunc(c.Listen, func(l listen) bool { return l.Addr == addr })
		f.want(!own, key, "is a listener of weir itself: mail would go in circles")
	}
	_, known := passClients[b.PassClient]
	f.want(known, "backend.pass_client", "want %s", names(passClients))
	f.want(b.Timeout > 0, "backend.timeout", "must be more than nothing")
}

// names lists the keys of a table of words, for people.
func names[V any](table map[string]V) string {
	all := slices.Sorted(maps.Keys(table))
	last := len(all) - 1
	return strings.Join(all[:last], ", ") + " or " + all[last]
}

// backend makes the client of the server behind.
func (c config) backend(log *slog.Logger) *backend.Backend {
	return &backend.Backend{
		Addrs: c.Backend.Addrs, Timeout: c.Backend.Timeout, Hello: c.Hostname, PassClient: passClients[c.Backend.PassClient], Log: log,
	}
}
