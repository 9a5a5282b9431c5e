package bulk

import (
	"slices"
	"strings"

	"weir/filters"
	"weir/filters/mime"
	"weir/filters/store"
)

// Bounds of the skeleton of a page.
const (
	mostRows  = 16 // rows kept, those with the smallest hashes
	leastRows = 16 // different rows of a page that has a skeleton
	leastLook = 20 // elements of such a page that have a look
	rowLength = 3  // elements in a row
)

// skeleton is what the maker of a page has built around the words: rows of neighbouring elements with their looks.
type skeleton struct {
	rows []uint64 // those kept
	lone bool     // nobody stands behind the message, nor do its links lead to whom it says it is from
}

// builder reads skeletons. Its buffers are used again for each message.
type builder struct {
	classes map[uint64]uint8 // how often a class stands in the page, up to 2
	looks   []uint64         // of the page's elements, in their order
	rows    []uint64
}

// skeleton returns that of m. There is none in what mail programs write around a letter.
func (x *builder) skeleton(m filters.Mail, h store.Hasher) skeleton {
	x.read(m.Message.Elements())
	if len(x.looks) < leastLook {
		return skeleton{}
	}
	x.rows = x.rows[:0]
	for i := rowLength - 1; i < len(x.looks); i++ {
		x.rows = append(x.rows, h.Pair(h.Pair(x.looks[i-2], x.looks[i-1]), x.looks[i]))
	}
	slices.Sort(x.rows)
	if x.rows = slices.Compact(x.rows); len(x.rows) < leastRows {
		return skeleton{}
	}
	return skeleton{slices.Clone(x.rows[:min(len(x.rows), mostRows)]), isLone(m)}
}

// isLone reports whether m has links, none of them to the organisation of its From header, and nobody is proven to have
// sent it.
func isLone(m filters.Mail) bool {
	if m.Auth != nil && len(m.Auth.Domains) > 0 {
		return false
	}
	from, links := filters.Organisation(m.Message.FromDomain()), m.Message.URLs()
	return len(links) > 0 && !slices.ContainsFunc(links, func(u mime.URL) bool { return filters.Organisation(u.Host) == from })
}

// read fills looks from the elements of a page, up to a quotation: what is quoted has the skeleton of another.
func (x *builder) read(all []mime.Element) {
	x.looks = x.looks[:0]
	if len(all) < leastLook {
		return
	}
	if end := slices.IndexFunc(all, isQuotation); end >= 0 {
		all = all[:end]
	}
	x.count(all)
	for i := range all {
		if look, ok := x.look(&all[i]); ok {
			x.looks = append(x.looks, look)
		}
	}
}

// isQuotation reports whether mail programs put an element around what they quote.
func isQuotation(e mime.Element) bool {
	for _, a := range e.Attrs {
		switch a.Name {
		case "class":
			if containsAny(a.Value, "gmail_quote", "yahoo_quoted", "moz-cite-prefix", "protonmail_quote") {
				return true
			}
		case "id":
			if containsAny(a.Value, "divRplyFwdMsg", "appendonsend", "reply-intro") {
				return true
			}
		case "type":
			if e.Tag == "blockquote" && strings.EqualFold(a.Value, "cite") {
				return true
			}
		}
	}
	return false
}

func containsAny(s string, all ...string) bool {
	return slices.ContainsFunc(all, func(one string) bool { return strings.Contains(s, one) })
}

// count counts the classes of the page: one that stands in it once may be random.
func (x *builder) count(all []mime.Element) {
	if x.classes == nil {
		x.classes = map[uint64]uint8{}
	}
	clear(x.classes)
	for i := range all {
		for _, a := range all[i].Attrs {
			if a.Name != "class" {
				continue
			}
			for name := range strings.FieldsSeq(a.Value) {
				n := class(name)
				x.classes[n] += min(1, 2-x.classes[n])
			}
		}
	}
}

// look is the hash of an element with its look; false if it is of no skeleton. Elements without a look follow the
// words: there are as many as paragraphs. What cannot be seen costs a sender nothing to add.
func (x *builder) look(e *mime.Element) (uint64, bool) {
	kind := kindOf(e.Tag)
	if e.Gone || kind == noBone {
		return 0, false
	}
	looks := uint64(0) // a sum: in which order they stand says nothing
	for _, a := range e.Attrs {
		switch a.Name {
		case "style":
			looks += declarations(a.Value)
		case "width", "height", "align", "valign", "bgcolor", "border", "cellpadding", "cellspacing", "color", "size", "face":
			looks += uint64(seed.add(a.Name).add("=").add(a.Value))
		case "class":
			for name := range strings.FieldsSeq(a.Value) {
				if isProgram(name) {
					return 0, false
				}
				if n := class(name); x.classes[n] > 1 {
					looks += n
				}
			}
		}
	}
	if looks == 0 && kind == flowing {
		return 0, false
	}
	return uint64(seed.add(e.Tag)) ^ looks*0x9e3779b97f4a7c15, true
}

// Kinds of elements.
const (
	noBone  = iota // of no skeleton
	flowing        // of the skeleton if it has a look
	fixed          // in any case
)

func kindOf(tag string) int {
	switch tag {
	case "table", "td", "th", "img", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "center", "section", "article", "header", "footer",
		"main", "nav", "button", "form", "input", "blockquote":
		return fixed
	case "body", "div", "a", "p", "span", "font", "tr", "li":
		return flowing
	}
	return noBone
}

// isProgram reports whether a class is one that mail programs give to what people write.
func isProgram(name string) bool {
	name = strings.TrimPrefix(name, renamed)
	return slices.ContainsFunc([]string{"Mso", "gmail_", "Apple-", "moz-", "WordSection", "elementToProof", "yiv"}, func(begin string) bool {
		return strings.HasPrefix(name, begin)
	})
}

// renamed is what a mail program puts before the classes of what is forwarded.
const renamed = "x_"

// class is the hash of the name of a class without its digits.
func class(name string) uint64 {
	s := seed.add(".")
	for _, c := range []byte(strings.TrimPrefix(name, renamed)) {
		if c < '0' || c > '9' {
			s = s.byte(c)
		}
	}
	return uint64(s)
}

// declarations is the sum of the hashes of what a style says, without what is for one program only, and without links.
func declarations(css string) uint64 {
	sum := uint64(0)
	for one := range strings.SplitSeq(css, ";") {
		one = strings.TrimSpace(one)
		if one == "" || one[0] == '-' || len(one) > 4 && strings.EqualFold(one[:4], "mso-") {
			continue
		}
		if begin := strings.Index(one, "url("); begin >= 0 {
			one = one[:begin]
		}
		sum += uint64(seed.add(";").add(one))
	}
	return sum
}

// quick is a hash without a key (FNV-1a). What is kept of it is hashed with one.
type quick uint64

const seed = quick(14695981039346656037)

func (s quick) byte(c byte) quick { return (s ^ quick(c)) * 1099511628211 }

// add adds a name or value as browsers read it: in whatever letters, without blanks and quotes.
func (s quick) add(text string) quick {
	for i := range len(text) {
		switch c := text[i]; {
		case c <= ' ' || c == '"' || c == '\'':
		case c >= 'A' && c <= 'Z':
			s = s.byte(c + 'a' - 'A')
		default:
			s = s.byte(c)
		}
	}
	return s
}
