// Package bulk is the check that counts alike messages: in its own stream, without asking anybody.
//
// A message goes through the files in this order:
//
//	cut.go payload.go      what the author wrote himself; the addresses in it
//	words.go fold.go       its canonical words, look-alike letters folded
//	picture.go             the look of a picture
//	print.go               the fingerprint: hashes of words, pairs of words, addresses, looks
//	sender.go              less what its sender has said before
//	campaign.go            which campaigns have these hashes, and what is known of them
//	evidence.go            whether the message belongs to one, and how surely
//	bulk.go                counted, and reported
//	earned.go              whether its sender is trusted with bulk mail
//
// All memory is in the store, as marks, points and counters that expire, so that a new generation of rules goes on with
// it. docs/bulk.md says how well it does and how it can be fooled.
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
// itself included: Facts.Bulk, the symbols of the windows that are reached, and of the exemptions that hold. A message
// with nothing to compare is not counted.
func New(cfg rules.Bulk, memory store.Store) filters.Check {
	folder := newFolder()
	b := &bulk{cfg: cfg, campaigns: campaigns{memory: memory, votes: map[id]float64{}}}
	b.readers.New = func() any { return &reader{lexer: lexer{folder: folder}} }
	c := filters.Check{
		Name:    "bulk",
		Doc:     "Counts alike messages in the proxy's own stream, and how widely each campaign is dispersed.",
		Stage:   filters.Proven,
		Symbols: symbols(cfg),
		Run:     b.run,
	}
	if cfg.Earned != nil {
		c.Learn = b.learn
	}
	return c
}

func symbols(cfg rules.Bulk) []string {
	var out []string
	for _, w := range cfg.Windows {
		out = append(out, w.Symbol)
	}
	for _, e := range cfg.Exempt {
		out = append(out, e.Symbol)
	}
	if e := cfg.Earned; e != nil {
		out = append(out, e.Symbol, e.Broken)
	}
	return out
}

type bulk struct {
	cfg     rules.Bulk
	readers sync.Pool // of *reader

	mu        sync.Mutex // messages are counted one after the other: two first copies at once do not make two campaigns
	campaigns campaigns
}

func (b *bulk) run(ctx context.Context, m filters.Mail) (filters.Report, error) {
	if m.Message == nil {
		return filters.Report{}, nil
	}
	x := b.readers.Get().(*reader)
	x.hasher = b.campaigns.memory.Hasher()
	p := x.read(m)
	b.readers.Put(x)
	if p.empty() {
		return filters.Report{}, nil
	}
	apart := b.campaigns.memory.Sync(ctx, m.At, func() []string { return b.wanted(ctx, m, p) })
	c, err := b.count(ctx, m, &p)
	if err != nil {
		return filters.Report{}, fmt.Errorf("counting alike messages: %w", err)
	}
	r, err := b.report(ctx, m, c)
	if err == nil {
		err = b.earned(ctx, m, &r)
	}
	if apart != nil {
		r.Problems = append(r.Problems, filters.Problem{Kind: filters.KindFailed, Detail: "counted by this process alone: " + apart.Error()})
	}
	return r, err
}

// wanted names the counters that count and earned will read: those of the campaigns that p may belong to, of a new one,
// and the sender's ledger.
func (b *bulk) wanted(ctx context.Context, m filters.Mail, p print) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.campaigns.spare(ctx, m.At, senderOf(m), &p); err != nil {
		return nil // count meets the same error and says so
	}
	near, err := b.campaigns.recall(ctx, m.At, &p)
	if err != nil {
		return nil // likewise
	}
	out := []string{id(b.campaigns.memory.Hasher().Pair(p.exact, 0)).networks()}
	for _, c := range b.campaigns.nominate(near) {
		out = append(out, c.id.networks(), c.id.senders(), c.id.recipients())
	}
	if l, is := b.ledgerOf(m); is {
		out = append(out, l.keys()...)
	}
	return out
}

// count adds the message to its campaign, a new one if need be, and returns the campaign's counters.
func (b *bulk) count(ctx context.Context, m filters.Mail, p *print) (counted, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from, whole := senderOf(m), *p
	if err := b.campaigns.spare(ctx, m.At, from, p); err != nil {
		return counted{}, err
	}
	if err := b.campaigns.say(ctx, m.At, from, &whole); err != nil {
		return counted{}, err
	}
	c, sure, err := b.campaigns.find(ctx, m.At, p)
	if err != nil {
		return counted{}, err
	}
	core := p.size()
	if sure != unlike && !c.exact {
		core = c.pairs / p.share
	}
	switch {
	case sure == unlike:
		c.id, err = b.campaigns.fresh(ctx, m.At, p)
	case sure == loose && c.doubtful(p):
		c.id, err = b.campaigns.fork(ctx, m.At, p, c.id)
	}
	if err != nil {
		return counted{}, err
	}
	counters, err := b.campaigns.memory.Add(ctx, m.At, deltas(m, c.id, sure != loose, core)...)
	if err != nil {
		return counted{}, err
	}
	return counted{c.id, counters[0], counters[1], counters[len(counters)-1]}, b.campaigns.remember(ctx, m.At, p, c.id)
}

// deltas are what a message adds to the counters of its campaign c; the last is of the recipients.
func deltas(m filters.Mail, c id, strict bool, core float64) []store.Delta {
	out := []store.Delta{
		{Key: c.networks(), N: 1, Member: clientNetwork(m), Life: life},
		{Key: c.senders(), Member: senderDomain(m), Life: life},
		{Key: c.recipients(), N: int64(core * parts), Life: life},
	}
	if strict {
		out[1].N = 1
	}
	if m.Envelope != nil {
		for _, to := range m.Envelope.To {
			out = append(out, store.Delta{Key: c.recipients(), Member: strings.ToLower(to), Life: life})
		}
	}
	return out
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

// clientNetwork is the name of the client's network; all of whom nothing is known are one.
func clientNetwork(m filters.Mail) string {
	switch {
	case m.Session == nil:
		return ""
	case !m.Session.Network().IsValid():
		return "?"
	}
	return m.Session.Network().String()
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
