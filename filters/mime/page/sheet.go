package page

import (
	"cmp"
	"slices"
	"strings"
)

// Bounds of the style sheets of one page.
const (
	maxSheet   = 64 << 10 // bytes of one
	maxRules   = 1000
	maxBlocks  = 4       // conditions inside conditions
	maxMatches = 1 << 18 // attempts to match an element or one around it
)

// rule is a style for the elements that path matches: the last selector the element, those before it some around it.
type rule struct {
	path   []selector
	weight int // of rules that contradict each other, the heavier holds
	style  style
}

// sheet is the rules of a page that say something of how visible an element is, by the key of their last selector.
//
// Rules that it cannot apply, because of selectors or conditions that it does not know, may show what others hide: what
// they speak of is in doubt, and is not taken as hidden.
type sheet struct {
	rules   map[string][]rule
	count   int
	matches int
	doubt   look
}

// Whether a condition of a style sheet holds.
type truth uint8

const (
	no truth = iota
	maybe
	yes
)

// add reads one style sheet, which holds if holds does.
func (s *sheet) add(css string, holds truth) {
	if holds != no {
		s.block(plainCSS(css[:min(len(css), maxSheet)], false), holds, 0)
	}
}

// block reads rules that hold if holds does.
func (s *sheet) block(css string, holds truth, depth int) {
	css = strings.NewReplacer("<!--", " ", "-->", " ").Replace(css)
	for {
		open := strings.IndexAny(css, "{};")
		if open < 0 {
			return
		}
		prelude, mark := strings.TrimSpace(css[:open]), css[open]
		css = css[open+1:]
		if mark != '{' {
			continue
		}
		var body string
		body, css = cutBlock(css)
		switch inner := condition(prelude); {
		case !strings.HasPrefix(prelude, "@"):
			s.addRules(prelude, styleOf(body), holds)
		case inner != no && depth < maxBlocks:
			s.block(body, min(holds, inner), depth+1)
		}
	}
}

// cutBlock returns css up to the closing brace of a block that is open, and what follows.
func cutBlock(css string) (body, rest string) {
	depth := 1
	for i := 0; i < len(css); i++ {
		switch css[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return css[:i], css[i+1:]
			}
		}
	}
	return css, ""
}

// addRules adds the rules of a list of selectors.
func (s *sheet) addRules(selectors string, l style, holds truth) {
	if l == (style{}) {
		return
	}
	for one := range strings.SplitSeq(selectors, ",") {
		one = strings.ReplaceAll(one, ":link", "")
		if strings.Contains(one, ":hover") || strings.Contains(one, ":active") || strings.Contains(one, ":visited") || strings.Contains(one, ":focus") {
			continue // not before the reader does something
		}
		path, ok := pathOf(one)
		if !ok || holds != yes || s.count >= maxRules {
			s.doubt = s.doubt.under(l.normal).under(l.strong)
			s.doubt.known |= l.normal.known &^ l.normal.on
			continue
		}
		if s.rules == nil {
			s.rules = map[string][]rule{}
		}
		s.count++
		key := path[len(path)-1].key()
		s.rules[key] = append(s.rules[key], rule{path, weightOf(path)<<16 + s.count, l})
	}
}

// trusted is l without what rules that cannot be applied may say otherwise.
func (s *sheet) trusted(l look) look {
	l.on &^= s.doubt.known
	if s.doubt.fore|s.doubt.back != 0 {
		l.fore = unknown
	}
	return l
}

// look is what the rules and the style attribute own say of the element n inside the elements of stack.
func (s *sheet) look(n *names, own style, stack []frame) look {
	if s.rules == nil {
		return s.trusted(own.normal.under(own.strong))
	}
	var found []*rule
	collect := func(key string) {
		rules := s.rules[key]
		for i := 0; i < len(rules) && s.matches < maxMatches; i++ {
			fits, steps := rules[i].fits(n, stack)
			if s.matches += steps; fits {
				found = append(found, &rules[i])
			}
		}
	}
	collect("*")
	collect(n.tag)
	for _, c := range n.classes {
		collect("." + c)
	}
	if n.id != "" {
		collect("#" + n.id)
	}
	slices.SortFunc(found, func(a, b *rule) int { return cmp.Compare(a.weight, b.weight) })
	var normal, strong look
	for _, r := range found {
		normal, strong = normal.under(r.style.normal), strong.under(r.style.strong)
	}
	return s.trusted(normal.under(own.normal).under(strong).under(own.strong))
}

// fits matches the path of r from its end, and counts the attempts. That an element further out might fit where the
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
