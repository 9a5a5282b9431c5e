package pattern

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxExcerpt = 60 // characters of an excerpt
	around     = 16 // characters shown before and after what matched, if there is room
)

// excerptOf returns text[from:to] with a little of what stands around it, on one line, of printable characters, at
// most maxExcerpt of them. What is left out is an ellipsis.
func excerptOf(text string, from, to int) string {
	start := back(text, from, around)
	end := min(forward(text, to, around), forward(text, start, 4*maxExcerpt))
	words := strings.FieldsFunc(text[start:end], func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	shown := []rune(strings.Join(words, " "))
	for i, r := range shown {
		if !unicode.IsPrint(r) {
			shown[i] = utf8.RuneError
		}
	}
	before, after := start > 0, end < len(text)
	if room := maxExcerpt - 2; len(shown) > room {
		shown, after = shown[:room], true
	}
	excerpt := string(shown)
	if before {
		excerpt = "…" + excerpt
	}
	if after {
		excerpt += "…"
	}
	return excerpt
}

// back is the place n characters before at, or the beginning.
func back(text string, at, n int) int {
	for range n {
		_, size := utf8.DecodeLastRuneInString(text[:at])
		at -= size
	}
	return at
}

// forward is the place n characters after at, or the end.
func forward(text string, at, n int) int {
	for range n {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return at
}
