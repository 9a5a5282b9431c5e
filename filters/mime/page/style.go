package page

import (
	"slices"
	"strings"
)

// trait is something about an element that CSS may say. Several are bits of one number.
type trait uint32

const (
	notShown  trait = 1 << iota // display: none
	inline                      // display: inline
	boxed                       // display: inline-block, block, and what else has a height
	lines                       // display: block, and what else stands on lines of its own
	unseen                      // visibility: hidden
	skipped                     // content-visibility: hidden
	faint                       // opacity: 0
	tiny                        // font-size: 0
	clipped                     // overflow: hidden
	noHeight                    // height: 0
	noWidth                     // width: 0
	mostLow                     // max-height: 0
	mostThin                    // max-width: 0
	moved                       // position: relative
	apart                       // position: absolute
	outLeft                     // left: -9999px
	outTop                      // top: -9999px
	outRight                    // right: -9999px
	outBottom                   // bottom: -9999px
	indented                    // text-indent: -9999px
	drawnLeft                   // margin-left: -9999px
	drawnUp                     // margin-top: -9999px
	scaled                      // transform: scale(0)
	cut                         // clip: rect(0, 0, 0, 0)
	cutPath                     // clip-path: inset(100%)
	pictured                    // background: url(…)
	pinned                      // position: fixed
	farLeft                     // left: 9999px
	farTop                      // top: 9999px
	filtered                    // filter: opacity(0)

	small    = noHeight | noWidth | mostLow | mostThin
	out      = outLeft | outTop | outRight | outBottom
	passedOn = unseen | tiny | indented | pictured // hold for what is inside until it says otherwise
)

// look is what is said of one element: the traits that are spoken of, those that hold, and colours.
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

// gone reports whether nothing of an element can be seen, whatever is said inside it. What has no box (it is inline) has
// no height, and cannot be clipped or scaled.
func (l look) gone(box bool) bool {
	box = box || l.on&(boxed|apart) != 0
	switch {
	case l.on&(notShown|faint|filtered|drawnLeft|cutPath) != 0:
	case box && l.on&(skipped|drawnUp|scaled) != 0:
	case box && l.on&clipped != 0 && l.on&small != 0:
	case l.on&apart != 0 && l.on&cut != 0:
	case l.on&(moved|apart) != 0 && l.on&out != 0:
	case l.on&pinned != 0 && l.on&(farLeft|farTop) != 0: // nobody can scroll there
	default:
		return false
	}
	return true
}

// declare reads one declaration. A value that is not known hides nothing.
func (l *look) declare(name, value string) {
	switch name {
	case "display":
		l.declareDisplay(value)
	case "visibility":
		l.set(unseen, value == "hidden" || value == "collapse")
	case "content-visibility":
		l.set(skipped, value == "hidden")
	case "opacity":
		n, unit, ok := number(value)
		l.set(faint, ok && (unit == "" && n <= faintest || unit == "%" && n <= faintest*100))
	case "font-size":
		l.set(tiny, isTiny(value))
	case "font":
		l.declareFont(value)
	case "color", "-webkit-text-fill-color":
		l.fore = toneOf(value)
	case "background-color":
		l.back = toneOf(value)
	case "background", "background-image":
		l.declareBackground(name, value)
	case "overflow":
		l.set(clipped, value == "hidden" || value == "clip")
	case "position":
		l.set(moved, value == "relative")
		l.set(apart, value == "absolute" || value == "fixed")
		l.set(pinned, value == "fixed")
	case "transform":
		l.set(scaled, isScaledAway(value))
	case "clip":
		l.set(cut, strings.HasPrefix(value, "rect(0") || strings.HasPrefix(value, "rect(1px"))
	case "clip-path", "-webkit-clip-path":
		l.set(cutPath, isCutAway(value))
	case "filter":
		_, value, found := strings.Cut(value, "opacity(")
		n, unit, ok := number(value)
		l.set(filtered, found && ok && (strings.HasPrefix(unit, ")") && n <= faintest || strings.HasPrefix(unit, "%)") && n <= faintest*100))
	default:
		l.declareLength(name, value)
	}
}

func (l *look) declareDisplay(value string) {
	l.set(notShown, value == "none")
	l.set(inline, value == "inline" || value == "contents")
	l.set(boxed, value != "none" && value != "inline" && value != "contents")
	switch value {
	case "block", "table", "list-item", "flex", "grid", "flow-root":
		l.set(lines, true)
	default:
		l.set(lines, false)
	}
}

func (l *look) declareLength(name, value string) {
	switch name {
	case "height":
		l.set(noHeight, isThin(value))
	case "width":
		l.set(noWidth, isThin(value))
	case "max-height":
		l.set(mostLow, isThin(value))
	case "max-width":
		l.set(mostThin, isThin(value))
	case "inset": // sides as of margin
		sides := strings.Fields(value)
		for i, name := range []string{"top", "right", "bottom", "left"} {
			if len(sides) > 0 {
				l.declareLength(name, sides[sideOf(i, len(sides))])
			}
		}
	case "left":
		l.set(outLeft, isFarOut(value))
		l.set(farLeft, isFarOff(value))
	case "top":
		l.set(outTop, isFarOut(value))
		l.set(farTop, isFarOff(value))
	case "right":
		l.set(outRight, isFarOut(value))
	case "bottom":
		l.set(outBottom, isFarOut(value))
	case "text-indent":
		l.set(indented, isFarOut(value))
	case "margin-left":
		l.set(drawnLeft, isFarOut(value))
	case "margin-top":
		l.set(drawnUp, isFarOut(value))
	case "margin": // top, right, bottom, left; those left out are as those opposite
		sides := strings.Fields(value)
		l.set(drawnUp, len(sides) > 0 && isFarOut(sides[0]))
		l.set(drawnLeft, len(sides) > 0 && isFarOut(sides[sideOf(3, len(sides))]))
	}
}

// sideOf says which of n values that are given for the four sides is that of side: top, right, bottom, left.
func sideOf(side, n int) int {
	switch {
	case side < n:
		return side
	case side == 3 && n > 1:
		return 1
	case side == 2 || side == 3 || n < 2:
		return 0
	}
	return 1
}

// declareFont reads the size in the short form: font: 0/0 arial.
func (l *look) declareFont(value string) {
	for word := range strings.FieldsSeq(value) {
		size, _, _ := strings.Cut(word, "/")
		if n, unit, ok := number(size); ok && (n < 100 || unit != "") { // else a weight
			l.set(tiny, isTiny(size))
			return
		}
	}
	l.set(tiny, false)
}

func (l *look) declareBackground(name, value string) {
	l.set(pictured, strings.Contains(value, "(") && !strings.HasPrefix(value, "rgb") && !strings.HasPrefix(value, "hsl"))
	if name == "background-image" || value == "none" {
		return
	}
	l.back = toneOf(value)
	for word := range strings.FieldsSeq(value) {
		if t := toneOf(word); t != unknown && t != 0 {
			l.back = t
		}
	}
}

// isCutAway reports whether a shape has no area.
func isCutAway(shape string) bool {
	name, args, _ := strings.Cut(shape, "(")
	args, _, _ = strings.Cut(args, ")")
	switch name {
	case "inset":
		return strings.HasPrefix(args, "50%") || strings.HasPrefix(args, "100%")
	case "circle", "ellipse":
		first, _, _ := strings.Cut(args, " ")
		return isZero(first)
	case "polygon":
		points := strings.FieldsFunc(args, func(r rune) bool { return r == ' ' || r == ',' })
		return len(points) > 0 && !slices.ContainsFunc(points, func(s string) bool { return !isZero(s) })
	}
	return false
}

// isScaledAway reports whether a transformation leaves nothing: no width, no height, turned to its edge, or moved out.
func isScaledAway(value string) bool {
	for function := range strings.SplitSeq(value, ")") {
		name, args, _ := strings.Cut(strings.TrimSpace(function), "(")
		list := strings.FieldsFunc(args, func(r rune) bool { return r == ' ' || r == ',' })
		switch name {
		case "scale", "scale3d":
			if slices.ContainsFunc(list[:min(len(list), 2)], isNought) {
				return true
			}
		case "scalex", "scaley":
			if slices.ContainsFunc(list, isNought) {
				return true
			}
		case "matrix":
			if len(list) == 6 && (isNought(list[0]) && isNought(list[1]) || isNought(list[2]) && isNought(list[3])) {
				return true
			}
		case "rotatex", "rotatey":
			if len(list) == 1 && (list[0] == "90deg" || list[0] == "270deg" || list[0] == "-90deg" || list[0] == ".25turn" || list[0] == "0.25turn") {
				return true
			}
		case "translate", "translatex", "translatey", "translate3d":
			if slices.ContainsFunc(list, isFarOut) {
				return true
			}
		}
	}
	return false
}

// isNought reports whether a factor is so small that nothing is left to read.
func isNought(factor string) bool {
	n, unit, ok := number(factor)
	if unit == "%" {
		n /= 100
	}
	return ok && n >= -faintest && n <= faintest
}
