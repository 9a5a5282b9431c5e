// Package hello judges how a client presents itself: the name it says in HELO or EHLO, and the name the DNS has for
// its address.
package hello

import (
	"context"
	_ "embed"
	"fmt"
	"net/netip"
	"strings"

	"weir/filters"
)

// Readme is the manual of the check.
//
//go:embed README.md
var Readme string

// The symbols the check may report.
const (
	BareIP          = "HELO_BARE_IP"
	Invalid         = "HELO_INVALID"
	LiteralMismatch = "HELO_LITERAL_MISMATCH"
	Localhost       = "HELO_LOCALHOST"
	NotFQDN         = "HELO_NOT_FQDN"
	Generic         = "HELO_GENERIC"
	NoReverse       = "RDNS_NONE"
	Unconfirmed     = "RDNS_UNCONFIRMED"
	GenericReverse  = "RDNS_GENERIC"
)

// New makes the check. It reads the session alone: the reverse name in it is the work of another check.
func New() filters.Check {
	return filters.Check{
		Name:  "hello",
		Doc:   "The client's HELO name and reverse name",
		Stage: filters.Recipients,
		Symbols: []string{BareIP, Invalid, LiteralMismatch, Localhost, NotFQDN, Generic,
			NoReverse, Unconfirmed, GenericReverse},
		Run: func(_ context.Context, m filters.Mail) (filters.Report, error) {
			return filters.Report{Hits: hits(m.Session)}, nil
		},
	}
}

// hits judges a stranger. Authenticated users and clients of the own network call themselves what they like.
func hits(s *filters.Session) []filters.Hit {
	if s == nil || s.User != "" {
		return nil
	}
	ip := s.Addr.Addr().Unmap()
	if ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() {
		return nil
	}
	if ip.IsUnspecified() { // not known: a message judged without a session
		ip = netip.Addr{}
	}
	var found []filters.Hit
	if symbol, detail := helo(s.Hello, ip); symbol != "" {
		found = append(found, filters.Hit{Symbol: symbol, Detail: detail})
	}
	if symbol, detail := reverse(s, ip); symbol != "" {
		found = append(found, filters.Hit{Symbol: symbol, Detail: detail})
	}
	return found
}

// helo says what is wrong with the name said in HELO, if anything. Without a name nothing is known.
func helo(name string, ip netip.Addr) (symbol, detail string) {
	bare := strings.ToLower(strings.TrimSuffix(name, "."))
	switch {
	case name == "":
		return "", ""
	case strings.HasPrefix(name, "["):
		return literal(name, ip)
	case isAddr(name):
		return BareIP, name
	case !validName(bare):
		return Invalid, fmt.Sprintf("%.100q", name)
	case bare == "localhost" || strings.HasSuffix(bare, ".localhost") || strings.HasSuffix(bare, ".localdomain"):
		return Localhost, name
	case !strings.Contains(bare, "."):
		return NotFQDN, name
	case looksGeneric(bare, ip):
		return Generic, name
	}
	return "", ""
}

// literal judges an address literal (RFC 5321 section 4.1.3), which must be the client's own.
func literal(name string, ip netip.Addr) (symbol, detail string) {
	text, closed := strings.CutSuffix(name[1:], "]")
	if tag := "ipv6:"; len(text) > len(tag) && strings.EqualFold(text[:len(tag)], tag) {
		text = text[len(tag):]
	}
	said, err := netip.ParseAddr(text)
	switch {
	case !closed || err != nil:
		return Invalid, fmt.Sprintf("%.100q", name)
	case ip.IsValid() && said.Unmap() != ip:
		return LiteralMismatch, fmt.Sprintf("%s is not %s", name, ip)
	}
	return "", ""
}

// reverse says what is wrong with the client's reverse name. Not known is not wrong.
func reverse(s *filters.Session, ip netip.Addr) (symbol, detail string) {
	switch {
	case !s.ReverseKnown:
		return "", ""
	case s.ReverseName == "":
		return NoReverse, ip.String()
	case !s.ReverseOK:
		return Unconfirmed, fmt.Sprintf("%.100s does not point back to %s", s.ReverseName, ip)
	case looksGeneric(strings.ToLower(strings.TrimSuffix(s.ReverseName, ".")), ip):
		return GenericReverse, s.ReverseName
	}
	return "", ""
}

func isAddr(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

// validName reports whether name could be that of a host (RFC 5321 section 4.1.2): labels of letters, digits and
// hyphens. Underscores and letters beyond ASCII are let pass, since honest hosts use them.
func validName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, r := range label {
			if r < 0x80 && !isLetter(r) && !isDigit(r) && r != '-' && r != '_' {
				return false
			}
		}
	}
	return true
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' }

func isDigit(r rune) bool { return '0' <= r && r <= '9' }
