package mime

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"weir/filters/mime/page"
)

// Bounds of the parameters of one field.
const (
	maxParams = 128
	maxPieces = 64 // of one parameter (RFC 2231 section 3)
)

// param is one parameter of a structured field, its name in lower case.
type param struct{ name, value string }

type params []param

// get returns the first value of name, or "".
func (ps params) get(name string) string {
	for i := range ps {
		if ps[i].name == name {
			return ps[i].value
		}
	}
	return ""
}

// all returns the different values of name that are not empty, in order.
func (ps params) all(name string) []string {
	var values []string
	for i := range ps {
		if p := &ps[i]; p.name == name && p.value != "" && !slices.Contains(values, p.value) {
			values = append(values, p.value)
		}
	}
	return values
}

// describe reads the content fields of p. standard is the type if there is none.
func (w *walker) describe(p *Part, standard string) {
	p.ContentType = standard
	var types, encodings, dispositions []string
	for i := range p.Fields {
		f := &p.Fields[i]
		switch {
		case len(f.Name) < len("Content-Type"):
		case strings.EqualFold(f.Name, "Content-Type"):
			types = append(types, f.Unfolded())
		case strings.EqualFold(f.Name, "Content-Transfer-Encoding"):
			encodings = append(encodings, tokenOf(f.Unfolded()))
		case strings.EqualFold(f.Name, "Content-Disposition"):
			dispositions = append(dispositions, f.Unfolded())
		}
	}
	w.describeType(p, types)
	w.describeEncoding(p, encodings)
	p.Charset = strings.ToLower(p.params.get("charset"))
	p.Filename = decodeWords(p.params.get("name"), "")
	if len(dispositions) > 0 {
		value, ps := w.parameters(dispositions[0])
		p.Disposition = value
		if name := ps.get("filename"); name != "" {
			p.Filename = decodeWords(name, "")
		}
	}
	p.Filename = clean(p.Filename)
}

// describeType takes the first type, but a multipart before all others: who shows its parts must not be missed.
func (w *walker) describeType(p *Part, types []string) {
	found := false
	for i, t := range types[:min(len(types), 4)] {
		if i > 0 && t != types[0] {
			w.odd.note(OddTwoTypes, "%.60q and %.60q", types[0], t)
		}
		value, ps := w.parameters(t)
		major, minor, ok := strings.Cut(value, "/")
		if !ok || major == "" || minor == "" {
			w.odd.note(OddType, "%.60q", t)
			continue
		}
		if !found || isMultipart(value) && !isMultipart(p.ContentType) {
			p.ContentType, p.params, found = value, ps, true
		}
	}
}

// describeEncoding takes the first encoding that is one.
func (w *walker) describeEncoding(p *Part, encodings []string) {
	for i, e := range encodings[:min(len(encodings), 4)] {
		if i > 0 && e != encodings[0] {
			w.odd.note(OddTwoEncodings, "%.40q and %.40q", encodings[0], e)
		}
		switch {
		case !isIdentity(e) && !isEncoding(e):
			w.odd.note(OddEncoding, "%.60q", e)
		case isIdentity(p.Encoding):
			p.Encoding = e
		}
	}
}

// boundaries are the boundaries of p, most often one.
func (w *walker) boundaries(p *Part) []string {
	found := p.params.all("boundary")
	switch {
	case len(found) == 0:
		w.odd.note(OddNoBoundary, "%s", p.ContentType)
	case len(found) > 1:
		w.odd.note(OddTwoBoundaries, "%.80q and %.80q", found[0], found[1])
	}
	return found[:min(len(found), 4)]
}

// parameters reads a value with parameters (RFC 2045 section 5.1), forgiving what mail programs forgive: no semicolon,
// blanks around "=", values that should have been quoted. The value is in lower case, without comments.
func (w *walker) parameters(s string) (string, params) {
	value, rest := cutParam(s)
	if head, tail, ok := strings.Cut(value, " "); ok { // a semicolon forgotten
		value, rest = head, tail+";"+rest
	}
	value = tokenOf(value)
	var ps params
	var pieces []piece
	for n := 0; rest != ""; n++ {
		if n == maxParams {
			w.odd.note(OddParameters, "more than %d", maxParams)
			break
		}
		var one string
		one, rest = cutParam(rest)
		name, v, ok := strings.Cut(one, "=")
		if name = strings.ToLower(strings.TrimSpace(name)); !ok || name == "" {
			continue
		}
		v = unquote(strings.TrimSpace(v))
		if base, tail, ok := strings.Cut(name, "*"); ok {
			pieces = append(pieces, newPiece(base, tail, v))
		} else {
			ps = append(ps, param{name, v})
		}
	}
	return value, w.join(ps, pieces)
}

// cutParam returns s up to the next semicolon outside quotes and comments, without the comments, and the rest.
func cutParam(s string) (one, rest string) {
	if i := strings.IndexAny(s, `;"(\`); i < 0 {
		return strings.TrimSpace(s), ""
	} else if s[i] == ';' {
		return strings.TrimSpace(s[:i]), s[i+1:]
	}
	var b strings.Builder
	quoted, depth := false, 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && (quoted || depth > 0) && i+1 < len(s):
			if depth == 0 {
				b.WriteString(s[i : i+2])
			}
			i++
			continue
		case c == '"' && depth == 0:
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
			continue
		case c == ')' && depth > 0:
			depth--
			continue
		case c == ';' && depth == 0:
			return strings.TrimSpace(b.String()), s[i+1:]
		}
		if depth == 0 {
			b.WriteByte(c)
		}
	}
	return strings.TrimSpace(b.String()), ""
}

// unquote takes the quotes of a quoted string (RFC 5322 section 3.2.4) away, and whatever follows them.
func unquote(s string) string {
	if !strings.HasPrefix(s, `"`) {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// tokenOf is the first word of s in lower case, without comments and quotes.
func tokenOf(s string) string {
	one, _ := cutParam(s)
	one = strings.Trim(one, " \t\"';")
	if i := strings.IndexAny(one, " \t"); i >= 0 {
		one = one[:i]
	}
	return strings.ToLower(one)
}

// piece is a part of a parameter that is written in several (RFC 2231 section 3) or percent-encoded (section 4).
type piece struct {
	name    string
	number  int // -1 if it is malformed
	encoded bool
	value   string
}

// newPiece makes the piece of name whose suffix is tail: "", "0", "0*".
func newPiece(name, tail, value string) piece {
	p := piece{name: name, value: value}
	p.number, p.encoded = 0, tail == ""
	if tail != "" {
		digits, encoded := strings.CutSuffix(tail, "*")
		p.encoded = encoded
		n, err := strconv.ParseUint(digits, 10, 16)
		p.number = int(n)
		if err != nil {
			p.number = -1
		}
	}
	return p
}

// join adds to ps the parameters made of pieces.
func (w *walker) join(ps params, pieces []piece) params {
	slices.SortStableFunc(pieces, func(a, b piece) int {
		return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.number, b.number))
	})
	for len(pieces) > 0 {
		n := 1
		for n < len(pieces) && pieces[n].name == pieces[0].name {
			n++
		}
		ps = append(ps, param{pieces[0].name, w.joined(pieces[:n])})
		pieces = pieces[n:]
	}
	return ps
}

// joined is the value of one parameter.
func (w *walker) joined(pieces []piece) string {
	if len(pieces) > maxPieces {
		pieces = pieces[:maxPieces]
	}
	charset := ""
	var b []byte
	for i, p := range pieces {
		if p.number != i {
			w.odd.note(OddParameters, "piece %d of %.40q is number %d", i, p.name, p.number)
		}
		v := p.value
		if i == 0 && p.encoded {
			if first, rest, ok := strings.Cut(v, "'"); ok {
				if _, text, ok := strings.Cut(rest, "'"); ok {
					charset, v = first, text
				}
			}
		}
		if p.encoded {
			v = page.Unescape(v)
		}
		b = append(b, v...)
	}
	text, _ := toUTF8(b, charset)
	return text
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
