package index

import (
	"encoding/binary"
	"errors"
	"iter"
	"math/bits"
)

// Set is a set of records of one file, a bit each.
type Set []uint64

func newSet(records int) Set { return make(Set, (records+63)/64) }

// And keeps what is in t as well.
func (s Set) And(t Set) {
	for i := range s {
		s[i] &= t[i]
	}
}

// Or adds what is in t.
func (s Set) Or(t Set) {
	for i := range s {
		s[i] |= t[i]
	}
}

// Without takes away what is in t.
func (s Set) Without(t Set) {
	for i := range s {
		s[i] &^= t[i]
	}
}

// Len is how many are in the set.
func (s Set) Len() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// Forwards goes through the set from the first record on.
func (s Set) Forwards() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, word := range s {
			for ; word != 0; word &= word - 1 {
				if !yield(i*64 + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// Backwards goes through the set from the last record on.
func (s Set) Backwards() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := len(s) - 1; i >= 0; i-- {
			for word := s[i]; word != 0; {
				top := 63 - bits.LeadingZeros64(word)
				if !yield(i*64 + top) {
					return
				}
				word &^= 1 << top
			}
		}
	}
}

// posting is a growing list of records in rising order: of each how many lie between it and the one before.
type posting struct {
	list []byte
	next uint32 // the least that can be added
}

func (p *posting) add(record uint32) {
	if record < p.next {
		return // it is the last
	}
	p.list = binary.AppendUvarint(p.list, uint64(record-p.next))
	p.next = record + 1
}

// pack makes the list what is stored, and returns its length. Where that is no longer, it is a bit for each record; its
// length says which. Nothing is added afterwards.
func (p *posting) pack(records int) int {
	if len(p.list) < bitmapLen(records) {
		return len(p.list)
	}
	s := newSet(records)
	if err := s.unpackDeltas(p.list, records); err != nil {
		panic(err) // cannot happen: they were made by add
	}
	p.list = p.list[:0]
	for _, word := range s {
		p.list = binary.LittleEndian.AppendUint64(p.list, word)
	}
	return len(p.list)
}

func bitmapLen(records int) int { return (records + 63) / 64 * 8 }

var errBroken = errors.New("the index is broken")

// unpack adds to the set what a stored list holds.
func (s Set) unpack(packed []byte, records int) error {
	if len(packed) != bitmapLen(records) {
		return s.unpackDeltas(packed, records)
	}
	for i := range s {
		s[i] |= binary.LittleEndian.Uint64(packed[8*i:])
	}
	if extra := records % 64; extra > 0 && s[len(s)-1]>>extra != 0 {
		return errBroken
	}
	return nil
}

func (s Set) unpackDeltas(deltas []byte, records int) error {
	next := uint64(0)
	for len(deltas) > 0 {
		delta, n := binary.Uvarint(deltas)
		record := next + delta
		if n <= 0 || record < next || record >= uint64(records) {
			return errBroken
		}
		s[record/64] |= 1 << (record % 64)
		next, deltas = record+1, deltas[n:]
	}
	return nil
}
