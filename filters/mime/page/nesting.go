package page

import "golang.org/x/net/html/atom"

// Bounds of the nesting of one page.
const (
	MaxNested = 512     // elements inside elements
	maxSteps  = 1 << 18 // elements looked at in search of those that a tag closes
)

// opened counts open elements that a start tag may end.
type opened struct{ anchors, paragraphs int }

// endTag closes the innermost element called name and all in it. Inside a cell of a table, only what was opened there
// can be closed, as browsers do.
func (p *page) endTag(tag atom.Atom, name []byte) {
	for i := len(p.stack) - 1; i >= 0; i-- {
		if p.steps++; p.steps > maxSteps {
			p.lose()
			return
		}
		f := &p.stack[i]
		if f.tag == tag && (tag != 0 || f.names.tag == string(name)) {
			p.popTo(i)
			return
		}
		if f.tag == atom.Table || isCell(f.tag) && !isTablePart(tag) {
			break
		}
	}
	if tag == atom.P || tag == atom.Br {
		p.breakLine(frame{block: true, gone: p.top().gone})
	}
}

// impliedEnd closes the element that a start tag ends where its own end tag was left out.
func (p *page) impliedEnd(tag atom.Atom) {
	if !p.mayEnd(tag) {
		return
	}
	for i := len(p.stack) - 1; i >= 0; i-- {
		if p.steps++; p.steps > maxSteps {
			p.lose()
			return
		}
		switch open := p.stack[i].tag; {
		case endsBefore(open, tag):
			p.popTo(i)
			return
		case open == atom.Table, isScope(open) && !isTablePart(tag):
			return
		}
	}
}

// mayEnd reports whether an element that tag would end is open at all.
func (p *page) mayEnd(tag atom.Atom) bool {
	switch tag {
	case atom.Li, atom.Dt, atom.Dd, atom.Option, atom.Button, atom.Td, atom.Th, atom.Tr, atom.Tbody, atom.Tfoot:
		return true
	case atom.A:
		return p.opened.anchors > 0
	}
	return p.opened.paragraphs > 0 && isBlock(tag)
}

// count counts the elements that mayEnd asks for.
func (p *page) count(tag atom.Atom, n int) {
	switch tag {
	case atom.A:
		p.opened.anchors += n
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		p.opened.paragraphs += n
	}
}

// popTo closes the elements of the stack from i on.
func (p *page) popTo(i int) {
	for j := len(p.stack) - 1; j >= i; j-- {
		f := &p.stack[j]
		if f.link > 0 {
			text := linkText(p.out[min(f.start, len(p.out)):])
			p.links.name(f.link, text)
			if f.element > 0 {
				p.elements[f.element-1].Text = text
			}
		}
		p.count(f.tag, -1)
		p.breakLine(*f)
	}
	p.stack = p.stack[:i]
}

// lose gives up following the structure of a page: all that follows counts as visible.
func (p *page) lose() {
	p.popTo(0)
	p.lost = true
}

// endIndent ends the indentation of a block behind its first line.
func (p *page) endIndent() {
	for i := len(p.stack) - 1; i >= 0; i-- {
		p.stack[i].on &^= indented
		if p.stack[i].block {
			return
		}
	}
}
