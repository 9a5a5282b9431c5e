package rules

import (
	"fmt"
	"strings"
	"unicode"
)

const (
	defaultMark = "[SPAM]"

	// maxMark is the longest mark of a subject in bytes, so that it is one encoded word on the first line of the field
	// (RFC 2047 §2: a word has 75 characters at most, a line with one 76).
	maxMark = 36
)

// mark is what stands before subjects, as doc says or as is inherited.
func (l *loading) mark(doc replyDoc, inherited string) string {
	if !doc.Text.At.Said() {
		return inherited
	}
	mark := strings.TrimSpace(doc.Text.V)
	switch {
	case mark == "":
		l.hintAt(doc.Text.At, codeMark, "nothing is to stand before the subject", "without a threshold `subject` no subject is marked")
	case len(mark) > maxMark:
		l.errorAt(doc.Text.At, codeMark, "the mark of a subject has at most %d bytes, not %d", maxMark, len(mark))
	case strings.Contains(mark, "{{"):
		l.hintAt(doc.Text.At, codeMark, "the mark of a subject has no fields", "it must be the same for all messages, so that it is set once")
	case strings.ContainsFunc(mark, func(r rune) bool { return !unicode.IsPrint(r) }):
		l.errorAt(doc.Text.At, codeMark, "the mark of a subject must be one line of letters that can be seen")
	}
	return mark
}

// marksNothing reports a mark where no subject is ever marked.
func (l *loading) marksNothing(doc replyDoc, where string, policies ...*Policy) {
	if !doc.Text.At.Said() {
		return
	}
	for _, p := range policies {
		if !p.Thresholds.Subject.Off {
			return
		}
	}
	l.warnAt(doc.Text.At, codeMark, fmt.Sprintf("no subject is marked%s", where), "say from which points on: thresholds: { subject: 8 }")
}
