package bulk

import (
	"bytes"
	"strings"

	"weir/filters"
)

// Bounds of a calendar part that is read.
const (
	mostCalendar = 64 << 10 // bytes
	mostSummary  = 1 << 10
)

// invitation returns what the organiser of a meeting has called it, if m is an invitation, an answer to one or a
// cancellation (RFC 5546) whose sender is proven. All else in it is written by a program, in the same words for everybody.
func invitation(m filters.Mail) (summary string, is bool) {
	if m.Auth == nil || len(m.Auth.Domains) == 0 {
		return "", false
	}
	for _, part := range m.Message.Parts() {
		if part.ContentType == "text/calendar" {
			data := part.Decoded()
			return summaryOf(data[:min(len(data), mostCalendar)])
		}
	}
	return "", false
}

// summaryOf returns the summaries in a calendar object (RFC 5545 section 3.8.1.12), and whether it has a method.
func summaryOf(calendar []byte) (summary string, method bool) {
	unfolded := bytes.ReplaceAll(calendar, []byte("\r\n"), []byte("\n"))
	unfolded = bytes.ReplaceAll(unfolded, []byte("\n "), nil)
	var b strings.Builder
	for line := range bytes.Lines(unfolded) {
		name, value, found := strings.Cut(strings.TrimRight(string(line), "\n"), ":")
		name, _, _ = strings.Cut(name, ";")
		switch {
		case !found:
		case strings.EqualFold(name, "METHOD"):
			method = true
		case strings.EqualFold(name, "SUMMARY") && b.Len() < mostSummary:
			b.WriteString(value[:min(len(value), mostSummary)])
			b.WriteByte('\n')
		}
	}
	return b.String(), method
}
