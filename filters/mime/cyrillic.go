package mime

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// commonPairs are pairs of letters that are frequent in Russian and its neighbours, the most frequent first.
const commonPairs = "ст но то на ен ов ни ра во ко ос не ер ро по ал пр го от ка ло ре та ли ин ор ел ет ть ом ан ол ла ва од ле ит ат де ве ес ог ри ль те об да ас ем ск до за ой ил тр ти вы ак ки ме мо сл ам ия их ие ся со сь ми ма ны ых ую ей ый ая ое же бы чт ши уж ду уд ру ту му ну су бу лу ку ич че ча щи ще эт юд ящ ях ят яв дн св вс зн пл сп сн кр бо па пи пе ви вн вр гр др жи из им ис ий ик иц ча нн нт нс нд тв тн рт рн рс лю ля нь ье ью ья ём её ої ії ає ів ня ці зі"

// neverPairs are pairs that no word has.
const neverPairs = "аь оь уь еь иь ыь эь юь яь йь аъ оъ уъ еъ иъ ыъ эъ юъ яъ ьъ ъь ьь ъъ ыы ээ аы оы уы еы иы эы юы яы ыь гы кы хы жы шы чы щы йй жя шя чя щя жю щю йы йъ цю ця"

// pairScore is what a pair of letters, numbered from а to я, says for a text being in its language.
var pairScore = func() (table [32][32]int8) {
	for i := range table {
		for j := range table[i] {
			table[i][j] = -1
		}
	}
	set := func(pairs string, worth int8) {
		for _, pair := range strings.Fields(pairs) {
			r := []rune(pair)
			if a, b := letterOf(r[0]), letterOf(r[1]); a >= 0 && b >= 0 {
				table[a][b] = worth
			}
		}
	}
	set(commonPairs, 3)
	set(neverPairs, -8)
	return table
}()

// letterOf numbers the letters of the Russian alphabet from 0, of both cases; -1 for all else.
func letterOf(r rune) int {
	switch {
	case r >= 'а' && r <= 'я':
		return int(r - 'а')
	case r >= 'А' && r <= 'Я':
		return int(r - 'А')
	}
	return -1
}

// reading is a character set that a text may be in, with what its bytes mean.
type reading struct {
	name   string
	letter [128]int8 // of byte 0x80+i: number of the letter, or one of the constants
	upper  [128]bool
}

// What a byte is that is no letter of Russian.
const (
	harmless = -1 // a quotation mark, a dash, a letter of a neighbour
	strange  = -2
)

var readings = []*reading{
	newReading("windows-1251", charmap.Windows1251), newReading("koi8-r", charmap.KOI8R),
	newReading("ibm866", charmap.CodePage866), newReading("iso-8859-5", charmap.ISO8859_5),
}

func newReading(name string, t *charmap.Charmap) *reading {
	x := &reading{name: name}
	for i := range x.letter {
		r := t.DecodeByte(byte(0x80 + i))
		x.letter[i] = int8(letterOf(r))
		if x.letter[i] < 0 && !unicode.IsPunct(r) && r != '\u00a0' && !strings.ContainsRune("№§ёіїєґўЁІЇЄҐЎ", r) {
			x.letter[i] = strange
		}
		x.upper[i] = r >= 'А' && r <= 'Я'
	}
	return x
}

// Bounds of the detection.
const (
	detectBytes = 4 << 10 // so much of a text is looked at
	leastScore  = 3       // of one common pair
)

// DetectCharset guesses from its letters the character set of a text beyond ASCII: "utf-8", "windows-1251", "koi8-r",
// "ibm866", "iso-8859-5"; "" if it is none of these or cannot be known.
func DetectCharset(b []byte) string {
	b, cut := beyondASCII(b)
	switch {
	case len(b) == 0:
		return ""
	case utf8.Valid(b), cut && utf8.Valid(trimRune(b)):
		return "utf-8"
	}
	best, second, name := -1<<30, -1<<30, ""
	for _, x := range readings {
		switch score := x.score(b); {
		case score > best:
			best, second, name = score, best, x.name
		case score > second:
			second = score
		}
	}
	if best < leastScore || best == second {
		return ""
	}
	return name
}

// plausible reports whether b looks like text in the character set called name, as far as that can be said.
func plausible(b []byte, name string) bool {
	for _, x := range readings {
		if x.name == name || name == "koi8-u" && x.name == "koi8-r" {
			b, _ = beyondASCII(b)
			return x.score(b) >= 0
		}
	}
	return true
}

// beyondASCII returns a piece of b from before its first byte beyond ASCII, empty if it has none, and whether its end
// was cut off.
func beyondASCII(b []byte) (piece []byte, cut bool) {
	for i, c := range b {
		if c >= 0x80 {
			b = b[max(i-1, 0):]
			return b[:min(len(b), detectBytes)], len(b) > detectBytes
		}
	}
	return nil, false
}

// trimRune takes the beginning of a letter of UTF-8 away that was cut off at the end of b.
func trimRune(b []byte) []byte {
	for n := 1; n < utf8.UTFMax && n < len(b); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if c >= 0xc0 && !utf8.FullRune(b[len(b)-n:]) {
				return b[:len(b)-n]
			}
			break
		}
	}
	return b
}

// score says how much b looks like words of the language in x. A word of Latin and Cyrillic letters speaks against it,
// and so does a capital letter behind a small one.
func (x *reading) score(b []byte) int {
	total := 0
	last, lastUpper := -1, false // the letter before
	latin := false               // an ASCII letter before
	for _, c := range b {
		if c < 0x80 {
			isLatin := c|0x20 >= 'a' && c|0x20 <= 'z'
			if isLatin && last >= 0 {
				total -= 4
			}
			last, latin = -1, isLatin
			continue
		}
		n, upper := int(x.letter[c-0x80]), x.upper[c-0x80]
		switch {
		case n == strange:
			total -= 4
		case n < 0:
		case latin:
			total -= 4
		case last >= 0:
			total += int(pairScore[last][n])
			if upper && !lastUpper {
				total -= 6
			}
		case n == 'ь'-'а' || n == 'ъ'-'а' || n == 'ы'-'а':
			total -= 4 // no word begins with it
		}
		last, lastUpper, latin = n, upper, false
	}
	return total
}
