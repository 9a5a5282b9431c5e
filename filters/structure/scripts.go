package structure

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWord is the bytes of a word; what is longer is none.
const maxWord = 64

// Letters that look the same in Latin and in Cyrillic or Greek. What is not here gives a mixture away to the reader.
const (
	latinLikes = "АВЕКМНОРСТУХаеорсухіјѕІЈЅԁһԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧοαν" // Cyrillic and Greek
	otherLikes = "ABEKMHOPCTYXIJSZNaeopcyxijsdhqwv"               // Latin
)

// mixedWords returns at most limit words of text that are written in one alphabet with letters of another put in
// that look alike: "Bаnk" with a Cyrillic letter, "Бaнк" with a Latin one. Honest mixtures are not meant: a word with
// letters of both that do not look alike, or an acronym with a Cyrillic ending.
func mixedWords(text string, limit int) []string {
	var found []string
	for at := 0; len(found) < limit; {
		// A mixed word has a letter beyond ASCII, and most words of most texts have none.
		beyond := strings.IndexFunc(text[at:], func(r rune) bool { return r >= utf8.RuneSelf })
		if beyond < 0 {
			break
		}
		beyond += at
		start := at + strings.LastIndexFunc(text[at:beyond], func(r rune) bool { return !isWord(r) }) + 1
		end := len(text)
		if n := strings.IndexFunc(text[beyond:], func(r rune) bool { return !isWord(r) }); n >= 0 {
			end = beyond + n
		}
		if word := text[start:end]; len(word) <= maxWord && isMixed(word) {
			found = append(found, word)
		}
		_, size := utf8.DecodeRuneInString(text[beyond:])
		at = max(end, beyond+size)
	}
	return found
}

func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	return unicode.IsLetter(r) || unicode.Is(unicode.M, r)
}

// isMixed reports whether word has letters of Latin and of Cyrillic or Greek, and all letters of one side look like
// letters of the other.
func isMixed(word string) bool {
	latin, other, latinUnlike, otherUnlike := 0, 0, 0, 0
	for _, r := range word {
		switch {
		case r == 'μ': // the sign of a unit
		case unicode.Is(unicode.Latin, r):
			latin++
			if !strings.ContainsRune(otherLikes, r) {
				latinUnlike++
			}
		case unicode.Is(unicode.Cyrillic, r) || unicode.Is(unicode.Greek, r):
			other++
			if !strings.ContainsRune(latinLikes, r) {
				otherUnlike++
			}
		}
	}
	if latin == 0 || other == 0 || latin+other < 3 {
		return false
	}
	return (latinUnlike == 0 || otherUnlike == 0) && !isAcronymWithEnding(word)
}

// isAcronymWithEnding reports whether word is capital Latin letters and then small Cyrillic ones, as people decline
// foreign acronyms.
func isAcronymWithEnding(word string) bool {
	ending := strings.TrimLeftFunc(word, func(r rune) bool { return unicode.Is(unicode.Latin, r) && unicode.IsUpper(r) })
	return len(ending) < len(word)-1 && strings.TrimLeftFunc(ending, unicode.IsLower) == ""
}
