package proxy

import (
	"io"
	"mime"
	"strings"

	"golang.org/x/net/idna"
)

// maxResults is how long a field of results may be that is left, and read to its end.
const maxResults = 64 << 10

// namesUs reports whether the value of an Authentication-Results field begins with our name, hostname, for anybody: for who
// reads it as RFC 8601 2.2 has it, and for who knows nothing of comments, quotes, versions or folding, decodes what is not
// to be decoded, or stops at the wrong place. One field too many that is cut is no loss: it is wrong for somebody.
func namesUs(field []byte, hostname string) bool {
	if len(field) > maxResults {
		return true
	}
	value := string(field)
	decoder := mime.WordDecoder{CharsetReader: func(_ string, in io.Reader) (io.Reader, error) { return in, nil }}
	readings := []string{value}
	if decoded, err := decoder.DecodeHeader(value); err == nil && decoded != value {
		readings = append(readings, decoded)
	}
	for _, text := range readings {
		for _, r := range []reading{{gap: " "}, {gap: ""}, {gap: " ", noComments: true}} {
			if beginsWith(r.of(text), hostname) {
				return true
			}
		}
	}
	return false
}

// reading is a way to read a structured field.
type reading struct {
	gap        string // what white space, comments and quotes stand for
	noComments bool   // parentheses are gaps, what is between them is text
}

// of is the text without comments, quotes, control characters and white space, in small letters.
func (r reading) of(value string) string {
	var out strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '\\' && i+1 < len(value):
			i++
			if depth == 0 {
				out.WriteByte(value[i])
			}
		case c == '(' && !quoted && !r.noComments:
			depth++
		case c == ')' && depth > 0:
			if depth--; depth == 0 {
				out.WriteString(r.gap)
			}
		case depth > 0, c < ' ' && c != '\t', c == 0x7f:
		case c == '"':
			quoted = !quoted
			out.WriteString(r.gap)
		case c == ' ', c == '\t', c == '(', c == ')':
			out.WriteString(r.gap)
		default:
			out.WriteByte(c)
		}
	}
	return strings.ToLower(out.String())
}

// beginsWith reports whether the first word of text is hostname, or would be if it ended where a name must end.
func beginsWith(text, hostname string) bool {
	hostname = strings.ToLower(hostname)
	text = strings.TrimLeft(text, " ;,:<[")
	if instance, rest, ok := strings.Cut(text, ";"); ok && strings.HasPrefix(instance, "i=") { // as in ARC-Authentication-Results
		text = strings.TrimLeft(rest, " ;,:<[")
	}
	end := strings.IndexFunc(text, func(c rune) bool { return strings.ContainsRune(" ;,:<>[]()/=@", c) })
	if end < 0 {
		end = len(text)
	}
	if name, err := idna.Lookup.ToASCII(strings.TrimRight(text[:end], ".")); err == nil && name == hostname {
		return true
	}
	text = strings.TrimLeftFunc(text, func(c rune) bool { return !inName(c) })
	rest, ok := strings.CutPrefix(text, hostname)
	if !ok {
		return false
	}
	rest = strings.TrimLeft(rest, ".")
	return rest == "" || !inName(rune(rest[0]))
}

// inName reports whether c can be in a host name.
func inName(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}
