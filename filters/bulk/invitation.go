package bulk

import (
	"bytes"
	"slices"
	"strings"

	"weir/filters"
)

// Bounds of a calendar part that is read.
const (
	mostCalendar = 64 << 10 // bytes
	mostSummary  = 1 << 10
)

// invitation returns what the organiser of a meeting says of it, if m is an invitation, an answer to one or a
// cancellation (RFC 5546). All else in it is written by a program, in the same words for everybody. Of a proven sender
// the meeting's name is enough; of others all that the calendar object says, and none of their links may stand elsewhere.
func invitation(m filters.Mail) (said string, is bool) {
	for _, part := range m.Message.Parts() {
		if part.ContentType != "text/calendar" {
			continue
		}
		data := part.Decoded()
		data = data[:min(len(data), mostCalendar)]
		if m.Auth != nil && len(m.Auth.Domains) > 0 {
			return textOf(data, "SUMMARY")
		}
		unfolded := unfold(data)
		for _, u := range m.Message.URLs() {
			if !bytes.Contains(unfolded, []byte(u.Host)) {
				return "", false
			}
		}
		return textOf(data, "SUMMARY", "DESCRIPTION", "LOCATION", "COMMENT")
	}
	return "", false
}

// unescapeText takes the escapes of RFC 5545 section 3.3.11 away.
var unescapeText = strings.NewReplacer(`\n`, "\n", `\N`, "\n", `\,`, ",", `\;`, ";", `\\`, `\`)

func unfold(calendar []byte) []byte {
	unfolded := bytes.ReplaceAll(calendar, []byte("\r\n"), []byte("\n"))
	unfolded = bytes.ReplaceAll(unfolded, []byte("\n\t"), nil)
	return bytes.ReplaceAll(unfolded, []byte("\n "), nil)
}

// textOf returns the values of these properties of a calendar object (RFC 5545 section 3.8.1), and whether it has a
// method.
func textOf(calendar []byte, properties ...string) (text string, method bool) {
	var b strings.Builder
	for line := range bytes.Lines(unfold(calendar)) {
		name, value, found := strings.Cut(strings.TrimRight(string(line), "\n"), ":")
		name, _, _ = strings.Cut(name, ";")
		switch {
		case !found:
		case strings.EqualFold(name, "METHOD"):
			method = true
		case slices.Contains(properties, strings.ToUpper(name)) && b.Len() < mostSummary*len(properties):
			b.WriteString(unescapeText.Replace(value[:min(len(value), mostSummary)]))
			b.WriteByte('\n')
		}
	}
	return b.String(), method
}
