// Package page reads HTML for what a person sees of it: the text that is not hidden, the links with their texts, and
// the skeleton of elements. It works on tokens, not on a tree, in linear time and with bounded nesting.
//
//	var links page.Links
//	p := page.Read([]byte(html), &links)
//	p.Text, p.Hidden, p.Skeleton, links.List
//
// It follows style sheets and attributes as browsers do. What it cannot judge counts as visible, so that nobody can make
// it drop a text that a reader sees.
package page

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Bounds of one HTML page.
const (
	MaxText   = 512 << 10 // bytes of visible text
	maxLooks  = 256       // style attributes remembered
	maxAnchor = 256       // bytes of a link's text

	usualNested = 16 // elements inside elements for which there is room from the start
)

// page turns HTML into the text that can be seen of it.
type page struct {
	z      *html.Tokenizer
	out    []byte
	blank  bool   // white space waits to be written
	dim    []span // text in out whose colour is that of its ground
	hidden int
	stack  []frame
	steps  int
	opened opened
	lost   bool // nesting beyond all bounds: everything counts as visible from here
	sheet  sheet
	again  bool // the style sheets are known
	late   bool // a style sheet came after something that it may speak of
	looks  map[string]style
	links  *Links
	record
}

// frame is an open element and what holds inside it.
type frame struct {
	tag        atom.Atom
	names      names
	gone       bool // nothing in it can be seen
	block      bool // it stands on lines of its own
	pre        bool
	on         trait // those of passedOn
	fore, back tone
	sheet      truth // of a style element: whether it holds
	link       int   // of an anchor: its number in links, from 1
	element    int   // of an anchor: its number among the elements, from 1
	start      int   // of an anchor: where its text begins
}

// Page is what can be seen of HTML.
type Page struct {
	Text     []byte    // valid UTF-8 if the source was; lines end with LF
	Hidden   int       // bytes of letters and digits that a reader does not see
	Skeleton []string  // the names of the elements that HTML knows, in order, at most MaxElements
	Elements []Element // in order, at most MaxElements
	Counts   Counts
	Lost     bool // nested deeper than MaxNested; everything beyond counts as visible
}

// Read reads src and adds what it links to to l.
func Read(src []byte, l *Links) Page {
	p := newPage(src, l)
	text, hidden := p.visible()
	return Page{Text: text, Hidden: hidden, Skeleton: p.skeleton, Elements: p.elements, Counts: p.counts, Lost: p.lost}
}

// span is a piece of the text.
type span struct{ start, end int }

// newPage reads src, adding what it links to. Style sheets hold for the whole page, wherever they stand: where one comes
// late, all is read again.
func newPage(src []byte, l *Links) *page {
	p := &page{links: l}
	p.read(src)
	if p.late {
		p = &page{links: l, sheet: p.sheet, looks: p.looks, again: true}
		p.read(src)
	}
	return p
}

func (p *page) read(src []byte) {
	p.z = html.NewTokenizer(bytes.NewReader(src))
	p.z.SetMaxBuf(len(src) + 1)
	p.out = make([]byte, 0, len(src)/2)
	p.stack = make([]frame, 0, usualNested)
	p.makeRoom(src)
	for len(p.out) < MaxText {
		switch p.z.Next() {
		case html.ErrorToken:
			p.popTo(0)
			return
		case html.TextToken:
			p.text(p.z.Text())
		case html.StartTagToken, html.SelfClosingTagToken:
			p.startTag()
		case html.EndTagToken:
			name, _ := p.z.TagName()
			p.endTag(atom.Lookup(name), name)
		}
	}
	p.popTo(0)
}

// top is the innermost open element, or the page itself.
func (p *page) top() frame {
	if len(p.stack) == 0 {
		return frame{}
	}
	return p.stack[len(p.stack)-1]
}

// attributes are those of one tag that matter.
type attributes struct {
	style, class, id, href, color, ground, media []byte

	hidden, pictured bool
}

func (p *page) startTag() {
	name, more := p.z.TagName()
	tag := atom.Lookup(name)
	n := names{tag: tag.String()}
	if tag == 0 {
		n.tag = string(name)
	} else if len(p.skeleton) < MaxElements {
		p.skeleton = append(p.skeleton, n.tag)
	}
	if tag == atom.Noscript {
		p.z.NextIsNotRawText() // mail programs run no scripts
	}
	a := p.attributes(more, tag)
	p.impliedEnd(tag)
	if p.sheet.rules != nil {
		n.id = strings.ToLower(string(a.id))
		n.classes = strings.Fields(strings.ToLower(string(a.class)))
	}
	f := p.frame(tag, n, a)
	link := p.links.add(string(a.href))
	element := p.element(tag, &f, p.links.host(link))
	if tag == atom.A {
		f.link, f.element = link, element
	}
	if tag == atom.Br {
		p.endIndent()
	}
	p.breakLine(f)
	f.start = len(p.out)
	if isVoid(tag) {
		return
	}
	if p.lost || len(p.stack) >= MaxNested {
		p.lose()
		return
	}
	p.count(tag, 1)
	p.stack = append(p.stack, f)
}

// attributes reads the attributes of the current tag. Of one that is there twice, the first counts. A link may stand in
// several of them.
func (p *page) attributes(more bool, tag atom.Atom) (a attributes) {
	first := func(of *[]byte, value []byte) {
		if *of == nil {
			*of = value
		}
	}
	for more {
		var key, value []byte
		key, value, more = p.z.TagAttr()
		p.attribute(key, value)
		switch string(key) {
		case "style":
			first(&a.style, value)
		case "class":
			first(&a.class, value)
		case "id":
			first(&a.id, value)
		case "href", "action", "src", "formaction":
			first(&a.href, value)
		case "background":
			first(&a.href, value)
			a.pictured = len(value) > 0
		case "content":
			if i := bytes.IndexByte(value, '='); i >= 0 && tag == atom.Meta { // http-equiv=refresh content="0;url=…"
				a.href = bytes.Trim(value[i+1:], " '\"")
			}
		case "color", "text":
			first(&a.color, value)
		case "bgcolor":
			first(&a.ground, value)
		case "media":
			first(&a.media, value)
		case "hidden":
			a.hidden = true
		}
	}
	return a
}

// frame is what holds inside a new element.
func (p *page) frame(tag atom.Atom, n names, a attributes) frame {
	f := p.top()
	f.tag, f.names, f.link, f.block = tag, n, 0, isBlock(tag)
	switch tag {
	case atom.A, atom.Table: // links have their own colour; tables take over none in pages without a type
		f.fore = 0
	case atom.Pre, atom.Textarea, atom.Xmp, atom.Listing:
		f.pre = true
	case atom.Template, atom.Datalist, atom.Dialog:
		f.gone = true
	}
	var l look
	if a.color != nil {
		l.fore = attributeTone(a.color)
	}
	if a.ground != nil {
		l.back = attributeTone(a.ground)
	}
	if a.pictured {
		l.set(pictured, true)
	}
	l.set(notShown, a.hidden)
	l = l.under(p.sheet.look(&f.names, p.styled(a.style), p.stack))
	if l.on&(boxed|inline) != 0 {
		f.block = l.on&lines != 0
	}
	f.gone = f.gone || l.gone(f.block)
	if l.back != 0 && l.back != transparent {
		f.back = l.back
		f.on &^= pictured
	}
	if l.fore != 0 {
		f.fore = l.fore
	}
	f.on = f.on&^l.known | l.on&passedOn
	if tag == atom.Style {
		f.sheet = condition(plainCSS("@media "+string(a.media), false))
	}
	return f
}

// attributeTone reads the colour of an attribute, where "#" may be missing.
func attributeTone(value []byte) tone {
	s := strings.ToLower(strings.TrimSpace(string(value[:min(len(value), 40)])))
	if t := toneOf(s); t != unknown {
		return t
	}
	return hexTone(s)
}

// styled is what a style attribute says. Pages repeat a few of them.
func (p *page) styled(css []byte) style {
	if len(css) == 0 {
		return style{}
	}
	if l, ok := p.looks[string(css)]; ok {
		return l
	}
	l := styleOf(plainCSS(string(css), true))
	if p.looks == nil {
		p.looks = map[string]style{}
	}
	if len(p.looks) < maxLooks {
		p.looks[string(css)] = l
	}
	return l
}

// breakLine begins a line at the start or end of a block, and a word at that of a cell.
func (p *page) breakLine(f frame) {
	switch {
	case f.gone:
	case f.block || f.tag == atom.Br:
		p.blank = false
		if n := len(p.out); n > 0 && p.out[n-1] != '\n' {
			p.out = append(p.out, '\n')
		}
	case isCell(f.tag):
		p.blank = true
	}
}

// text writes what can be seen of a piece of text.
func (p *page) text(s []byte) {
	f := p.top()
	switch f.tag {
	case atom.Style:
		p.styleSheet(string(s), f.sheet)
		return
	case atom.Script, atom.Title, atom.Iframe, atom.Noembed, atom.Noframes:
		return
	}
	if f.gone || f.on&(unseen|tiny|indented) != 0 {
		n := Letters(s)
		p.hidden += n
		if f.on&tiny != 0 {
			p.counts.Tiny += n
		}
		return
	}
	start := len(p.out)
	p.write(s, f.pre)
	ground := f.back
	if ground == 0 {
		ground = white
	}
	if f.fore == transparent || f.on&pictured == 0 && near(f.fore, ground) {
		p.dim = append(p.dim, span{start, len(p.out)})
	}
}

// styleSheet takes a style sheet in. It is late if something came before it that it may speak of.
func (p *page) styleSheet(css string, holds truth) {
	if p.again {
		return
	}
	before, doubt := p.sheet.count, p.sheet.doubt
	p.sheet.add(css, holds)
	if len(p.out)+p.hidden > 0 && (p.sheet.count > before || p.sheet.doubt != doubt) {
		p.late = true
	}
}

// write appends s, its white space made one space, and in pre its lines kept.
func (p *page) write(s []byte, pre bool) {
	for len(s) > 0 {
		switch c := s[0]; {
		case pre && c == '\n':
			p.out = append(p.out, '\n')
			p.blank = false
		case c <= ' ':
			p.blank = true
		case c == 0xc2 && len(s) > 1 && s[1] == 0xa0: // no-break space
			p.blank = true
			s = s[1:]
		default:
			n := 1
			for n < len(s) && s[n] > ' ' && s[n] != 0xc2 {
				n++
			}
			if p.blank && len(p.out) > 0 && p.out[len(p.out)-1] != '\n' {
				p.out = append(p.out, ' ')
			}
			p.blank = false
			p.out = append(p.out, s[:n]...)
			s = s[n:]
			continue
		}
		s = s[1:]
	}
}

// mostDim is how many times more text of the colour of its ground than other text a page may have. With more, it is
// the ground that was misread, and all is visible.
const mostDim = 8

// visible is the text without what is in the colour of its ground, and how much of the page is hidden.
func (p *page) visible() (text []byte, hidden int) {
	dim, unread := 0, p.hidden
	for _, d := range p.dim {
		dim += d.end - d.start
		unread += Letters(p.out[d.start:d.end])
	}
	if dim == 0 || dim > mostDim*(len(p.out)-dim) {
		return p.out, p.hidden
	}
	kept, at := p.out[:0], 0
	for _, d := range append(p.dim, span{len(p.out), len(p.out)}) {
		piece := p.out[at:d.start]
		if n := len(kept); n == 0 || kept[n-1] == '\n' {
			piece = bytes.TrimLeft(piece, " \n")
		}
		kept = append(kept, piece...)
		at = d.end
	}
	return kept, unread
}
