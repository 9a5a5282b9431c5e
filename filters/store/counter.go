package store

import (
	"slices"
	"time"
)

// counter is a number and a set over time. The number is kept in spans, fine for what is recent and coarse for what
// is old, so that any window can be answered from a few dozen of them (an exponential histogram).
type counter struct {
	life    uint32 // seconds
	spans   []Span // by time, oldest first
	members members
}

// Span is what was added from the second First to the second Last.
type Span struct {
	First, Last uint32
	N           int64
}

// edge is the finest share of a window that a span may take: spans older than edge times their length are merged.
const edge = 12

// Bytes of a counter beside its spans and members: its struct, the list element and the map entry that hold it.
const (
	counterBytes = 240
	spanBytes    = 16
)

func sizeOf(key string, c *counter) int64 { return counterBytes + int64(len(key)) + c.size() }

// size is the bytes that c has grown by since it was empty.
func (c *counter) size() int64 { return int64(cap(c.spans))*spanBytes + c.members.size() }

func (c *counter) clone() *counter {
	copied := c.members
	copied.recent, copied.sample, copied.sizes = slices.Clone(copied.recent), slices.Clone(copied.sample), slices.Clone(copied.sizes)
	return &counter{c.life, slices.Clone(c.spans), copied}
}

// expired reports whether nothing of c counts any more.
func (c *counter) expired(now uint32) bool {
	return len(c.spans) == 0 || before(c.spans[len(c.spans)-1].Last, now, c.life)
}

// before reports whether t lies more than window seconds before now.
func before(t, now, window uint32) bool { return now > t && now-t >= window }

// number adds n to the span of now, a new one if now is later than all. Times before the newest span go to the span
// they fall in or follow.
func (c *counter) number(now uint32, n int64) {
	i := len(c.spans) - 1
	for i > 0 && c.spans[i].First > now {
		i--
	}
	switch {
	case i < 0 || i == len(c.spans)-1 && now > c.spans[i].Last:
		c.spans = append(c.spans, Span{now, now, n})
		c.merge(now)
	default:
		s := &c.spans[i]
		s.First, s.Last, s.N = min(s.First, now), max(s.Last, now), s.N+n
	}
}

// merge drops spans that have expired and joins neighbours that together are short against their age.
func (c *counter) merge(now uint32) {
	kept := c.spans[:0]
	for _, s := range c.spans {
		if before(s.Last, now, c.life) {
			continue
		}
		if k := len(kept) - 1; k >= 0 && uint64(s.Last-kept[k].First)*edge < uint64(now-min(now, s.Last)) {
			kept[k].Last, kept[k].N = max(kept[k].Last, s.Last), kept[k].N+s.N
			continue
		}
		kept = append(kept, s)
	}
	c.spans = kept
}

// within is what c holds of the last window seconds.
func (c *counter) within(now, window uint32) Counter {
	var out Counter
	for _, s := range c.spans {
		if before(s.First, now, window) {
			continue
		}
		if out.Since.IsZero() {
			out.Since = time.Unix(int64(s.First), 0).UTC()
		}
		out.Last = time.Unix(int64(s.Last), 0).UTC()
		out.N += s.N
	}
	out.Distinct = c.members.within(now, window)
	return out
}
