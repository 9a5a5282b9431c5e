package mime

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/jhillyerd/enmime/v2"
	"golang.org/x/text/encoding/charmap"
)

// charsetOf is the name under which a character set is known here and to enmime.
func charsetOf(declared string) string {
	name := strings.ToLower(strings.Trim(declared, " \t\"'"))
	name = strings.TrimPrefix(name, "charset=")
	if end := strings.IndexFunc(name, notInCharset); end >= 0 {
		name = name[:end]
	}
	for _, prefix := range []string{"win-", "win", "windows", "cp-", "cp", "x-cp", "ms-", "microsoft-cp"} {
		if digits, ok := strings.CutPrefix(name, prefix); ok && len(digits) == 4 && strings.HasPrefix(digits, "125") {
			return "windows-" + digits
		}
	}
	switch name {
	case "utf8", "utf_8", "unicode-1-1-utf-8", "x-utf-8":
		return "utf-8"
	case "ascii", "us_ascii", "ansi_x3.4-1968", "iso-ir-6", "unknown-8bit", "x-unknown", "unknown", "8bit", "7bit", "default", "none":
		return "us-ascii"
	case "koi8r", "koi-8", "koi8", "koi-8-r", "koi8_r", "x-koi8-r":
		return "koi8-r"
	case "866", "cp-866", "dos-866", "ibm-866", "cp866", "x-cp866":
		return "ibm866"
	case "iso8859-5", "iso_8859-5", "cyrillic":
		return "iso-8859-5"
	}
	return name
}

// notInCharset reports whether r stands in no name of a character set.
func notInCharset(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.:+", r)
}

// claimsLittle reports whether a declared character set is one that programs name without knowing it.
func claimsLittle(name string) bool {
	switch name {
	case "", "us-ascii", "utf-8", "iso-8859-1", "iso8859-1", "latin1", "windows-1252":
		return true
	}
	return false
}

// tableOf returns the table of a character set of one byte a letter that is common enough in headers and short texts to
// be decoded here; nil for all others.
func tableOf(name string) *charmap.Charmap {
	switch name {
	case "windows-1251":
		return charmap.Windows1251
	case "koi8-r":
		return charmap.KOI8R
	case "koi8-u":
		return charmap.KOI8U
	case "ibm866":
		return charmap.CodePage866
	case "iso-8859-5":
		return charmap.ISO8859_5
	case "iso-8859-1", "iso8859-1", "latin1", "windows-1252", "us-ascii", "":
		return charmap.Windows1252
	}
	return nil
}

// How the character set of a text was found.
const (
	charsetFine    = iota
	charsetUnknown // its name is not known
	charsetWrong   // the text is in another one
)

// toUTF8 decodes b, which says of itself that it is in the character set declared ("" if it says nothing). Bytes that
// are plainly something else are decoded as that. The outcome is valid UTF-8.
func toUTF8(b []byte, declared string) (text string, how int) {
	name := charsetOf(declared)
	if !isStateful(name) {
		if isASCII(b) {
			return string(b), charsetFine
		}
		if text, ok := byMark(b); ok {
			return text, charsetFine
		}
	}
	found := name
	if claimsLittle(name) || tableOf(name) != nil && !plausible(b, name) {
		found = guess(b, name)
	}
	if text, ok := decodeAs(b, found); ok {
		return text, verdictOf(name, found)
	}
	text, _ = decodeAs(b, guess(b, ""))
	return text, charsetUnknown
}

// guess is the character set of b, which declares name without good reason.
func guess(b []byte, name string) string {
	if found := DetectCharset(b); found != "" {
		return found
	}
	switch {
	case name == "utf-8" && mostlyUTF8(b):
		return name
	case name != "" && name != "utf-8" && tableOf(name) != nil:
		return name
	}
	return "windows-1252"
}

// decodeAs decodes b from the character set called name; false if nobody knows it.
func decodeAs(b []byte, name string) (string, bool) {
	if name == "utf-8" {
		return strings.ToValidUTF8(string(b), "\uFFFD"), true
	}
	if t := tableOf(name); t != nil {
		return byTable(b, t), true
	}
	return byEnmime(b, name)
}

// verdictOf compares the declared with the found character set.
func verdictOf(declared, found string) int {
	if declared == found || declared == "" || tableOf(declared) != nil && tableOf(declared) == tableOf(found) {
		return charsetFine
	}
	return charsetWrong
}

// isStateful reports whether name is a character set in which bytes of ASCII may be other letters.
func isStateful(name string) bool {
	return strings.HasPrefix(name, "iso-2022") || strings.HasPrefix(name, "utf-16") || strings.HasPrefix(name, "utf-32") ||
		name == "utf-7" || strings.HasPrefix(name, "hz") || strings.HasPrefix(name, "csiso2022")
}

// byMark decodes a text that begins with a byte order mark.
func byMark(b []byte) (string, bool) {
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		return strings.ToValidUTF8(string(b[3:]), "\uFFFD"), true
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		return byEnmime(b[2:], "utf-16le")
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		return byEnmime(b[2:], "utf-16be")
	}
	return "", false
}

// byTable decodes a character set of one byte a letter.
func byTable(b []byte, t *charmap.Charmap) string {
	out := make([]byte, 0, len(b)*2)
	for _, c := range b {
		if c < 0x80 {
			out = append(out, c)
		} else {
			out = utf8.AppendRune(out, t.DecodeByte(c))
		}
	}
	return string(out)
}

// leafParser is enmime for one part without parts.
var leafParser = enmime.NewParser(enmime.DisableCharacterDetection(true), enmime.DisableTextConversion(true),
	enmime.SkipMalformedParts(true), enmime.MultipartWOBoundaryAsSinglePart(true), enmime.MaxStoredPartErrors(1),
	enmime.SetReadPartErrorPolicy(func(*enmime.Part, error) bool { return true }))

// shortText is up to how many bytes a text is given to enmime as an encoded word, which is faster than as a part.
const shortText = 256

// byEnmime has enmime decode a text; false if it does not know charset, a name as of charsetOf.
func byEnmime(b []byte, charset string) (string, bool) {
	if charset == "" || len(charset) > 40 {
		return "", false
	}
	if len(b) <= shortText && bytes.IndexByte(b, '=') < 0 { // with "=" it would take the text for a parameter
		word := "=?" + charset + "?B?" + base64.StdEncoding.EncodeToString(b) + "?="
		text := enmime.DecodeRFC2047(word)
		return strings.ToValidUTF8(text, "\uFFFD"), text != word
	}
	head := strings.NewReader("Content-Type: text/plain; charset=\"" + charset + "\"\r\n\r\n")
	part, err := leafParser.ReadParts(io.MultiReader(head, bytes.NewReader(b)))
	if err != nil {
		return "", false
	}
	for _, e := range part.Errors {
		if e.Name == enmime.ErrorCharsetConversion {
			return "", false
		}
	}
	return strings.ToValidUTF8(string(part.Content), "\uFFFD"), true
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// mostlyUTF8 reports whether more of the bytes beyond ASCII form letters of UTF-8 than not.
func mostlyUTF8(b []byte) bool {
	good, bad := 0, 0
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && size <= 1:
			bad++
		case size > 1:
			good++
		}
		b = b[size:]
	}
	return good > bad
}
