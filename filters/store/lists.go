package store

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Posting is one owner of a mark, and how often he left it.
type Posting struct {
	Owner uint32 // never 0
	N     uint16 // stays at its highest value once there
}

// Postings are the owners of one mark, in no order; the zero Posting is an empty place.
type Postings [4]Posting

// Of returns the posting of owner, the zero Posting if he has none.
func (p *Postings) Of(owner uint32) Posting {
	for _, x := range p {
		if x.Owner == owner {
			return x
		}
	}
	return Posting{}
}

// Len is the number of owners.
func (p *Postings) Len() int {
	n := 0
	for _, x := range p {
		if x.Owner != 0 {
			n++
		}
	}
	return n
}

// Mark leaves owner's mark under each key, for life from at on: a list forgets all its owners when none has marked it
// for that long. A list that is full gives up the owner who left the fewest marks, the later place among equals.
// Keys are hashes by the memory's Hasher. It fails only when ctx has ended.
func (m *Memory) Mark(ctx context.Context, at time.Time, life time.Duration, owner uint32, keys ...uint64) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("marking: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, until := secondsOf(at), secondsOf(at.Add(life))
	for _, key := range keys {
		m.lists.place(key, now, until).mark(owner)
	}
	return nil
}

// Marked appends to out the owners of each key's mark, in the order of keys.
func (m *Memory) Marked(ctx context.Context, at time.Time, out []Postings, keys ...uint64) ([]Postings, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading marks: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := secondsOf(at)
	for _, key := range keys {
		out = append(out, m.lists.find(key, now))
	}
	return out, nil
}

// lists is a table of fixed size: a key may be in any of the places of its row, and what it finds no room for there
// takes the place of the list that expires first. So the table needs no pointers, no growth and no sweep.
type lists struct {
	rows []row
	used int64 // places ever taken
}

const (
	places     = 8
	placeBytes = 32
)

type row [places]place

// place is one list, 32 bytes: the key's high half, when it expires, owners and counts.
type place struct {
	tag    uint32
	until  uint32 // 0 for a place never used
	owners [4]uint32
	counts [4]uint16
}

// newLists makes a table of at most maxBytes bytes, and of at least one row.
func newLists(maxBytes int64) lists {
	n := min(max(maxBytes/(places*placeBytes), 1), math.MaxInt32)
	return lists{rows: make([]row, n)}
}

func (l *lists) bytes() int64 { return l.used * placeBytes }

func (l *lists) row(key uint64) *row {
	return &l.rows[uint64(uint32(key))*uint64(len(l.rows))>>32]
}

func (l *lists) find(key uint64, now uint32) Postings {
	var out Postings
	r := l.row(key)
	for i := range r {
		if p := &r[i]; p.tag == uint32(key>>32) && p.until > now {
			for j := range p.owners {
				out[j] = Posting{p.owners[j], p.counts[j]}
			}
			break
		}
	}
	return out
}

// place returns the list of key to be changed, emptied if it held another or had expired.
func (l *lists) place(key uint64, now, until uint32) *place {
	r, oldest := l.row(key), 0
	for i := range r {
		if r[i].tag == uint32(key>>32) && r[i].until > now {
			r[i].until = max(r[i].until, until)
			return &r[i]
		}
		if r[i].until < r[oldest].until {
			oldest = i
		}
	}
	if r[oldest].until == 0 {
		l.used++
	}
	r[oldest] = place{tag: uint32(key >> 32), until: max(until, 1)}
	return &r[oldest]
}

func (p *place) mark(owner uint32) {
	least := 0
	for i, o := range p.owners {
		if o == owner {
			p.counts[i] += min(1, math.MaxUint16-p.counts[i])
			return
		}
		if p.counts[i] <= p.counts[least] {
			least = i
		}
	}
	p.owners[least], p.counts[least] = owner, 1
}
