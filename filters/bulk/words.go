package bulk

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// text is the canonical form of what a reader sees: skeleton words in a row.
type text struct {
	buf     []byte // the words, each followed by one space
	words   []word
	numbers []word // the numbers and identifiers, in the lexer's buffer
	named   bool   // words were left out because they were to be skipped
}

// word is a word's place in buf.
type word struct {
	start, end int32
	runes      uint8
}

func (t *text) at(i int) []byte { return t.buf[t.words[i].start:t.words[i].end] }

// Words longer than this are tokens: keys, hashes, encoded data.
const longest = 24

// token is a run of letters and digits as the lexer finds it.
type token struct {
	start, end int32 // in lexer.buf
	runes      uint8 // stops at 255
	digits     uint8
	sep        rune // the only rune between it and the token before it; 0 for none or several
}

// lexer finds tokens. Its buffers are used again for each message.
type lexer struct {
	folder *folder
	buf    []byte // the tokens, each followed by one space
	tokens []token
	text   text // the last that canonical returned
}

// canonical returns the canonical form of s: look-alikes folded, digits inside words read as letters, spaced-out words
// joined; numbers, long tokens and the words in skip left out. It is valid until the next call.
func (x *lexer) canonical(s string, skip *names) text {
	x.scan(s)
	t := text{buf: x.text.buf[:0], words: x.text.words[:0], numbers: x.text.numbers[:0]}
	copied := int32(0) // of x.buf: what is plain is copied as it stands, much at once
	shift := int32(0)  // from a place in x.buf to that in t.buf
	for i := 0; i < len(x.tokens); {
		k := x.tokens[i]
		if k.isPlain() && !skip.has(x.buf[k.start:k.end]) {
			t.words = append(t.words, word{k.start + shift, k.end + shift, k.runes})
			i++
			continue
		}
		t.buf = append(t.buf, x.buf[copied:k.start]...)
		i += x.read(i, &t, skip)
		copied = int32(len(x.buf))
		if i < len(x.tokens) {
			copied = x.tokens[i].start
		}
		shift = int32(len(t.buf)) - copied
	}
	t.buf = append(t.buf, x.buf[copied:]...)
	x.text = t
	return t
}

// isPlain reports whether k is a word as it stands.
func (k token) isPlain() bool { return k.digits == 0 && k.runes > 1 && k.runes <= longest }

// read adds to t what the token i is, alone or with some that follow, and returns how many they are.
func (x *lexer) read(i int, t *text, skip *names) int {
	start := len(t.buf)
	k, n := x.tokens[i], x.spaced(i)
	switch {
	case n > 0:
		for _, k := range x.tokens[i : i+n] {
			t.buf = append(t.buf, x.buf[k.start:k.end]...)
		}
		k.runes = uint8(n)
		readDigits(t.buf[start:])
	case !isWord(k, x.buf[k.start:k.end]):
		if k.digits > 1 {
			t.numbers = append(t.numbers, word{k.start, k.end, k.runes})
		}
		return 1
	default:
		t.buf = append(t.buf, x.buf[k.start:k.end]...)
		if k.digits > 0 {
			readDigits(t.buf[start:])
		}
	}
	if skip.has(t.buf[start:]) {
		t.buf, t.named = t.buf[:start], true
	} else {
		t.words = append(t.words, word{int32(start), int32(len(t.buf)), k.runes})
		t.buf = append(t.buf, ' ')
	}
	return max(n, 1)
}

// names is a small set of words. Most others are told by their length and first letter. The nil set is empty.
type names struct {
	words  map[string]bool
	firsts [64]uint32 // by length: the first letters, as bits; a hint
}

func (n *names) add(w []byte) {
	if n.words == nil {
		n.words = map[string]bool{}
	}
	n.words[string(w)] = true
	n.firsts[len(w)%64] |= 1 << (w[0] % 32)
}

func (n *names) has(w []byte) bool {
	return n != nil && n.firsts[len(w)%64]&(1<<(w[0]%32)) != 0 && n.words[string(w)]
}

// scan fills tokens from s.
func (x *lexer) scan(s string) {
	x.buf, x.tokens = x.buf[:0], x.tokens[:0]
	var open bool    // a token is being read
	var gap int      // separators since the last token
	var between rune // the last of them
	for len(s) > 0 {
		if open {
			s = s[x.plain(s):]
			if len(s) == 0 {
				break
			}
		}
		c := s[0]
		if c == ' ' || c == '\n' {
			open, between = false, rune(c)
			gap++
			s = s[1:]
			continue
		}
		if !open && x.folder.plain[c] != 0 {
			x.begin(gap, between)
			gap, open = 0, true
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		f := x.folder.fold(r)
		if f == separator && open && startsWithLetter(s) {
			f = sign(r)
		}
		switch {
		case f == nothing:
		case f == separator:
			open, between = false, r
			gap++
		default:
			if alone := isIdeograph(f); alone {
				x.alone(f, gap, between)
				gap, open = 0, false
				continue
			}
			if !open {
				x.begin(gap, between)
				gap, open = 0, true
			}
			x.letter(f, r)
		}
	}
	x.space()
}

// space ends what is in buf, if anything is.
func (x *lexer) space() {
	if len(x.buf) > 0 {
		x.buf = append(x.buf, ' ')
	}
}

// begin begins a token, after so many separators, the last of which is given.
func (x *lexer) begin(gap int, between rune) {
	if gap != 1 {
		between = 0
	}
	x.space()
	x.tokens = append(x.tokens, token{start: int32(len(x.buf)), end: int32(len(x.buf)), sep: between})
}

// alone adds the token of f, which is a word of its own. A letter is none: it is taken with the two before it, for two
// letters in a row are in any text.
func (x *lexer) alone(f rune, gap int, between rune) {
	var row [2]rune
	if n := len(x.tokens); n > 0 && isUnspacedLetter(f) {
		last := x.buf[x.tokens[n-1].start:x.tokens[n-1].end]
		for i := len(row) - 1; i >= 0; i-- {
			r, size := utf8.DecodeLastRune(last)
			if size == 0 || !isUnspacedLetter(r) {
				break
			}
			row[i] = r
			last = last[:len(last)-size]
		}
	}
	x.begin(gap, between)
	for _, r := range row {
		if r != 0 {
			x.letter(r, r)
		}
	}
	x.letter(f, f)
}

// plain adds the ASCII letters that s begins with to the token being read, and returns how many they are. It is scan's
// short way through most of most texts.
func (x *lexer) plain(s string) int {
	n, buf := 0, x.buf
	for ; n < len(s); n++ {
		f := x.folder.plain[s[n]]
		if f == 0 {
			break
		}
		buf = append(buf, f)
	}
	x.buf = buf
	k := &x.tokens[len(x.tokens)-1]
	k.end = int32(len(x.buf))
	k.runes = uint8(min(int(k.runes)+n, 255))
	return n
}

// sign is what a mark inside a word is read as.
func sign(r rune) rune {
	switch r {
	case '\'', '’', '`', '´', 'ʼ':
		return nothing
	case '@':
		return 'a'
	case '$':
		return 's'
	case '!', '|':
		return 'i'
	}
	return separator
}

func startsWithLetter(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLetter(r)
}

// letter adds a folded rune to the token being read; r is the rune before folding.
func (x *lexer) letter(f, r rune) {
	k := &x.tokens[len(x.tokens)-1]
	if f == several {
		for _, p := range norm.NFKD.String(string(r)) {
			if s := x.folder.single(p); s > 0 {
				x.letter(s, p)
			}
		}
		return
	}
	x.buf = utf8.AppendRune(x.buf, f)
	k.end = int32(len(x.buf))
	k.runes += min(1, 255-k.runes)
	if f >= '0' && f <= '9' {
		k.digits += min(1, 255-k.digits)
	}
}

// isIdeograph reports whether r is a word of its own, in scripts that put no space between words.
func isIdeograph(r rune) bool { return r >= 0xe00 && isUnspaced(r) }

func isUnspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || isUnspacedLetter(r)
}

// isUnspacedLetter reports whether r is a letter of an alphabet that puts no space between words.
func isUnspacedLetter(r rune) bool {
	return r >= 0xe00 && unicode.In(r, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// spaced returns how many tokens from i on are the letters of one word written apart, as in "f-r-e-e"; 0 if it is none.
func (x *lexer) spaced(i int) int {
	if x.tokens[i].runes != 1 || x.tokens[i].digits != 0 {
		return 0
	}
	if r, _ := utf8.DecodeRune(x.buf[x.tokens[i].start:]); isIdeograph(r) {
		return 0
	}
	n, sep, digits := 1, rune(0), 0
	for ; i+n < len(x.tokens) && n < longest; n++ {
		k := x.tokens[i+n]
		if n == 1 {
			sep = k.sep
		}
		if k.runes != 1 || k.sep != sep || sep == 0 {
			break
		}
		digits += int(k.digits)
	}
	if n < 3 || unicode.IsSpace(sep) && n < 4 || digits > 0 && (n-digits < 3 || digits > n/2) {
		return 0
	}
	return n
}

// isWord reports whether the token k, whose text is b, is a word: not a number, no identifier and not too long.
// Digits that stand for letters may be inside a word, not in a row.
func isWord(k token, b []byte) bool {
	if k.runes == 0 || k.runes > longest || k.digits*2 > k.runes {
		return false
	}
	if k.digits == 0 {
		return true
	}
	row := 0
	for _, c := range b {
		switch {
		case c < '0' || c > '9':
			row = 0
		case strings.IndexByte("269", c) >= 0, row == 1 && k.runes < 6, row == 2:
			return false
		default:
			row++
		}
	}
	return true
}

// readDigits replaces the digits in b by the letters they look like.
func readDigits(b []byte) {
	const letters = "oizeasbtbg"
	for i, c := range b {
		if c >= '0' && c <= '9' {
			b[i] = letters[c-'0']
		}
	}
}
