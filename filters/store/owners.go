package store

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Union makes two owners of marks one: From is To from then on.
type Union struct {
	From, To uint32
	Life     time.Duration // how long From stands for To
	Counters [][2]string   // those of From, and where they go
}

// mostMerged bounds how many owners stand for another, at about 100 bytes each.
const mostMerged = 16384

// mostHops bounds how many owners may stand one for the other in a row.
const mostHops = 8

// aliases say who stands for whom.
type aliases struct {
	of *simplelru.LRU[uint32, alias]
}

type alias struct{ to, until uint32 }

func newAliases() *aliases {
	of, err := simplelru.NewLRU[uint32, alias](mostMerged, nil)
	if err != nil {
		panic(err) // cannot happen: the size is positive
	}
	return &aliases{of}
}

// nobody is who owners are that were forgotten.
const nobody = 0

// resolve returns who owner is now.
func (a *aliases) resolve(owner, now uint32) uint32 {
	for range mostHops {
		x, found := a.of.Peek(owner)
		if !found || x.until <= now {
			break
		}
		owner = x.to
	}
	return owner
}

// set makes from stand for to. If to would stand for from in the end, it does not any more: what is said last holds.
func (a *aliases) set(from, to, until, now uint32) {
	if a.resolve(to, now) == from {
		a.of.Remove(to)
	}
	a.of.Add(from, alias{to, until})
}

// fold returns p by who its owners are now.
func (a *aliases) fold(p Postings, now uint32) Postings {
	if a.of.Len() == 0 {
		return p
	}
	var out Postings
	n := 0
	for _, x := range p {
		if x.Owner == 0 {
			continue
		}
		if x.Owner = a.resolve(x.Owner, now); x.Owner == nobody {
			continue
		}
		if i := slices.IndexFunc(out[:n], func(y Posting) bool { return y.Owner == x.Owner }); i >= 0 {
			out[i].N += min(x.N, math.MaxUint16-out[i].N)
			continue
		}
		out[n] = x
		n++
	}
	return out
}

// Merge makes all marks and points of u.From count as those of u.To, and adds its counters to those of u.To: numbers are
// summed, and members counted once. It fails only when ctx has ended.
func (m *Memory) Merge(ctx context.Context, at time.Time, u Union) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("merging: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := Seconds(at)
	if m.aliases.resolve(u.From, now) == m.aliases.resolve(u.To, now) {
		return nil
	}
	m.aliases.set(u.From, u.To, Seconds(at.Add(u.Life)), now)
	for _, key := range u.Counters {
		m.unite(key[0], key[1], now)
	}
	m.evict()
	return nil
}

// unite adds the counter named from to the one named to. m.mu is held.
func (m *Memory) unite(from, to string, now uint32) {
	c, found := m.counters.Peek(from)
	if !found || from == to {
		return
	}
	if !c.expired(now) {
		sum := m.counter(to, time.Duration(c.life)*time.Second, now)
		before := sum.size()
		sum.unite(c, now)
		m.used += sum.size() - before
	}
	m.drop(from)
}

// Stand makes from stand for to, and touches no counters: those are told apart from it.
func (m *Memory) Stand(at time.Time, life time.Duration, from, to uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.aliases.set(from, to, Seconds(at.Add(life)), Seconds(at))
}

// Part makes from stand for to no more.
func (m *Memory) Part(from, to uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if x, found := m.aliases.of.Peek(from); found && x.to == to {
		m.aliases.of.Remove(from)
	}
}

// Merged returns who owner is: itself, unless it was merged.
func (m *Memory) Merged(at time.Time, owner uint32) uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.aliases.resolve(owner, Seconds(at))
}

// Forget drops all counters whose names begin with prefix, and all marks and points of owner and of those that were
// merged into it: for life they are nobody's, and what such an owner would mark is not marked. It fails only when ctx has
// ended.
func (m *Memory) Forget(ctx context.Context, at time.Time, life time.Duration, owner uint32, prefix string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("forgetting: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := Seconds(at)
	for _, key := range m.counters.Keys() {
		if strings.HasPrefix(key, prefix) {
			m.drop(key)
		}
	}
	m.aliases.of.Add(owner, alias{nobody, Seconds(at.Add(life))})
	m.points.forget(func(o uint32) bool { return m.aliases.resolve(o, now) == nobody })
	return nil
}

// unite adds what o holds to c.
func (c *counter) unite(o *counter, now uint32) {
	c.spans = append(c.spans, o.spans...)
	slices.SortFunc(c.spans, func(a, b Span) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last)) })
	if n := len(c.spans); n > 0 { // the last one says when c was last added to
		for _, s := range c.spans {
			c.spans[n-1].Last = max(c.spans[n-1].Last, s.Last)
		}
	}
	c.merge(now)
	c.members.unite(&o.members, now-min(now, c.life))
}

// unite adds the members of o to m. What was seen before oldest need not be kept.
func (m *members) unite(o *members, oldest uint32) {
	if len(o.sample) > 0 && len(m.sample) == 0 {
		m.sample = slices.Clone(m.recent)
	}
	if len(m.sample) > 0 {
		m.level = max(m.level, o.level)
		m.sample = slices.DeleteFunc(m.sample, func(s Seen) bool { return s.Member&(1<<m.level-1) != 0 })
		for _, s := range o.sample {
			m.note(s.Member, s.At, oldest)
		}
	}
	for _, s := range o.recent {
		m.add(s.Member, s.At, oldest)
	}
}
