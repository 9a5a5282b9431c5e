package auth

import (
	"errors"
	"net/netip"
	"regexp"
	"strings"
)

// The grammar of SPF records (RFC 7208 §12), which is checked before a record is evaluated: a syntax error anywhere in
// it is a permanent error (§4.6), and the library finds only those that it comes past.
const (
	macroExpand = `%(?:\{[slodiphv](?:0*[1-9][0-9]*)?r?[-.+,/_=]*\}|%|_|-)`
	macroString = `(?:` + macroExpand + `|[!-$&-~])*`
	topLabel    = `(?:[0-9a-z]*[a-z][0-9a-z]*|[0-9a-z]+-[0-9a-z-]*[0-9a-z])`
	domainSpec  = macroString + `(?:\.` + topLabel + `\.?|` + macroExpand + `)`
	cidr4       = `/(?:[0-9]|[12][0-9]|3[0-2])`
	cidr6       = `/(?:[0-9]|[1-9][0-9]|1[01][0-9]|12[0-8])`
)

var (
	mechanism = regexp.MustCompile(`(?i)^(?:all|(?:include|exists):` + domainSpec + `|ptr(?::` + domainSpec + `)?` +
		`|(?:a|mx)(?::` + domainSpec + `)?(?:` + cidr4 + `)?(?:/` + cidr6 + `)?)$`)
	modifierName  = regexp.MustCompile(`(?i)^[a-z][a-z0-9._-]*$`)
	modifierValue = regexp.MustCompile(`(?i)^` + macroString + `$`)
	domainValue   = regexp.MustCompile(`(?i)^` + domainSpec + `$`)
)

var errRecord = errors.New("the record breaks the rules of SPF")

const version = "v=spf1"

// isRecord reports whether a TXT record is one of SPF (RFC 7208 §4.5).
func isRecord(text string) bool {
	return len(text) >= len(version) && strings.EqualFold(text[:len(version)], version) && (len(text) == len(version) || text[len(version)] == ' ')
}

// isSound reports whether an SPF record keeps to the grammar.
func isSound(record string) bool {
	seen := map[string]bool{}
	for term := range strings.SplitSeq(record[len(version):], " ") {
		name, value, modifies := strings.Cut(term, "=")
		if modifies && modifierName.MatchString(name) {
			name = strings.ToLower(name)
			special := name == "redirect" || name == "exp"
			if special && (seen[name] || !domainValue.MatchString(value)) || !modifierValue.MatchString(value) {
				return false
			}
			seen[name] = true
		} else if term != "" && !isMechanism(strings.TrimLeft(term[:1], "+-?~")+term[1:]) {
			return false
		}
	}
	return true
}

// hiddenSlash stands for a slash within a name, which the library would take for the beginning of a network's length.
// A sound record has no such character.
const hiddenSlash = "\x1f"

var hostMechanism = regexp.MustCompile(`(?i)^([-+?~]?(?:a|mx):)(.*?)((?:/[0-9]+)?(?://[0-9]+)?)$`)

// hideSlashes replaces the slashes within the names of a record's terms.
func hideSlashes(record string) string {
	if strings.Count(record, "/") == 0 {
		return record
	}
	terms := strings.Split(record, " ")
	for i, term := range terms {
		if m := hostMechanism.FindStringSubmatch(term); m != nil {
			terms[i] = m[1] + strings.ReplaceAll(m[2], "/", hiddenSlash) + m[3]
		}
	}
	return strings.Join(terms, " ")
}

func isMechanism(text string) bool {
	name, network, _ := strings.Cut(text, ":")
	v4 := strings.EqualFold(name, "ip4")
	if !v4 && !strings.EqualFold(name, "ip6") {
		return mechanism.MatchString(text)
	}
	if strings.Contains(network, "/") {
		p, err := netip.ParsePrefix(network)
		return err == nil && p.Addr().Is4() == v4
	}
	ip, err := netip.ParseAddr(network)
	return err == nil && ip.Is4() == v4 && ip.Zone() == ""
}
