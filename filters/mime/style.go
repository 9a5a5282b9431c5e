package mime

import (
	"strconv"
	"strings"
)

// trait is something about an element that CSS may say. Several are bits of one number.
type trait uint16

const (
	notShown  trait = 1 << iota // display: none
	inline                      // display: inline
	blockwise                   // display: block
	unseen                      // visibility: hidden
	tiny                        // font-size: 0 to 2 px
	faint                       // opacity: 0
	flat                        // max-height: 0
	thin                        // height or width: 0
	clipped                     // overflow: hidden
	shifted                     // left: -9999px
	placed                      // position: absolute
	away                        // moved, clipped or scaled out of sight by one declaration
	pictured                    // a background that is not one colour
)

// tone is a colour as 0xRRGGBB with a mark that it was said; the zero tone was not.
type tone uint32

const (
	said        tone = 1 << 24
	transparent tone = 2 << 24
	white            = said | 0xffffff
)

// look is what CSS says of one element: the traits that it speaks of, those that hold, and colours.
type look struct {
	known, on  trait
	fore, back tone
}

func (l *look) set(t trait, holds bool) {
	l.known |= t
	l.on &^= t
	if holds {
		l.on |= t
	}
}

// under returns l with what over says instead, where it says something.
func (l look) under(over look) look {
	l.on = l.on&^over.known | over.on
	l.known |= over.known
	if over.fore != 0 {
		l.fore = over.fore
	}
	if over.back != 0 {
		l.back = over.back
	}
	return l
}

// gone reports whether nothing in the element can be seen, whatever else is said inside it.
func (l look) gone() bool {
	return l.on&(notShown|faint|flat|away) != 0 || l.on&(thin|clipped) == thin|clipped || l.on&(shifted|placed) == shifted|placed
}

// lookOf reads the declarations of a style attribute or rule.
func lookOf(css string) look {
	css = strings.ToLower(css)
	if strings.Contains(css, "/*") {
		css = withoutComments(css)
	}
	var l look
	for css != "" {
		var one string
		one, css, _ = strings.Cut(css, ";")
		if name, value, ok := strings.Cut(one, ":"); ok {
			value, _, _ = strings.Cut(value, "!")
			l.declare(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return l
}

// Where out of sight begins.
const (
	farOut     = -200 // pixels beyond an edge
	tinyPixels = 2    // of a font
)

func (l *look) declare(name, value string) {
	switch name {
	case "display":
		l.set(notShown, value == "none")
		l.set(inline, strings.HasPrefix(value, "inline"))
		l.set(blockwise, value == "block" || value == "table" || value == "list-item")
	case "visibility":
		l.set(unseen, value == "hidden" || value == "collapse")
	case "content-visibility":
		l.set(away, value == "hidden")
	case "opacity":
		n, ok := number(value)
		l.set(faint, ok && n <= 0.05)
	case "font-size":
		l.set(tiny, isTiny(value))
	case "font":
		l.declareFont(value)
	case "color", "-webkit-text-fill-color":
		if c := toneOf(value); c != 0 {
			l.fore = c
		}
	case "background-color", "background", "background-image":
		l.declareBackground(value)
	case "overflow", "overflow-y", "overflow-x":
		l.set(clipped, value == "hidden" || value == "clip")
	case "max-height", "max-width":
		l.set(flat, isZero(value))
	case "height", "width":
		if isZero(value) {
			l.set(thin, true)
		}
	case "position":
		l.set(placed, value == "absolute" || value == "fixed" || value == "relative")
	case "left", "top", "right", "bottom":
		if n, ok := pixels(value); ok && n <= farOut {
			l.set(shifted, true)
		}
	case "text-indent", "margin-left", "margin-top", "margin", "transform", "clip", "clip-path":
		if isAway(name, value) {
			l.set(away, true)
		}
	}
}

// declareFont reads the size in the short form: font: 0/0 arial.
func (l *look) declareFont(value string) {
	for word := range strings.FieldsSeq(value) {
		size, _, _ := strings.Cut(word, "/")
		if n, ok := number(size); ok && (n < 100 || size[len(size)-1] > '9') { // else a weight
			l.set(tiny, isTiny(size))
			return
		}
	}
}

func (l *look) declareBackground(value string) {
	if strings.Contains(value, "url(") || strings.Contains(value, "gradient(") {
		l.set(pictured, true)
		return
	}
	words := []string{value}
	if !strings.HasPrefix(value, "rgb") {
		words = strings.Fields(value)
	}
	for _, word := range words {
		if c := toneOf(word); c != 0 {
			l.back = c
			l.set(pictured, false)
			return
		}
	}
}

func isAway(name, value string) bool {
	switch name {
	case "clip":
		return strings.HasPrefix(value, "rect(0") || strings.HasPrefix(value, "rect(1px")
	case "clip-path":
		return strings.HasPrefix(value, "inset(50%") || strings.HasPrefix(value, "inset(100%") || strings.HasPrefix(value, "circle(0")
	case "transform":
		if strings.HasPrefix(value, "scale(0)") || strings.HasPrefix(value, "scale(0,") {
			return true
		}
		_, value, _ = strings.Cut(value, "(")
	}
	for word := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ' ' || r == ',' || r == ')' }) {
		if n, ok := pixels(word); ok && n <= farOut {
			return true
		}
	}
	return false
}

// number reads the number at the start of s.
func number(s string) (float64, bool) {
	end := 0
	for end < len(s) && end < 20 && (s[end] >= '0' && s[end] <= '9' || s[end] == '.' || s[end] == '-' && end == 0) {
		end++
	}
	n, err := strconv.ParseFloat(s[:end], 64)
	return n, err == nil
}

// pixels reads a length; units of text count as 16 pixels, parts of the window as 10.
func pixels(s string) (float64, bool) {
	n, ok := number(s)
	switch {
	case strings.HasSuffix(s, "em"):
		n *= 16
	case strings.HasSuffix(s, "vw"), strings.HasSuffix(s, "vh"), strings.HasSuffix(s, "%"):
		n *= 10
	}
	return n, ok
}

func isZero(s string) bool {
	n, ok := number(s)
	return ok && n == 0
}

func isTiny(s string) bool {
	n, ok := pixels(s)
	if strings.HasSuffix(s, "%") {
		n *= 0.016
	}
	return ok && n >= 0 && n <= tinyPixels
}

// toneOf reads a colour; zero if it is none that is known.
func toneOf(s string) tone {
	switch {
	case strings.HasPrefix(s, "#"):
		return hexTone(s[1:])
	case strings.HasPrefix(s, "rgb"):
		return rgbTone(s)
	}
	switch s {
	case "transparent":
		return transparent
	case "white":
		return white
	case "black":
		return said
	case "snow", "ivory", "ghostwhite", "floralwhite", "mintcream", "azure", "whitesmoke":
		return said | 0xf8f8f8
	case "red":
		return said | 0xff0000
	case "green":
		return said | 0x008000
	case "blue":
		return said | 0x0000ff
	case "navy":
		return said | 0x000080
	case "yellow":
		return said | 0xffff00
	case "gray", "grey":
		return said | 0x808080
	case "silver", "lightgray", "lightgrey":
		return said | 0xc8c8c8
	}
	return 0
}

func hexTone(s string) tone {
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		return 0
	}
	switch len(s) {
	case 3:
		return said | tone(n>>8&15*0x110000|n>>4&15*0x1100|n&15*0x11)
	case 6:
		return said | tone(n)
	case 8:
		if n&0xff == 0 {
			return transparent
		}
		return said | tone(n>>8)
	}
	return 0
}

// rgbTone reads rgb(1, 2, 3) and rgba(1, 2, 3, 0.5).
func rgbTone(s string) tone {
	_, s, _ = strings.Cut(s, "(")
	var c tone
	i := 0
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(" ,/)", r) }) {
		n, ok := number(word)
		switch {
		case !ok || i > 3:
			return 0
		case i == 3 && n <= 0.05:
			return transparent
		case i < 3:
			c = c<<8 | tone(min(max(n, 0), 255))
		}
		i++
	}
	if i < 3 {
		return 0
	}
	return said | c
}

// near reports whether text of colour a on a ground of colour b cannot be read.
func near(a, b tone) bool {
	sum := 0
	for shift := 0; shift < 24; shift += 8 {
		d := int(a>>shift&0xff) - int(b>>shift&0xff)
		sum += max(d, -d)
	}
	return sum <= 48
}

func withoutComments(css string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(css, "/*")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte(' ')
		_, css, _ = strings.Cut(rest, "*/")
	}
}
