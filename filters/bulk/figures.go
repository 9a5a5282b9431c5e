package bulk

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/filters"
	"weir/filters/store"
	"weir/rules"
)

// figure is one of the counters of a campaign. Each has a number beside its members.
type figure int

const (
	networks   figure = iota // of clients; the number: messages
	recipients               // the number: the sum of cores, in parts
	senders                  // domains; the number: messages that are alike by the strict grade
	authors                  // domains of From headers; the number: messages that passed
	signers                  // domains with a valid DKIM signature; the number: messages that were tagged
	subjects                 // the number: messages that were deferred
	refusals                 // no members; the number: messages that were refused
	traps                    // addresses; the number: messages to one of them
	complaints               // messages that people called spam
	withdrawn                // those of them that they did not mean

	figures   // how many there are
	ownFigure // what one user has sent: his strict messages, and their recipients
)

var figureNames = [...]string{"networks", "recipients", "senders", "authors", "signers", "subjects", "refusals", "traps", "complaints", "withdrawn", "", "by"}

// core are the figures without which nothing can be judged; the others only say more of a campaign.
const core = senders + 1

// prefix begins the names of all counters of campaigns.
const prefix = "bulk/"

// parts is how finely cores are summed.
const parts = 16

// folder begins the names of all counters of c.
func (c id) folder() string { return prefix + strconv.FormatUint(uint64(c), 16) + "/" }

func (c id) key(f figure) string { return c.folder() + figureNames[f] }

// keys are the names of the first n figures.
func (c id) keys(n figure) []string {
	out, folder := make([]string, n), c.folder()
	for f := range n {
		out[f] = folder + figureNames[f]
	}
	return out
}

// by names what a user has sent of campaign c. It holds a keyed hash, so that names are not kept.
func (c id) by(user string, h store.Hasher) string {
	return fmt.Sprintf("%s/%016x", c.key(ownFigure), h.Sum([]byte(strings.ToLower(user))))
}

// userOf is the authenticated user who sends m; "" for strangers.
func userOf(m filters.Mail) string {
	if m.Session == nil {
		return ""
	}
	return m.Session.User
}

// counted is a campaign's counters over some window.
type counted struct {
	id   id
	all  [figures]store.Counter
	mine store.Counter
}

func (c *counted) messages() int64   { return c.all[networks].N }
func (c *counted) strict() int64     { return c.all[senders].N }
func (c *counted) complained() int64 { return c.all[complaints].Distinct - c.all[withdrawn].Distinct }

// read returns the counters of c, the one named own with them, over the window that ends at a time; 0 is all that
// is remembered.
func (c id) read(ctx context.Context, memory store.Counters, at time.Time, over time.Duration, own string) (counted, error) {
	out := counted{id: c}
	keys := c.keys(figures)
	if own != "" {
		keys = append(keys, own)
	}
	found, err := memory.Within(ctx, at, over, keys...)
	if err != nil {
		return out, fmt.Errorf("reading campaign %s: %w", c, err)
	}
	copy(out.all[:], found)
	if own != "" {
		out.mine = found[figures]
	}
	return out, nil
}

// letter is what of a message is counted.
type letter struct {
	filters.Mail
	traps *rules.List // nil for none
}

// deltas are what the message adds to the counters of its campaign c.
func (m letter) deltas(c id, strict bool, size float64, h store.Hasher) []store.Delta {
	folder := c.folder()
	add := func(f figure, n int64, member string) store.Delta {
		return store.Delta{Key: folder + figureNames[f], N: n, Member: member, Life: life}
	}
	exact := int64(0)
	if strict {
		exact = 1
	}
	out := make([]store.Delta, 0, 8)
	out = append(out,
		add(networks, 1, clientNetwork(m.Mail)),
		add(senders, exact, senderDomain(m.Mail)),
		add(authors, 0, m.Message.FromDomain()),
		add(subjects, 0, strings.ToLower(m.Message.Subject())),
		add(recipients, int64(size*parts), ""),
	)
	for _, d := range m.signers() {
		out = append(out, add(signers, 0, d))
	}
	hit := int64(1)
	for _, to := range m.to() {
		to = strings.ToLower(to)
		out = append(out, add(recipients, 0, to))
		if m.traps != nil && m.traps.HasAddress(to) {
			out = append(out, add(traps, hit, to))
			hit = 0 // a message is counted once
		}
	}
	if user := userOf(m.Mail); user != "" {
		own := c.by(user, h)
		out = append(out, store.Delta{Key: own, N: exact, Life: life})
		for _, to := range m.to() {
			out = append(out, store.Delta{Key: own, Member: strings.ToLower(to), Life: life})
		}
	}
	return out
}

func (m letter) to() []string {
	if m.Envelope == nil {
		return nil
	}
	return m.Envelope.To
}

// trapped returns the first recipient that is a trap, "" if none is.
func (m letter) trapped() string {
	if m.traps != nil {
		for _, to := range m.to() {
			if m.traps.HasAddress(to) {
				return to
			}
		}
	}
	return ""
}

// signers are the domains that have signed the message, as its signatures prove; where nobody looked at signatures, those
// that are given as proven.
func (m letter) signers() []string {
	if m.Auth == nil {
		return nil
	}
	var all []string
	for _, s := range m.Auth.DKIM {
		if d := strings.ToLower(s.Domain); s.Result == "pass" && !slices.Contains(all, d) && len(all) < mostSigners {
			all = append(all, d)
		}
	}
	if len(m.Auth.DKIM) == 0 {
		return m.Auth.Domains[:min(len(m.Auth.Domains), mostSigners)]
	}
	return all
}

// mostSigners bounds what one message adds.
const mostSigners = 8

// judged counts what became of a message of campaign c.
func judged(c id, o filters.Outcome) store.Delta {
	of := authors
	switch {
	case o.Deferred:
		of = subjects
	case o.Refused:
		of = refusals
	case o.Marked:
		of = signers
	}
	return store.Delta{Key: c.key(of), N: 1, Life: life}
}
