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

// isOurs reports whether a field, in whatever case and with whatever but printable ASCII around and in its name, is one
// that we write or that a reader could take for ours: of X-Spam-* we write some, and mail filters read them all.
func isOurs(field []byte, hostname string) bool {
	name, value, ok := bytes.Cut(field, []byte(":"))
	if !ok {
		return false
	}
	key := keyOf(name)
	if key == "authentication-results" {
		return namesUs(value, hostname)
	}
	return key == "x-spam" || key == "x-weir" || strings.HasPrefix(key, "x-spam-") || strings.HasPrefix(key, "x-weir-")
}

// keyOf is as much of a field's name as matters here, in small letters, without blanks and what does not print.
func keyOf(name []byte) string {
	var key []byte
	for _, c := range name {
		if c <= ' ' || c > '~' {
			continue
		}
		if key = append(key, c); len(key) > len("authentication-results") {
			break
		}
	}
	return strings.ToLower(string(key))
}
