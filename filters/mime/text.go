package mime

import (
	"bytes"
	"slices"
	"strings"

	"weir/filters/mime/page"
)

// What is found in HTML.
type (
	URL     = page.URL     // a link of a message
	Element = page.Element // an element of HTML
	Attr    = page.Attr    // an attribute of one
	Counts  = page.Counts  // what is in HTML
)

// Visible is what a reader sees of a message.
type Visible struct {
	Text     string    // of all text parts, lines ended by LF; valid UTF-8
	URLs     []URL     // distinct, in order
	Hidden   int       // bytes of letters and digits in HTML that a reader does not see
	Share    int       // the percent of all letters and digits of the message that these are
	Skeleton []string  // the names of HTML elements in order
	Elements []Element // of HTML, in order, at most 4,096 of them
	Counts   Counts
	Oddities []Oddity // found while decoding
}

// maxInput is the bytes of decoded text that are read for the visible text of one message.
const maxInput = 1 << 20

// reader makes the visible text of one message.
type reader struct {
	links    page.Links
	hidden   int
	skeleton []string
	elements []Element
	counts   Counts
	odd      oddities
	budget   int
}

// Visible decodes and reads all text parts.
func (d *Document) Visible() *Visible {
	r := &reader{budget: maxInput}
	text := r.part(d.Root)
	if len(text) > page.MaxText {
		r.odd.note(OddTextSize, "more than %d bytes", page.MaxText)
		text = strings.ToValidUTF8(text[:page.MaxText], "")
	}
	v := &Visible{Text: text, URLs: r.links.List, Hidden: r.hidden, Skeleton: r.skeleton, Elements: r.elements, Counts: r.counts, Oddities: r.odd.list}
	if v.Hidden > 0 {
		v.Share = 100 * v.Hidden / (v.Hidden + page.Letters([]byte(text)))
	}
	return v
}

// Enclosed is what a reader sees of the messages that lie in this one as parts (RFC 2046 section 5.2.1).
func (d *Document) Enclosed() string {
	r := &reader{budget: maxInput}
	var texts []string
	d.Root.enclosed(func(p *Part) {
		if text := r.part(p); text != "" {
			texts = append(texts, text)
		}
	})
	return strings.ToValidUTF8(strings.Join(texts, "\n"), "")
}

// enclosed calls found for each outermost part in p that is a message.
func (p *Part) enclosed(found func(*Part)) {
	for _, child := range p.Parts {
		if len(child.Parts) > 0 && (child.ContentType == typeMessage || child.ContentType == "message/global") {
			found(child)
			continue
		}
		child.enclosed(found)
	}
}

// part is the visible text of p and all in it. Of alternatives that say the same, one is enough; where they differ, no
// reader sees all, and every reading counts.
func (r *reader) part(p *Part) string {
	if len(p.Parts) == 0 {
		return r.leaf(p)
	}
	var texts []string
	for _, child := range p.Parts {
		text := r.part(child)
		if p.ContentType == "multipart/alternative" && len(texts) < maxAlternatives {
			if slices.ContainsFunc(texts, func(t string) bool { return saysAll(t, text) }) {
				continue
			}
			texts = slices.DeleteFunc(texts, func(t string) bool { return saysAll(text, t) })
		}
		if text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "\n")
}

// leaf is the visible text of a part without parts.
func (r *reader) leaf(p *Part) string {
	isHTML := p.ContentType == typeHTML || p.ContentType == "application/xhtml+xml"
	if !isHTML && !isText(p) {
		return ""
	}
	raw := p.Raw
	if p.prose != nil {
		raw = p.prose
	}
	data, foreign := decodeTransfer(raw, p.Encoding, r.budget)
	if len(data) == r.budget {
		r.odd.note(OddTextSize, "more than %d bytes", maxInput)
	}
	r.budget -= len(data)
	if foreign > 0 {
		r.odd.note(OddBase64, "%d bytes in %s", foreign, p.ContentType)
	}
	if bytes.IndexByte(data, 0) >= 0 && !isStateful(charsetOf(p.Charset)) {
		r.odd.note(OddNUL, "in %s", p.ContentType)
	}
	charset := p.Charset
	if charset == "" && isHTML {
		charset = metaCharset(data)
	}
	text, how := toUTF8(data, charset)
	switch how {
	case charsetUnknown:
		r.odd.note(OddCharset, "%.40q", charset)
	case charsetWrong:
		r.odd.note(OddCharsetLie, "declared %.40q", charset)
	}
	if isHTML {
		text = r.html(text)
	}
	text = plain(text)
	r.links.Find(text)
	return text
}

// isText reports whether a part that is no HTML is shown as text. Parts that should hold others and do not are.
func isText(p *Part) bool {
	switch {
	case p.ContentType == typePlain, strings.HasPrefix(p.ContentType, "message/"), isMultipart(p.ContentType):
		return true
	}
	return strings.HasPrefix(p.ContentType, "text/") && p.Disposition != "attachment"
}

// html is the visible text of a page.
func (r *reader) html(src string) string {
	p := page.Read([]byte(src), &r.links)
	r.hidden += p.Hidden
	r.skeleton = fill(r.skeleton, p.Skeleton)
	r.elements = fill(r.elements, p.Elements)
	r.counts.Add(p.Counts)
	if p.Lost {
		r.odd.note(OddHTMLDepth, "more than %d elements deep", page.MaxNested)
	}
	return string(bytes.TrimSpace(p.Text))
}

// fill appends as much of more as is kept of one message.
func fill[T any](list, more []T) []T {
	if list == nil {
		return more
	}
	return append(list, more[:min(page.MaxElements-len(list), len(more))]...)
}

// plain makes all line ends of s LF and drops what a mail program does not draw.
func plain(s string) string {
	if strings.IndexByte(s, '\r') >= 0 {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return s
}

// metaCharset is the character set that a page names at its beginning (<meta charset=…>), or "".
func metaCharset(html []byte) string {
	head := bytes.ToLower(html[:min(len(html), 2048)])
	i := bytes.Index(head, []byte("<meta"))
	if i < 0 {
		return ""
	}
	_, rest, found := bytes.Cut(head[i:], []byte("charset="))
	if !found {
		return ""
	}
	rest = bytes.TrimLeft(rest, " \"'")
	if end := bytes.IndexAny(rest, " \"'/>;"); end >= 0 {
		rest = rest[:end]
	}
	return string(rest[:min(len(rest), 40)])
}

// Bounds of the comparison of alternatives.
const (
	maxAlternatives = 8
	compared        = 32 << 10 // bytes
	enoughSame      = 0.8      // of the words
)

// saysAll reports whether nearly all words of part stand in whole too. Links are no words: HTML hides them.
func saysAll(whole, part string) bool {
	var seen [1 << 10]uint64 // a set of hashes
	for word := range words(whole) {
		seen[word>>6&0x3ff] |= 1 << (word & 63)
	}
	all, same := 0, 0
	for word := range words(part) {
		all++
		if seen[word>>6&0x3ff]&(1<<(word&63)) != 0 {
			same++
		}
	}
	return float64(same) >= enoughSame*float64(all)
}

// words yields a hash of each word of text, in lower case without punctuation.
func words(text string) func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		for word := range strings.FieldsSeq(text[:min(len(text), compared)]) {
			if strings.Contains(word, "/") {
				continue
			}
			hash, letters := uint32(2166136261), 0
			for _, c := range []byte(word) {
				if c|0x20 >= 'a' && c|0x20 <= 'z' {
					c |= 0x20
				} else if c < 0x80 && (c < '0' || c > '9') {
					continue
				}
				hash = (hash ^ uint32(c)) * 16777619
				letters++
			}
			if letters > 2 && !yield(hash^hash>>15) {
				return
			}
		}
	}
}
