package bulk

import (
	"strings"
	"unicode"
)

// lift takes out of s what a sender wants to be reached by: links, mailboxes, telephone and account numbers, wallets.
// rest is s without links and mailboxes, so that they do not count as words.
func lift(s string) (rest string, payload []string) {
	var b strings.Builder
	b.Grow(len(s))
	for len(s) > 0 {
		end := strings.IndexFunc(s, unicode.IsSpace)
		if end < 0 {
			end = len(s)
		}
		if kind, value := address(s[:end]); kind != "" {
			if value != "" {
				payload = append(payload, kind+value)
			}
			b.WriteByte(' ')
		} else {
			b.WriteString(s[:end])
		}
		next := end + len(s[end:]) - len(strings.TrimLeftFunc(s[end:], unicode.IsSpace))
		b.WriteString(s[end:next])
		s = s[next:]
	}
	rest = b.String()
	return rest, append(payload, numbers(rest)...)
}

// address says what kind of address the chunk c is and its comparable form; "" if none. Links are known from the
// message's own list, so their value is empty here.
func address(c string) (kind, value string) {
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
	if len(s) < 26 || len(s) > 62 {
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
	gap := 0
	flush := func() {
		if n := len(digits); n >= phoneDigits && n <= accountDigits {
			found = append(found, "number:"+string(digits[n-phoneDigits:]))
		}
		digits, gap = digits[:0], 0
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits, gap = append(digits, c), 0
		case len(digits) > 0 && gap < 2 && strings.IndexByte(" -.()+/", c) >= 0:
			gap++
		default:
			flush()
		}
	}
	flush()
	return found
}
