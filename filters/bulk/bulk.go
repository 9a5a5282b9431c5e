// Package bulk is the check that counts alike messages: in its own stream, without asking anybody.
//
// A message goes through the files in this order:
//
//	report.go              of a delivery report, what it returns
//	cut.go footer.go       what the author wrote himself
//	phrases.go payload.go  by the words of the rest; the addresses in it
//	words.go fold.go       its canonical words, look-alike letters folded
//	picture.go             the look of a picture
//	attachment.go          digests of files
//	skeleton.go            what is built around the words of a page
//	gram.go                letters in a row
//	print.go sample.go     the fingerprint: hashes of words, pairs of words, letters, addresses, looks
//	sender.go              less what its sender has said before
//	campaign.go            which campaigns have these hashes, and what is known of them
//	evidence.go            whether the message belongs to one, and how surely
//	frame.go               the same where their skeletons are alike
//	family.go              or, if to none, whether to several that are one
//	merge.go               and whether two campaigns are one
//	bulk.go figures.go     counted, and reported
//	earned.go              whether its sender is trusted with bulk mail
//	tally.go               how many of each there were
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
// with nothing to compare is not counted. The tally may be nil.
func New(cfg rules.Bulk, memory store.Store, tally *Tally) filters.Check {
	if tally == nil {
		tally = &Tally{}
	}
	folder, cutter := newFolder(), newCutter()
	b := &bulk{cfg: cfg, tally: tally, campaigns: campaigns{memory: memory, votes: map[id]float64{}}}
	b.readers.New = func() any { return &reader{lexer: lexer{folder: folder}, cutter: cutter} }
	return filters.Check{
		Name:    "bulk",
		Doc:     "Counts alike messages in the proxy's own stream, and how widely each campaign is dispersed.",
		Stage:   filters.Proven,
		Symbols: symbols(cfg),
		Run:     b.run,
		Learn:   b.learn,
	}
}

func symbols(cfg rules.Bulk) []string {
	var out []string
	for _, w := range cfg.Windows {
		out = append(out, w.Symbol)
	}
	for _, e := range cfg.Exempt {
		out = append(out, e.Symbol)
	}
	if t := cfg.Traps; t != nil && t.Symbol != "" {
		out = append(out, t.Symbol)
	}
	if e := cfg.Earned; e != nil {
		out = append(out, e.Symbol, e.Broken)
	}
	return out
}

type bulk struct {
	cfg     rules.Bulk
	tally   *Tally
	readers sync.Pool // of *reader

	mu        sync.Mutex // messages are counted one after the other: two first copies at once do not make two campaigns
	campaigns campaigns
}

func (b *bulk) run(ctx context.Context, m filters.Mail) (filters.Report, error) {
	if m.Message == nil {
		return filters.Report{}, nil
	}
	r, err := b.counted(ctx, letter{m, b.traps()})
	if t := b.cfg.Traps; t != nil && t.Symbol != "" {
		if to := (letter{m, t.List}).trapped(); to != "" {
			r.Hits = append(r.Hits, filters.Hit{Symbol: t.Symbol, Detail: to})
		}
	}
	return r, err
}

// traps are the addresses that are traps, nil for none.
func (b *bulk) traps() *rules.List {
	if b.cfg.Traps == nil {
		return nil
	}
	return b.cfg.Traps.List
}

// counted counts m, and reports with whom.
func (b *bulk) counted(ctx context.Context, m letter) (filters.Report, error) {
	x := b.readers.Get().(*reader)
	x.hasher = b.campaigns.memory.Hasher()
	p := x.read(m.Mail)
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
func (b *bulk) wanted(ctx context.Context, m letter, p print) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	from := senderOf(m.Mail)
	if _, err := b.campaigns.spare(ctx, m.At, from, &p); err != nil {
		return nil // count meets the same error and says so
	}
	near, err := b.campaigns.recall(ctx, m.At, &p)
	if err != nil {
		return nil // likewise
	}
	out := []string{id(b.campaigns.memory.Hasher().Pair(p.exact, 0)).key(networks)}
	most := 0.
	for i, c := range b.campaigns.nominate(near) {
		n := core
		if i == 0 || 2*c.votes > most { // it is likely to be the one: the others' details are as they were last read
			n, most = figures, max(most, c.votes)
		}
		out = append(out, c.id.keys(n)...)
		if own := b.own(m, c.id); own != "" {
			out = append(out, own)
		}
	}
	if from.credit != "" {
		out = append(out, b.campaigns.creditOf(from))
	}
	if l, is := b.ledgerOf(m.Mail); is {
		out = append(out, l.keys()...)
	}
	return out
}

// count adds the message to its campaign, a new one if need be, and returns the campaign's counters.
func (b *bulk) count(ctx context.Context, m letter, p *print) (counted, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from, whole := senderOf(m.Mail), *p
	spared, err := b.campaigns.spare(ctx, m.At, from, p)
	if err != nil {
		return counted{}, err
	}
	if err := b.campaigns.say(ctx, m.At, from, &whole); err != nil {
		return counted{}, err
	}
	c, sure, err := b.campaigns.find(ctx, m.At, p)
	if err != nil {
		return counted{}, err
	}
	size := p.size()
	if sure != unlike && !c.exact {
		size = c.pairs / p.share
	}
	switch {
	case sure == unlike:
		c.id, err = b.campaigns.fresh(ctx, m.At, p)
	case sure == loose && len(c.kin) > 0:
		c.id, err = b.campaigns.fork(ctx, m.At, p, c.kin...)
	case sure == loose && c.doubtful(p):
		c.id, err = b.campaigns.part(ctx, m.At, p, c.id)
	case sure == strict:
		c.id, err = b.merged(ctx, m, p, &c)
	}
	if err != nil {
		return counted{}, err
	}
	all := m.deltas(c.id, sure != loose, size, b.campaigns.memory.Hasher())
	if spared {
		all = append(all, store.Delta{Key: b.campaigns.creditOf(from), N: 1, Life: life})
	}
	if _, err := b.campaigns.memory.Add(ctx, m.At, all...); err != nil {
		return counted{}, err
	}
	if err := b.campaigns.remember(ctx, m.At, p, c.id); err != nil {
		return counted{}, err
	}
	b.tally.graded[sure].Add(1)
	return c.id.read(ctx, b.campaigns.memory, m.At, 0, b.own(m, c.id))
}

func (b *bulk) report(ctx context.Context, m letter, c counted) (filters.Report, error) {
	r := filters.Report{Facts: filters.Facts{Bulk: &filters.Bulk{
		Campaign:    c.id.String(),
		Alike:       int(c.messages()),
		AlikeStrict: int(c.strict()),
		Networks:    int(c.all[networks].Distinct),
		Senders:     int(c.all[senders].Distinct),
		Recipients:  int(c.all[recipients].Distinct),
		FirstSeen:   c.all[networks].Since,
		BulkMore: filters.BulkMore{
			HeaderDomains: int(c.all[authors].Distinct),
			Signers:       int(c.all[signers].Distinct),
			Subjects:      int(c.all[subjects].Distinct),
			Traps:         int(c.all[traps].N),
			Refused:       int(c.all[subjects].N + c.all[refusals].N),
			Complaints:    int(c.complained()),
			Mine:          int(c.mine.N),
		},
	}}}
	for _, w := range b.cfg.Windows {
		if c.strict() < int64(w.Alike) {
			continue
		}
		in, err := c.id.read(ctx, b.campaigns.memory, m.At, w.Over, b.own(m, c.id))
		if err != nil {
			return filters.Report{}, fmt.Errorf("reading the window %s: %w", w.Symbol, err)
		}
		if detail := in.reaches(w); detail != "" {
			r.Hits = append(r.Hits, filters.Hit{Symbol: w.Symbol, Detail: detail})
		}
	}
	for _, e := range b.cfg.Exempt {
		if d := signer(m.Mail, e.Signers); d != "" {
			r.Hits = append(r.Hits, filters.Hit{Symbol: e.Symbol, Detail: "proven: " + d})
			r.Facts.Bulk.Exempt = d
		}
	}
	if r.Facts.Bulk.Exempt != "" {
		b.tally.exempted.Add(1)
	}
	return r, nil
}

// merged returns the campaign c, to which m surely belongs, or the one that it has become by this message.
func (b *bulk) merged(ctx context.Context, m letter, p *print, c *candidate) (id, error) {
	twin, err := b.campaigns.twin(ctx, m.At, p, c)
	if twin == nil || err != nil {
		return c.id, err
	}
	one, err := b.campaigns.merge(ctx, m.At, c, twin, func(c id) string { return b.own(m, c) })
	if err == nil {
		b.tally.merges.Add(1)
	}
	return one, err
}

// own names the counter of what the message's user has sent of campaign c; "" for strangers.
func (b *bulk) own(m letter, c id) string {
	if user := userOf(m.Mail); user != "" {
		return c.by(user, b.campaigns.memory.Hasher())
	}
	return ""
}

// reaches is the evidence that a window holds; "" if it does not.
func (c *counted) reaches(w rules.Window) string {
	if w.PerUser {
		if c.mine.N < int64(w.Alike) || c.mine.Distinct < int64(w.Recipients) {
			return ""
		}
		return fmt.Sprintf("%d alike in %s by this user to %d recipients, campaign %s", c.mine.N, short(w.Over), c.mine.Distinct, c.id)
	}
	if c.strict() < int64(w.Alike) || c.all[networks].Distinct < int64(w.Networks) || c.all[senders].Distinct < int64(w.Senders) ||
		c.all[recipients].Distinct < int64(w.Recipients) || c.all[traps].N < int64(w.Traps) {
		return ""
	}
	detail := fmt.Sprintf("%d alike in %s from %d networks", c.strict(), short(w.Over), c.all[networks].Distinct)
	if w.Traps > 0 {
		detail += fmt.Sprintf(", %d to a trap", c.all[traps].N)
	}
	return detail + ", campaign " + c.id.String()
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
