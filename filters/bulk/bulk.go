// Package bulk counts alike messages.
package bulk

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"sync"
	"time"

	"weir/filters"
	"weir/filters/store"
	"weir/rules"
)

// Readme is the filter's page for humans.
//
//go:embed README.md
var Readme string

// New makes the check "bulk". It counts each message once, in memory, and reports how many alike messages there were,
// itself included: Facts.Bulk, the symbols of the windows that are reached, and of the exemptions that hold.
func New(cfg rules.Bulk, memory *store.Memory) filters.Check {
	b := &bulk{cfg: cfg, campaigns: campaigns{memory: memory, votes: map[id]float64{}}}
	b.reader = reader{lexer: lexer{folder: newFolder()}, hasher: memory.Hasher()}
	symbols := make([]string, 0, len(cfg.Windows)+len(cfg.Exempt))
	for _, w := range cfg.Windows {
		symbols = append(symbols, w.Symbol)
	}
	for _, e := range cfg.Exempt {
		symbols = append(symbols, e.Symbol)
	}
	return filters.Check{
		Name:    "bulk",
		Doc:     "Counts alike messages in the proxy's own stream, and how widely each campaign is dispersed.",
		Stage:   filters.Proven,
		Symbols: symbols,
		Run:     b.run,
	}
}

type bulk struct {
	cfg rules.Bulk

	mu        sync.Mutex // messages are counted one after the other, so that two first copies do not make two campaigns
	reader    reader
	campaigns campaigns
}

func (b *bulk) run(ctx context.Context, m filters.Mail) (filters.Report, error) {
	if m.Message == nil {
		return filters.Report{}, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.reader.read(m)
	if p.words == 0 && len(p.payload) == 0 {
		return filters.Report{}, nil
	}
	if p.words < tooShort && len(p.payload) == 0 {
		p.exact = b.reader.hasher.Pair(p.exact, b.reader.hasher.Sum([]byte(clientNetwork(m))))
		p.pairs = nil
	}
	if err := b.campaigns.sparing(ctx, m, &p); err != nil {
		return filters.Report{}, fmt.Errorf("comparing with the sender's other mail: %w", err)
	}
	found, sure, err := b.campaigns.find(ctx, m.At, &p)
	if err != nil {
		return filters.Report{}, fmt.Errorf("finding alike messages: %w", err)
	}
	facts, err := b.count(ctx, m, &p, found, sure)
	if err != nil {
		return filters.Report{}, fmt.Errorf("counting alike messages: %w", err)
	}
	return b.report(ctx, m, facts)
}

// count adds the message to the campaign found, or to a new one.
func (b *bulk) count(ctx context.Context, m filters.Mail, p *print, c candidate, sure grade) (counted, error) {
	c.core = p.size()
	if sure == unlike {
		name, err := b.campaigns.fresh(ctx, m.At, p)
		if err != nil {
			return counted{}, err
		}
		c.id, sure = name, strict
	} else if !c.exact {
		c.core = c.pairs / p.share
	}
	deltas := []store.Delta{
		{Key: c.id.networks(), N: 1, Member: clientNetwork(m), Life: life},
		{Key: c.id.senders(), Member: senderDomain(m), Life: life},
		{Key: c.id.recipients(), N: int64(c.core * 16), Life: life},
	}
	if sure == strict {
		deltas[1].N = 1
	}
	if m.Envelope != nil {
		for _, to := range m.Envelope.To {
			deltas = append(deltas, store.Delta{Key: c.id.recipients(), Member: strings.ToLower(to), Life: life})
		}
	}
	counters, err := b.campaigns.memory.Add(ctx, m.At, deltas...)
	if err != nil {
		return counted{}, err
	}
	if err := b.campaigns.memory.Mark(ctx, m.At, life, uint32(c.id), p.features(b.campaigns.keys[:0])...); err != nil {
		return counted{}, err
	}
	return counted{id: c.id, networks: counters[0], senders: counters[1], recipients: counters[len(counters)-1]}, nil
}

// counted is a campaign's counters over some window.
type counted struct {
	id                            id
	networks, senders, recipients store.Counter
}

func (c counted) messages() int64 { return c.networks.N }
func (c counted) strict() int64   { return c.senders.N }

func (b *bulk) report(ctx context.Context, m filters.Mail, c counted) (filters.Report, error) {
	r := filters.Report{Facts: filters.Facts{Bulk: &filters.Bulk{
		Campaign:    c.id.String(),
		Alike:       int(c.messages()),
		AlikeStrict: int(c.strict()),
		Networks:    int(c.networks.Distinct),
		Senders:     int(c.senders.Distinct),
		Recipients:  int(c.recipients.Distinct),
		FirstSeen:   c.networks.Since,
	}}}
	for _, w := range b.cfg.Windows {
		if c.strict() < int64(w.Alike) {
			continue
		}
		in, err := b.within(ctx, m.At, w.Over, c.id)
		if err != nil {
			return filters.Report{}, fmt.Errorf("reading the window %s: %w", w.Symbol, err)
		}
		if in.strict() >= int64(w.Alike) && in.networks.Distinct >= int64(w.Networks) &&
			in.senders.Distinct >= int64(w.Senders) && in.recipients.Distinct >= int64(w.Recipients) {
			r.Hits = append(r.Hits, filters.Hit{Symbol: w.Symbol, Detail: fmt.Sprintf("%d alike in %s from %d networks, campaign %s",
				in.strict(), short(w.Over), in.networks.Distinct, c.id)})
		}
	}
	for _, e := range b.cfg.Exempt {
		if d := signer(m, e.Signers); d != "" {
			r.Hits = append(r.Hits, filters.Hit{Symbol: e.Symbol, Detail: "proven: " + d})
			r.Facts.Bulk.Exempt = d
		}
	}
	return r, nil
}

func (b *bulk) within(ctx context.Context, at time.Time, over time.Duration, c id) (counted, error) {
	counters, err := b.campaigns.memory.Within(ctx, at, over, c.networks(), c.senders(), c.recipients())
	if err != nil {
		return counted{}, err
	}
	return counted{c, counters[0], counters[1], counters[2]}, nil
}

// signer returns the first proven domain of m that is in l, or "".
func signer(m filters.Mail, l *rules.List) string {
	if m.Auth == nil || l == nil {
		return ""
	}
	for _, d := range m.Auth.Domains {
		if l.HasDomain(d) {
			return d
		}
	}
	return ""
}

func clientNetwork(m filters.Mail) string {
	if m.Session == nil {
		return ""
	}
	return network(m.Session.Addr.Addr())
}

// senderDomain is the envelope sender's domain, "<>" for the null sender.
func senderDomain(m filters.Mail) string {
	if m.Envelope == nil {
		return ""
	}
	_, domain, found := strings.Cut(m.Envelope.From, "@")
	if !found {
		return "<>"
	}
	return strings.ToLower(domain)
}

// short writes a window's length as rules do: "10m", "1h", "7d".
func short(d time.Duration) string {
	if day := 24 * time.Hour; d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}
