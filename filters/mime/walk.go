package mime

import (
	"bytes"
	"strings"
)

// The types that the walk itself knows (RFC 2046).
const (
	typePlain   = "text/plain"
	typeHTML    = "text/html"
	typeMessage = "message/rfc822"
)

// walker reads bytes once, line by line. All delimiters that are open are looked for at once, so that it costs the
// same however parts lie in each other.
type walker struct {
	raw   []byte
	pos   int
	base  int     // where raw begins in the message; -1 if it was decoded
	open  []bound // innermost last
	parts int
	words int // encoded words in headers
	odd   *oddities
}

// bound is a boundary of the multipart at depth.
type bound struct {
	text  string
	depth int
}

// hit is a delimiter line: of which multipart, and whether it ends it. The zero hit is the end of the bytes.
type hit struct {
	found   bool
	depth   int
	closing bool
}

func (w *walker) offset(pos int) int {
	if w.base < 0 {
		return -1
	}
	return w.base + pos
}

// line returns the line at w.pos without its line end, and where the next begins.
func (w *walker) line() (line []byte, next int) {
	rest := w.raw[w.pos:]
	n := bytes.IndexByte(rest, '\n')
	if n < 0 {
		return rest, len(w.raw)
	}
	next = w.pos + n + 1
	if n > 0 && rest[n-1] == '\r' {
		n--
	}
	return rest[:n], next
}

// delimiter looks for line among the open boundaries. RFC 2046 section 5.1.1 lets a boundary be followed by white space
// only, but has readers compare no more than its beginning: an exact line comes first, then the longest boundary.
func (w *walker) delimiter(line []byte) hit {
	if len(line) < 3 || line[0] != '-' || line[1] != '-' {
		return hit{}
	}
	var best hit
	longest := 0
	for i := len(w.open) - 1; i >= 0; i-- {
		text := w.open[i].text
		tail, ok := bytes.CutPrefix(line[2:], []byte(text))
		if !ok {
			continue
		}
		after, closing := bytes.CutPrefix(tail, []byte("--"))
		h := hit{true, w.open[i].depth, closing}
		if len(bytes.TrimRight(after, " \t\r")) == 0 {
			return h
		}
		if len(text) > longest {
			best, longest = h, len(text)
		}
	}
	if best.found {
		w.odd.note(OddBoundaryTail, "%.80q", line)
	}
	return best
}

// skip moves w.pos behind the next delimiter line, or to the end. It returns what lies before, without the line end
// that belongs to the delimiter.
func (w *walker) skip() ([]byte, hit) {
	start := w.pos
	for w.pos < len(w.raw) {
		at := w.pos
		line, next := w.line()
		w.pos = next
		if len(line) > 2 && line[0] == '-' {
			if h := w.delimiter(line); h.found {
				return w.raw[start:max(start, w.lineEnd(at))], h
			}
		}
	}
	return w.raw[start:], hit{}
}

// lineEnd is where the line break before at begins.
func (w *walker) lineEnd(at int) int {
	if at > 0 && w.raw[at-1] == '\n' {
		at--
		if at > 0 && w.raw[at-1] == '\r' {
			at--
		}
	}
	return at
}

// entity reads one entity at w.pos up to the delimiter that ends it. standard is its type if it declares none.
func (w *walker) entity(depth int, standard string) (*Part, hit) {
	if w.parts++; w.parts >= maxParts && w.open != nil {
		w.odd.note(OddParts, "more than %d", maxParts)
		w.open = nil // the rest of the message is one part
	}
	p := &Part{Fields: w.header(depth == 0)}
	if depth == 0 && len(p.Fields) == 0 {
		w.odd.note(OddNoHeader, "no header field")
	}
	w.describe(p, standard)
	start := w.pos
	var end hit
	switch {
	case isContainer(p.ContentType) && depth >= maxDepth:
		w.odd.note(OddDepth, "more than %d", maxDepth)
		p.Raw, end = w.skip()
	case isMultipart(p.ContentType):
		end = w.multipart(p, depth)
		p.Raw = w.raw[start:max(start, w.before(end))]
	case isMessage(p.ContentType) && isIdentity(p.Encoding):
		var child *Part
		child, end = w.entity(depth+1, typePlain)
		p.Parts = []*Part{child}
		p.Raw = w.raw[start:max(start, w.before(end))]
	default:
		p.Raw, end = w.skip()
	}
	w.finish(p, depth)
	return p, end
}

// before is where the body ends whose end is the delimiter line just read.
func (w *walker) before(end hit) int {
	if !end.found {
		return w.pos
	}
	at := w.pos
	if w.raw[at-1] == '\n' {
		at--
	}
	return w.lineEnd(bytes.LastIndexByte(w.raw[:at], '\n') + 1)
}

// multipart reads the parts of p up to the delimiter of another multipart. Parts that are not found leave p.Parts empty.
func (w *walker) multipart(p *Part, depth int) hit {
	boundaries := w.boundaries(p)
	closed, end := w.children(p, depth, boundaries)
	switch {
	case len(p.Parts) > 0 && !closed:
		w.odd.note(OddUnclosed, "%s", p.ContentType)
	case len(p.Parts) == 0 && len(boundaries) > 0 && !closed:
		w.odd.note(OddBoundary, "%q never comes", boundaries[0])
	}
	return end
}

// children reads the parts of p between delimiters of boundaries. Parts behind the end are read too: some mail programs
// show them.
func (w *walker) children(p *Part, depth int, boundaries []string) (closed bool, end hit) {
	mark := len(w.open)
	for _, b := range boundaries {
		w.open = append(w.open, bound{b, depth})
	}
	p.Preamble, end = w.skip()
	for end.found && end.depth == depth {
		if end.closing {
			closed = true
			p.Epilogue, end = w.skip()
			continue
		}
		if closed {
			w.odd.note(OddAfterEnd, "%s", p.ContentType)
		}
		var child *Part
		child, end = w.entity(depth+1, standardOf(p))
		p.Parts = append(p.Parts, child)
	}
	w.open = w.open[:min(mark, len(w.open))]
	return closed, end
}

// finish looks into a part that has no parts yet for some that mail programs may find there.
func (w *walker) finish(p *Part, depth int) {
	p.decodeLater()
	if len(p.Parts) > 0 {
		return
	}
	if isMultipart(p.ContentType) && depth < maxDepth {
		if b := guessBoundary(p.Raw); b != "" {
			w.inside(p, p.Raw, depth, []string{b})
		}
	}
	if isContainer(p.ContentType) && len(p.Parts) == 0 && !isIdentity(p.Encoding) && depth < maxDepth {
		w.odd.note(OddEncodedParts, "%s in %s", p.ContentType, p.Encoding)
		w.inside(p, p.Decoded(), depth, p.params.all("boundary"))
	}
	if p.ContentType == typePlain && isIdentity(p.Encoding) {
		w.uuencoded(p)
	}
}

// inside reads b, which is the body of p or a decoded form of it, as parts of p, apart from the rest of the message.
func (w *walker) inside(p *Part, b []byte, depth int, boundaries []string) {
	inner := walker{raw: b, base: -1, parts: w.parts, words: w.words, odd: w.odd}
	if isMultipart(p.ContentType) {
		inner.children(p, depth, boundaries)
	} else {
		child, _ := inner.entity(depth+1, typePlain)
		p.Parts = []*Part{child}
	}
	w.parts, w.words = inner.parts, inner.words
}

// guessLines is how far a boundary is guessed for.
const guessLines = 64

// guessBoundary returns the boundary of a multipart that does not name it: the first line with two dashes before it and
// a header field after it.
func guessBoundary(body []byte) string {
	for range guessLines {
		line, rest, found := bytes.Cut(body, []byte{'\n'})
		if !found {
			return ""
		}
		line = bytes.TrimRight(line, " \t\r")
		if len(line) > 2 && bytes.HasPrefix(line, []byte("--")) && bytes.HasPrefix(bytes.ToLower(rest[:min(8, len(rest))]), []byte("content-")) {
			return string(line[2:])
		}
		body = rest
	}
	return ""
}

func isMultipart(t string) bool { return strings.HasPrefix(t, "multipart/") }

func isMessage(t string) bool { return t == typeMessage || t == "message/global" }

func isContainer(t string) bool { return isMessage(t) || isMultipart(t) }

// standardOf is the type of parts of p that declare none (RFC 2046 section 5.1.5).
func standardOf(p *Part) string {
	if p.ContentType == "multipart/digest" {
		return typeMessage
	}
	return typePlain
}
