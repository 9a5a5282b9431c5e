package store

import "slices"

// members is a set whose members have a time, to be counted over any window. The newest are kept exactly; when there
// are more, a sample of all by hash stands for the rest, halved whenever it is full (adaptive sampling). A HyperLogLog
// would be smaller for one fixed window, but cannot answer for another.
type members struct {
	recent []Seen // at most Exact, in no order
	sample []Seen // those of all whose hash has level zero bits at its end; empty while recent holds all
	level  uint8
	sizes  []Size // what others have counted
}

// Seen is a member of a set by its hash, and when it was last added, in seconds.
type Seen struct{ Member, At uint32 }

// Size is how many members the window of Over seconds that ends at At has.
type Size struct {
	Over, At uint32
	N        int64
}

// Exact is how many different members are counted exactly.
const Exact = 128

const (
	sampled   = 256 // the most that the sample holds
	seenBytes = 8
	sizeBytes = 16
)

func (m *members) size() int64 {
	return int64(cap(m.recent)+cap(m.sample))*seenBytes + int64(cap(m.sizes))*sizeBytes
}

// add notes member as seen at now. What was seen before oldest need not be kept.
func (m *members) add(member, now, oldest uint32) {
	if len(m.sample) > 0 {
		m.note(member, now, oldest)
	}
	if i := slices.IndexFunc(m.recent, func(s Seen) bool { return s.Member == member }); i >= 0 {
		m.recent[i].At = max(m.recent[i].At, now)
		return
	}
	if len(m.recent) < Exact {
		m.recent = append(m.recent, Seen{member, now})
		return
	}
	last := 0
	for i := range m.recent {
		if m.recent[i].At < m.recent[last].At {
			last = i
		}
	}
	if len(m.sample) == 0 && m.recent[last].At >= oldest {
		m.sample, m.level = slices.Clone(m.recent), 0
		m.note(member, now, oldest)
	}
	if m.recent[last].At <= now {
		m.recent[last] = Seen{member, now}
	}
}

// note adds a member to the sample if its hash belongs there.
func (m *members) note(member, now, oldest uint32) {
	if member&(1<<m.level-1) != 0 {
		return
	}
	if i := slices.IndexFunc(m.sample, func(s Seen) bool { return s.Member == member }); i >= 0 {
		m.sample[i].At = max(m.sample[i].At, now)
		return
	}
	m.sample = append(m.sample, Seen{member, now})
	if len(m.sample) <= sampled {
		return
	}
	m.sample = slices.DeleteFunc(m.sample, func(s Seen) bool { return s.At < oldest })
	for len(m.sample) > sampled {
		m.level++
		m.sample = slices.DeleteFunc(m.sample, func(s Seen) bool { return s.Member&(1<<m.level-1) != 0 })
	}
}

// within is the number of members seen in the last window seconds.
func (m *members) within(now, window uint32) int64 {
	count := func(of []Seen) (n int64) {
		for _, s := range of {
			if !before(s.At, now, window) {
				n++
			}
		}
		return n
	}
	n := count(m.recent)
	if n < Exact {
		return n
	}
	if len(m.sample) > 0 {
		n = max(n, count(m.sample)<<m.level)
	}
	for _, s := range m.sizes {
		if s.Over <= window && !before(s.At, now, s.Over) {
			n = max(n, s.N)
		}
	}
	return n
}
