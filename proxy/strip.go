package proxy

import (
	"bytes"
	"strings"
)

// withoutOurs cuts from a message the header fields that only we may write, and returns what is left as pieces of
// raw, and how many fields were cut. hostname is our authserv-id: Authentication-Results of others may stay
// (RFC 8601 5). The body is not looked at.
func withoutOurs(raw []byte, hostname string) (kept [][]byte, cut int) {
	from := 0
	for at := 0; at < len(raw); {
		end := fieldEnd(raw, at)
		if end == at { // the empty line before the body
			break
		}
		if isOurs(raw[at:end], hostname) {
			if at > from {
				kept = append(kept, raw[from:at])
			}
			from = end
			cut++
		}
		at = end
	}
	if from < len(raw) {
		kept = append(kept, raw[from:])
	}
	return kept, cut
}

// fieldEnd returns where the field at raw[at:] ends, its continuation lines included; at itself before an empty line.
func fieldEnd(raw []byte, at int) int {
	if bytes.HasPrefix(raw[at:], []byte("\r\n")) {
		return at
	}
	for {
		eol := bytes.IndexByte(raw[at:], '\n')
		if eol < 0 {
			return len(raw)
		}
		at += eol + 1
		if at == len(raw) || raw[at] != ' ' && raw[at] != '\t' {
			return at
		}
	}
}

// isOurs reports whether a field, in whatever case and with whatever but printable ASCII around its name, is one that we write or
// that a reader could take for ours: of X-Spam-* we write some, and mail filters read them all.
func isOurs(field []byte, hostname string) bool {
	name, value, ok := bytes.Cut(field, []byte(":"))
	if !ok {
		return false
	}
	key := strings.ToLower(strings.TrimFunc(string(name), func(c rune) bool { return c <= ' ' || c > '~' }))
	if key == "authentication-results" {
		return strings.EqualFold(authservID(string(value)), hostname)
	}
	return key == "x-spam" || strings.HasPrefix(key, "x-spam-") || strings.HasPrefix(key, "x-weir-")
}

// authservID is the first word of an Authentication-Results field, without comments, quotes, control characters and a
// final dot (RFC 8601 §2.2): all that a reader could still take for our name.
func authservID(value string) string {
	var id strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '\\' && i+1 < len(value):
			i++
			if depth == 0 {
				id.WriteByte(value[i])
			}
		case c == '(' && !quoted:
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth > 0:
		case c == '"':
			quoted = !quoted
		case c == ' ' || c == '\t':
			if id.Len() > 0 && !quoted {
				return strings.TrimSuffix(id.String(), ".")
			}
		case c < ' ' || c == 0x7f:
		case c == ';' && !quoted:
			return strings.TrimSuffix(id.String(), ".")
		default:
			id.WriteByte(c)
		}
	}
	return strings.TrimSuffix(id.String(), ".")
}
