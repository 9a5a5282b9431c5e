package redisstore

import (
	"slices"

	"weir/filters/store"
)

// Bounds of what waits to be told, about 64 MiB at the most.
const (
	mostCounters = 100_000
	mostMembers  = 256 // of one counter; the newest
	mostEntries  = 8_000
	entryBytes   = 4 << 10
	mostClaims   = 1000 // and as many counters that are to be forgotten
)

// journal is what this process has to tell: sums by counter, and posts already written as entries of the stream. When
// it is full it takes no more, and counts that.
type journal struct {
	counters map[string]*pending
	entries  [][]byte
	claims   []claim
	doomed   []doomed
	lost     int64 // additions and posts that found no room
}

// pending is what is to be added to one counter.
type pending struct {
	life    uint32
	spans   []store.Span // by time, each within one slot of the finest level
	members []store.Seen
	large   bool
	first   uint32 // of all additions, if that is earlier than Redis may know; 0 if not
	dead    []string
}

func (j *journal) empty() bool {
	return len(j.counters)+len(j.entries)+len(j.claims)+len(j.doomed) == 0
}

// counter returns what is to be added to a counter; nil if there is no room.
func (j *journal) counter(name string, life uint32) *pending {
	if e := j.counters[name]; e != nil {
		return e
	}
	if len(j.counters) >= mostCounters {
		j.lost++
		return nil
	}
	if j.counters == nil {
		j.counters = map[string]*pending{}
	}
	e := &pending{life: life}
	j.counters[name] = e
	return e
}

// add notes n from the second first to the second last.
func (e *pending) add(x store.Span) {
	width := levels(e.life)[0]
	for i := range e.spans {
		if s := &e.spans[i]; s.First/width == x.First/width {
			s.First, s.Last, s.N = min(s.First, x.First), max(s.Last, x.Last), s.N+x.N
			return
		}
	}
	i, _ := slices.BinarySearchFunc(e.spans, x, func(a, b store.Span) int { return int(int64(a.First) - int64(b.First)) })
	e.spans = slices.Insert(e.spans, i, x)
}

func (e *pending) see(m store.Seen) {
	if i := slices.IndexFunc(e.members, func(s store.Seen) bool { return s.Member == m.Member }); i >= 0 {
		e.members[i].At = max(e.members[i].At, m.At)
		return
	}
	if len(e.members) == mostMembers {
		e.members = slices.Delete(e.members, 0, 1)
	}
	e.members = append(e.members, m)
}

// post notes a post.
func (j *journal) post(p post) {
	size := postHeader + 8*len(p.values)
	if n := len(j.entries); n > 0 && len(j.entries[n-1])+size <= entryBytes {
		j.entries[n-1] = p.append(j.entries[n-1])
		return
	}
	if len(j.entries) >= mostEntries {
		j.lost++
		return
	}
	j.entries = append(j.entries, p.append(make([]byte, 0, max(size, entryBytes/2))))
}

// take takes out what one trip may carry.
func (j *journal) take() journal {
	const mostTold, mostSent = 500, 100
	if len(j.counters) <= mostTold && len(j.entries) <= mostSent {
		out := *j
		*j = journal{lost: j.lost}
		return out
	}
	out := journal{counters: map[string]*pending{}, claims: j.claims, doomed: j.doomed}
	j.claims, j.doomed = nil, nil
	for name, e := range j.counters {
		if len(out.counters) == mostTold {
			break
		}
		out.counters[name] = e
		delete(j.counters, name)
	}
	n := min(len(j.entries), mostSent)
	out.entries, j.entries = j.entries[:n:n], j.entries[n:]
	return out
}

// restore puts back what could not be told.
func (j *journal) restore(old journal) {
	for name, e := range old.counters {
		to := j.counter(name, e.life)
		if to == nil {
			continue
		}
		for _, x := range e.spans {
			to.add(x)
		}
		for _, m := range e.members {
			to.see(m)
		}
		to.large, to.first = to.large || e.large, max(to.first, e.first)
	}
	j.claims, j.doomed = append(old.claims, j.claims...), append(old.doomed, j.doomed...)
	j.entries = append(old.entries, j.entries...)
	if over := len(j.entries) - mostEntries; over > 0 {
		j.entries = j.entries[:mostEntries]
		j.lost += int64(over)
	}
}
