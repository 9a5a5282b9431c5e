package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"

	"weir/filters/lookup"
	"weir/filters/store"
	"weir/proxy"
)

// This file makes the parts of the program from its configuration.

var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

func (c config) loader(r *lookup.Resolver, s store.Store) *loader {
	return &loader{
		parts:      parts{resolver: r, store: s, dnsBudget: c.DNS.Budget},
		scanBudget: c.ScanBudget,
		patience:   c.DNS.Patience,
		relays:     c.Trusted.Relays,
	}
}

// limits are what clients may use.
func (l limits) limits() proxy.Limits {
	return proxy.Limits{
		MessageSize: int64(l.MessageSize), Recipients: l.Recipients, Sessions: l.Sessions,
		SessionsPerIP: l.SessionsPerIP, SessionsPerNet: max(l.SessionsPerNet, l.SessionsPerIP),
		Connections: l.Connections, Messages: l.Messages, MinRate: int64(l.MinRate), Scanning: int64(l.ScanMemory), CommandTimeout: l.CommandTimeout,
	}
}

// relays says whose mail is taken, by the domain in lower case; nil leaves that to the backend.
func (c config) relays() func(domain string) bool {
	if len(c.Conduct.Relay) == 0 {
		return nil
	}
	ours := make(map[string]bool, len(c.Conduct.Relay))
	for _, domain := range c.Conduct.Relay {
		ours[strings.ToLower(domain)] = true
	}
	return func(domain string) bool { return ours[domain] }
}

// resolver makes the resolver of the servers named, or of the system's.
func (c dnsConfig) resolver() (*lookup.Resolver, error) {
	r, err := lookup.New(lookup.Options{Servers: c.servers(), Timeout: c.Timeout, Budget: c.Budget, Cache: c.Cache})
	if err != nil {
		return nil, exit{exitConfig, fmt.Errorf("dns.servers: %w", err)}
	}
	return r, nil
}

// servers are the servers named, or the system's.
func (c dnsConfig) servers() []string {
	if len(c.Servers) > 0 {
		return c.Servers
	}
	return systemServers("/etc/resolv.conf")
}

// systemServers reads the name servers of a resolv.conf; without any it is the local one.
func systemServers(file string) []string {
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

// logger makes the log of a running proxy. Its level can be changed later.
func (c logConfig) logger(w io.Writer, level *slog.LevelVar) *slog.Logger {
	level.Set(logLevels[c.Level])
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
