package page

import (
	"slices"
	"strings"
)

// selector is a simple selector: the empty strings match everything.
type selector struct {
	tag, id string
	classes []string
}

// names are what selectors may ask of an element.
type names struct {
	tag, id string
	classes []string
}

// pathOf reads a selector; false if it asks for more than names, classes and elements around.
func pathOf(s string) ([]selector, bool) {
	if strings.ContainsAny(s, ":[]+~\\@\"()") {
		return nil, false
	}
	var path []selector
	for word := range strings.FieldsSeq(strings.ReplaceAll(s, ">", " ")) {
		path = append(path, selectorOf(word))
	}
	return path, len(path) > 0 && len(path) <= 6
}

func selectorOf(word string) selector {
	var x selector
	for word != "" {
		end := strings.IndexAny(word[1:], ".#") + 1
		if end == 0 {
			end = len(word)
		}
		switch word[0] {
		case '.':
			x.classes = append(x.classes, word[1:end])
		case '#':
			x.id = word[1:end]
		default:
			x.tag = strings.TrimPrefix(word[:end], "*")
		}
		word = word[end:]
	}
	return x
}

// key is under what the rules for x are kept.
func (x selector) key() string {
	switch {
	case x.id != "":
		return "#" + x.id
	case len(x.classes) > 0:
		return "." + x.classes[0]
	case x.tag != "":
		return x.tag
	}
	return "*"
}

func (x selector) fits(n *names) bool {
	if x.tag != "" && x.tag != n.tag || x.id != "" && x.id != n.id {
		return false
	}
	for _, c := range x.classes {
		if !slices.Contains(n.classes, c) {
			return false
		}
	}
	return true
}

// weightOf is the specificity of a path.
func weightOf(path []selector) int {
	ids, classes, tags := 0, 0, 0
	for _, x := range path {
		classes += len(x.classes)
		if x.id != "" {
			ids++
		}
		if x.tag != "" {
			tags++
		}
	}
	return min(ids, 15)<<16 | min(classes, 255)<<8 | tags
}

// The width of the window that conditions are asked for: between these, nobody knows.
const (
	leastWindow = 700
	mostWindow  = 1400
)

// condition says whether the rules of an "@" block hold.
func condition(prelude string) truth {
	name, list, _ := strings.Cut(prelude, " ")
	if at := strings.IndexByte(name, '('); at > 0 { // @media(…)
		name, list = name[:at], prelude[at:]
	}
	switch name {
	case "@media":
	case "@font-face", "@page", "@keyframes", "@-webkit-keyframes", "@-ms-viewport", "@viewport", "@-moz-document":
		return no
	default:
		return maybe
	}
	holds := no
	for query := range strings.SplitSeq(list, ",") {
		all := yes
		for term := range strings.SplitSeq(query, " and ") {
			all = min(all, feature(strings.ReplaceAll(strings.TrimSpace(term), " ", "")))
		}
		holds = max(holds, all)
	}
	return holds
}

// feature says whether one term of a media query holds. plainCSS has taken the colon out of it.
func feature(term string) truth {
	switch term {
	case "", "all", "screen", "onlyscreen", "onlyall", "(prefers-color-schemelight)":
		return yes
	case "print", "onlyprint", "speech", "handheld", "tv", "(prefers-color-schemedark)":
		return no
	}
	name, value, _ := strings.Cut(strings.Trim(term, "()"), "-width")
	width, known := pixels(value)
	switch {
	case !known || width > leastWindow && width < mostWindow:
	case name == "max" || name == "max-device":
		if width <= leastWindow {
			return no
		}
		return yes
	case name == "min" || name == "min-device":
		if width <= leastWindow {
			return yes
		}
		return no
	}
	return maybe
}
