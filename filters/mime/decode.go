package mime

import (
	"bytes"
	"strings"
)

// isIdentity reports whether a transfer encoding leaves bytes as they are.
func isIdentity(encoding string) bool {
	switch encoding {
	case "", "7bit", "8bit", "binary", "7-bit", "8-bit":
		return true
	}
	return false
}

// isEncoding reports whether decodeTransfer decodes encoding.
func isEncoding(encoding string) bool {
	switch encoding {
	case "base64", "quoted-printable", "x-uuencode", "uuencode", "x-uue":
		return true
	}
	return false
}

// decodeTransfer takes a transfer encoding (RFC 2045 section 6) away. It returns at most limit bytes, and how many
// bytes had no place in the encoding.
func decodeTransfer(raw []byte, encoding string, limit int) (data []byte, foreign int) {
	switch encoding {
	case "base64":
		return decodeBase64(raw, limit)
	case "quoted-printable":
		return decodeQuotedPrintable(raw, limit), 0
	case "x-uuencode", "uuencode", "x-uue":
		return decodeUuencode(raw, limit), 0
	}
	return raw[:min(len(raw), limit)], 0
}

// sextets says what a byte of base64 is worth.
var sextets = func() (table [256]byte) {
	for i := range table {
		table[i] = foreignByte
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		table[c] = byte(i)
	}
	for _, c := range []byte(" \t\r\n") {
		table[c] = blankByte
	}
	table['='] = padByte
	return table
}()

// What is no sextet.
const (
	blankByte   = 64 + iota // white space
	padByte                 // "="
	foreignByte             // to be ignored (RFC 2045 section 6.8)
)

// decodeBase64 decodes on behind padding: a text may be put together from several runs.
func decodeBase64(raw []byte, limit int) (data []byte, foreign int) {
	data = make([]byte, 0, min(len(raw)/4*3+3, limit+3))
	var bits uint32
	n := 0 // sextets in bits
	for i := 0; i < len(raw) && len(data) < limit; i++ {
		if n == 0 && i+4 <= len(raw) { // the common case: four good sextets
			a, b, c, d := sextets[raw[i]], sextets[raw[i+1]], sextets[raw[i+2]], sextets[raw[i+3]]
			if a|b|c|d < 64 {
				data = append(data, a<<2|b>>4, b<<4|c>>2, c<<6|d)
				i += 3
				continue
			}
		}
		switch v := sextets[raw[i]]; v {
		case blankByte:
		case foreignByte:
			foreign++
		case padByte:
			data = appendRest(data, bits, n)
			bits, n = 0, 0
		default:
			bits = bits<<6 | uint32(v)
			if n++; n == 4 {
				data = append(data, byte(bits>>16), byte(bits>>8), byte(bits))
				bits, n = 0, 0
			}
		}
	}
	data = appendRest(data, bits, n)
	return data[:min(len(data), limit)], foreign
}

// appendRest appends the whole bytes in n < 4 sextets.
func appendRest(data []byte, bits uint32, n int) []byte {
	switch n {
	case 2:
		return append(data, byte(bits>>4))
	case 3:
		return append(data, byte(bits>>10), byte(bits>>2))
	}
	return data
}

// decodeQuotedPrintable decodes as RFC 2045 section 6.7 asks of readers: what is no encoding stays as it is, white space
// at the end of lines goes.
func decodeQuotedPrintable(raw []byte, limit int) []byte {
	if len(raw) > 3*limit {
		raw = raw[:3*limit]
	}
	data := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		line, rest, found := bytes.Cut(raw, []byte{'\n'})
		end := line
		line = bytes.TrimRight(line, " \t\r")
		soft := len(line) > 0 && line[len(line)-1] == '='
		if soft {
			line = line[:len(line)-1]
		}
		data = appendUnquoted(data, line)
		if found && !soft {
			if len(end) > 0 && end[len(end)-1] == '\r' {
				data = append(data, '\r')
			}
			data = append(data, '\n')
		}
		raw = rest
	}
	return data[:min(len(data), limit)]
}

// appendUnquoted appends line with each =XX decoded.
func appendUnquoted(data, line []byte) []byte {
	for {
		i := bytes.IndexByte(line, '=')
		if i < 0 || i+2 >= len(line) {
			return append(data, line...)
		}
		data = append(data, line[:i]...)
		if isHex(line[i+1]) && isHex(line[i+2]) {
			data = append(data, unhex(line[i+1])<<4|unhex(line[i+2]))
			line = line[i+3:]
		} else {
			data = append(data, '=')
			line = line[i+1:]
		}
	}
}

// decodeUuencode decodes the lines between "begin" and "end", or all if there is no "begin".
func decodeUuencode(raw []byte, limit int) []byte {
	data := make([]byte, 0, min(len(raw)/4*3, limit+64))
	for len(raw) > 0 && len(data) < limit {
		line, rest, _ := bytes.Cut(raw, []byte{'\n'})
		raw = rest
		line = bytes.TrimRight(line, "\r")
		if bytes.HasPrefix(line, []byte("begin ")) {
			data = data[:0]
			continue
		}
		if len(line) == 0 || string(line) == "end" {
			continue
		}
		data = appendUuencoded(data, line)
	}
	return data[:min(len(data), limit)]
}

// appendUuencoded appends the bytes of one line: its length, then groups of four that stand for three.
func appendUuencoded(data, line []byte) []byte {
	want := int(line[0]-' ') & 63
	at := func(i int) byte {
		if i < len(line) {
			return (line[i] - ' ') & 63
		}
		return 0
	}
	for i := 1; want > 0 && i < len(line); i += 4 {
		a, b, c, d := at(i), at(i+1), at(i+2), at(i+3)
		group := [3]byte{a<<2 | b>>4, b<<4 | c>>2, c<<6 | d}
		data = append(data, group[:min(want, 3)]...)
		want -= 3
	}
	return data
}

// maxFiles is the uuencoded files of one text.
const maxFiles = 100

// uuencoded finds files in the text of p and makes them parts.
func (w *walker) uuencoded(p *Part) {
	rest, prose := p.Raw, []byte(nil)
	for len(p.files) < maxFiles {
		start, name := findBegin(rest)
		if start < 0 {
			break
		}
		length := uuLength(rest[start:])
		w.odd.note(OddUuencode, "%.60q", name)
		f := &Part{ContentType: "application/octet-stream", Disposition: "attachment", Filename: clean(name), Encoding: "x-uuencode", Raw: rest[start : start+length]}
		f.decodeLater()
		p.files = append(p.files, f)
		prose = append(prose, rest[:start]...)
		rest = rest[start+length:]
	}
	if len(p.files) > 0 {
		p.prose = append(prose, rest...)
	}
}

// findBegin finds a line "begin MODE NAME" with a line of data after it; -1 if there is none.
func findBegin(b []byte) (start int, name string) {
	for from := 0; ; {
		i := bytes.Index(b[from:], []byte("begin "))
		if i < 0 {
			return -1, ""
		}
		start = from + i
		from = start + len("begin ")
		if start > 0 && b[start-1] != '\n' {
			continue
		}
		line, rest, found := bytes.Cut(b[from:], []byte{'\n'})
		mode, file, ok := strings.Cut(string(bytes.TrimRight(line[:min(len(line), 200)], "\r ")), " ")
		if found && ok && len(mode) >= 3 && len(mode) <= 4 && strings.Trim(mode, "01234567") == "" && isUuLine(firstLine(rest)) {
			return start, plainHeader(strings.TrimSpace(file), "")
		}
	}
}

// isUuLine reports whether line has the form of data: its length, and as many characters as that takes.
func isUuLine(line []byte) bool {
	if len(line) == 0 || line[0] < ' ' || line[0] > '`' {
		return false
	}
	want := (int(line[0]-' ')&63 + 2) / 3 * 4
	return len(line)-1 >= want-3 && len(line)-1 <= want+2
}

// uuLength is the length of the file at the start of b, with its lines "begin" and "end".
func uuLength(b []byte) int {
	at := bytes.IndexByte(b, '\n') + 1
	for at < len(b) {
		line := firstLine(b[at:])
		next := len(b)
		if n := bytes.IndexByte(b[at:], '\n'); n >= 0 {
			next = at + n + 1
		}
		if string(line) == "end" {
			return next
		}
		if !isUuLine(line) {
			return at
		}
		at = next
	}
	return at
}
