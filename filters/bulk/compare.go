package bulk

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"unicode/utf8"

	"weir/filters"
	"weir/filters/store"
)

// Likeness is how alike two messages are, and by what. Shares are 0 to 1.
type Likeness struct {
	Grade     string   `json:"grade"` // "strict", "loose" or "unlike": of the second as it follows the first
	Exact     bool     `json:"exact"` // the canonical texts are equal
	OfFirst   float64  `json:"of_first"`
	OfSecond  float64  `json:"of_second"`
	Pairs     []string `json:"pairs"`     // the word pairs in common, of those that are kept
	Words     []string `json:"words"`     // the same of long words
	Letters   []string `json:"letters"`   // the same of rows of letters
	Addresses []string `json:"addresses"` // and of hosts, mailboxes, numbers, wallets
	Skeleton  *float64 `json:"skeleton"`  // the share of the second's skeleton of HTML that the first has; nil if one of them has none
	Picture   *int     `json:"picture"`   // distance of the nearest pictures, of 255; nil without pictures
}

// Compare judges the second message as if it came after the first into an empty memory. Who sent them does not matter.
func Compare(ctx context.Context, first, second filters.Mail) (Likeness, error) {
	memory := store.NewSeeded(1<<20, [16]byte([]byte("the same, always")))
	x := reader{lexer: lexer{folder: newFolder()}, cutter: newCutter(), hasher: memory.Hasher()}
	all := campaigns{memory: memory, votes: map[id]float64{}}
	a, b := x.read(first), x.read(second)
	c, err := all.against(ctx, first, &a, &b)
	if err != nil {
		return Likeness{}, fmt.Errorf("comparing: %w", err)
	}
	sure := c.grade(&b)
	if _, kin := all.family(&b, []candidate{c}); sure == unlike && kin {
		sure = loose
	}
	out := Likeness{Grade: sure.String(), Exact: a.exact == b.exact}
	if len(b.pairs) > 0 {
		out.OfSecond, out.OfFirst = c.shares(&b)
	}
	if len(a.bones.rows) > 0 && len(b.bones.rows) > 0 {
		out.Skeleton = new(c.rows / float64(len(b.bones.rows)))
	}
	if len(a.looks) > 0 && len(b.looks) > 0 {
		out.Picture = &c.picture
	}
	names := x.names(second)
	out.Pairs, out.Words, out.Letters = names.of(a.pairs, b.pairs), names.of(a.terms, b.terms), names.of(a.grams, b.grams)
	out.Addresses = names.of(a.payload, b.payload)
	return out, nil
}

// against is the evidence for b and a campaign whose only message is first, with the fingerprint a.
func (c *campaigns) against(ctx context.Context, first filters.Mail, a, b *print) (candidate, error) {
	found := candidate{id: 2, picture: math.MaxInt}
	if _, err := c.memory.Add(ctx, first.At, letter{Mail: first}.deltas(found.id, true, a.size(), c.memory.Hasher())...); err != nil {
		return found, err
	}
	if err := c.remember(ctx, first.At, a, found.id); err != nil {
		return found, err
	}
	lists, err := c.memory.Marked(ctx, first.At, nil, b.marks(nil)...)
	if err != nil {
		return found, err
	}
	near, err := c.near(ctx, first.At, b)
	if err != nil {
		return found, err
	}
	split := len(lists) - len(b.bones.rows)
	c.lists, c.bones, found.picture = lists[:split], lists[split:], near.Distance
	err = c.know(ctx, first.At, &found)
	c.compare(b, &found)
	return found, err
}

// String is the grade's name.
func (g grade) String() string { return [...]string{"unlike", "loose", "strict"}[g] }

// spelled says what hashes stand for.
type spelled map[uint64]string

// names spells the features of m.
func (x *reader) names(m filters.Mail) spelled {
	out := spelled{}
	t, lifted := x.text(m)
	for _, a := range addresses(m, lifted) {
		out[x.hasher.Sum([]byte(a))] = a
	}
	x.features(t)
	words := make([]string, 0, len(x.words))
	for i := range t.words {
		w := string(t.at(i))
		if h := x.hasher.Word(t.at(i)); len(words) < len(x.words) && x.words[len(words)] == h {
			out[h] = w
			words = append(words, w)
		}
	}
	x.eachGram(t, gramClasses, func(h uint64, end int) { out[h] = t.lettersBefore(end) })
	for i, w := range words {
		for _, j := range []int{i + 1, i + 2} {
			if j < len(words) {
				h, k := x.words[i], x.words[j]
				out[x.hasher.Pair(min(h, k), max(h, k))] = w + " " + words[j]
			}
		}
	}
	return out
}

// lettersBefore returns the gram that ends at end.
func (t *text) lettersBefore(end int) string {
	var letters []rune
	for word := range bytes.FieldsSeq(t.buf[max(0, end-gramLetters*4*utf8.UTFMax):end]) {
		letters = append(letters, []rune(string(word[repeated(word):]))...)
	}
	return string(letters[len(letters)-gramLetters:])
}

// of spells those of b that are in a, in their order.
func (s spelled) of(a, b []uint64) []string {
	in := make(map[uint64]bool, len(a))
	for _, h := range a {
		in[h] = true
	}
	out := []string{}
	for _, h := range b {
		if in[h] {
			out = append(out, s[h])
		}
	}
	return out
}
