package auth

import (
	"io"
	stdmime "mime"
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"weir/filters"
)

// author is the domain of the one author whom a reader sees, or "" if the From header leaves room for doubt: there is
// more than one such field, or more than one address in it (RFC 7489 §6.6.1), or the message begins with white space,
// so that not all agree on what its first field is.
func author(m *filters.Message) string {
	if raw := m.Raw(); len(raw) == 0 || raw[0] == ' ' || raw[0] == '\t' {
		return ""
	}
	fields := m.Fields()
	from, n := "", 0
	for i := range fields {
		if strings.EqualFold(strings.TrimSpace(fields[i].Name), "From") {
			from = fields[i].Unfolded()
			n++
		}
	}
	if n != 1 || !oneAddress(from) {
		return ""
	}
	return fold(m.FromDomain())
}

// oneAddress reports whether a From field, as written, holds exactly one address, in whatever way it is read.
func oneAddress(from string) bool {
	// Only the addresses matter, so a character set that is not known is no hindrance.
	anyCharset := &stdmime.WordDecoder{CharsetReader: func(_ string, in io.Reader) (io.Reader, error) { return in, nil }}
	parser := mail.AddressParser{WordDecoder: anyCharset}
	all, err := parser.ParseList(from)
	if err != nil {
		return strings.Count(from, "@") == 1
	}
	return len(all) == 1
}

var domainOfAddress = regexp.MustCompile(`@[ \t]*([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+)`)

// authors are the domains of all whom somebody may take for the author, the first ones of them, where author finds none.
func authors(m *filters.Message) []string {
	fields := m.Fields()
	var all []string
	for i := range fields {
		if !strings.EqualFold(strings.TrimSpace(fields[i].Name), "From") {
			continue
		}
		for _, found := range domainOfAddress.FindAllStringSubmatch(fields[i].Unfolded(), -1) {
			if d := fold(found[1]); !slices.Contains(all, d) {
				all = append(all, d)
			}
		}
	}
	return all[:min(len(all), maxAuthors)]
}
