package bulk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/filters"
	"weir/filters/store"
	"weir/rules"
)

// How long a sender's history is remembered after his last message, and how long nothing unusual must have happened.
const (
	history = 90 * 24 * time.Hour
	quiet   = 7 * 24 * time.Hour
)

// The shares of a sender's messages that may be refused, and that may go to traps or be called spam, as reciprocals. One
// message more of the latter is forgiven: anybody may err once.
const (
	mostRefused  = 20
	mostUnwanted = 100
)

// ledger names the counters of a sender of bulk mail. The number of unwanted are messages to traps, its members those
// that people have called spam; the members of withdrawn those of them that they did not mean.
type ledger struct{ sent, hosts, refused, unusual, unwanted, withdrawn string }

// ledgerNamed is that of a sender by his name.
func ledgerNamed(name string, h store.Hasher) ledger {
	who := fmt.Sprintf("bulk-from/%016x/", h.Sum([]byte(name)))
	return ledger{who + "sent", who + "hosts", who + "refused", who + "unusual", who + "unwanted", who + "withdrawn"}
}

// ledgerOf returns the ledger of who sent m; false if he is not proven, or gives no way to leave by one click (RFC 8058).
func (b *bulk) ledgerOf(m filters.Mail) (ledger, bool) {
	if b.cfg.Earned == nil || m.Auth == nil || len(m.Auth.Domains) == 0 || m.Message == nil ||
		len(m.Message.Header("List-Unsubscribe")) == 0 || !slices.ContainsFunc(m.Message.Header("List-Unsubscribe-Post"), isOneClick) {
		return ledger{}, false
	}
	return ledgerNamed(senderOf(m).name, b.campaigns.memory.Hasher()), true
}

func isOneClick(value string) bool {
	return strings.EqualFold(strings.TrimSpace(value), "List-Unsubscribe=One-Click")
}

// keys are the names of the counters, as wanted tells them.
func (l ledger) keys() []string {
	return []string{l.sent, l.hosts, l.refused, l.unusual, l.unwanted, l.withdrawn}
}

// trusted reports whether one who has these counters, as keys names them, has sent enough for long enough, and hardly
// anything that was unwanted.
func trusted(e *rules.Earned, at time.Time, l []store.Counter) bool {
	sent, refused, unwanted := l[0], l[2].N, l[4].N+l[4].Distinct-l[5].Distinct
	return sent.N >= int64(e.Messages) && at.Sub(sent.Since) >= e.After && refused*mostRefused <= sent.N &&
		(unwanted-1)*mostUnwanted <= sent.N
}

// earned writes m into its sender's ledger and adds to r what that says: that he is spared, or that what is sent in his
// name is not as it was.
func (b *bulk) earned(ctx context.Context, m letter, r *filters.Report) error {
	l, is := b.ledgerOf(m.Mail)
	if !is {
		return nil
	}
	memory, e := b.campaigns.memory, b.cfg.Earned
	old, err := memory.Within(ctx, m.At, 0, l.keys()...)
	if err != nil {
		return err
	}
	now, err := memory.Add(ctx, m.At, l.deltas(m.Mail)...)
	if err != nil {
		return err
	}
	day, err := memory.Within(ctx, m.At, 24*time.Hour, l.sent)
	if err != nil {
		return err
	}
	sent, trusted := old[0], trusted(e, m.At, old)
	what := unusual(old[0], old[1], day[0], now)
	if m.trapped() != "" {
		if _, err := memory.Add(ctx, m.At, store.Delta{Key: l.unwanted, N: 1, Life: history}); err != nil {
			return err
		}
	}
	switch {
	case old[3].N > 0:
		b.tally.broken.Add(1)
		r.Hits = append(r.Hits, filters.Hit{Symbol: e.Broken, Detail: "unusual since " + old[3].Since.Format(time.RFC3339)})
	case trusted && what != "":
		b.tally.broken.Add(1)
		r.Hits = append(r.Hits, filters.Hit{Symbol: e.Broken, Detail: what})
	case trusted:
		b.tally.earned.Add(1)
		r.Hits = append(r.Hits, filters.Hit{Symbol: e.Symbol, Detail: fmt.Sprintf("%d messages since %s", sent.N, sent.Since.Format(time.DateOnly))})
		r.Facts.Bulk.Exempt = m.Auth.Domains[0]
	}
	if trusted && what != "" {
		_, err = memory.Add(ctx, m.At, store.Delta{Key: l.unusual, N: 1, Life: quiet})
	}
	return err
}

// unusual says what sets a message apart from all that its sender has sent before; "" if nothing does. sent and hosts are
// the counters before it, day the messages of its last day, now the counters after it: that of the messages, and one a host.
func unusual(sent, hosts, day store.Counter, now []store.Counter) string {
	added := int64(len(now) - 1)
	switch {
	case sent.Distinct < store.Exact && now[0].Distinct > sent.Distinct:
		return "from a network that is new for the sender"
	case added > 0 && hosts.Distinct < store.Exact && now[added].Distinct-hosts.Distinct == added:
		return "all links are new for the sender"
	case 2*day.N > now[0].N:
		return "more in a day than ever before"
	}
	return ""
}

// learn counts what the rules have done with a message of its campaign, and what they have refused of its sender.
func (b *bulk) learn(ctx context.Context, m filters.Mail, o filters.Outcome) error {
	var deltas []store.Delta
	if found := o.Facts.Bulk; found != nil {
		c, err := parse(found.Campaign)
		if err != nil {
			return err
		}
		deltas = append(deltas, judged(c, o))
	}
	if l, is := b.ledgerOf(m); is && o.Refused {
		deltas = append(deltas, store.Delta{Key: l.refused, N: 1, Life: history})
	}
	if len(deltas) == 0 {
		return nil
	}
	_, err := b.campaigns.memory.Add(ctx, m.At, deltas...)
	return err
}

// deltas are what m adds to the ledger: the message from its network, and the organisations that it links to.
func (l ledger) deltas(m filters.Mail) []store.Delta {
	out := []store.Delta{{Key: l.sent, N: 1, Member: clientNetwork(m), Life: history}}
	var seen []string
	for _, u := range m.Message.URLs() {
		if o := filters.Organisation(u.Host); u.Host != "" && len(seen) < mostPayload && !slices.Contains(seen, o) {
			seen = append(seen, o)
			out = append(out, store.Delta{Key: l.hosts, Member: o, Life: history})
		}
	}
	return out
}
