package strict

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Value is one value of a Document. Types that read themselves get one (see Decoder), and a struct field of this type
// with the tag `yaml:",self"` gets the mapping that the struct was read from. The zero Value was not said.
type Value struct {
	doc  *Document
	node *yaml.Node
}

// Said reports whether there is such a value in the file.
func (v Value) Said() bool { return v.node != nil }

// Meant reports whether v is a group of keys, already read into a struct, in which an unknown one was perhaps meant to be one
// of keys. The finding at it says so, and that it is missing need not be said again.
func (v Value) Meant(keys ...string) bool {
	return v.node != nil && slices.ContainsFunc(v.doc.meant[resolve(v.node)], func(key string) bool { return slices.Contains(keys, key) })
}

// Src is where the value begins.
func (v Value) Src() Src {
	if v.node == nil {
		return Src{}
	}
	return Src{v.doc.file, v.node.Line, v.node.Column}
}

// IsList reports whether the value is a list.
func (v Value) IsList() bool { return v.node != nil && resolve(v.node).Kind == yaml.SequenceNode }

// IsSecret reports whether the value is a text with ${env:…} or ${file:…}.
func (v Value) IsSecret() bool {
	return v.node != nil && secretPattern.MatchString(resolve(v.node).Value)
}

// IsQuoted reports whether v stands in quotes.
func (v Value) IsQuoted() bool { return v.node != nil && resolve(v.node).Style&quoted != 0 }

// Quoted is what the file says, quoted and cut short, with secrets not expanded: for messages.
func (v Value) Quoted() string {
	const most = 60
	n := resolve(v.node)
	switch n.Kind {
	case yaml.MappingNode:
		return "a group of keys"
	case yaml.SequenceNode:
		return "a list"
	}
	if runes := []rune(n.Value); len(runes) > most {
		return fmt.Sprintf("%q", string(runes[:most])+"…")
	}
	return fmt.Sprintf("%q", n.Value)
}

// Finding is an error at the value, for the caller to make a Warning of, to give a hint, and to return.
func (v Value) Finding(code, format string, args ...any) Finding {
	src := v.Src()
	return v.doc.finding(src.Line, src.Col, code, fmt.Sprintf(format, args...))
}

// FindingWithin is an error at the letter number offset of the value's text.
func (v Value) FindingWithin(offset int, code, text string) Finding {
	line, col := v.place(offset)
	return v.doc.finding(line, col, code, text)
}

// place is where in the file the letter number offset of a text stands. It walks what is written and what it means
// side by side; where they part, it is the place where the value begins.
func (v Value) place(offset int) (line, col int) {
	n := resolve(v.node)
	if v.node.Kind == yaml.AliasNode || offset <= 0 && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && n.Style&quoted == 0 {
		return v.node.Line, v.node.Column
	}
	text := []rune(n.Value)
	w := v.doc.walker(n)
	for i := 0; i < offset && i < len(text); i++ {
		w.advance(text[i])
	}
	if line, col = w.line, w.col+1; offset < len(text) && !w.shows(text[offset]) {
		return v.node.Line, v.node.Column
	}
	return line, col
}

const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle

// walker is a place in the source of a scalar.
type walker struct {
	doc    *Document
	style  yaml.Style
	line   int
	col    int // 0-based
	indent int // of the following lines; -1: skip their blanks
	raw    []rune
}

func (d *Document) walker(n *yaml.Node) *walker {
	w := &walker{doc: d, style: n.Style, line: n.Line, col: n.Column - 1, indent: -1}
	switch {
	case n.Style&quoted != 0:
		w.col++
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		for next := n.Line + 1; next <= len(d.lines); next++ {
			if text := d.line(next); strings.TrimSpace(text) != "" {
				w.indent = len(text) - len(strings.TrimLeft(text, " "))
				break
			}
		}
		w.nextLine()
		return w
	}
	w.raw = []rune(d.line(w.line))
	return w
}

func (w *walker) nextLine() {
	w.line++
	w.raw = []rune(w.doc.line(w.line))
	w.col = min(max(w.indent, 0), len(w.raw))
	for w.indent < 0 && w.col < len(w.raw) && (w.raw[w.col] == ' ' || w.raw[w.col] == '\t') {
		w.col++
	}
}

// advance goes past the source of the letter r.
func (w *walker) advance(r rune) {
	rest := strings.TrimRight(string(w.raw[min(w.col, len(w.raw)):]), " \t")
	literal := w.style&yaml.LiteralStyle != 0
	switch {
	case (r == '\n' || r == ' ' && !literal) && (rest == "" || w.col >= len(w.raw)):
		w.nextLine()
	case w.style&yaml.SingleQuotedStyle != 0 && strings.HasPrefix(rest, "''"):
		w.col += 2
	case w.style&yaml.DoubleQuotedStyle != 0 && strings.HasPrefix(rest, `\`) && len(rest) > 1:
		w.col += escapeLength(rest[1])
	default:
		w.col++
	}
}

// escapeLength is how many letters an escape of a double-quoted text has, by the one after the backslash.
func escapeLength(kind byte) int {
	switch kind {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	}
	return 2
}

// shows reports whether r may be what is written at the walker's place.
func (w *walker) shows(r rune) bool {
	if w.col >= len(w.raw) {
		return r == '\n' || r == ' '
	}
	return w.raw[w.col] == r || w.style&yaml.DoubleQuotedStyle != 0 && w.raw[w.col] == '\\'
}

// Raw is what is written, secrets not expanded; "" for what is not one text.
func (v Value) Raw() string { return resolve(v.node).Value }
