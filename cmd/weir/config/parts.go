package config

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"

	"weir/filters/lookup"
	"weir/proxy"
)

// This file makes parts of the program from their configuration.

var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

// Proxy is the same, as the proxy takes it.
func (l Limits) Proxy() proxy.Limits {
	return proxy.Limits{
		MessageSize: int64(l.MessageSize), Recipients: l.Recipients, Sessions: l.Sessions,
		SessionsPerIP: l.SessionsPerIP, SessionsPerNet: max(l.SessionsPerNet, l.SessionsPerIP),
		Connections: l.Connections, Messages: l.Messages, MinRate: int64(l.MinRate), Scanning: int64(l.ScanMemory), CommandTimeout: l.CommandTimeout,
	}
}

// Relays says whose mail is taken, by the domain in lower case; nil leaves that to the backend.
func (c Config) Relays() func(domain string) bool {
	if len(c.Conduct.Relay) == 0 {
		return nil
	}
	ours := make(map[string]bool, len(c.Conduct.Relay))
	for _, domain := range c.Conduct.Relay {
		ours[strings.ToLower(domain)] = true
	}
	return func(domain string) bool { return ours[domain] }
}

// Resolver makes the resolver of the servers named, or of the system's. It is to be closed.
func (c DNS) Resolver() (*lookup.Resolver, error) {
	r, err := lookup.New(lookup.Options{Servers: c.Resolvers(), Timeout: c.Timeout, Budget: c.Budget, Cache: c.Cache})
	if err != nil {
		return nil, Error{fmt.Errorf("dns.servers: %w", err)}
	}
	return r, nil
}

// Resolvers are the servers named, or the system's.
func (c DNS) Resolvers() []string {
	if len(c.Servers) > 0 {
		return c.Servers
	}
	return SystemResolvers("/etc/resolv.conf")
}

// SystemResolvers reads the name servers of a resolv.conf; without any it is the local one.
func SystemResolvers(file string) []string {
	var servers []string
	if f, err := os.Open(file); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if words := strings.Fields(lines.Text()); len(words) >= 2 && words[0] == "nameserver" {
				servers = append(servers, net.JoinHostPort(words[1], "53"))
			}
		}
	}
	if len(servers) == 0 {
		servers = []string{"127.0.0.1:53"}
	}
	return servers
}

// Least is the least that is logged.
func (c Log) Least() slog.Level { return logLevels[c.Level] }

// Logger makes the log of a running proxy. Its level can be changed later.
func (c Log) Logger(w io.Writer, level *slog.LevelVar) *slog.Logger {
	level.Set(c.Least())
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
