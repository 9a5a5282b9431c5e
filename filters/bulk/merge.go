package bulk

import (
	"context"
	"math"
	"time"

	"weir/filters/store"
)

// How much of a message, and of the cores of two campaigns, must be one and the same for the two to be one. A passage that
// both have pasted, a footer or a form is less.
const (
	samePart  = .55
	samePairs = 12
)

// twin returns another campaign that p, which surely belongs to chosen, surely belongs to as well, and that says the same:
// the two have begun with copies too different to be seen as one. There is none if one of them was parted from the other.
func (c *campaigns) twin(ctx context.Context, at time.Time, p *print, chosen *candidate) (*candidate, error) {
	if !chosen.learned() || len(p.pairs) < samePairs {
		return nil, nil
	}
	for i := range c.best {
		b := c.best[i]
		if b.id == chosen.id {
			continue
		}
		if err := c.know(ctx, at, &b); err != nil {
			return nil, err
		}
		if c.compare(p, &b); !b.learned() || b.grade(p) != strict || !c.same(p, chosen, &b) {
			continue
		}
		forked, err := c.memory.Within(ctx, at, 0, b.id.forkOf(chosen.id), chosen.id.forkOf(b.id))
		if err != nil {
			return nil, err
		}
		if forked[0].N+forked[1].N == 0 {
			return &b, nil
		}
	}
	return nil, nil
}

// same reports whether what the cores of a and b have in common in p is most of all three.
func (c *campaigns) same(p *print, a, b *candidate) bool {
	both, first := 0., 1+len(p.payload)+len(p.papers)+len(p.terms)
	for i := first; i < first+len(p.pairs); i++ {
		if c.lists[i].Of(uint32(a.id)).N >= a.need() && c.lists[i].Of(uint32(b.id)).N >= b.need() {
			both++
		}
	}
	return both >= samePairs && both >= samePart*float64(len(p.pairs)) && both >= samePart*a.core*p.share && both >= samePart*b.core*p.share
}

// need is how many messages of the campaign must have a feature for it to be of the core, once that is learned.
func (b *candidate) need() uint16 { return uint16(min(max(2, math.Ceil(b.members/5)), 64)) }

// merge makes one of two campaigns, whose names both lead to the larger then, and returns that. own names the counter of a
// campaign that is the user's who is at it, "" for strangers.
func (c *campaigns) merge(ctx context.Context, at time.Time, a, b *candidate, own func(id) string) (id, error) {
	from, to := a.id, b.id
	if a.members > b.members || a.members == b.members && a.id < b.id {
		from, to = to, from
	}
	u := store.Union{From: uint32(from), To: uint32(to), Life: life}
	for f := range figures {
		u.Counters = append(u.Counters, [2]string{from.key(f), to.key(f)})
	}
	if mine := own(from); mine != "" {
		u.Counters = append(u.Counters, [2]string{mine, own(to)})
	}
	return to, c.memory.Merge(ctx, at, u)
}

// forkOf names the counter that says that c was parted from another campaign, with which it shares messages.
func (c id) forkOf(other id) string { return c.folder() + "fork/" + other.String() }
