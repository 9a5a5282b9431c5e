package mime

import (
	"strings"

	"weir/filters/mime/page"
)

// Address returns the first address of an unfolded address field (RFC 5322 section 3.4), its domain in lower case and
// ASCII; "" if there is none.
func Address(field string) string {
	for rest := field; rest != ""; {
		var one string
		one, rest = cutAddress(rest)
		if a := address(one); a != "" {
			return a
		}
	}
	return ""
}

// address is the address in one element of a list: that in angle brackets, or the first word that is one.
func address(s string) string {
	if start := strings.LastIndexByte(s, '<'); start >= 0 {
		inner, _, _ := strings.Cut(s[start+1:], ">")
		if a := addrSpec(inner); a != "" {
			return a
		}
	}
	if strings.Contains(s, `"`) { // a quoted local part, which may have blanks
		return addrSpec(s)
	}
	for word := range strings.FieldsSeq(s) {
		if a := addrSpec(word); a != "" {
			return a
		}
	}
	return ""
}

// cutAddress returns s up to the next comma outside quotes and comments, without comments and quoted names, and the rest.
func cutAddress(s string) (one, rest string) {
	var b strings.Builder
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && depth > 0:
			i++
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth > 0:
		case c == '"':
			end := endOfQuotes(s, i)
			if end < len(s) && s[end] == '@' { // a quoted local part
				b.WriteString(s[i:end])
			}
			i = end - 1
		case c == ',' || c == ';':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// endOfQuotes returns the index behind the quoted string that begins at start.
func endOfQuotes(s string, start int) int {
	for i := start + 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

// addrSpec returns s if it is an address of a mailbox, else "".
func addrSpec(s string) string {
	s = strings.Trim(s, " \t<>")
	if i := strings.LastIndexByte(s, ':'); i >= 0 && strings.HasPrefix(s, "@") { // a source route (RFC 5322 section 4.4)
		s = s[i+1:]
	}
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || at == len(s)-1 {
		return ""
	}
	return s[:at+1] + page.ASCIIHost(strings.Trim(s[at+1:], " \t"))
}
