package bulk

import (
	"math"
	"net/netip"
	"strings"

	"weir/filters"
	"weir/filters/store"
)

// Bounds of what is read and kept of a message.
const (
	mostText    = 64 << 10 // bytes of visible text that are read: the first three quarters and the last
	mostPayload = 16       // addresses kept
	mostNumbers = 24       // numbers kept, the first
	sampleSize  = 64       // features kept
	wordRunes   = 3        // a shorter word is no evidence
	shortText   = 90       // up to so many words, pairs with one word between count too
	tooShort    = 8        // a text of fewer words is compared as a whole only, with the client
	fewWords    = 12       // cutting quotes and footers must leave so many
)

// print is the fingerprint of one message.
type print struct {
	words   int
	exact   uint64   // of the whole canonical text
	pairs   []uint64 // the sample of word pairs, smallest hashes first
	payload []uint64
	share   float64  // the share of all pairs that the sample stands for
	own     []uint64 // its numbers, which tell one order or notice from the next
}

// size is the estimated number of different pairs of the whole text.
func (p *print) size() float64 { return float64(len(p.pairs)) / p.share }

// reader makes fingerprints. One goroutine may use it.
type reader struct {
	lexer  lexer
	hasher store.Hasher
	hashes []uint64
}

// read makes the fingerprint of m.
func (x *reader) read(m filters.Mail) print {
	whole, lifted := lift(bounded(m.Message.Text()))
	skip := x.recipientWords(m)
	t := x.lexer.canonical(ownWords(whole), skip)
	if len(t.words) < fewWords {
		t = x.lexer.canonical(whole, skip)
	}
	p := print{words: len(t.words), exact: x.hasher.Sum(t.buf)}
	x.pairs(t)
	p.pairs, p.share = sample(x.hashes, sampleSize)
	for _, n := range t.numbers[:min(len(t.numbers), mostNumbers)] {
		p.own = append(p.own, x.hasher.Sum(x.lexer.buf[n.start:n.end]))
	}
	for _, a := range x.addresses(m, lifted) {
		p.payload = append(p.payload, x.hasher.Sum([]byte(a)))
	}
	return p
}

// bounded returns s, or its beginning and end if it is too long.
func bounded(s string) string {
	if len(s) <= mostText {
		return s
	}
	return s[:mostText/4*3] + "\n" + s[len(s)-mostText/4:]
}

// recipientWords are the words by which a message calls its recipient: of his address and display name.
func (x *reader) recipientWords(m filters.Mail) map[string]bool {
	names := m.Message.Header("To")
	if m.Envelope != nil && len(m.Envelope.To) <= 5 {
		names = append(names, m.Envelope.To...)
	}
	skip := map[string]bool{}
	if len(names) > 10 {
		return skip
	}
	for _, name := range names {
		if local, _, found := strings.Cut(name, "@"); found {
			name = local
		}
		t := x.lexer.canonical(name, nil)
		for i := range t.words {
			skip[string(t.at(i))] = true
		}
	}
	return skip
}

// pairs fills hashes with the features of t: each pair of neighbouring words, in either order.
func (x *reader) pairs(t text) {
	words := x.hashes[:0]
	for i := range t.words {
		if w := t.at(i); countRunes(w) >= wordRunes || w[0] >= 0xe0 {
			words = append(words, x.hasher.Sum(w))
		}
	}
	n := len(words)
	for i := 0; i+1 < n; i++ {
		words = append(words, x.pair(words[i], words[i+1]))
		if n <= shortText && i+2 < n {
			words = append(words, x.pair(words[i], words[i+2]))
		}
	}
	x.hashes = words[n:]
}

func (x *reader) pair(a, b uint64) uint64 { return x.hasher.Pair(min(a, b), max(a, b)) }

func countRunes(b []byte) int {
	n := 0
	for _, c := range b {
		if c&0xc0 != 0x80 {
			n++
		}
	}
	return n
}

// sample returns the k smallest different values of all, in rising order, and which share of all values they stand for.
// Two messages keep the same of what they have in common, however much else one of them holds.
func sample(all []uint64, k int) ([]uint64, float64) {
	kept := make([]uint64, 0, k+1)
	for _, v := range all {
		if len(kept) == k && v >= kept[k-1] {
			continue
		}
		i := len(kept)
		for i > 0 && kept[i-1] > v {
			i--
		}
		if i > 0 && kept[i-1] == v {
			continue
		}
		kept = append(kept, 0)
		copy(kept[i+1:], kept[i:])
		kept[i] = v
		kept = kept[:min(len(kept), k)]
	}
	if len(kept) < k {
		return kept, 1
	}
	return kept, float64(kept[k-1]) / math.MaxUint64
}

// addresses are the comparable forms of all that the sender wants to be reached by.
func (x *reader) addresses(m filters.Mail, lifted []string) []string {
	var out []string
	for _, u := range m.Message.URLs() {
		if u.Host != "" && len(out) < mostPayload {
			out = append(out, "host:"+u.Host)
		}
	}
	for _, a := range lifted {
		if a != "link:" && len(out) < mostPayload {
			out = append(out, a)
		}
	}
	return out
}

// network is the network an address belongs to: /24 or /64.
func network(a netip.Addr) string {
	a = a.Unmap()
	bits := 64
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}
