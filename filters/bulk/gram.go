package bulk

import "unicode/utf8"

// A gram is gramLetters letters in a row, of whatever words. Pairs of words are lost where each copy has its own slips of
// the pen, or where words are joined and parted; what lies between is not.
const (
	gramLetters = 7       // of each the last eight bits: alphabets are small
	mostGrams   = 48      // kept
	gramText    = 4 << 10 // bytes of a text that are read for them, the first
)

// sampledGrams returns a sample of the grams of t, in the order of the text.
func (x *reader) sampledGrams(t text) []uint64 {
	for _, classes := range []uint64{1, gramClasses} { // of a long text those of the first class are enough
		x.grams = x.grams[:0]
		x.eachGram(t, classes, func(h uint64, _ int) { x.grams = append(x.grams, h) })
		if len(x.grams) > 2*mostGrams {
			break
		}
	}
	return inOrder(x.grams, x.sampler.smallest(x.grams, mostGrams))
}

// gramClasses are as many parts of all grams, told apart by their last letters and the key.
const gramClasses = 16

// eachGram calls f with the hash of each gram of t that is of one of the first classes, and where in t.buf it ends. Of a
// lower class a hash is lower, so that those of the first class are the first to be kept of any text.
func (x *reader) eachGram(t text, classes uint64, f func(hash uint64, end int)) {
	const whole = 1<<(8*gramLetters) - 1
	key := x.hasher.Pair(gramLetters, gramClasses) | 1
	var last uint64
	n := 0
	for _, w := range t.words {
		if w.start > gramText {
			break
		}
		word := t.buf[w.start:w.end]
		for i := repeated(word); i < len(word); {
			c, size := rune(word[i]), 1
			if c >= utf8.RuneSelf {
				c, size = utf8.DecodeRune(word[i:])
			}
			i += size
			n++
			last = last<<8 | uint64(byte(c))
			if class := (last & 0xffffff) * key >> 60; class < classes && n >= gramLetters {
				f(class<<60|x.hasher.Pair(last&whole, gramLetters)>>4, int(w.start)+i)
			}
		}
	}
}

// repeated is how many bytes of a word are letters that the word before it ends with.
func repeated(word []byte) int {
	if word[0] < utf8.RuneSelf {
		return 0
	}
	last, size := utf8.DecodeLastRune(word)
	if !isUnspacedLetter(last) {
		return 0
	}
	return len(word) - size
}
