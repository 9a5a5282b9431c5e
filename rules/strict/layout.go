package strict

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// Layout lays out a YAML file evenly: two blanks for each level, one after the dash of a list, none at the end of a line,
// at most one empty line in a row. What stands within a line stays as it is, and so do long texts and what stands in
// brackets, which only move with the line that they begin in. It returns the new text, or an error if data is not one
// YAML document, or if it cannot be sure that the text still says the same, comments included.
func Layout(data []byte, file string) ([]byte, error) {
	text := strings.ReplaceAll(strings.TrimPrefix(string(data), "\uFEFF"), "\r\n", "\n")
	d, findings := Parse([]byte(text), file)
	if d == nil {
		return nil, findings.Err()
	}
	if strings.ContainsAny(text, "\r\u0085\u2028\u2029") {
		return nil, fmt.Errorf("%s: a line ends in a way that only YAML knows; it stays as it is", file)
	}
	once, err := layOut(d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; it stays as it is", file, err)
	}
	again, _ := Parse([]byte(once), file)
	if again == nil || !saysTheSame(d, again) {
		return nil, fmt.Errorf("%s cannot be laid out without changing what it says; it stays as it is", file)
	}
	if twice, err := layOut(again); err != nil || twice != once {
		return nil, fmt.Errorf("%s cannot be laid out once for all; it stays as it is", file)
	}
	return []byte(once), nil
}

// saysTheSame reports whether two documents have the same values, the same comments and, but for blanks, the same text.
func saysTheSame(a, b *Document) bool {
	return sameNode(a.root, b.root) && sameComments(a.root, b.root) &&
		squeezed(strings.Join(a.lines, "\n")) == squeezed(strings.Join(b.lines, "\n"))
}

// squeezed is all of a text but blanks and line ends.
func squeezed(text string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\n' {
			return -1
		}
		return r
	}, text)
}

// sameNode reports whether two trees say the same, in the same style.
func sameNode(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Style != b.Style || a.Tag != b.Tag || a.Value != b.Value || a.Anchor != b.Anchor || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !sameNode(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// sameComments reports whether two trees have the same lines of comments. To which value each belongs is a guess of the
// library, which an uneven comment may lead either way.
func sameComments(a, b *yaml.Node) bool {
	return slices.Equal(slices.Sorted(slices.Values(comments(a))), slices.Sorted(slices.Values(comments(b))))
}

func comments(n *yaml.Node) []string {
	var all []string
	for line := range strings.Lines(n.HeadComment + "\n" + n.LineComment + "\n" + n.FootComment) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	for _, one := range n.Content {
		all = append(all, comments(one)...)
	}
	return all
}

// level is a group or list that is open at some line: the column (from 0) where it stood, where it will stand, and what
// is around it.
type level struct {
	old, new int
	around   *level
}

// lineLayout is what the nodes that stand in a line say of it.
type lineLayout struct {
	begins bool   // it begins with a key, a dash, or a value by itself
	indent int    // then: how far it is indented from now on
	inside *level // the innermost group or list of what stands in it
	below  *level // that of the next line which has one
	dashes []int  // the columns of dashes
	tail   bool   // it is a comment that goes on with the one at the end of a line above
	quoted bool   // it begins within a text in quotes
	block  *block // it belongs to a text of several lines
}

// block is a text of several lines, as | and > begin it.
type block struct{ old, shift int } // how far the text is indented, and by how much it moves

// sheet is a file being laid out. Lines count from 0.
type sheet struct {
	lines []string
	of    []lineLayout
	err   error
}

func layOut(d *Document) (string, error) {
	s := &sheet{lines: d.lines, of: make([]lineLayout, len(d.lines))}
	s.node(d.root, 0, nil)
	if s.err != nil {
		return "", s.err
	}
	return s.write(), nil
}

// node notes where the lines of n go, whose column will be col. open are the levels around it.
func (s *sheet) node(n *yaml.Node, col int, open *level) {
	switch {
	case n.Kind == yaml.MappingNode && isBlock(n):
		open = &level{n.Content[0].Column - 1, col, open}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			s.begin(key, col, open)
			s.within(key)
			if !isBlock(value) && value.Line > key.Line {
				s.begin(value, col+2, open)
			}
			s.node(value, col+2, open)
		}
	case n.Kind == yaml.SequenceNode && isBlock(n):
		open = &level{s.dashColumn(n), col, open}
		for _, item := range n.Content {
			s.item(item, open)
		}
	case n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		s.text(n, open)
	default:
		s.within(n)
	}
}

// isBlock reports whether n is a group or a list without brackets.
func isBlock(n *yaml.Node) bool {
	return (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode) && n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0
}

// begin notes that n will stand at col, if it is the first in its line.
func (s *sheet) begin(n *yaml.Node, col int, open *level) {
	s.beginAt(n.Line-1, n.Column-1, col, open)
}

func (s *sheet) beginAt(line, column, to int, open *level) {
	if line < 0 || line >= len(s.lines) || column < 0 || column > len(s.lines[line]) {
		s.err = errors.Join(s.err, errors.New("a value stands where no line is"))
		return
	}
	of := &s.of[line]
	of.inside = open
	if strings.Trim(s.lines[line][:column], " ") == "" && !of.begins {
		of.begins, of.indent = true, to
	}
}

// dashColumn is where the dashes of a list stand: below its anchor or tag, if it has one.
func (s *sheet) dashColumn(list *yaml.Node) int {
	if dashAt(s.lines[list.Line-1], list.Column-1) {
		return list.Column - 1
	}
	for _, line := range s.lines[list.Line:list.Content[0].Line] {
		if at := indentOf(line); dashAt(line, at) {
			return at
		}
	}
	return list.Column - 1
}

// item notes where an item of a list goes.
func (s *sheet) item(item *yaml.Node, list *level) {
	line := item.Line - 1
	for line >= 0 && !dashAt(s.lines[line], list.old) {
		line--
	}
	if line < 0 {
		s.err = errors.Join(s.err, fmt.Errorf("the list of line %d does not begin with its dash", item.Line))
		return
	}
	s.beginAt(line, list.old, list.new, list)
	s.of[line].dashes = append(s.of[line].dashes, list.old)
	if !isBlock(item) && item.Line-1 > line {
		s.begin(item, list.new+2, list)
	}
	s.node(item, list.new+2, list)
}

func dashAt(line string, column int) bool {
	if column >= len(line) || line[column] != '-' {
		return false
	}
	return column+1 == len(line) || line[column+1] == ' ' || line[column+1] == '\t'
}

// within notes the lines that begin within a text in quotes, of n or of what stands in its brackets.
func (s *sheet) within(n *yaml.Node) {
	for _, one := range n.Content {
		s.within(one)
	}
	if n.Kind != yaml.ScalarNode || n.Style&quoted == 0 {
		return
	}
	line := n.Line - 1
	rest := []rune(s.lines[line])
	rest = rest[min(n.Column-1, len(rest)):]
	at := strings.IndexAny(string(rest), `'"`)
	if at < 0 {
		return
	}
	quote := string(rest)[at]
	rest = []rune(string(rest)[at+1:])
	for {
		for i := 0; i < len(rest); i++ {
			switch {
			case quote == '"' && rest[i] == '\\':
				i++
			case rest[i] == rune(quote) && quote == '\'' && i+1 < len(rest) && rest[i+1] == '\'':
				i++
			case rest[i] == rune(quote):
				return
			}
		}
		if line++; line >= len(s.lines) {
			return
		}
		s.of[line].quoted = true
		rest = []rune(s.lines[line])
	}
}

// blockHeader is how a text of several lines begins: perhaps with how far it is indented, and whether the empty lines at
// its end belong to it.
var blockHeader = regexp.MustCompile(`[|>]([+-]?)([1-9]?)([+-]?)[ \t]*(?:#.*)?$`)

// text notes the lines of a text that | or > begins.
func (s *sheet) text(n *yaml.Node, around *level) {
	header := blockHeader.FindStringSubmatch(s.lines[n.Line-1])
	if header == nil || around == nil {
		s.err = errors.Join(s.err, fmt.Errorf("the text of line %d begins in an unusual way", n.Line))
		return
	}
	b := &block{}
	if header[2] != "" {
		b.old, b.shift = around.old+int(header[2][0]-'0'), around.new-around.old
	}
	last := n.Line - 1
	for line := n.Line; line < len(s.lines); line++ {
		indent := indentOf(s.lines[line])
		if indent == len(s.lines[line]) && (last < n.Line || !isLonger(s.lines[line], b.old)) {
			continue // empty, and part of the text if more of it follows
		}
		if b.old == 0 {
			b.old, b.shift = indent, around.new+2-indent
		}
		if indent < b.old || indent <= around.old {
			break
		}
		last = line
	}
	if header[1] == "+" || header[3] == "+" {
		for last+1 < len(s.lines) && strings.Trim(s.lines[last+1], " ") == "" {
			last++
		}
	}
	for line := n.Line; line <= last; line++ {
		s.of[line].block = b
	}
}

// isLonger reports whether a line of blanks says something in a text that is indented by indent.
func isLonger(line string, indent int) bool { return indent > 0 && len(line) > indent }

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// write is the text laid out.
func (s *sheet) write() string {
	for i := len(s.of) - 2; i >= 0; i-- {
		if s.of[i].below = s.of[i+1].inside; s.of[i].below == nil {
			s.of[i].below = s.of[i+1].below
		}
	}
	var out bytes.Buffer
	empty, shift := 0, 0
	var above *level
	for i, line := range s.lines {
		of := s.of[i]
		bare := strings.TrimRightFunc(line, unicode.IsSpace)
		if bare == "" && of.block == nil {
			empty++
			continue
		}
		isComment := strings.HasPrefix(strings.TrimLeft(bare, " "), "#") && !of.quoted
		goesOn := !of.begins && !isComment
		if !goesOn || of.block != nil {
			empty = min(empty, 1)
		}
		if out.Len() > 0 {
			out.WriteString(strings.Repeat("\n", empty))
		}
		empty = 0
		if of.inside != nil {
			above, shift = of.inside, of.inside.new-of.inside.old
		}
		switch {
		case of.block != nil:
			out.WriteString(of.block.moved(line))
		case of.begins:
			out.WriteString(strings.Repeat(" ", of.indent) + strings.TrimLeft(of.closed(bare), " "))
		case isComment && !s.continues(i):
			out.WriteString(strings.Repeat(" ", column(indentOf(line), above, of.below)) + strings.TrimLeft(bare, " "))
		case strings.HasPrefix(line, "---"), strings.HasPrefix(line, "..."), strings.HasPrefix(line, "%"):
			out.WriteString(bare)
		case of.quoted:
			out.WriteString(moved(line, shift))
		default:
			out.WriteString(moved(bare, shift))
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// moved is a line of the text at its new place.
func (b *block) moved(line string) string {
	if strings.Trim(line, " ") == "" && len(line) <= b.old {
		return ""
	}
	return moved(line, b.shift)
}

func moved(line string, by int) string {
	return strings.Repeat(" ", max(0, indentOf(line)+by)) + strings.TrimLeft(line, " ")
}

// closed is a line with one blank after each dash of a list, if something follows.
func (of lineLayout) closed(line string) string {
	for i := len(of.dashes) - 1; i >= 0; i-- {
		dash := of.dashes[i] + 1
		rest := strings.TrimLeft(line[dash:], " \t")
		if rest != "" && rest[0] != '#' {
			line = line[:dash] + " " + rest
		}
	}
	return line
}

// continues reports whether the comment of line i goes on with the one at the end of the line above.
func (s *sheet) continues(i int) bool {
	if i == 0 || s.of[i-1].block != nil {
		return false
	}
	at, above := indentOf(s.lines[i]), []rune(s.lines[i-1])
	if at < len(above) && above[at] == '#' {
		s.of[i].tail = indentOf(s.lines[i-1]) < at || s.of[i-1].tail
	}
	return s.of[i].tail
}

// column is where a comment at the column old goes: to a level of the line below it or, if it stands further in than
// that line, of those above.
func column(old int, above, below *level) int {
	if below == nil || old > below.old {
		if above != nil && above.old >= old {
			for above.around != nil && above.around.old >= old {
				above = above.around
			}
			return above.new
		}
		if above != nil && (below == nil || above.old > below.old) {
			return above.new
		}
	}
	for ; below != nil; below = below.around {
		if below.old <= old {
			return below.new
		}
	}
	return 0
}
