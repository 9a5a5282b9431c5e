package page

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html/atom"
)

// Bounds of what is kept of the elements of one page.
const (
	MaxElements = 4096      // elements, and names in the skeleton
	maxAttrs    = 16 << 10  // attributes of all of them
	maxValues   = 256 << 10 // bytes of the values of attributes
	maxValue    = 2048      // bytes of one of them
	maxName     = 64        // bytes of the name of an element or attribute
)

// Element is an element as it stands in a page.
type Element struct {
	Tag    string // in lower case
	Attrs  []Attr // in order, as many as the page has room for
	Hidden bool   // a reader sees nothing of what is in it
	Gone   bool   // nor has it a place: a tiny font and an indented line hide only letters
	Host   string // of a link: where it leads
	Text   string // of a link: what a reader sees of it
}

// Attr is an attribute: its name in lower case, and its value as browsers read it.
type Attr struct{ Name, Value string }

// Counts are how many of some things are in a page, all of it.
type Counts struct {
	Tiny    int // bytes of letters and digits that are hidden by a tiny font
	Links   int // elements that lead somewhere on the net
	Images  int
	Forms   int
	Scripts int
}

// Add adds those of another page.
func (c *Counts) Add(more Counts) {
	c.Tiny += more.Tiny
	c.Links += more.Links
	c.Images += more.Images
	c.Forms += more.Forms
	c.Scripts += more.Scripts
}

// record is what is kept of the elements of a page.
type record struct {
	skeleton []string
	elements []Element
	attrs    []Attr          // of all elements; each has a piece of it
	values   strings.Builder // of all attributes; each has a piece of it
	begun    int             // where the attributes of the element that is being read begin in attrs
	counts   Counts
}

// makeRoom makes the room that the elements of src need, as a rule: most have an end tag.
func (r *record) makeRoom(src []byte) {
	tags := min(bytes.Count(src, []byte{'<'})/2+1, MaxElements)
	r.skeleton = make([]string, 0, tags)
	r.elements = make([]Element, 0, tags)
	r.attrs = make([]Attr, 0, min(bytes.Count(src, []byte{'='}), MaxElements))
	r.values.Grow(min(len(src)/2, maxValues))
}

// attribute keeps one attribute of the element that is being read.
func (r *record) attribute(name, value []byte) {
	value = value[:min(len(value), maxValue)]
	if len(r.elements) >= MaxElements || len(r.attrs) >= maxAttrs || r.values.Len()+len(value) > maxValues {
		return
	}
	r.values.Write(value)
	all := r.values.String()
	r.attrs = append(r.attrs, Attr{atom.String(name[:min(len(name), maxName)]), all[len(all)-len(value):]})
}

// element keeps the element whose attributes were read, and returns its number, from 1; 0 if there is no room.
func (r *record) element(tag atom.Atom, f *frame, host string) int {
	switch tag {
	case atom.Img:
		r.counts.Images++
	case atom.Form:
		r.counts.Forms++
	case atom.Script:
		r.counts.Scripts++
	case atom.A, atom.Area:
		if host != "" {
			r.counts.Links++
		}
	}
	attrs := r.attrs[r.begun:len(r.attrs):len(r.attrs)]
	r.begun = len(r.attrs)
	if len(r.elements) >= MaxElements {
		return 0
	}
	name := f.names.tag
	e := Element{Tag: name[:min(len(name), maxName)], Attrs: attrs, Hidden: f.gone || f.on&(unseen|tiny|indented) != 0, Gone: f.gone || f.on&unseen != 0}
	if tag == atom.A || tag == atom.Area {
		e.Host = host
	}
	r.elements = append(r.elements, e)
	return len(r.elements)
}

// Letters is how many bytes of s are letters and digits: newsletters hide long rows of blanks behind their first line.
func Letters(s []byte) int {
	n := 0
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			n += size
		}
		s = s[size:]
	}
	return n
}
