package proxy

import (
	"errors"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Bounds of an address. RFC 5321 4.5.3.1 asks for 64 and 255; real senders make longer local parts.
const (
	maxLocal  = 255
	maxDomain = 255
)

var errPath = errors.New("not a path")

// path is a checked reverse-path or forward-path (RFC 5321 4.1.2).
type path struct {
	address string // without brackets and with as little quoting as can be; "" for the null sender
	bare    bool   // <Postmaster>, which has no domain (RFC 5321 4.5.1)
}

// wire is the path as the backend gets it.
func (p path) wire() string {
	if p.bare {
		return "<Postmaster>"
	}
	return "<" + p.address + ">"
}

// domain is the part after the last @, in lower case.
func (p path) domain() string {
	return strings.ToLower(p.address[strings.LastIndexByte(p.address, '@')+1:])
}

// routed reports whether the local part names another address, to which a server may send the mail on.
func (p path) routed() bool {
	return strings.ContainsAny(p.address[:max(strings.LastIndexByte(p.address, '@'), 0)], "@%!")
}

// parsePath reads a path at the beginning of s, which must be UTF-8 without control bytes, and returns what follows.
// A source route is dropped, as RFC 5321 4.1.1.3 says. A quoted local part keeps its meaning: it is unquoted only if
// nothing in it needs quotes.
func parsePath(s string) (path, string, error) {
	rest, ok := strings.CutPrefix(s, "<")
	if !ok {
		return path{}, "", errPath
	}
	if after, null := strings.CutPrefix(rest, ">"); null {
		return path{}, after, nil
	}
	if strings.HasPrefix(rest, "@") {
		route, after, ok := strings.Cut(rest, ":")
		if !ok || !isRoute(route) {
			return path{}, "", errPath
		}
		rest = after
	}
	local, rest, err := parseLocal(rest)
	if err != nil {
		return path{}, "", err
	}
	if after, ok := strings.CutPrefix(rest, ">"); ok && strings.EqualFold(local, "postmaster") {
		return path{address: "postmaster", bare: true}, after, nil
	}
	domain, after, ok := strings.Cut(rest, ">")
	domain, at := strings.CutPrefix(domain, "@")
	if !ok || !at || !isDomain(domain) && !isLiteral(domain) {
		return path{}, "", errPath
	}
	return path{address: local + "@" + domain}, after, nil
}

func isRoute(s string) bool {
	for hop := range strings.SplitSeq(s, ",") {
		domain, ok := strings.CutPrefix(hop, "@")
		if !ok || !isDomain(domain) {
			return false
		}
	}
	return true
}

// parseLocal reads a Local-part: dots and atoms, or a quoted string.
func parseLocal(s string) (local, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		return parseQuoted(s[1:])
	}
	end := strings.IndexFunc(s, func(c rune) bool { return !isAtom(c) && c != '.' })
	if end <= 0 || end > maxLocal {
		return "", "", errPath
	}
	return s[:end], s[end:], nil
}

// parseQuoted reads the rest of a quoted string and writes it again with as few quotes as can be.
func parseQuoted(s string) (local, rest string, err error) {
	var content, quoted strings.Builder
	plain := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '"' {
			if content.Len() == 0 || content.Len() > maxLocal {
				return "", "", errPath
			}
			if plain && isDotString(content.String()) {
				return content.String(), s[i+1:], nil
			}
			return `"` + quoted.String() + `"`, s[i+1:], nil
		}
		if c == '\\' {
			if i++; i == len(s) {
				return "", "", errPath
			}
			c = s[i]
		}
		if c < ' ' { // nor does the grammar have a tab
			return "", "", errPath
		}
		if c == '"' || c == '\\' {
			quoted.WriteByte('\\')
		}
		plain = plain && (c == '.' || c >= utf8.RuneSelf || isAtom(rune(c)))
		content.WriteByte(c)
		quoted.WriteByte(c)
	}
	return "", "", errPath
}

func isDotString(s string) bool {
	return !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".") && !strings.Contains(s, "..")
}

// isAtom reports whether c is atext (RFC 5322 3.2.3), which RFC 6531 3.3 widens by everything beyond ASCII.
func isAtom(c rune) bool {
	return c > '~' || c > ' ' && !strings.ContainsRune(`()<>[]:;@\,."`, c)
}

// isDomain reports whether s is a domain name. Underscores are let through: hosts have them.
func isDomain(s string) bool {
	if s == "" || len(s) > maxDomain {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
		for _, c := range label {
			if !isLabel(c) {
				return false
			}
		}
	}
	return true
}

func isLabel(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c >= 0xa0
}

// isLiteral reports whether s is an address literal (RFC 5321 4.1.3).
func isLiteral(s string) bool {
	inner, ok := strings.CutPrefix(s, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !ok || !closed {
		return false
	}
	if len(inner) > 5 && strings.EqualFold(inner[:5], "IPv6:") {
		addr, err := netip.ParseAddr(inner[5:])
		return err == nil && addr.Is6() && addr.Zone() == ""
	}
	addr, err := netip.ParseAddr(inner)
	return err == nil && addr.Is4()
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c >= utf8.RuneSelf }) < 0
}
