package verdictlog

import (
	"bytes"
	"encoding/json"
)

// Text is the value of a JSON string, empty if it is none.
func Text(value []byte) []byte {
	if len(value) < 2 || value[0] != '"' {
		return nil
	}
	inside := value[1 : len(value)-1]
	if bytes.IndexByte(inside, '\\') < 0 {
		return inside
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return nil
	}
	return []byte(s)
}

// Fields calls each with the fields of a JSON object, their values as they stand: ten times as fast as decoding it. It
// reports false if the object does not end as one does; what is within values is not checked.
func Fields(object []byte, each func(name, value []byte)) bool {
	return fieldsWhile(object, func(name, value []byte) bool {
		each(name, value)
		return true
	})
}

// fieldsWhile is Fields until each reports false; then whether the object ends is seen by its last byte.
func fieldsWhile(object []byte, each func(name, value []byte) bool) bool {
	at := blank(object, 0)
	if at >= len(object) || object[at] != '{' {
		return false
	}
	for at = blank(object, at+1); at < len(object) && object[at] == '"'; {
		end := skip(object, at)
		name := object[at:end]
		at = blank(object, end)
		if at >= len(object) || object[at] != ':' {
			return false
		}
		at = blank(object, at+1)
		if end = skip(object, at); end == at || len(name) < 2 {
			return false
		}
		if !each(name[1:len(name)-1], object[at:end]) {
			return object[len(object)-1] == '}'
		}
		if at = blank(object, end); at < len(object) && object[at] == ',' {
			at = blank(object, at+1)
		}
	}
	return at < len(object) && object[at] == '}'
}

func blank(s []byte, at int) int {
	for at < len(s) && (s[at] == ' ' || s[at] == '\t' || s[at] == '\r' || s[at] == '\n') {
		at++
	}
	return at
}

// skip is where the value that begins at ends: the length of s if it does not.
func skip(s []byte, at int) int {
	depth := 0
	for at < len(s) {
		switch s[at] {
		case '"':
			at = skipString(s, at)
			if depth == 0 {
				return at
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return at
			}
			if depth--; depth == 0 {
				return at + 1
			}
		case ',', ' ', '\t', '\r', '\n', ':':
			if depth == 0 {
				return at
			}
		}
		at++
	}
	return len(s)
}

// skipString is the end of the string that begins at. Most are too short to look for their end in any other way.
func skipString(s []byte, at int) int {
	for at++; at < len(s); at++ {
		switch s[at] {
		case '"':
			return at + 1
		case '\\':
			at++
		}
	}
	return len(s)
}
