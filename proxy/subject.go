package proxy

import (
	"bytes"
	"mime"
	"strings"

	"weir/filters"
	"weir/rules"
)

const (
	// markedWithin is how far from its beginning the subjects of a message are looked for: no header that is read goes on
	// for longer.
	markedWithin = 256 << 10

	// comparedWith is how much of a subject is decoded to see whether it is marked.
	comparedWith = 1000
)

// marked is a message whose subjects begin with mark, and how many got it now. Bytes are only put in: the mark after
// the colon, and a line end where the line would become too long. A message without a subject gets one at its very
// beginning. pieces are the message, each beginning with a field or its rest.
func marked(pieces [][]byte, mark string) (out [][]byte, n int) {
	found, left := false, markedWithin
	for i, piece := range pieces {
		from := 0
		for at := 0; at < len(piece); {
			end := fieldEnd(piece, at)
			value, isSubject, ok := subjectOf(piece[at:end])
			rest := piece[at] == ' ' || piece[at] == '\t'   // the message begins within a field
			if left -= end - at; !ok && !rest || left < 0 { // the body, or what a reader could take for it
				return withSubject(append(append(out, piece[from:]), pieces[i+1:]...), mark, found, n)
			}
			if isSubject && !begins(piece[at:end], mark) {
				out = append(out, piece[from:at+value], markFor(piece[at+value:end], value, mark))
				from = at + value
				n++
			}
			found = found || isSubject
			at = end
		}
		out = append(out, piece[from:])
	}
	return withSubject(out, mark, found, n)
}

// withSubject gives a message a subject if none was found.
func withSubject(pieces [][]byte, mark string, found bool, n int) ([][]byte, int) {
	if found {
		return pieces, n
	}
	return append([][]byte{[]byte("Subject: " + word(mark) + "\r\n")}, pieces...), 1
}

// subjectOf is where the value of a field begins, and whether it is a subject, in whatever case; ok is false for what is
// no field (RFC 5322 §2.2, with the blanks before the colon of §4.5).
func subjectOf(field []byte) (value int, isSubject, ok bool) {
	colon := bytes.IndexByte(field, ':')
	if colon <= 0 {
		return 0, false, false
	}
	name := bytes.TrimRight(field[:colon], " \t")
	noName := func(c rune) bool { return c <= ' ' || c > '~' }
	return colon + 1, strings.EqualFold(string(name), "subject"), len(name) > 0 && !bytes.ContainsFunc(name, noName)
}

// begins reports whether a subject begins with mark as readers see it.
func begins(field []byte, mark string) bool {
	if len(field) > comparedWith {
		field = append(bytes.TrimRight(field[:comparedWith:comparedWith], "\r\n"), "\r\n"...)
	}
	for _, text := range filters.ParseMessage(append(field[:len(field):len(field)], "\r\n"...)).Header("Subject") {
		if strings.HasPrefix(strings.TrimSpace(text), mark) {
			return true
		}
	}
	return false
}

// markFor is what is put in before the value of a subject, whose line has so many bytes before it.
func markFor(value []byte, before int, mark string) []byte {
	text := strings.TrimLeft(string(value), " \t\r\n")
	said := word(mark)
	if strings.HasPrefix(text, "=?") && said != mark {
		said = word(mark + " ") // blanks between two encoded words are not shown (RFC 2047 §6.2)
	}
	said = " " + said
	first, _, _ := strings.Cut(string(value), "\n")
	first = strings.TrimRight(first, "\r")
	switch {
	case strings.Trim(first, " \t") == "": // ends here, or goes on with the next line
	case before+len(said)+len(first) > foldAt:
		said += "\r\n"
		if first[0] != ' ' && first[0] != '\t' {
			said += " "
		}
	case first[0] != ' ' && first[0] != '\t':
		said += " "
	}
	return []byte(said)
}

// word is a text as it stands in a field: as it is, or as an encoded word.
func word(text string) string {
	if asciiText(text) == text && !strings.Contains(text, "=?") {
		return text
	}
	return mime.BEncoding.Encode("utf-8", text)
}

// mark is what subjects are marked with; "" for nothing. What our own users send is never marked.
func (t *transaction) mark() string {
	v, p := &t.judged.Verdict, t.trial.Policy
	if p == nil || v.Action < rules.Subject || v.Thresholds.Subject.Off || t.gate.client.user != "" {
		return ""
	}
	return p.Mark
}
