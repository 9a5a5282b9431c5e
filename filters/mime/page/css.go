package page

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// plainCSS returns css in lower case with nothing left that could be taken for something else: comments and what is in
// strings are dropped, escapes decoded, and marks that end declarations and blocks dropped inside parentheses. In a
// style attribute (inline) they are dropped inside braces too.
func plainCSS(css string, inline bool) string {
	css = strings.ToLower(css)
	if !strings.ContainsAny(css, "\"'(\\") && !strings.Contains(css, "/*") && !(inline && strings.Contains(css, "{")) {
		return css
	}
	b := make([]byte, 0, len(css))
	depth := 0
	for i := 0; i < len(css); {
		switch c := css[i]; {
		case c == '/' && strings.HasPrefix(css[i:], "/*"):
			_, rest, _ := strings.Cut(css[i+2:], "*/")
			i = len(css) - len(rest)
			b = append(b, ' ')
			continue
		case c == '"' || c == '\'':
			i = endOfString(css, i)
			b = append(b, '"', '"')
			continue
		case c == '\\':
			r, n := unescapeCSS(css[i:])
			b = utf8.AppendRune(b, r)
			i += n
			continue
		case c == '(' || inline && c == '{':
			depth++
		case depth > 0 && (c == ')' || inline && c == '}'):
			depth--
		}
		if depth == 0 || strings.IndexByte(";:{}", css[i]) < 0 {
			b = append(b, css[i])
		}
		i++
	}
	return string(b)
}

// endOfString is where the string that begins at start ends: behind its quote, or at the end of the line.
func endOfString(css string, start int) int {
	for i := start + 1; i < len(css); i++ {
		switch css[i] {
		case '\\':
			i++
		case '\n':
			return i
		case css[start]:
			return i + 1
		}
	}
	return len(css)
}

// unescapeCSS decodes the escape at the start of s, and says how long it is.
func unescapeCSS(s string) (rune, int) {
	n := 1
	for n < len(s) && n < 7 && isHex(s[n]) {
		n++
	}
	if n == 1 {
		r, size := utf8.DecodeRuneInString(s[1:])
		return r, 1 + size
	}
	code, _ := strconv.ParseUint(s[1:n], 16, 32)
	if n < len(s) && (s[n] == ' ' || s[n] == '\n' || s[n] == '\t') {
		n++
	}
	return rune(code), n
}

// style is what declarations say: looks, and those that are marked important and so win over all others.
type style struct{ normal, strong look }

// styleOf reads declarations, a css as of plainCSS.
func styleOf(css string) style {
	var s style
	for css != "" {
		var one string
		one, css, _ = strings.Cut(css, ";")
		name, value, ok := strings.Cut(one, ":")
		if !ok {
			continue
		}
		value, mark, marked := strings.Cut(value, "!")
		switch name = strings.TrimSpace(name); {
		case !marked:
			s.normal.declare(name, strings.TrimSpace(value))
		case strings.TrimSpace(mark) == "important":
			s.strong.declare(name, strings.TrimSpace(value))
		}
	}
	return s
}

// number reads a number, and what follows it.
func number(s string) (n float64, unit string, ok bool) {
	end := 0
	for end < len(s) && end < 20 && (s[end] >= '0' && s[end] <= '9' || s[end] == '.' || (s[end] == '-' || s[end] == '+') && end == 0) {
		end++
	}
	n, err := strconv.ParseFloat(s[:end], 64)
	return n, s[end:], err == nil
}

// pixels reads a length. Units of letters count as if letters had 16 pixels, percents as parts of 600.
func pixels(s string) (float64, bool) {
	n, unit, ok := number(s)
	switch unit {
	case "", "px", "pt":
	case "em", "rem", "pc":
		n *= 16
	case "ex", "ch":
		n *= 8
	case "%", "vw", "vh":
		n *= 6
	case "in":
		n *= 96
	case "cm":
		n *= 38
	case "mm":
		n *= 3.8
	default:
		return 0, false
	}
	return n, ok
}

func isZero(s string) bool {
	n, ok := pixels(s)
	return ok && n == 0
}

// isThin reports whether a length has no room for a letter.
func isThin(s string) bool {
	n, ok := pixels(s)
	return ok && n >= 0 && n <= tinyPixels
}

// Where out of sight begins.
const (
	farOut     = -200 // pixels beyond an edge
	farOff     = 3000 // pixels from the edge
	tinyPixels = 2    // of a font
	faintest   = 0.05 // of opacity
)

func isFarOut(s string) bool {
	n, ok := pixels(s)
	return ok && n <= farOut
}

func isFarOff(s string) bool {
	n, ok := pixels(s)
	if strings.HasSuffix(s, "vw") || strings.HasSuffix(s, "vh") {
		n *= farOff / 600 // a hundred of them are the window
	}
	return ok && n >= farOff
}

func isTiny(s string) bool {
	n, ok := pixels(s)
	if strings.HasSuffix(s, "%") {
		n *= 16.0 / 600
	}
	return ok && n >= 0 && n <= tinyPixels
}
