package bulk

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/filters"
	"weir/filters/store"
)

// A message of a known sender brings something new if so much of it was not in what he sent before; if not, it is one
// more copy.
const (
	newPairs   = 3
	newPart    = 100 // one pair in so many
	newNumbers = 3   // or so many numbers: orders and notices differ in little else
	muchSaid   = 4   // what was said before is much if it is one pair in so many
)

// A user of ours must bring a new passage: words scattered over old text are how copies are disguised.
const (
	passagePairs = 8  // in one piece
	passagePart  = 12 // and one pair in so many
)

// anybody owns the marks that say "seen from this sender": which sender is in the mark itself.
const anybody = 1

// sender is who stands behind a message, as far as that can be told. A forger can be anybody: what keeps him from
// sparing his copies is that he needs a name for each of them, or the credit of one.
type sender struct {
	name   string // "" for nobody
	credit string // who is in debt for what is spared; "" for whom nothing is spared but new passages
}

// senderOf returns the user who sends through us; the recipient of a report, who is told what became of his mail; the
// organisation of a proven domain; or else a mailing list, or the From header's domain, together with the network that
// the message comes from, which a forger does not have.
func senderOf(m filters.Mail) sender {
	if m.Session != nil && m.Session.User != "" {
		return sender{name: "user:" + m.Session.User}
	}
	network := clientNetwork(m)
	if isReport(m) {
		return sender{"report:" + strings.ToLower(strings.Join(m.Envelope.To, " ")), "reports:" + network}
	}
	if m.Auth != nil && len(m.Auth.Domains) > 0 {
		name := "domain:" + filters.Organisation(m.Auth.Domains[0])
		return sender{name, name}
	}
	for _, field := range []string{"List-Id", "List-Post", "List-Unsubscribe"} {
		for _, value := range m.Message.Header(field) {
			return sender{"list:" + filters.Organisation(listDomain(value)) + "@" + network, network}
		}
	}
	if d := m.Message.FromDomain(); d != "" {
		return sender{"from:" + filters.Organisation(d) + "@" + network, network}
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

// spare takes out of p what its sender has said before: his footers, disclaimers and forms are no evidence that two of
// his messages are alike. A message that brings nothing new stays whole. It reports whether it took out so much that the
// sender's credit pays for it.
func (c *campaigns) spare(ctx context.Context, at time.Time, from sender, p *print) (bool, error) {
	if from.name == "" {
		return false, nil
	}
	said := c.said(from)
	c.keys = said.keys(c.keys[:0], p)
	lists, err := c.memory.Marked(ctx, at, c.lists[:0], c.keys...)
	if err != nil {
		return false, err
	}
	c.lists = lists
	var unsaid print
	all, left := p.parts(), unsaid.parts()
	for i, part := range all {
		n := len(*part)
		*left[i], lists = unmarked(*part, lists[:n]), lists[n:]
	}
	if again := lists[0].Len() > 0; isCopy(from, p, &unsaid, again) {
		return false, nil
	}
	much := len(p.pairs)-len(unsaid.pairs) >= (len(p.pairs)+muchSaid-1)/muchSaid
	if much {
		if ok, err := c.hasCredit(ctx, at, from); !ok || err != nil {
			return false, err
		}
	}
	p.looks = slices.DeleteFunc(p.looks, func(l look) bool { return !slices.Contains(unsaid.files, l.digest) })
	if len(p.pairs)-len(unsaid.pairs) >= kinFeatures { // whose letters these are is not kept
		p.grams = nil
	}
	p.pairs, p.terms, p.payload, p.papers = unsaid.pairs, unsaid.terms, unsaid.payload, unsaid.papers
	p.bones = p.bones.less(unsaid.bones.rows)
	p.exact = said.hasher.Pair(p.exact, p.all)
	for _, f := range p.files {
		p.exact = said.hasher.Pair(p.exact, f)
	}
	if p.automatic {
		p.exact = said.hasher.Pair(p.exact, p.once)
	}
	return much && from.credit != "", nil
}

// How much a sender may be spared in a day, beyond what he was in the days before.
const (
	domainCredit  = 1000
	networkCredit = 250 // of all that come from one network without proof
)

// creditOf names the counter of what is spared from's sender.
func (c *campaigns) creditOf(from sender) string {
	return "spared/" + strconv.FormatUint(c.memory.Hasher().Sum([]byte(from.credit)), 16)
}

// hasCredit reports whether from may be spared one more message. A passage that is new needs none. Who is spared all at
// once far more than in the week before is somebody who disguises copies, or whose account was stolen.
func (c *campaigns) hasCredit(ctx context.Context, at time.Time, from sender) (bool, error) {
	if from.credit == "" {
		return true, nil
	}
	key := c.creditOf(from)
	ever, err := c.memory.Within(ctx, at, 0, key)
	if err != nil {
		return false, err
	}
	today, err := c.memory.Within(ctx, at, 24*time.Hour, key)
	if err != nil {
		return false, err
	}
	credit := int64(networkCredit)
	if strings.HasPrefix(from.credit, "domain:") {
		credit = domainCredit
	}
	return today[0].N < credit+ever[0].N-today[0].N, nil
}

// say remembers what p holds as said by its sender.
func (c *campaigns) say(ctx context.Context, at time.Time, from sender, p *print) error {
	if from.name == "" {
		return nil
	}
	c.keys = c.said(from).keys(c.keys[:0], p)
	return c.memory.Mark(ctx, at, life, anybody, c.keys...)
}

// isCopy reports whether a message of which this was not said before brings nothing new; again says that all of it was
// said before. What a program writes to one person, of his own, is new with a single number, word, link or file of his;
// and its automatic answers say the same to all.
func isCopy(from sender, p, unsaid *print, again bool) bool {
	switch pairs := unsaid.pairs; {
	case from.credit == "":
		n := passage(p.pairs, pairs)
		return n < passagePairs || n*passagePart < len(p.pairs) || n*5 < len(pairs)*3
	case p.personal:
		return again && !p.automatic && len(unsaid.files) == 0
	case len(pairs) >= newPairs && len(pairs)*newPart >= len(p.pairs), len(unsaid.numbers) >= newNumbers:
		return false
	}
	return true
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

// said names what one sender has said.
type said struct {
	hasher store.Hasher
	who    uint64
}

func (c *campaigns) said(from sender) said {
	h := c.memory.Hasher()
	return said{h, h.Sum([]byte(from.name))}
}

// parts are the features of p that are remembered of its sender.
func (p *print) parts() [7]*[]uint64 {
	return [...]*[]uint64{&p.pairs, &p.terms, &p.payload, &p.papers, &p.files, &p.numbers, &p.bones.rows}
}

// keys appends the keys of p's parts, and of all of it, as the sender's.
func (s said) keys(keys []uint64, p *print) []uint64 {
	for _, part := range p.parts() {
		for _, f := range *part {
			keys = append(keys, s.hasher.Pair(s.who, f))
		}
	}
	return append(keys, s.hasher.Pair(s.who, p.all))
}

// unmarked returns those features, whose marks are in lists, that have none.
func unmarked(features []uint64, lists []store.Postings) []uint64 {
	kept := make([]uint64, 0, len(features))
	for i := range lists {
		if lists[i].Len() == 0 {
			kept = append(kept, features[i])
		}
	}
	return kept
}
