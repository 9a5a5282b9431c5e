package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxAliased bounds how many values may come through YAML aliases, so that a few lines cannot grow to millions.
const maxAliased = 10_000

// Document is one YAML file: its values and where each stands. One goroutine may use it.
type Document struct {
	file     string
	lines    []string
	root     *yaml.Node
	literal  bool // a secret stands only where a SecretText is read
	findings Findings
	meant    map[*yaml.Node][]string // by groups of keys, what unknown ones were perhaps meant to be
	aliased  int                     // values decoded through aliases
	depth    int                     // of aliases being decoded
}

// Parse reads data, the contents of file, as exactly one YAML document. The Document is nil if that is not possible.
func Parse(data []byte, file string) (*Document, Findings) {
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	d := &Document{file: file, lines: strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")}
	if line, col, what := strangeByte(data); what != "" {
		if bytes.HasPrefix(data, []byte{0xFF, 0xFE}) || bytes.HasPrefix(data, []byte{0xFE, 0xFF}) {
			return nil, Findings{{Src: Src{file, 1, 1}, Code: CodeSyntax, Text: "the file is UTF-16", Hint: "save it as UTF-8"}}
		}
		return nil, Findings{d.finding(line, col, CodeSyntax, what)}
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, Findings{d.syntax(err)}
	}
	var first, second yaml.Node
	switch err := loader.Load(&first); {
	case errors.Is(err, io.EOF):
		return nil, Findings{d.finding(1, 1, CodeEmpty, "the file says nothing")}
	case err != nil:
		return nil, Findings{d.syntax(err)}
	}
	if err := loader.Load(&second); err == nil {
		f := d.finding(second.Line, second.Column, CodeDocuments, "a second document begins here, and would not be read")
		f.Hint = "drop the line ---"
		return nil, Findings{f}
	} else if !errors.Is(err, io.EOF) {
		return nil, Findings{d.syntax(err)}
	}
	if first.Kind != yaml.DocumentNode || len(first.Content) != 1 || first.Content[0].Tag == "!!null" {
		return nil, Findings{d.finding(1, 1, CodeEmpty, "the file says nothing")}
	}
	d.root = first.Content[0]
	return d, nil
}

// strangeByte finds what YAML does not take: bytes that are not UTF-8, and control characters.
func strangeByte(data []byte) (line, col int, what string) {
	line, col = 1, 1
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && n == 1:
			return line, col, fmt.Sprintf("the byte 0x%02X is not UTF-8", data[0])
		case r == '\n':
			line, col = line+1, 0
		case r < ' ' && r != '\t' && r != '\r' || r >= 0x7F && r < 0xA0 && r != 0x85 || r == 0xFFFE || r == 0xFFFF:
			return line, col, fmt.Sprintf("the control character U+%04X has no place here", r)
		}
		col++
		data = data[n:]
	}
	return 0, 0, ""
}

// syntax is the finding for what the YAML library says.
func (d *Document) syntax(err error) Finding {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		return d.finding(1, 1, CodeSyntax, err.Error())
	}
	text, mark := e.Message, e.Mark
	if e.ContextMsg != "" {
		text += " " + e.ContextMsg
	}
	if began := e.ContextMark; began.Line > 0 && began.Line != mark.Line {
		text += fmt.Sprintf(" that begins in line %d", began.Line)
		if strings.TrimSpace(d.line(mark.Line)) == "" {
			mark = began
		}
	}
	f := d.finding(max(mark.Line, 1), max(mark.Column, 1), CodeSyntax, text)
	switch {
	case strings.HasPrefix(f.Line, "\t"):
		f.Hint = "YAML takes no tabs before the text of a line; use blanks"
	case strings.HasPrefix(e.Message, "mapping values are not allowed"):
		f.Hint = "a text with a colon and a blank stands in quotes"
	case strings.HasPrefix(e.Message, "did not find expected ',' or"):
		f.Hint = "within { } and [ ], a text with one of , [ ] { } stands in 'quotes'"
	case strings.HasPrefix(e.Message, "found unknown escape character"):
		f.Hint = "an expression stands in 'single quotes', where a backslash is a backslash"
	}
	return f
}

// finding is an error at a place of d.
func (d *Document) finding(line, col int, code, text string) Finding {
	return Finding{Src: Src{d.file, line, col}, Code: code, Text: text, Line: d.line(line)}
}

func (d *Document) line(n int) string {
	if n < 1 || n > len(d.lines) {
		return ""
	}
	return d.lines[n-1]
}

// report keeps a finding.
func (d *Document) report(f Finding) { d.findings = d.findings.With(f) }

// TakeLiterally lets secrets stand only where a SecretText reads them.
func (d *Document) TakeLiterally() { d.literal = true }

// At finds the value at a path such as "listen[0].addr". It reports false if the file does not say it.
func (d *Document) At(path string) (Value, bool) {
	v := Value{d, d.root}
	for path != "" {
		var ok bool
		if v, path, ok = v.step(path); !ok {
			return Value{}, false
		}
	}
	return v, true
}

// step follows the first key or index of path.
func (v Value) step(path string) (next Value, rest string, ok bool) {
	n := resolve(v.node)
	if inner, found := strings.CutPrefix(path, "["); found {
		index, after, _ := strings.Cut(inner, "]")
		i, err := strconv.Atoi(index)
		if err != nil || n.Kind != yaml.SequenceNode || i < 0 || i >= len(n.Content) {
			return Value{}, "", false
		}
		return Value{v.doc, n.Content[i]}, strings.TrimPrefix(after, "."), true
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	if n.Kind != yaml.MappingNode {
		return Value{}, "", false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == path[:end] {
			return Value{v.doc, n.Content[i+1]}, strings.TrimPrefix(path[end:], "."), true
		}
	}
	return Value{}, "", false
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
