package store

import "slices"

// members is a set whose members have a time, to be counted over any window. The newest are kept exactly; when there
// are more, a sample of all by hash stands for the rest, halved whenever it is full (adaptive sampling). A HyperLogLog
// would be smaller for one fixed window, but cannot answer for another.
type members struct {
	recent []seen // at most exact, in no order
	sample []seen // those of all whose hash has level zero bits at its end; empty while recent holds all
	level  uint8
}

type seen struct{ member, at uint32 }

const (
	exact     = 128 // the distinct members that are counted exactly
	sampled   = 256 // the most that the sample holds
	seenBytes = 8
)

func (m *members) size() int64 { return int64(cap(m.recent)+cap(m.sample)) * seenBytes }

// add notes member as seen at now. What was seen before oldest need not be kept.
func (m *members) add(member, now, oldest uint32) {
	if len(m.sample) > 0 {
		m.note(member, now, oldest)
	}
	if i := slices.IndexFunc(m.recent, func(s seen) bool { return s.member == member }); i >= 0 {
		m.recent[i].at = max(m.recent[i].at, now)
		return
	}
	if len(m.recent) < exact {
		m.recent = append(m.recent, seen{member, now})
		return
	}
	last := 0
	for i := range m.recent {
		if m.recent[i].at < m.recent[last].at {
			last = i
		}
	}
	if len(m.sample) == 0 && m.recent[last].at >= oldest {
		m.sample, m.level = slices.Clone(m.recent), 0
		m.note(member, now, oldest)
	}
	if m.recent[last].at <= now {
		m.recent[last] = seen{member, now}
	}
}

// note adds a member to the sample if its hash belongs there.
func (m *members) note(member, now, oldest uint32) {
	if member&(1<<m.level-1) != 0 {
		return
	}
	if i := slices.IndexFunc(m.sample, func(s seen) bool { return s.member == member }); i >= 0 {
		m.sample[i].at = max(m.sample[i].at, now)
		return
	}
	m.sample = append(m.sample, seen{member, now})
	if len(m.sample) <= sampled {
		return
	}
	m.sample = slices.DeleteFunc(m.sample, func(s seen) bool { return s.at < oldest })
	for len(m.sample) > sampled {
		m.level++
		m.sample = slices.DeleteFunc(m.sample, func(s seen) bool { return s.member&(1<<m.level-1) != 0 })
	}
}

// within is the number of members seen in the last window seconds.
func (m *members) within(now, window uint32) int64 {
	count := func(of []seen) (n int64) {
		for _, s := range of {
			if !before(s.at, now, window) {
				n++
			}
		}
		return n
	}
	n := count(m.recent)
	if n < exact || len(m.sample) == 0 {
		return n
	}
	return max(n, count(m.sample)<<m.level)
}
