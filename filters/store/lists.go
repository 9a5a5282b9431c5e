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
	now, until := Seconds(at), Seconds(at.Add(life))
	if owner = m.aliases.resolve(owner, now); owner == nobody {
		return nil
	}
	for _, key := range keys {
		m.lists.mark(key, owner, now, until)
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
	now := Seconds(at)
	if !m.lists.fetch(keys) {
		return append(out, make([]Postings, len(keys))...), nil
	}
	for _, key := range keys {
		out = append(out, m.aliases.fold(m.lists.find(key, now), now))
	}
	return out, nil
}

// Hand gives the marks that one owner left under keys to another, with their number. It fails only when ctx has ended.
func (m *Memory) Hand(ctx context.Context, at time.Time, from, to uint32, keys ...uint64) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("handing marks over: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := Seconds(at)
	for _, key := range keys {
		m.lists.hand(key, from, to, now)
	}
	return nil
}

// lists is a table of fixed size: a key may be in any of the places of its row, and what finds no room there takes the
// place of the list that expires first. So the table needs no pointers, no growth and no sweep. It is made when the first
// mark is left: as long as there is none, it does not put off the collection of garbage.
type lists struct {
	rows []row // nil until then
	size int   // how many rows there are then
	used int64 // places ever taken

	aliases *aliases
}

const (
	places     = 8
	placeBytes = 32
)

// row holds the lists of the keys with one low half. What a look-up reads first is in one line of the processor's cache,
// and each list in one more.
type row struct {
	tags  [places]uint32 // the keys' high halves
	until [places]uint32 // when they expire; 0 for a place never used
	lists [places]list
}

// list is Postings in less room.
type list struct {
	owners [4]uint32
	counts [4]uint16
}

// newLists makes a table of at most maxBytes bytes, and of at least one row.
func newLists(maxBytes int64) lists {
	return lists{size: int(min(max(maxBytes/(places*placeBytes), 1), math.MaxInt32))}
}

// need makes the table if there is none.
func (l *lists) need() {
	if l.rows == nil {
		l.rows = make([]row, l.size)
	}
}

func (l *lists) bytes() int64 { return l.used * placeBytes }

// row is where key is kept; there has to be a table.
func (l *lists) row(key uint64) *row {
	return &l.rows[uint64(uint32(key))*uint64(len(l.rows))>>32]
}

// fetch reads the beginnings of the rows of keys, so that the processor gets them from memory at once, where look-ups
// would wait for them one by one. It reports whether any of the rows was ever used: then its first place was.
func (l *lists) fetch(keys []uint64) bool {
	if l.rows == nil {
		return false
	}
	used := uint32(0)
	for _, key := range keys {
		used |= l.row(key).until[0]
	}
	return used != 0
}

// find returns the live list of key, the empty one if there is none.
func (l *lists) find(key uint64, now uint32) Postings {
	if l.rows == nil {
		return Postings{}
	}
	r := l.row(key)
	for i, tag := range r.tags {
		if tag == uint32(key>>32) && r.until[i] > now {
			return r.lists[i].postings()
		}
	}
	return Postings{}
}

// hand makes the list of key name to in the place of from.
func (l *lists) hand(key uint64, from, to, now uint32) {
	if l.rows == nil {
		return
	}
	r := l.row(key)
	for i, tag := range r.tags {
		if tag != uint32(key>>32) || r.until[i] <= now {
			continue
		}
		owners := &r.lists[i].owners
		for j, o := range owners {
			if o != 0 && l.aliases.resolve(o, now) == from {
				owners[j] = to
			}
		}
		return
	}
}

// mark adds a mark of owner to the list of key, a new one if there is none alive.
func (l *lists) mark(key uint64, owner, now, until uint32) {
	l.need()
	r, tag := l.row(key), uint32(key>>32)
	place := 0
	for i := range r.tags {
		if r.tags[i] == tag && r.until[i] > now {
			r.until[i] = max(r.until[i], until)
			r.lists[i].tidy(l.aliases, now)
			r.lists[i].add(owner)
			return
		}
		if r.until[i] < r.until[place] {
			place = i
		}
	}
	if r.until[place] == 0 {
		l.used++
	}
	r.tags[place], r.until[place] = tag, max(until, 1)
	r.lists[place] = list{[4]uint32{owner}, [4]uint16{1}}
}

func (l *list) postings() Postings {
	var out Postings
	for i := range out {
		out[i] = Posting{l.owners[i], l.counts[i]}
	}
	return out
}

// tidy puts those in place of owners for whom they stand.
func (l *list) tidy(a *aliases, now uint32) {
	if a.of.Len() == 0 {
		return
	}
	for i, x := range a.fold(l.postings(), now) {
		l.owners[i], l.counts[i] = x.Owner, x.N
	}
}

func (l *list) add(owner uint32) {
	least := 0
	for i, o := range l.owners {
		if o == owner {
			l.counts[i] += min(1, math.MaxUint16-l.counts[i])
			return
		}
		if l.counts[i] <= l.counts[least] {
			least = i
		}
	}
	l.owners[least], l.counts[least] = owner, 1
}
