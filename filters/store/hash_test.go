package store

import "testing"

// Snapshots and others who share a Redis know marks by their hashes: these must stay what they are.
func TestHashStays(t *testing.T) {
	var key [16]byte
	var text []byte
	for i := range key {
		key[i] = byte(i)
	}
	for i := range 36 {
		text = append(text, byte(i))
	}
	h := NewHasher(key)
	if got := h.Sum(nil); got != 0xabac0158050fc4dc { // as others' SipHash-1-3 has it
		t.Errorf("nothing has the hash %x", got)
	}
	all := uint64(0)
	for n := range text {
		all = h.Pair(all, h.Sum(text[:n]))
	}
	if all != 0x72226638fb8e784d {
		t.Errorf("the texts together have the hash %#x", all)
	}
}
