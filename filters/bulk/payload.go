package bulk

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// lift takes out of s what a sender wants to be reached by: links, mailboxes, telephone and account numbers, wallets.
// rest is s without links and mailboxes, so that they do not count as words. Links themselves are known from the
// message's own list and not in payload.
func lift(s string) (rest string, payload []string) {
	var b strings.Builder
	kept := 0 // the bytes of s that are in b or left out
	for at := 0; at < len(s); {
		end, gap, marked := chunk(s[at:])
		if marked || end >= leastWallet {
			if kind, value := address(s[at : at+end]); kind != "" {
				b.WriteString(s[kept:at])
				kept = at + end
				if kind != "link:" {
					payload = append(payload, kind+value)
				}
			}
		}
		at += end + gap
	}
	rest = s
	if kept > 0 {
		b.WriteString(s[kept:])
		rest = b.String()
	}
	return rest, append(payload, numbers(rest)...)
}

// chunk returns the lengths of the text up to the next white space and of that, and whether a dot or colon is in it.
func chunk(s string) (end, gap int, marked bool) {
	for {
		for end < len(s) && isLetter(s[end]) { // as most are
			end++
		}
		if end == len(s) {
			return end, 0, marked
		}
		c := s[end]
		switch {
		case c > ' ' && c < utf8.RuneSelf:
			marked = marked || c == '.' || c == ':'
			end++
		case c <= ' ':
			return end, 1, marked
		default:
			r, size := utf8.DecodeRuneInString(s[end:])
			if unicode.IsSpace(r) {
				return end, size, marked
			}
			end += size
		}
	}
}

func isLetter(c byte) bool { return c|('a'-'A')-'a' < 26 }

func isDigit(c byte) bool { return c-'0' < 10 }

// Bounds of an address in a text.
const (
	leastAddress = 6
	mostAddress  = 400
	leastWallet  = 26
	mostWallet   = 62
)

// address says what kind of address the chunk c is, and its comparable form; "" if none. c has a dot, a colon or the
// length of a wallet.
func address(c string) (kind, value string) {
	if len(c) < leastAddress || len(c) > mostAddress {
		return "", ""
	}
	c = strings.Trim(c, "<>()[]{}\"'.,;:!?*")
	low := strings.ToLower(c)
	switch {
	case strings.Contains(low, "://"), strings.HasPrefix(low, "www."), strings.HasPrefix(low, "mailto:"):
		return "link:", ""
	case isMailbox(low):
		return "mail:", low
	case isWallet(c):
		return "wallet:", c
	}
	return "", ""
}

func isMailbox(s string) bool {
	local, domain, found := strings.Cut(s, "@")
	return found && local != "" && strings.Contains(domain, ".") && strings.IndexFunc(domain, func(r rune) bool {
		return r > 0x7f || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '.' && r != '-'
	}) < 0
}

// isWallet reports whether s has the form of an address of a crypto currency: long, of letters and digits.
func isWallet(s string) bool {
	if len(s) < leastWallet || len(s) > mostWallet {
		return false
	}
	digits, letters := 0, 0
	for _, c := range []byte(s) {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			letters++
		default:
			return false
		}
	}
	return digits >= 4 && letters >= 4 &&
		(strings.HasPrefix(s, "1") || strings.HasPrefix(s, "3") || strings.HasPrefix(s, "bc1") || strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "T"))
}

// The last digits of a telephone number, without country and trunk prefix, and how many an account number has at most.
const (
	phoneDigits   = 9
	accountDigits = 34
)

// numbers returns the telephone and account numbers in s: rows of at least nine digits, written with the usual marks
// between them. The last nine stand for all.
func numbers(s string) []string {
	var found []string
	var digits []byte
	for at := 0; at < len(s); at++ {
		if !isDigit(s[at]) {
			continue
		}
		var size int
		digits, size = digitRow(digits[:0], s[at:])
		if n := len(digits); n >= phoneDigits && n <= accountDigits {
			found = append(found, "number:"+string(digits[n-phoneDigits:]))
		}
		at += size
	}
	return found
}

// digitRow appends the row of digits that s begins with, and returns how many bytes of s it takes with the marks in it.
func digitRow(digits []byte, s string) (_ []byte, size int) {
	gap := 0
	for ; size < len(s); size++ {
		switch c := s[size]; {
		case isDigit(c):
			digits, gap = append(digits, c), 0
		case gap < 2 && strings.IndexByte(" -.()+/", c) >= 0:
			gap++
		default:
			return digits, size
		}
	}
	return digits, size
}
