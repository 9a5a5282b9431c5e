package mime

import (
	"bytes"
	"slices"
	"strings"
)

// Bounds of the style sheets of one page.
const (
	maxSheet   = 64 << 10 // bytes
	maxRules   = 1000
	maxMatches = 1 << 18 // attempts to match an element or one around it
)

// selector is a simple selector: the zero strings match everything.
type selector struct {
	tag, id string
	classes []string
}

// rule is a look for the elements that path matches: the last selector the element, those before it some ancestors.
type rule struct {
	path []selector
	look look
}

// sheet is the rules of a page that say something of how visible an element is, by the key of their last selector.
type sheet struct {
	rules   map[string][]rule
	count   int
	matches int
}

// read adds the style elements of page, comments left out. They hold for the whole page, wherever they stand.
func (s *sheet) read(page []byte) {
	for {
		i := bytes.IndexByte(page, '<')
		if i < 0 {
			return
		}
		page = page[i:]
		switch {
		case bytes.HasPrefix(page, []byte("<!--")):
			end := bytes.Index(page[2:], []byte("-->"))
			if end < 0 {
				return
			}
			page = page[2+end:]
		case len(page) > 6 && bytes.EqualFold(page[:6], []byte("<style")):
			css := page[6:]
			if end := indexFold(css, "</style"); end >= 0 {
				css = css[:end]
			}
			page = page[6+len(css):]
			_, css, _ = bytes.Cut(css, []byte{'>'})
			s.add(strings.ToLower(string(css[:min(len(css), maxSheet)])))
		default:
			page = page[1:]
		}
	}
}

// indexFold finds the tag, in any case, in b.
func indexFold(b []byte, tag string) int {
	for from := 0; ; {
		i := bytes.IndexByte(b[from:], '<')
		if i < 0 || from+i+len(tag) > len(b) {
			return -1
		}
		from += i
		if strings.EqualFold(string(b[from:from+len(tag)]), tag) {
			return from
		}
		from++
	}
}

// add reads one style sheet.
func (s *sheet) add(css string) {
	css = strings.NewReplacer("<!--", " ", "-->", " ").Replace(withoutComments(css))
	for s.count < maxRules {
		open := strings.IndexAny(css, "{};")
		if open < 0 {
			return
		}
		prelude, mark := strings.TrimSpace(css[:open]), css[open]
		css = css[open+1:]
		switch {
		case mark != '{':
		case strings.HasPrefix(prelude, "@media") && isForAll(prelude[len("@media"):]):
		case strings.HasPrefix(prelude, "@"):
			css = behindBlock(css)
		default:
			var body string
			body, css, _ = strings.Cut(css, "}")
			s.addRules(prelude, lookOf(body))
		}
	}
}

// isForAll reports whether a condition of @media holds for a mail program on a common screen. Those about widths do not
// count: they are for telephones.
func isForAll(condition string) bool {
	switch strings.TrimSpace(condition) {
	case "", "all", "screen", "only screen", "all, screen":
		return true
	}
	return false
}

// behindBlock is css behind the closing brace of a block that is open.
func behindBlock(css string) string {
	for depth := 1; depth > 0; {
		i := strings.IndexAny(css, "{}")
		if i < 0 {
			return ""
		}
		if css[i] == '{' {
			depth++
		} else {
			depth--
		}
		css = css[i+1:]
	}
	return css
}

func (s *sheet) addRules(selectors string, l look) {
	if l == (look{}) {
		return
	}
	for one := range strings.SplitSeq(selectors, ",") {
		path, ok := pathOf(one)
		if !ok || s.count >= maxRules {
			continue
		}
		if s.rules == nil {
			s.rules = map[string][]rule{}
		}
		key := path[len(path)-1].key()
		s.rules[key] = append(s.rules[key], rule{path, l})
		s.count++
	}
}

// pathOf reads a selector; false if it asks for more than names, classes and ancestors.
func pathOf(s string) ([]selector, bool) {
	if strings.ContainsAny(s, ":[]*+~\\@") {
		return nil, false
	}
	var path []selector
	for word := range strings.FieldsSeq(strings.ReplaceAll(s, ">", " ")) {
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
				x.tag = word[:end]
			}
			word = word[end:]
		}
		path = append(path, x)
	}
	return path, len(path) > 0 && len(path) <= 5
}

func (x selector) key() string {
	switch {
	case x.id != "":
		return "#" + x.id
	case len(x.classes) > 0:
		return "." + x.classes[0]
	}
	return x.tag
}

// names are what selectors may ask of an element.
type names struct {
	tag, id string
	classes []string
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

// look is what the rules say of the element n inside the elements of stack.
func (s *sheet) look(n *names, stack []frame) look {
	var l look
	if s.rules == nil {
		return l
	}
	apply := func(key string) {
		for _, r := range s.rules[key] {
			if s.matches > maxMatches {
				return
			}
			fits, steps := r.fits(n, stack)
			if s.matches += steps; fits {
				l = l.under(r.look)
			}
		}
	}
	apply(n.tag)
	for _, c := range n.classes {
		apply("." + c)
	}
	if n.id != "" {
		apply("#" + n.id)
	}
	return l
}

// fits matches the path of r from its end, and counts the attempts. That an ancestor further up might fit where the
// nearest does not lead on is not tried.
func (r *rule) fits(n *names, stack []frame) (ok bool, steps int) {
	steps = 1
	last := len(r.path) - 1
	if !r.path[last].fits(n) {
		return false, steps
	}
	for i := len(stack) - 1; i >= 0 && last > 0; i-- {
		steps++
		if r.path[last-1].fits(&stack[i].names) {
			last--
		}
	}
	return last == 0, steps
}
