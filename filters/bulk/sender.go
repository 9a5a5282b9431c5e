package bulk

import (
	"context"
	"strings"
	"time"

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

// A sender who is not proven must bring a new passage: words scattered over old text are how copies are disguised.
const (
	passagePairs = 8  // in one piece
	passagePart  = 12 // and one pair in so many
)

// anybody owns the marks that say "seen from this sender": which sender is in the mark itself.
const anybody = 1

// sender is who stands behind a message, as far as that can be told.
type sender struct {
	name   string // "" for nobody
	proven bool   // by authentication or as a mailing list; else only by his address and network together
}

// senderOf returns the organisation of a proven domain; or else a mailing list, or the From header's domain, together
// with the network that the message comes from, which a forger does not have.
func senderOf(m filters.Mail) sender {
	if m.Auth != nil && len(m.Auth.Domains) > 0 {
		return sender{"domain:" + organisation(m.Auth.Domains[0]), true}
	}
	for _, field := range []string{"List-Id", "List-Post", "List-Unsubscribe"} {
		for _, value := range m.Message.Header(field) {
			return sender{"list:" + organisation(listDomain(value)) + "@" + clientNetwork(m), true}
		}
	}
	if d := m.Message.FromDomain(); d != "" {
		return sender{"from:" + organisation(d) + "@" + clientNetwork(m), false}
	}
	return sender{}
}

// listDomain is the domain in the value of a list header (RFC 2919, RFC 2369): of the identifier, mailbox or link.
func listDomain(value string) string {
	value = strings.ToLower(value[strings.LastIndexByte(value, '<')+1:])
	if _, after, found := strings.Cut(value, "://"); found {
		value = after
	}
	value = value[strings.LastIndexByte(value, '@')+1:]
	if end := strings.IndexAny(value, ">/?:, \t"); end >= 0 {
		value = value[:end]
	}
	return value
}

func organisation(domain string) string {
	if d, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return d
	}
	return domain
}

// spare takes out of p what its sender has said before: his footers, disclaimers and forms are no evidence that two of
// his messages are alike. A message that brings nothing new stays whole.
func (c *campaigns) spare(ctx context.Context, at time.Time, from sender, p *print) error {
	if from.name == "" {
		return nil
	}
	said := c.said(at, from)
	pairs, err := said.unsaid(ctx, p.pairs)
	if err != nil {
		return err
	}
	terms, err := said.unsaid(ctx, p.terms)
	if err != nil {
		return err
	}
	payload, err := said.unsaid(ctx, p.payload)
	if err != nil {
		return err
	}
	var numbers []uint64
	if from.proven {
		if numbers, err = said.unsaid(ctx, p.numbers); err != nil {
			return err
		}
	}
	if isCopy(from, p, pairs, numbers) {
		return nil
	}
	p.pairs, p.terms, p.payload = pairs, terms, payload
	for _, n := range p.numbers {
		p.exact = said.hasher.Pair(p.exact, n)
	}
	return nil
}

// say remembers what p holds as said by its sender.
func (c *campaigns) say(ctx context.Context, at time.Time, from sender, p *print) error {
	if from.name == "" {
		return nil
	}
	said := c.said(at, from)
	c.keys = c.keys[:0]
	for _, features := range [][]uint64{p.pairs, p.terms, p.payload} {
		c.keys = said.appendKeys(c.keys, features)
	}
	if from.proven {
		c.keys = said.appendKeys(c.keys, p.numbers)
	}
	return c.memory.Mark(ctx, at, life, anybody, c.keys...)
}

// isCopy reports whether a message with these new pairs and numbers brings nothing new.
func isCopy(from sender, p *print, pairs, numbers []uint64) bool {
	if from.proven {
		return (len(pairs) < newPairs || len(pairs)*newPart < len(p.pairs)) && len(numbers) < newNumbers
	}
	n := passage(p.pairs, pairs)
	return n < passagePairs || n*passagePart < len(p.pairs) || n*5 < len(pairs)*3
}

// passage counts the values of some that follow two others of some in all: those that stand in one piece. Both are in
// the same order.
func passage(all, some []uint64) int {
	n, row := 0, 0
	for _, v := range all {
		if len(some) == 0 || v != some[0] {
			row = 0
			continue
		}
		some = some[1:]
		if row++; row > 2 {
			n++
		}
	}
	return n
}

// said is what one sender has said.
type said struct {
	memory store.Store
	hasher store.Hasher
	at     time.Time
	who    uint64
}

func (c *campaigns) said(at time.Time, from sender) said {
	h := c.memory.Hasher()
	return said{c.memory, h, at, h.Sum([]byte(from.name))}
}

// appendKeys appends the keys of features that the sender has said.
func (s said) appendKeys(keys, features []uint64) []uint64 {
	for _, f := range features {
		keys = append(keys, s.hasher.Pair(s.who, f))
	}
	return keys
}

// unsaid returns those features that the sender had not said.
func (s said) unsaid(ctx context.Context, features []uint64) ([]uint64, error) {
	keys := s.appendKeys(make([]uint64, 0, len(features)), features)
	lists, err := s.memory.Marked(ctx, s.at, make([]store.Postings, 0, len(keys)), keys...)
	if err != nil {
		return nil, err
	}
	kept := make([]uint64, 0, len(features))
	for i := range lists {
		if lists[i].Len() == 0 {
			kept = append(kept, features[i])
		}
	}
	return kept, nil
}
