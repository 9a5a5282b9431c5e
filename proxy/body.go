package proxy

import "errors"

// errLineEnds means that the bytes of a message hold a bare CR, a bare LF or a NUL: some server might take them for
// the end of the message.
var errLineEnds = errors.New("bare CR, bare LF or NUL in the message")

// body follows the bytes of a DATA phase to find its end, CRLF.CRLF and nothing else (RFC 5321 4.1.1.4). The zero
// value stands at the beginning of the first line.
type body struct{ state bodyState }

type bodyState uint8

const (
	lineStart bodyState = iota
	afterDot            // a dot at the beginning of a line
	afterDotCR
	inLine
	afterCR
)

// scan looks at the next bytes. It returns how many of them belong to the message, its end included, and whether the
// end was among them.
func (b *body) scan(p []byte) (n int, end bool, err error) {
	for i, c := range p {
		if c > '\r' && c != '.' {
			if b.state == afterCR || b.state == afterDotCR {
				return i, false, errLineEnds
			}
			b.state = inLine
			continue
		}
		next, end, ok := b.state.step(c)
		if !ok {
			return i, false, errLineEnds
		}
		b.state = next
		if end {
			return i + 1, true, nil
		}
	}
	return len(p), false, nil
}

// step takes one byte that may matter.
func (s bodyState) step(c byte) (next bodyState, end, ok bool) {
	switch {
	case c == '\n':
		return lineStart, s == afterDotCR, s == afterCR || s == afterDotCR
	case s == afterCR || s == afterDotCR || c == 0:
		return s, false, false
	case c == '\r' && s == afterDot:
		return afterDotCR, false, true
	case c == '\r':
		return afterCR, false, true
	case c == '.' && s == lineStart:
		return afterDot, false, true
	}
	return inLine, false, true
}
