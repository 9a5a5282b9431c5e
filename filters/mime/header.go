package mime

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Field is one header field.
type Field struct {
	Name   string // as written
	Value  string // unfolded, encoded words (RFC 2047) and raw 8-bit bytes decoded; valid UTF-8
	Raw    string // all its bytes, with name and line ends
	Offset int    // of Raw in the message; -1 in a part that had to be decoded or guessed
}

// Header is the fields of one entity, in order.
type Header []Field

// All returns the values of the fields called name, in order. Case does not matter.
func (h Header) All(name string) []string {
	var values []string
	for i := range h {
		if strings.EqualFold(h[i].Name, name) {
			values = append(values, h[i].Value)
		}
	}
	return values
}

// Unfolded is the field's body as written, without line ends and outer white space, not decoded.
func (f *Field) Unfolded() string {
	_, body, _ := strings.Cut(f.Raw, ":")
	return unfold(body)
}

// unfold joins the lines of s (RFC 5322 section 2.2.3). A line end and the white space around it become one space.
func unfold(s string) string {
	s = strings.Trim(s, " \t\r\n")
	if strings.IndexByte(s, '\n') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for line := range strings.Lines(s) {
		if line = strings.Trim(line, " \t\r\n"); line != "" {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(line)
		}
	}
	return b.String()
}

// span is a piece of the walker's bytes.
type span struct{ start, end int }

// header reads the header at w.pos and leaves w.pos at the body, or at the delimiter that cuts the header off.
//
// Lines that are no field are passed over if a field follows them, as some mail programs do; else the body begins with
// them, as others do.
func (w *walker) header(top bool) Header {
	start := w.pos
	var fields []span
	tooLong := false
	bad := -1 // where lines without a field began, since the last field
	for w.pos < len(w.raw) {
		line, next := w.line()
		if len(line) == 0 {
			if bad < 0 {
				w.pos = next
			}
			break
		}
		if line[0] == '-' && w.delimiter(line).found {
			break
		}
		switch kind := kindOf(line); {
		case kind == lineMore && bad < 0 && len(fields) > 0:
			fields[len(fields)-1].end = next
		case kind == lineField && w.pos-start < maxHeader && len(fields) < maxFields:
			if bad >= 0 {
				w.odd.note(OddHeaderLine, "%.60q", firstLine(w.raw[bad:]))
			}
			bad = -1
			fields = append(fields, span{w.pos, next})
		case kind == lineField:
			tooLong = true
		case top && w.pos == start && isMailboxLine(line):
			w.odd.note(OddHeaderLine, "%.60q", line)
		case bad < 0:
			bad = w.pos
		}
		w.pos = next
	}
	if tooLong || w.pos-start > maxHeader {
		w.odd.note(OddHeaderSize, "a header of more than %d bytes or %d fields", maxHeader, maxFields)
	}
	if bad >= 0 {
		w.pos = bad
		w.odd.note(OddHeaderLine, "%.60q", firstLine(w.raw[bad:]))
	}
	return w.fields(fields)
}

// fields makes the fields at spans.
func (w *walker) fields(spans []span) Header {
	if len(spans) == 0 {
		return nil
	}
	start := spans[0].start
	block := w.raw[start:spans[len(spans)-1].end]
	if len(block) > maxHeader+maxLine {
		block = block[:maxHeader+maxLine]
	}
	text := string(block)
	hint := ""
	if !utf8.ValidString(text) {
		w.odd.note(OddHeader8Bit, "bytes that are neither ASCII nor UTF-8")
		hint = charsetIn(text)
	}
	if strings.IndexByte(text, 0) >= 0 {
		w.odd.note(OddHeaderNUL, "NUL in a header")
	}
	header := make(Header, len(spans))
	for i, s := range spans {
		raw := text[min(s.start-start, len(text)):min(s.end-start, len(text))]
		name, body, _ := strings.Cut(raw, ":")
		header[i] = Field{Name: strings.TrimRight(name, " \t"), Value: w.value(body, hint), Raw: raw, Offset: w.offset(s.start)}
	}
	return header
}

// value decodes the body of a field, unless the message has too many encoded words.
func (w *walker) value(body, hint string) string {
	body = unfold(body)
	if w.words += strings.Count(body, "=?"); w.words > maxWords {
		w.odd.note(OddHeaderSize, "more than %d encoded words", maxWords)
		return strings.ToValidUTF8(clean(body), "\uFFFD")
	}
	return decodeHeader(body, hint)
}

// maxLine is by how much the last field may go beyond maxHeader.
const maxLine = 64 << 10

// charsetIn is the character set that a header names for the body, in which its raw 8-bit bytes are likely too.
func charsetIn(header string) string {
	_, rest, _ := strings.Cut(strings.ToLower(header), "charset=")
	rest = strings.TrimLeft(rest[:min(len(rest), 40)], `" `)
	if end := strings.IndexFunc(rest, notInCharset); end >= 0 {
		rest = rest[:end]
	}
	return rest
}

// What a line of a header is.
const (
	lineBad = iota
	lineField
	lineMore
)

func kindOf(line []byte) int {
	if line[0] == ' ' || line[0] == '\t' {
		return lineMore
	}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return lineBad
	}
	for _, c := range bytes.TrimRight(line[:colon], " \t") {
		if c <= ' ' || c == 0x7f {
			return lineBad
		}
	}
	return lineField
}

// isMailboxLine reports whether line is the separator of mailbox files that some programs leave above a header.
func isMailboxLine(line []byte) bool {
	return bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From "))
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	return bytes.TrimRight(line, "\r")
}
