package bulk

import (
	"slices"
	"strings"
	"unicode/utf8"

	"weir/filters"
	"weir/filters/store"
)

// Bounds of what is read and kept of a message.
const (
	mostText    = 64 << 10 // bytes of visible text that are read: the first three quarters and the last
	mostPairs   = 96       // word pairs kept
	mostTerms   = 40       // long words kept
	mostPayload = 16       // addresses kept
	mostNumbers = 24       // numbers kept, the first
	mostLooks   = 2        // pictures looked at
)

// What counts as text.
const (
	pairRunes = 3  // a shorter word is in no pair
	termRunes = 5  // a shorter word says nothing alone
	shortText = 90 // up to so many words, pairs with one word between count too
	fewWords  = 12 // cutting quotes and footers must leave so many; with fewer, pictures are looked at
	tooShort  = 8  // a text of fewer words is compared as a whole only, with what is beside it
)

// print is the fingerprint of one message.
type print struct {
	words   int
	exact   uint64   // of the whole canonical text
	payload []uint64 // of addresses
	papers  []uint64 // of files big enough to be evidence
	terms   []uint64 // of long words: a sample, in the order of the text
	pairs   []uint64 // of neighbouring words: a sample, in the order of the text
	share   float64  // the share of all pairs that the sample stands for
	grams   []uint64 // of letters: a sample, in the order of the text
	numbers []uint64 // which tell one order or notice from the next
	files   []uint64 // digests of pictures and of files that are too small to be evidence
	all     uint64   // of the whole text with its numbers, links and names
	once    uint64   // of the message's identifier
	looks   []look
	bones   skeleton // of its HTML

	manner
}

// manner is how a message is sent.
type manner struct {
	personal  bool // to one recipient, and not what lists and newsletters say of themselves
	automatic bool // an answer of a program
}

// look is how a picture looks, with the digest of its file.
type look struct {
	store.Point
	digest uint64
}

// size is the estimated number of different pairs of the whole text.
func (p *print) size() float64 { return float64(len(p.pairs)) / p.share }

// empty reports whether there is nothing to compare.
func (p *print) empty() bool {
	return p.words == 0 && len(p.payload)+len(p.papers)+len(p.looks) == 0
}

// features appends the keys of p in the store: the whole text, addresses, files, long words, pairs.
func (p *print) features(keys []uint64) []uint64 {
	keys = append(keys, p.exact)
	keys = append(keys, p.payload...)
	keys = append(keys, p.papers...)
	keys = append(keys, p.terms...)
	keys = append(keys, p.pairs...)
	return append(keys, p.grams...)
}

// marks appends the keys that a message leaves: its features and its skeleton.
func (p *print) marks(keys []uint64) []uint64 { return append(p.features(keys), p.bones.rows...) }

// reader makes fingerprints. One goroutine may use it; its buffers are used again for each message.
type reader struct {
	lexer   lexer
	cutter  *cutter
	hasher  store.Hasher
	words   []uint64
	terms   []uint64
	pairs   []uint64
	grams   []uint64
	sampler sampler
	builder builder
}

// read makes the fingerprint of m.
func (x *reader) read(m filters.Mail) print {
	t, lifted := x.text(m)
	p := print{words: len(t.words), exact: x.hasher.Sum(t.buf), manner: manner{isPersonal(m), isAutomatic(m)}}
	x.features(t)
	p.terms, _ = x.sampler.sample(x.terms, mostTerms)
	p.pairs, p.share = x.sampler.sample(x.pairs, mostPairs)
	p.grams = x.sampledGrams(t)
	for _, n := range t.numbers[:min(len(t.numbers), mostNumbers)] {
		p.numbers = append(p.numbers, x.hasher.Sum(x.lexer.buf[n.start:n.end]))
	}
	for _, a := range addresses(m, lifted) {
		p.payload = append(p.payload, x.hasher.Sum([]byte(a)))
	}
	p.all, p.once = x.all(m, t, p.exact), x.hasher.Sum([]byte(m.Message.MessageID()))
	x.attachments(m, &p)
	p.bones = x.builder.skeleton(m, x.hasher)
	if p.words < tooShort || p.words < fewWords && len(p.payload)+len(p.papers)+len(p.looks) == 0 {
		x.short(m, &p)
	}
	return p
}

// all is the hash of the whole message m, with what the canonical text t, whose hash is exact, leaves out.
func (x *reader) all(m filters.Mail, t text, exact uint64) uint64 {
	all := exact
	for _, n := range t.numbers {
		all = x.hasher.Pair(all, x.hasher.Sum(x.lexer.buf[n.start:n.end]))
	}
	for _, u := range m.Message.URLs() {
		all = x.hasher.Pair(all, x.hasher.Sum([]byte(u.Raw)))
	}
	if t.named && m.Envelope != nil {
		for _, to := range m.Envelope.To {
			all = x.hasher.Pair(all, x.hasher.Sum([]byte(to)))
		}
	}
	return all
}

// text returns the canonical text of m and the addresses taken out of it.
func (x *reader) text(m filters.Mail) (t text, lifted []string) {
	skip := x.recipientWords(m)
	if quoted, is := report(m); is {
		rest, lifted := lift(bounded(quoted))
		return x.lexer.canonical(x.cutter.ownWords(rest), skip), lifted
	}
	whole, lifted := lift(bounded(m.Message.Text()))
	if summary, is := invitation(m); is {
		return x.lexer.canonical(summary, skip), lifted
	}
	own := x.cutter.ownWords(whole)
	if isAbsence(m, own) {
		return x.lexer.canonical("", skip), lifted
	}
	t = x.lexer.canonical(own, skip)
	if len(t.words) < fewWords {
		t = x.lexer.canonical(whole, skip)
	}
	return t, lifted
}

// short makes a text that is too short to judge equal to another only together with what is beside it: its addresses,
// files and pictures, or without any, its client; an invitation or a program's answer, with its sender.
func (x *reader) short(m filters.Mail, p *print) {
	p.pairs, p.terms, p.grams, p.bones.rows = nil, nil, nil, nil
	for _, a := range slices.Concat(p.payload, p.papers) {
		p.exact = x.hasher.Pair(p.exact, a)
	}
	for _, look := range p.looks {
		p.exact = x.hasher.Pair(x.hasher.Pair(p.exact, look.Point[0]^look.Point[1]), look.Point[2]^look.Point[3])
	}
	if len(p.payload)+len(p.papers)+len(p.looks) == 0 {
		p.exact = x.hasher.Pair(p.exact, x.hasher.Sum([]byte(clientNetwork(m))))
	}
	if _, is := invitation(m); is || p.automatic {
		p.exact = x.hasher.Pair(p.exact, x.hasher.Sum([]byte(senderOf(m).name)))
	}
}

// bounded returns s, or its beginning and end if it is too long.
func bounded(s string) string {
	if len(s) <= mostText {
		return s
	}
	return s[:mostText/4*3] + "\n" + s[len(s)-mostText/4:]
}

// recipientWords are the words by which a message calls its recipient: of his address and display name.
func (x *reader) recipientWords(m filters.Mail) *names {
	all := m.Message.Header("To")
	if m.Envelope != nil && len(m.Envelope.To) <= 5 {
		all = append(all, m.Envelope.To...)
	}
	if len(all) > 10 {
		return nil
	}
	skip := &names{}
	for _, name := range all {
		if local, _, found := strings.Cut(name, "@"); found {
			name = local
		}
		t := x.lexer.canonical(name, nil)
		for i := range t.words {
			skip.add(t.at(i))
		}
	}
	return skip
}

// features fills terms and pairs: each long word of t, each pair of neighbouring words in either order, and after
// these, for a short text, each pair with one word between.
func (x *reader) features(t text) {
	x.words, x.terms, x.pairs = x.words[:0], x.terms[:0], x.pairs[:0]
	for i := range t.words {
		w := t.at(i)
		runes := t.words[i].runes
		if runes < pairRunes {
			if r, _ := utf8.DecodeRune(w); !isIdeograph(r) {
				continue
			}
		}
		h := x.hasher.Word(w)
		x.words = append(x.words, h)
		if runes >= termRunes {
			x.terms = append(x.terms, h)
		}
	}
	for between := range 2 {
		if between > 0 && len(x.words) > shortText {
			break
		}
		for i := 0; i+1+between < len(x.words); i++ {
			a, b := x.words[i], x.words[i+1+between]
			x.pairs = append(x.pairs, x.hasher.Pair(min(a, b), max(a, b)))
		}
	}
}

// addresses are the comparable forms of all that the sender wants to be reached by.
func addresses(m filters.Mail, lifted []string) []string {
	out := lifted[:min(len(lifted), mostPayload)]
	for _, u := range m.Message.URLs() {
		if host := "host:" + u.Host; u.Host != "" && len(out) < mostPayload && !slices.Contains(out, host) {
			out = append(out, host)
		}
	}
	return out
}
