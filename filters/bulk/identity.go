package bulk

import (
	"context"
	"strings"

	"golang.org/x/net/publicsuffix"

	"weir/filters"
	"weir/filters/store"
)

// A message of a known sender brings something new if so much of it was not in what he sent before; if not, it is one
// more copy.
const (
	newPairs   = 3
	newPart    = 100 // one pair in so many
	newNumbers = 3   // or so many numbers: orders and notices differ in little else
)

// everybody owns the marks that say "seen from this sender": the mark itself is the sender's.
const everybody = 1

// identity names who is proven to have sent m: the organisation of a proven domain, or else a mailing list together
// with the network that it comes from, which a forger does not have; "" if nobody is.
func identity(m filters.Mail) string {
	if m.Auth != nil && len(m.Auth.Domains) > 0 {
		d := m.Auth.Domains[0]
		if organisation, err := publicsuffix.EffectiveTLDPlusOne(d); err == nil {
			d = organisation
		}
		return "domain:" + d
	}
	for _, name := range m.Message.Header("List-Id") {
		if i := strings.LastIndexByte(name, '<'); i >= 0 {
			name = name[i:]
		}
		return "list:" + strings.ToLower(name) + "@" + clientNetwork(m)
	}
	return ""
}

// sparing takes out of p what its sender has said before: his footers, disclaimers and forms are no evidence that two
// of his messages are alike. A message that brings nothing new stays whole. It remembers what it saw.
func (c *campaigns) sparing(ctx context.Context, m filters.Mail, p *print) error {
	name := identity(m)
	if name == "" {
		return nil
	}
	hasher := c.memory.Hasher()
	who := hasher.Sum([]byte(name))
	own := func(of []uint64) []uint64 {
		keys := make([]uint64, len(of))
		for i, f := range of {
			keys[i] = hasher.Pair(who, f)
		}
		return keys
	}
	kept, err := c.unseen(ctx, m, p.pairs, own(p.pairs))
	if err != nil {
		return err
	}
	addresses, err := c.unseen(ctx, m, p.payload, own(p.payload))
	if err != nil {
		return err
	}
	numbers, err := c.unseen(ctx, m, p.own, own(p.own))
	if err != nil {
		return err
	}
	if len(kept) >= newPairs && len(kept)*newPart >= len(p.pairs) || len(numbers) >= newNumbers {
		p.pairs, p.payload = kept, addresses
		for _, n := range p.own {
			p.exact = hasher.Pair(p.exact, n)
		}
	}
	return nil
}

// unseen returns those features whose keys were not marked, and marks all.
func (c *campaigns) unseen(ctx context.Context, m filters.Mail, features, keys []uint64) ([]uint64, error) {
	lists, err := c.memory.Marked(ctx, m.At, c.lists[:0], keys...)
	if err != nil {
		return nil, err
	}
	c.lists = lists
	var kept []uint64
	for i := range lists {
		if lists[i].Of(everybody) == (store.Posting{}) {
			kept = append(kept, features[i])
		}
	}
	return kept, c.memory.Mark(ctx, m.At, life, everybody, keys...)
}
