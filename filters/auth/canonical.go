package auth

import (
	"bytes"
	"crypto/sha256"
	"strings"
)

// fieldForm is a header field, its line end included, as a signature covers it (RFC 6376 §3.4.1, §3.4.2).
func fieldForm(raw string, relaxed bool) string {
	if !relaxed {
		return strings.ReplaceAll(strings.ReplaceAll(raw, "\r\n", "\n"), "\n", "\r\n")
	}
	name, value, _ := strings.Cut(raw, ":")
	words := strings.FieldsFunc(value, func(c rune) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' })
	return strings.ToLower(strings.TrimSpace(name)) + ":" + strings.Join(words, " ") + "\r\n"
}

// unsigned is a signature field as it covers itself: without the value of its b= tag and without its line end
// (RFC 6376 §3.7).
func unsigned(raw string, relaxed bool) string {
	name, value, _ := strings.Cut(raw, ":")
	tags := strings.Split(strings.TrimRight(value, "\r\n"), ";")
	for i, tag := range tags {
		if key, _, found := strings.Cut(tag, "="); found && strings.TrimSpace(key) == "b" {
			tags[i] = key + "="
		}
	}
	return strings.TrimSuffix(fieldForm(name+":"+strings.Join(tags, ";")+"\r\n", relaxed), "\r\n")
}

// bodyOf is what follows the first empty line of a message.
func bodyOf(raw []byte) []byte {
	for at := 0; at < len(raw); {
		end := bytes.IndexByte(raw[at:], '\n')
		if end < 0 {
			return nil
		}
		line := raw[at : at+end+1]
		at += end + 1
		if len(line) == 1 || len(line) == 2 && line[0] == '\r' {
			return raw[at:]
		}
	}
	return nil
}

// bodyHash is the hash of a body as a signature covers it (RFC 6376 §3.4.3, §3.4.4): without empty lines at its end,
// each line ended by CRLF, and relaxed also with white space made one space and none before a line's end.
func bodyHash(body []byte, relaxed bool) [sha256.Size]byte {
	hash := sha256.New()
	crlf := []byte("\r\n")
	var squeezed []byte
	empty, any := 0, false
	for line := range bytes.Lines(body) {
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, crlf[1:]), crlf[:1])
		if relaxed {
			squeezed = squeeze(squeezed[:0], line)
			line = squeezed
		}
		if len(line) == 0 {
			empty++
			continue
		}
		for ; empty > 0; empty-- {
			hash.Write(crlf)
		}
		hash.Write(line)
		hash.Write(crlf)
		any = true
	}
	if !any && !relaxed {
		hash.Write(crlf)
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

// squeeze appends line to out with each run of white space made one space, and without one at its end.
func squeeze(out, line []byte) []byte {
	for _, c := range bytes.TrimRight(line, " \t") {
		if c == '\t' {
			c = ' '
		}
		if c != ' ' || len(out) == 0 || out[len(out)-1] != ' ' {
			out = append(out, c)
		}
	}
	return out
}
