package dnsbl

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/filters"
	"weir/filters/store"
)

// Who is familiar: an address or a domain whose proven mail was delivered without a mark, or to which users have written,
// several times over some days; and of whose mail people have called at most one message in a hundred spam, and one more.
const (
	familiarAfter = 3 * 24 * time.Hour
	familiarTimes = 3
	familiarLife  = 60 * 24 * time.Hour
	maxPartners   = 8 // that one message tells of

	unwantedKey = ":spam"      // the messages that people have called so
	wantedKey   = ":withdrawn" // those of them that they did not mean
)

// learn remembers with whom mail is exchanged. A list that begins to list many of those is not what it was.
func (g *Guards) learn(ctx context.Context, m filters.Mail, o filters.Outcome) error {
	if g.Store == nil || !o.Delivered || o.Marked || m.Session == nil || m.Envelope == nil {
		return nil
	}
	var deltas []store.Delta
	for _, who := range partners(m) {
		deltas = append(deltas, store.Delta{Key: partnerKey(g.Store, who), N: 1, Life: familiarLife})
	}
	if _, err := g.Store.Add(ctx, m.At, deltas...); err != nil {
		return fmt.Errorf("remembering with whom mail is exchanged: %w", err)
	}
	return nil
}

// Complain remembers that people have called m spam, or, unless spam, have taken that back. message names it, and when
// that was said; the same one counts once.
func Complain(ctx context.Context, memory store.Store, m filters.Mail, message string, spam bool) error {
	if m.Session.User != "" {
		return nil // it was not those to whom he wrote
	}
	var deltas []store.Delta
	for _, who := range partners(m) {
		key := unwantedKey
		if !spam {
			key = wantedKey
		}
		deltas = append(deltas, store.Delta{Key: partnerKey(memory, who) + key, Member: message, Life: familiarLife})
	}
	if len(deltas) == 0 {
		return nil
	}
	if _, err := memory.Add(ctx, m.At, deltas...); err != nil {
		return fmt.Errorf("counting a complaint: %w", err)
	}
	return nil
}

// partners are the domains to which a user writes, or the client and the domains that are proven to have sent m.
func partners(m filters.Mail) []string {
	var all []string
	if m.Session.User != "" {
		for _, rcpt := range m.Envelope.To {
			if d := strings.ToLower(rcpt[strings.LastIndexByte(rcpt, '@')+1:]); isDomain(d) && !slices.Contains(all, d) {
				all = append(all, d)
			}
		}
	} else if m.Auth != nil && len(m.Auth.Domains) > 0 {
		all = append(all, m.Auth.Domains...)
		if ip := m.Session.Addr.Addr().Unmap().WithZone(""); isPublic(ip) {
			all = append(all, ip.String())
		}
	}
	return all[:min(len(all), maxPartners)]
}

// familiar reports whether subject, an address or a domain, is known to be good.
func (g *Guards) familiar(ctx context.Context, subject string) bool {
	if g.Store == nil {
		return false
	}
	now := time.Now()
	key := partnerKey(g.Store, subject)
	found, err := g.Store.Within(ctx, now, 0, key, key+unwantedKey, key+wantedKey)
	if err != nil {
		return false
	}
	known, unwanted := found[0], found[1].Distinct-found[2].Distinct
	return known.N >= familiarTimes && now.Sub(known.Since) >= familiarAfter && unwanted <= 1+known.N/100
}

// partnerKey is the counter's name. It holds a hash, so that who writes to whom is not kept.
func partnerKey(memory store.Store, who string) string {
	return fmt.Sprintf("familiar:%016x", memory.Hasher().Sum([]byte(who)))
}
