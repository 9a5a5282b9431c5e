package bulk

import "strings"

// phrases are looked for in a text all at once, which takes one look at each byte of it.
type phrases struct {
	starts  [1 << hintBits]bool // whether a phrase begins with three bytes of that hash; most bytes of a text begin none
	byStart map[[3]byte][]string
}

const hintBits = 12

// newPhrases makes a set of phrases of at least three bytes.
func newPhrases(all ...string) *phrases {
	p := &phrases{byStart: map[[3]byte][]string{}}
	for _, phrase := range all {
		start := [3]byte{phrase[0], phrase[1], phrase[2]}
		p.starts[hint(three(start[0], start[1], start[2]))] = true
		p.byStart[start] = append(p.byStart[start], phrase)
	}
	return p
}

// in reports whether any of the phrases is in s.
func (p *phrases) in(s string) bool {
	if len(s) < 3 {
		return false
	}
	last := three(0, s[0], s[1])
	for i := 2; i < len(s); i++ {
		last = last>>8 | three(0, 0, s[i])
		if p.starts[hint(last)] && p.begin(s[i-2:]) {
			return true
		}
	}
	return false
}

// begin reports whether s, of at least three bytes, begins with one of the phrases.
func (p *phrases) begin(s string) bool {
	for _, phrase := range p.byStart[[3]byte{s[0], s[1], s[2]}] {
		if strings.HasPrefix(s, phrase) {
			return true
		}
	}
	return false
}

// three are three bytes in a row.
func three(a, b, c byte) uint32 { return uint32(a) | uint32(b)<<8 | uint32(c)<<16 }

// hint hashes three bytes.
func hint(three uint32) uint32 { return three * 0x9e3779b1 >> (32 - hintBits) }
