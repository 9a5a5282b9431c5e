package bulk

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"weir/filters/store"
)

// life is how long a campaign, and what a sender said, is remembered after the last message.
const life = 7 * 24 * time.Hour

// id names a campaign. It is the owner of its marks in the store.
type id uint32

// String is the name in records: "c7f1a2b3".
func (c id) String() string { return fmt.Sprintf("c%08x", uint32(c)) }

// candidates is how many campaigns a message is compared with.
const candidates = 4

// campaigns finds the campaign of a message. One goroutine may use it; its buffers are used again for each message.
type campaigns struct {
	memory store.Store
	keys   []uint64
	lists  []store.Postings // of the features of the message
	bones  []store.Postings // of its skeleton
	votes  map[id]float64
	best   []candidate // at most candidates
}

// find returns the campaign that p belongs to, and how surely; unlike if there is none.
func (c *campaigns) find(ctx context.Context, at time.Time, p *print) (candidate, grade, error) {
	near, err := c.recall(ctx, at, p)
	if err != nil {
		return candidate{}, unlike, err
	}
	var chosen candidate
	sure := unlike
	best := c.nominate(near)
	votes := 0.
	for i := range best {
		b := &best[i]
		votes += b.votes
		if err := c.know(ctx, at, b); err != nil {
			return candidate{}, unlike, err
		}
		c.compare(p, b)
		g, err := c.judge(ctx, at, p, b)
		if err != nil {
			return candidate{}, unlike, err
		}
		if g > sure || g == sure && b.votes+b.payload > chosen.votes+chosen.payload {
			chosen, sure = *b, g
		}
	}
	if sure == unlike && votes >= leastVotes {
		if kin, ok := c.family(p, best); ok {
			return kin, loose, nil
		}
	}
	return chosen, sure, nil
}

// recall reads who has marked the features of p, and returns the campaign with the picture most like one of p's.
func (c *campaigns) recall(ctx context.Context, at time.Time, p *print) (store.Neighbour, error) {
	c.keys = p.marks(c.keys[:0])
	lists, err := c.memory.Marked(ctx, at, c.lists[:0], c.keys...)
	if err != nil {
		return store.Neighbour{}, err
	}
	c.lists, c.bones = lists[:len(c.keys)-len(p.bones.rows)], lists[len(c.keys)-len(p.bones.rows):]
	return c.near(ctx, at, p)
}

// near returns the campaign with the picture most like one of p's.
func (c *campaigns) near(ctx context.Context, at time.Time, p *print) (store.Neighbour, error) {
	best := store.Neighbour{Distance: math.MaxInt}
	for _, look := range p.looks {
		n, err := c.memory.Nearest(ctx, at, look.Point)
		if err != nil {
			return best, err
		}
		if n.Owner != 0 && n.Distance < best.Distance {
			best = n
		}
	}
	return best, nil
}

// nominate returns the campaigns that have most in common with the message, best first.
func (c *campaigns) nominate(near store.Neighbour) []candidate {
	clear(c.votes)
	for i := range c.lists {
		w := weights[c.lists[i].Len()]
		if i == 0 {
			w = math.MaxInt16 // the whole text decides
		}
		for _, x := range c.lists[i] {
			if x.Owner != 0 {
				c.votes[id(x.Owner)] += w
			}
		}
	}
	for i := range c.bones {
		for _, x := range c.bones[i] {
			if x.Owner != 0 {
				c.votes[id(x.Owner)] += rowVote * weights[c.bones[i].Len()]
			}
		}
	}
	if near.Owner != 0 {
		c.votes[id(near.Owner)] += float64(max(0, farPicture-near.Distance))
	}
	c.best = c.best[:0]
	for owner, votes := range c.votes {
		b := candidate{id: owner, votes: votes, picture: math.MaxInt}
		if owner == id(near.Owner) {
			b.picture = near.Distance
		}
		c.propose(b)
	}
	return c.best
}

// propose puts b among the best, in their order, if it is one of them.
func (c *campaigns) propose(b candidate) {
	at, _ := slices.BinarySearchFunc(c.best, b, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.votes, a.votes), cmp.Compare(a.id, b.id))
	})
	if at < candidates {
		c.best = slices.Insert(c.best[:min(len(c.best), candidates-1)], at, b)
	}
}

// know reads what is known of a candidate.
func (c *campaigns) know(ctx context.Context, at time.Time, b *candidate) error {
	counters, err := c.memory.Within(ctx, at, 0, b.id.key(networks), b.id.key(recipients))
	if err != nil {
		return err
	}
	b.members = float64(counters[0].N)
	b.core = float64(counters[1].N) / parts / max(b.members, 1)
	return nil
}

// compare counts what p and b have in common. Once a campaign has three messages, only what several of them had
// counts: so text pasted into one message never stands for the campaign, and a reworded one is learned.
func (c *campaigns) compare(p *print, b *candidate) {
	b.votes = 0
	need := uint16(1)
	if b.learned() {
		need = b.need()
	}
	payload := 1 + len(p.payload)
	papers := payload + len(p.papers)
	terms := papers + len(p.terms)
	pairs := terms + len(p.pairs)
	var ofTerms, ofPairs float64 // the runs being read
	var any run
	for i := range c.lists[:pairs] {
		n := c.lists[i].Of(uint32(b.id)).N
		if n > 0 && i >= terms {
			b.once++
		}
		if i >= papers {
			b.around += any.next(n > 0, weights[c.lists[i].Len()])
		}
		if n < need {
			b.spread += math.Sqrt(ofTerms) + math.Sqrt(ofPairs)
			ofTerms, ofPairs = 0, 0
			continue
		}
		w := weights[c.lists[i].Len()]
		switch {
		case i == 0:
			b.exact = true
		case i < payload:
			b.payload += w
			b.alone = b.alone || w == 1
		case i < papers:
			b.papers += w
		case i < terms:
			ofTerms += w
		default:
			ofPairs += w
			b.votes += w
			b.pairs++
		}
	}
	b.spread += math.Sqrt(ofTerms) + math.Sqrt(ofPairs)
	b.around += any.next(false, 0)
	b.likeFrame(c.bones, need)
}

// run is the weight of a run of neighbours in common.
type run float64

// next adds a feature of weight w to the run if it is in common; if not, the run ends and its root is returned.
func (r *run) next(common bool, w float64) (ended float64) {
	if common {
		*r += run(w)
		return 0
	}
	ended = math.Sqrt(float64(*r))
	*r = 0
	return ended
}

// fresh returns an id for a new campaign with the first message p.
func (c *campaigns) fresh(ctx context.Context, at time.Time, p *print) (id, error) {
	for try := uint64(0); ; try++ {
		name := id(c.memory.Hasher().Pair(p.exact, try))
		if name == 0 {
			continue
		}
		taken, err := c.memory.Within(ctx, at, 0, name.key(networks))
		if err != nil || taken[0].N == 0 && c.memory.Merged(at, uint32(name)) == uint32(name) {
			return name, err
		}
	}
}

// fork founds a campaign of p and the first messages of others. It takes over what they have in common, and the count of
// the first; they keep the rest. So the author of words that a sender pasted is not in that sender's campaign, though he wrote first.
func (c *campaigns) fork(ctx context.Context, at time.Time, p *print, others ...id) (id, error) {
	name, err := c.fresh(ctx, at, p)
	if err != nil {
		return 0, err
	}
	for f := range figures {
		if err := c.memory.Copy(ctx, others[0].key(f), name.key(f)); err != nil {
			return 0, err
		}
	}
	for _, other := range others {
		if err := c.memory.Hand(ctx, at, uint32(other), uint32(name), p.marks(c.keys[:0])...); err != nil {
			return 0, err
		}
	}
	return name, nil
}

// remember leaves the marks of p, now a message of the campaign owner.
func (c *campaigns) remember(ctx context.Context, at time.Time, p *print, owner id) error {
	c.keys = p.marks(c.keys[:0])
	if err := c.memory.Mark(ctx, at, life, uint32(owner), c.keys...); err != nil {
		return err
	}
	for _, look := range p.looks {
		if err := c.memory.Place(ctx, at, life, uint32(owner), look.Point); err != nil {
			return err
		}
	}
	return nil
}

// part is fork for a campaign that may be another's: the two are not merged any more.
func (c *campaigns) part(ctx context.Context, at time.Time, p *print, other id) (id, error) {
	name, err := c.fork(ctx, at, p, other)
	if err != nil {
		return 0, err
	}
	_, err = c.memory.Add(ctx, at, store.Delta{Key: name.forkOf(other), N: 1, Life: life})
	return name, err
}
