package bulk

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"weir/filters/store"
)

// memory of campaigns: how long one lives after its last message.
const life = 7 * 24 * time.Hour

// grade is how sure it is that a message belongs to a campaign.
type grade uint8

const (
	unlike grade = iota
	loose        // may add points
	strict       // may refuse
)

// id names a campaign. It is the owner of its postings in the store.
type id uint32

// String is the name in records: "c7f1a2b3".
func (c id) String() string { return fmt.Sprintf("c%08x", uint32(c)) }

// The counters of a campaign. Each also carries a number, so that three counters hold all.
func (c id) networks() string   { return c.key("networks") }   // its number: messages
func (c id) senders() string    { return c.key("senders") }    // its number: messages that are alike by the strict grade
func (c id) recipients() string { return c.key("recipients") } // its number: the sum of core sizes, in sixteenths
func (c id) key(what string) string {
	return "bulk/" + strconv.FormatUint(uint64(c), 16) + "/" + what
}

// candidate is a campaign that a message may belong to, and the evidence.
type candidate struct {
	id      id
	exact   bool    // the whole text is equal
	votes   float64 // pairs in common, each weighted by how few campaigns have it
	pairs   float64 // pairs in common
	payload float64 // addresses in common, weighted alike
	alone   bool    // one of them is of no other campaign
	members float64 // messages so far
	core    float64 // pairs that its messages have in common, estimated
}

// weights of a feature by the number of campaigns that have it.
var weights = [...]float64{0, 1, 0.5, 0.3, 0.2}

// candidates is how many campaigns are compared.
const candidates = 4

// find returns the campaign p belongs to and how surely; unlike if there is none.
func (c *campaigns) find(ctx context.Context, at time.Time, p *print) (candidate, grade, error) {
	lists, err := c.memory.Marked(ctx, at, c.lists[:0], p.features(c.keys[:0])...)
	if err != nil {
		return candidate{}, unlike, err
	}
	c.lists = lists
	best := c.nominate(p)
	for i := range best {
		if err := c.know(ctx, at, &best[i]); err != nil {
			return candidate{}, unlike, err
		}
		c.compare(p, &best[i])
	}
	slices.SortStableFunc(best, func(a, b candidate) int { return cmp.Compare(b.votes+b.payload, a.votes+a.payload) })
	var chosen candidate
	sure := unlike
	for _, b := range best {
		g := b.grade(p)
		if Debug != nil {
			Debug(b, p, g)
		}
		if g > sure {
			chosen, sure = b, g
		}
	}
	return chosen, sure, nil
}

// Debug is temporary.
var Debug func(b candidate, p *print, g grade)

// nominate returns the campaigns with most features in common with p, at most four.
func (c *campaigns) nominate(p *print) []candidate {
	clear(c.votes)
	for i := range c.lists {
		w := weights[c.lists[i].Len()]
		if i == 0 {
			w = math.MaxInt16 // an equal text decides
		}
		for _, x := range c.lists[i] {
			if x.Owner != 0 {
				c.votes[id(x.Owner)] += w
			}
		}
	}
	c.best = c.best[:0]
	for owner, votes := range c.votes {
		c.best = append(c.best, candidate{id: owner, votes: votes})
	}
	slices.SortFunc(c.best, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.votes, a.votes), cmp.Compare(a.id, b.id))
	})
	return c.best[:min(len(c.best), candidates)]
}

// know reads what is known of a candidate.
func (c *campaigns) know(ctx context.Context, at time.Time, b *candidate) error {
	counters, err := c.memory.Get(ctx, at, b.id.networks(), b.id.recipients())
	if err != nil {
		return err
	}
	b.members = float64(counters[0].N)
	b.core = float64(counters[1].N) / 16 / max(b.members, 1)
	return nil
}

// compare counts what p and b have in common. Once a campaign has three messages only features that several of them
// had count: so text pasted into one message never stands for the campaign.
func (c *campaigns) compare(p *print, b *candidate) {
	b.votes = 0
	need := uint16(1)
	if b.members >= 3 {
		need = uint16(min(max(2, math.Ceil(b.members/5)), 64))
	}
	for i := range c.lists {
		x := c.lists[i].Of(uint32(b.id))
		if x.N < need {
			continue
		}
		w := weights[c.lists[i].Len()]
		switch {
		case i == 0:
			b.exact = true
		case i <= len(p.payload):
			b.payload += w
			b.alone = b.alone || w == 1
		default:
			b.votes += w
			b.pairs++
		}
	}
}

// grade judges the evidence.
func (b *candidate) grade(p *print) grade {
	if b.exact {
		return strict
	}
	if b.members == 0 || len(p.pairs) == 0 {
		return unlike
	}
	ofMessage := b.pairs / float64(len(p.pairs))
	ofCampaign := min(1, b.pairs/max(1, b.core*p.share))
	both, one := min(ofMessage, ofCampaign), max(ofMessage, ofCampaign)
	switch {
	case both >= .55 && b.votes >= 9,
		one >= .70 && b.votes >= 16,
		b.payload > 0 && b.votes >= 10 && one >= .30,
		b.alone && b.votes >= 9 && one >= .25,
		b.votes >= 18 && both >= .38:
		return strict
	case b.votes >= 14 && both >= .32,
		b.payload > 0 && b.votes >= 7 && one >= .20,
		one >= .65 && b.votes >= 14,
		both >= .50 && b.votes >= 7:
		return loose
	}
	return unlike
}

// features are the keys of p in the store: the whole text, the addresses, the pairs.
func (p *print) features(keys []uint64) []uint64 {
	keys = append(keys, p.exact)
	keys = append(keys, p.payload...)
	return append(keys, p.pairs...)
}

// campaigns is the memory of campaigns and what is used again from message to message. One goroutine may use it.
type campaigns struct {
	memory *store.Memory
	keys   []uint64
	lists  []store.Postings
	votes  map[id]float64
	best   []candidate
}

// fresh returns a new campaign's id, from its first message.
func (c *campaigns) fresh(ctx context.Context, at time.Time, p *print) (id, error) {
	for seed := uint64(0); ; seed++ {
		name := id(c.memory.Hasher().Pair(p.exact^uint64(len(p.pairs)), seed))
		if name == 0 {
			continue
		}
		taken, err := c.memory.Get(ctx, at, name.networks())
		if err != nil || taken[0].N == 0 {
			return name, err
		}
	}
}
