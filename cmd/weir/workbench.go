package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"weir/cmd/weir/config"
	"weir/filters/lookup"
	"weir/filters/store"
	"weir/proxy"
)

// workbench says how verbs that judge without SMTP get their rules and their DNS.
type workbench struct {
	rules   string
	offline bool
	zone    string // a zone file to answer from
	dns     string // a server to ask
}

func (q *workbench) flags(c *cobra.Command) {
	c.Flags().StringVar(&q.rules, "rules", "", "judge by the rules in `FILE`")
	c.Flags().BoolVar(&q.offline, "offline", false, "ask no DNS")
	c.Flags().StringVar(&q.zone, "dns", "", "answer DNS from the zone `FILE`, or ask the server at ADDR")
}

// workbench makes a generation to judge with, and the func that releases it.
func (a *app) workbench(ctx context.Context, q workbench) (*proxy.Generation, func(), error) {
	c, err := a.config()
	if err != nil {
		return nil, nil, err
	}
	if q.rules != "" {
		c.Rules = q.rules
	}
	resolver, err := q.resolver(c.DNS)
	if err != nil {
		return nil, nil, err
	}
	l := newLoader(c, resolver, store.NewSeeded(int64(c.Store.Memory.Max), [16]byte([]byte("the same, always")))) // the same mail, the same counts
	g, warnings, err := l.load(ctx, c.Rules)
	if err != nil {
		resolver.Close()
		return nil, nil, err
	}
	a.warn(warnings)
	return g, func() { resolver.Close() }, nil
}

// resolver picks who answers DNS: nobody, a zone file, a server, or the servers of the configuration.
func (q workbench) resolver(c config.DNS) (*lookup.Resolver, error) {
	if q.offline {
		if q.zone != "" {
			return nil, exit{exitUsage, errors.New("--offline and --dns exclude each other")}
		}
		return lookup.Offline(), nil
	}
	if q.zone == "" {
		return c.Resolver()
	}
	f, err := os.Open(q.zone)
	if _, bad := netip.ParseAddrPort(q.zone); err != nil && bad == nil {
		c.Servers = []string{q.zone}
		return c.Resolver()
	}
	if err != nil {
		return nil, exit{exitNoInput, fmt.Errorf("reading the zone: %w\n  --dns takes a zone file, or the ADDRESS:PORT of a server", err)}
	}
	defer f.Close()
	z, err := lookup.ParseZone(f, q.zone)
	if err != nil {
		return nil, exit{exitData, err}
	}
	return lookup.FromZone(z), nil
}
