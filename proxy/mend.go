package proxy

// mender passes a message on with CRLF at the end of each of its lines, which the client may have ended with a bare CR
// or a bare LF. What ends the message is still what the client sent as CRLF.CRLF and nothing else: a dot alone between
// line ends that were mended is text, and its dot is doubled so that it stays text for whoever reads on. The zero value
// stands at the beginning of the first line.
type mender struct {
	state    bodyState
	doubtful bool // the line began after a line end that was not CRLF
}

// mend appends to dst what the next bytes amount to. It returns how many of p belong to the message, its end included,
// and whether the end was among them. A NUL is errLineEnds: nothing can be made of it. At most four bytes come for one.
func (m *mender) mend(dst, p []byte) (out []byte, n int, end bool, err error) {
	for i, c := range p {
		if c == 0 {
			return dst, i, false, errLineEnds
		}
		if dst, end = m.step(dst, c); end {
			return dst, i + 1, true, nil
		}
	}
	return dst, len(p), false, nil
}

// step takes one byte. A dot at the beginning of a line and a CR are held until the next byte says what they are.
func (m *mender) step(dst []byte, c byte) (out []byte, end bool) {
	afterReturn := m.state == afterCR || m.state == afterDotCR
	if afterReturn && c != '\n' {
		dst = m.endLine(dst, true)
	}
	switch {
	case c == '\n' && m.state == afterDotCR && !m.doubtful:
		return append(dst, ".\r\n"...), true
	case c == '\n':
		return m.endLine(dst, !afterReturn), false
	case c == '\r' && m.state == afterDot:
		m.state = afterDotCR
	case c == '\r':
		m.state = afterCR
	case c == '.' && m.state == lineStart:
		m.state = afterDot
	default:
		if m.state == afterDot {
			dst = append(dst, '.')
		}
		m.state = inLine
		dst = append(dst, c)
	}
	return dst, false
}

func (m *mender) endLine(dst []byte, mended bool) []byte {
	if m.state == afterDot || m.state == afterDotCR {
		dst = append(dst, ".."...)
	}
	m.state, m.doubtful = lineStart, mended
	return append(dst, "\r\n"...)
}
