// Package greylist finds out whether a sender is a stranger who has not waited yet.
//
// A server that sends mail tries again after a temporary refusal; much of what sends spam does not. So a stranger's
// message that is neither clearly good nor clearly bad may be deferred once. Whether it is, scoring decides: the check
// only says who is a stranger.
package greylist

import (
	"context"
	_ "embed"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"weir/filters"
	"weir/filters/store"
	"weir/rules"
)

// Readme is the filter's manual.
//
//go:embed README.md
var Readme string

// maxDomains bounds the recipients' domains that are counted for one message.
const maxDomains = 8

// New makes the check of cfg; with nil it reports nothing. What it knows of senders is in s.
func New(cfg *rules.Greylist, s store.Store) filters.Check {
	g := &greylist{cfg, s}
	c := filters.Check{Name: "greylist", Doc: "Whether a sender is a stranger who has not waited yet.", Stage: filters.Proven, Run: g.run}
	if cfg != nil {
		c.Symbols = []string{rules.GreylistNew}
	}
	return c
}

type greylist struct {
	*rules.Greylist
	store store.Store
}

func (g *greylist) run(ctx context.Context, m filters.Mail) (filters.Report, error) {
	if g.Greylist == nil || m.Session == nil || m.Envelope == nil || trusted(m) {
		return filters.Report{}, nil
	}
	client := m.Session.Network()
	if !client.IsValid() {
		return filters.Report{}, nil
	}
	var report filters.Report
	seen, problem, err := g.count(ctx, m, client)
	if err != nil {
		return filters.Report{}, fmt.Errorf("greylisting: %w", err)
	}
	if problem != nil {
		report.Problems = append(report.Problems, filters.Problem{Kind: filters.KindFailed, Detail: "known to this process alone: " + problem.Error()})
	}
	var longest time.Duration
	for _, c := range seen {
		longest = max(longest, m.At.Sub(c.Since))
	}
	if longest >= g.Wait || len(seen) == 0 {
		return report, nil
	}
	detail := fmt.Sprintf("%s has sent for this sender and recipient for %s, wanted is %s", client, longest.Round(time.Second), g.Wait)
	report.Hits = []filters.Hit{{Symbol: rules.GreylistNew, Detail: detail}}
	return report, nil
}

// count counts m and returns what is known of its sender, for each of the recipients' domains. A problem is that others
// may know more.
func (g *greylist) count(ctx context.Context, m filters.Mail, client netip.Prefix) (seen []store.Counter, problem, err error) {
	hasher := g.store.Hasher()
	var keys, wanted []string
	for _, domain := range domains(m.Envelope.To) {
		key := triple(hasher, client, m.Envelope.From, domain)
		s := saidOf(key)
		keys, wanted = append(keys, key), append(wanted, key, s.spam, s.withdrawn)
	}
	problem = g.store.Sync(ctx, m.At, func() []string { return wanted })
	now, err := g.lives(ctx, m.At, keys)
	if err != nil {
		return nil, nil, err
	}
	if !slices.Equal(now, keys) && problem == nil {
		problem = g.store.Sync(ctx, m.At, func() []string { return now })
	}
	var deltas []store.Delta
	for _, key := range now {
		deltas = append(deltas, store.Delta{Key: key, N: 1, Life: g.Expire})
	}
	seen, err = g.store.Add(ctx, m.At, deltas...)
	return seen, problem, err
}

// trusted reports whether the sender need not wait: he has logged in, or is proven. A pool of servers that the sender's
// domain names by SPF would come back from another address each time.
func trusted(m filters.Mail) bool {
	return m.Session.User != "" || m.Auth != nil && (m.Auth.SPF.Result == "pass" || len(m.Auth.Domains) > 0)
}

// domains are the recipients' domains, each once.
func domains(to []string) []string {
	var all []string
	for _, rcpt := range to {
		d := strings.ToLower(rcpt[strings.LastIndexByte(rcpt, '@')+1:])
		if !slices.Contains(all, d) && len(all) < maxDomains {
			all = append(all, d)
		}
	}
	return all
}

// triple is the counter's name. It holds a hash, so that who writes to whom is not kept.
func triple(hasher store.Hasher, client netip.Prefix, from, domain string) string {
	text := client.String() + "\x00" + strings.ToLower(from) + "\x00" + domain
	return fmt.Sprintf("greylist:%016x", hasher.Sum([]byte(text)))
}
