package page

import (
	"math"
	"strconv"
	"strings"
)

// tone is a colour as 0xRRGGBB with a mark that it was said; the zero tone was not.
type tone uint32

const (
	said        tone = 1 << 24
	transparent tone = 2 << 24
	unknown     tone = 4 << 24 // said in words that are not known here
	white            = said | 0xffffff
)

// toneOf reads a colour; zero if it is that of the element around.
func toneOf(s string) tone {
	switch {
	case strings.HasPrefix(s, "#"):
		return hexTone(s[1:])
	case strings.HasPrefix(s, "rgb"):
		return rgbTone(s)
	case strings.HasPrefix(s, "hsl"):
		return hslTone(s)
	}
	switch s {
	case "inherit", "currentcolor", "unset", "none":
		return 0
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
	case "silver":
		return said | 0xc0c0c0
	case "lightgray", "lightgrey":
		return said | 0xd3d3d3
	}
	return unknown
}

func hexTone(s string) tone {
	n, err := strconv.ParseUint(s, 16, 32)
	switch {
	case err != nil:
	case len(s) == 3:
		return said | tone(n>>8&15*0x110000|n>>4&15*0x1100|n&15*0x11)
	case len(s) == 6:
		return said | tone(n)
	case len(s) == 8 && n&0xff == 0:
		return transparent
	case len(s) == 8 && n&0xff == 0xff:
		return said | tone(n>>8)
	}
	return unknown
}

// hslTone reads hsl(0, 0%, 100%) and hsla(0, 0%, 100%, 0.5).
func hslTone(s string) tone {
	_, s, _ = strings.Cut(s, "(")
	list := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ,/)", r) })
	if len(list) != 3 && len(list) != 4 {
		return unknown
	}
	hue, turn, ok := number(list[0])
	saturation, ok1 := percent(list[1])
	light, ok2 := percent(list[2])
	if !ok || !ok1 || !ok2 || turn != "" && turn != "deg" {
		return unknown
	}
	if len(list) == 4 {
		switch n, unit, ok := number(list[3]); {
		case ok && unit == "" && n <= faintest:
			return transparent
		case !ok || unit != "" || n < 1:
			return unknown
		}
	}
	var c tone
	for _, from := range []float64{0, 8, 4} { // red, green, blue: CSS Color 4, section 7.1
		k := math.Mod(math.Mod(from+hue/30, 12)+12, 12)
		part := light - saturation*min(light, 1-light)*max(-1, min(k-3, 9-k, 1))
		c = c<<8 | tone(math.Round(part*255))
	}
	return said | c
}

// percent reads a part of a hundred as one of 1.
func percent(s string) (float64, bool) {
	n, unit, ok := number(s)
	return min(max(n, 0), 100) / 100, ok && unit == "%"
}

// rgbTone reads rgb(1, 2, 3) and rgba(1, 2, 3, 0.5).
func rgbTone(s string) tone {
	_, s, _ = strings.Cut(s, "(")
	var c tone
	i := 0
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(" ,/)", r) }) {
		n, unit, ok := number(word)
		switch {
		case !ok || unit != "" || i > 3:
			return unknown
		case i == 3 && n <= faintest:
			return transparent
		case i == 3 && n < 1:
			return unknown
		case i < 3:
			c = c<<8 | tone(min(max(n, 0), 255))
		}
		i++
	}
	if i < 3 {
		return unknown
	}
	return said | c
}

// mostAlike is the difference, over all three colours, up to which a text cannot be told from its ground.
const mostAlike = 48

// near reports whether text of the known colour a on a ground of the known colour b cannot be read.
func near(a, b tone) bool {
	if a&b&said == 0 {
		return false
	}
	sum := 0
	for shift := 0; shift < 24; shift += 8 {
		d := int(a>>shift&0xff) - int(b>>shift&0xff)
		sum += max(d, -d)
	}
	return sum <= mostAlike
}
