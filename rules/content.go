package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"weir/rules/strict"
)

// FileKinds are the kinds of files that `type:` knows, by their content.
var FileKinds = []string{
	"exe", "elf", "macho", "class", "lnk", "chm", "script",
	"zip", "jar", "apk", "docx", "xlsx", "pptx", "odf", "epub", "rar", "7z", "gzip", "tar", "bzip2", "xz", "zstd", "cab", "ace", "arj", "lzh",
	"iso", "vhd", "vhdx", "ole", "onenote", "rtf", "pdf", "ps", "html", "svg", "xml", "text",
	"jpeg", "png", "gif", "bmp", "tiff", "webp", "ico", "mp4", "mp3", "ogg", "wav", "avi", "flac",
}

// Attachment is what a rule looks for in files: all that it says must hold of one and the same. A nil expression says
// nothing, nor does a zero of the others.
type Attachment struct {
	Symbol   string
	Name     *regexp.Regexp // of the file
	Declared *regexp.Regexp // its Content-Type, in lower case without parameters
	Member   *regexp.Regexp // the name of a file in it
	Types    []string       // what it is by its content: one of these FileKinds
	From     int64          // bytes, decoded
	Below    int64
}

// Element is what a rule looks for in the elements of HTML: all that it says must hold of one and the same.
type Element struct {
	Symbol  string
	Tags    []string // nil for all
	Attr    string   // an attribute that it has; "" says nothing
	Value   *regexp.Regexp
	Hidden  bool // a reader does not see it
	Differs bool // it is a link whose text is the address of another host
	AtLeast int  // so many elements
}

// matcherDoc is what a rule looks for: exactly one of these.
type matcherDoc struct {
	Header     *headerDoc     `yaml:"header"`
	Body       *bodyDoc       `yaml:"body"`
	URL        *urlDoc        `yaml:"url"`
	Attachment *attachmentDoc `yaml:"attachment"`
	HTML       *elementDoc    `yaml:"html"`
	Who        *whoDoc        `yaml:"who"`
	When       said[string]   `yaml:"when"`
	Check      said[string]   `yaml:"check"`
}

type attachmentDoc struct {
	Self     strict.Value      `yaml:",self"`
	Name     said[string]      `yaml:"name"`
	Declared said[string]      `yaml:"declared"`
	Member   said[string]      `yaml:"member"`
	Type     oneOrMany[string] `yaml:"type"`
	Size     sizesDoc          `yaml:"size"`
}

type sizesDoc struct {
	Self  strict.Value      `yaml:",self"`
	From  said[strict.Size] `yaml:"from"`
	Below said[strict.Size] `yaml:"below"`
}

type elementDoc struct {
	Self    strict.Value      `yaml:",self"`
	Tag     oneOrMany[string] `yaml:"tag"`
	Attr    said[string]      `yaml:"attr"`
	Regex   said[string]      `yaml:"regex"`
	Hidden  said[bool]        `yaml:"hidden"`
	Differs said[bool]        `yaml:"text_differs"`
	AtLeast said[int]         `yaml:"at_least"`
}

// said are the matchers that stand in d, by their keys, sorted.
func (d *matcherDoc) said() []string {
	var found []string
	for key, there := range map[string]bool{
		"attachment": d.Attachment != nil, "body": d.Body != nil, "check": d.Check.At.Said(), "header": d.Header != nil, "html": d.HTML != nil,
		"url": d.URL != nil, "when": d.When.At.Said(), "who": d.Who != nil,
	} {
		if there {
			found = append(found, key)
		}
	}
	slices.Sort(found)
	return found
}

// attachment reads what a rule looks for in files.
func (l *loading) attachment(symbol string, doc *attachmentDoc) Attachment {
	a := Attachment{
		Symbol: symbol, Name: l.optional(doc.Name), Declared: l.optional(doc.Declared), Member: l.optional(doc.Member),
		From: int64(doc.Size.From.V), Below: int64(doc.Size.Below.V),
	}
	for _, kind := range doc.Type {
		if kind.V != "" && !slices.Contains(FileKinds, kind.V) {
			l.hintAt(kind.At, strict.CodeValue, fmt.Sprintf("%s is not a kind of file", kind.At.Quoted()), strict.DidYouMean(kind.V, FileKinds))
		}
		a.Types = append(a.Types, kind.V)
	}
	switch sizes := doc.Size; {
	case !doc.Self.Said() || doc.Self.Meant("name", "declared", "member", "type", "size"):
	case !doc.Name.At.Said() && !doc.Declared.At.Said() && !doc.Member.At.Said() && len(doc.Type) == 0 && !sizes.Self.Said():
		l.hintAt(doc.Self, codeMatcher, "this holds for every file", "say something of it: name, declared, member, type or size")
	case sizes.Below.At.Said() && sizes.Below.V <= sizes.From.V:
		l.errorAt(sizes.Below.At, codeNever, "this can never hold: no size is from %s and below %s", sizes.From.V, sizes.Below.V)
	}
	return a
}

// element reads what a rule looks for in the elements of HTML.
func (l *loading) element(symbol string, doc *elementDoc) Element {
	e := Element{Symbol: symbol, Attr: doc.Attr.V, Value: l.optional(doc.Regex), Hidden: doc.Hidden.V, Differs: doc.Differs.V, AtLeast: 1}
	for _, tag := range append(doc.Tag[:len(doc.Tag):len(doc.Tag)], doc.Attr) {
		if tag.At.Said() && (tag.V == "" || strings.ToLower(tag.V) != tag.V || strings.ContainsAny(tag.V, " \t<>/=\"'")) {
			l.hintAt(tag.At, codeName, fmt.Sprintf("%s is not the name of an element or attribute", tag.At.Quoted()), "write it in small letters and without brackets, like a or href")
		}
	}
	e.Tags = texts(doc.Tag)
	if doc.AtLeast.At.Said() {
		e.AtLeast = doc.AtLeast.V
	}
	switch {
	case !doc.Self.Said() || doc.Self.Meant("tag", "attr", "text_differs"):
	case len(doc.Tag) == 0 && !doc.Attr.At.Said() && !doc.Differs.V:
		l.hintAt(doc.Self, codeMatcher, "this does not say which elements are meant", "name them by `tag:`, or an attribute that they have by `attr:`")
	case doc.Regex.At.Said() && !doc.Attr.At.Said():
		l.hintAt(doc.Regex.At, codeMatcher, "the expression has nothing to read", "say by `attr:` which attribute it reads")
	case doc.Differs.V && len(doc.Tag) > 0 && !slices.Contains(e.Tags, "a"):
		l.errorAt(doc.Differs.At, codeNever, "this can never hold: only a has a text and leads to a host")
	case e.AtLeast < 1:
		l.errorAt(doc.AtLeast.At, strict.CodeValue, "at_least must be at least 1")
	}
	return e
}

// optional compiles an expression that may be missing.
func (l *loading) optional(text said[string]) *regexp.Regexp {
	if !text.At.Said() || !l.regex(text.At, text.V, 0) {
		return nil
	}
	return regexp.MustCompile(text.V)
}
