package store

import (
	"encoding/binary"
	"math/bits"
)

// Hasher is a keyed hash, SipHash-1-3 of Aumasson and Bernstein: whoever does not know the key cannot make two inputs
// that collide, nor one that falls where he wants.
type Hasher struct{ k0, k1 uint64 }

// NewHasher makes the hash of a secret key.
func NewHasher(secret [16]byte) Hasher {
	return Hasher{binary.LittleEndian.Uint64(secret[:8]), binary.LittleEndian.Uint64(secret[8:])}
}

type sip struct{ v0, v1, v2, v3 uint64 }

func (s sip) round() sip {
	v0, v2 := s.v0+s.v1, s.v2+s.v3
	v1, v3 := bits.RotateLeft64(s.v1, 13)^v0, bits.RotateLeft64(s.v3, 16)^v2
	v0, v2 = bits.RotateLeft64(v0, 32)+v3, v2+v1
	return sip{v0, bits.RotateLeft64(v1, 17) ^ v2, bits.RotateLeft64(v2, 32), bits.RotateLeft64(v3, 21) ^ v0}
}

func (s sip) block(b uint64) sip {
	s.v3 ^= b
	s = s.round()
	s.v0 ^= b
	return s
}

func (h Hasher) begin() sip {
	return sip{h.k0 ^ 0x736f6d6570736575, h.k1 ^ 0x646f72616e646f6d, h.k0 ^ 0x6c7967656e657261, h.k1 ^ 0x7465646279746573}
}

func (s sip) end() uint64 {
	s.v2 ^= 0xff
	s = s.round().round().round()
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3
}

// Sum returns the hash of b.
func (h Hasher) Sum(b []byte) uint64 {
	s := h.begin()
	length := uint64(len(b)) << 56
	for ; len(b) >= 8; b = b[8:] {
		s = s.block(binary.LittleEndian.Uint64(b))
	}
	return s.block(length | short(b)).end()
}

// short is the number that fewer than 8 bytes make, the first of them the least. Where parts of it overlap they are equal.
func short(b []byte) uint64 {
	n := len(b)
	switch {
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<(8*(n-4))
	case n > 0:
		return uint64(b[0]) | uint64(b[n/2])<<(8*(n/2)) | uint64(b[n-1])<<(8*(n-1))
	}
	return 0
}

// Word returns the hash of a word, which is not its Sum: most words are short, and a third of the price will do.
func (h Hasher) Word(b []byte) uint64 {
	var first, last uint64
	switch n := len(b); {
	case n > 16:
		return h.Sum(b)
	case n >= 8:
		first, last = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	default:
		for i, c := range b {
			first |= uint64(c) << (8 * i)
		}
	}
	return h.Pair(h.Pair(first, uint64(len(b))), last)
}

// Member returns the hash by which a member of a set is known.
func (h Hasher) Member(s string) uint32 { return uint32(h.Sum([]byte(s)) >> 32) }

// Pair returns the hash of two values in their order. It is cheaper than Sum and meant for values that are hashes.
func (h Hasher) Pair(a, b uint64) uint64 {
	return fold(fold(a^h.k0, b^h.k1)^h.k1, h.k0|1)
}

// fold multiplies and joins both halves of the product.
func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}
