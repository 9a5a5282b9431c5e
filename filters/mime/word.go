package mime

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"
)

// word is an encoded word (RFC 2047 section 2), its transfer encoding decoded.
type word struct {
	charset string
	data    []byte
}

// DecodeHeader decodes the encoded words of s, an unfolded field body, and its raw 8-bit bytes. The outcome is valid
// UTF-8 without control bytes. Words that follow each other are put together before their character set is decoded,
// because some programs split letters between them.
func DecodeHeader(s string) string { return decodeHeader(s, "") }

// decodeHeader is DecodeHeader where raw 8-bit bytes are likely in the character set hint.
func decodeHeader(s, hint string) string {
	s = decodeWords(s, hint)
	if strings.IndexFunc(s, isControl) >= 0 {
		s = clean(s)
	}
	return s
}

// isControl reports whether r has no place in one line of text.
func isControl(r rune) bool { return r != '\t' && unicode.IsControl(r) || r == utf8.RuneError }

// clean replaces control characters by spaces, and is otherwise s.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != utf8.RuneError && isControl(r) {
			return ' '
		}
		return r
	}, s)
}

func decodeWords(s, hint string) string {
	if !strings.Contains(s, "=?") {
		return plainHeader(s, hint)
	}
	var b strings.Builder
	var run word // words that follow each other in one character set
	flush := func() {
		text, _ := toUTF8(run.data, run.charset)
		b.WriteString(text)
		run = word{}
	}
	tail := len(s) - strings.LastIndex(s, "?=") // behind the last end of a word none can begin
	for {
		at := strings.Index(s, "=?")
		if at < 0 || len(s)-at <= tail {
			break
		}
		next, length := cutWord(s[at:])
		if length == 0 {
			flush()
			b.WriteString(plainHeader(s[:at+2], hint))
			s = s[at+2:]
			continue
		}
		gap := s[:at]
		if run.data == nil || strings.Trim(gap, " \t") != "" {
			flush()
			b.WriteString(plainHeader(gap, hint))
		} else if !strings.EqualFold(run.charset, next.charset) {
			flush()
		}
		run.charset, run.data = next.charset, append(run.data, next.data...)
		if run.data == nil {
			run.data = []byte{}
		}
		s = s[at+length:]
	}
	flush()
	b.WriteString(plainHeader(s, hint))
	return b.String()
}

// plainHeader decodes what is in no encoded word: ASCII, UTF-8 (RFC 6532), or bytes of a set that is not named.
func plainHeader(s, hint string) string {
	if utf8.ValidString(s) {
		return s
	}
	text, _ := toUTF8([]byte(s), hint)
	return text
}

// cutWord reads the encoded word at the start of s, and how long it is; 0 if there is none. Blanks in it are forgiven.
func cutWord(s string) (word, int) {
	charset, rest, ok := strings.Cut(s[2:], "?")
	if !ok || charset == "" || len(charset) > 40 || len(rest) < 2 || rest[1] != '?' {
		return word{}, 0
	}
	text, _, ok := strings.Cut(rest[2:], "?=")
	if !ok {
		return word{}, 0
	}
	charset, _, _ = strings.Cut(charset, "*") // a language (RFC 2231 section 5)
	w := word{charset: charset}
	switch rest[0] {
	case 'B', 'b':
		w.data, _ = decodeBase64([]byte(text), base64.StdEncoding.DecodedLen(len(text))+2)
	case 'Q', 'q':
		w.data = decodeQ(text)
	default:
		return word{}, 0
	}
	return w, 2 + len(s[2:]) - len(rest) + 2 + len(text) + 2
}

// decodeQ decodes the "Q" encoding (RFC 2047 section 4.2).
func decodeQ(s string) []byte {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			b = append(b, ' ')
		case c == '=' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return b
}
