package proxy

import (
	"strconv"
	"strings"

	"weir/filters"
)

// authResults are the words of Authentication-Results after our name (RFC 8601 §2.2), "none" if nothing was checked.
func authResults(m filters.Mail) []string {
	a := m.Auth
	var all [][]string
	if r := a.SPF.Result; r != "" {
		all = append(all, []string{"spf=" + harmless(r), property(spfProperty(m.Envelope), a.SPF.Domain)})
	}
	for _, s := range a.DKIM {
		result := []string{"dkim=" + harmless(s.Result), property("header.d", s.Domain)}
		for _, p := range [][2]string{{"header.s", s.Selector}, {"header.a", s.Algorithm}, {"header.b", s.Begins}} {
			if p[1] != "" {
				result = append(result, property(p[0], p[1]))
			}
		}
		all = append(all, result)
	}
	if d := a.DMARC; d.Result != "" {
		result := []string{"dmarc=" + harmless(d.Result)}
		if d.Domain != "" {
			result = append(result, property("header.from", d.Domain))
		}
		if d.Policy != "" {
			result = append(result, property("policy.dmarc", d.Policy))
		}
		all = append(all, result)
	}
	if r := a.ARC.Result; r == "pass" {
		all = append(all, []string{"arc=pass", property("header.oldest-pass", strconv.Itoa(a.ARC.Oldest))})
	} else if r != "" && r != "none" {
		all = append(all, []string{"arc=" + harmless(r)})
	}
	if m.Session != nil && m.Session.ReverseKnown {
		all = append(all, []string{"iprev=" + reverseResult(m.Session), property("policy.iprev", m.Session.Addr.Addr().Unmap().String())})
	}
	if len(all) == 0 {
		return []string{"none"}
	}
	var words []string
	for i, result := range all {
		if i < len(all)-1 {
			result[len(result)-1] += ";"
		}
		words = append(words, result...)
	}
	return words
}

// spfProperty names what SPF has checked: the null sender has no domain but the client's own name (RFC 8601 §2.7.2).
func spfProperty(e *filters.Envelope) string {
	if e != nil && !strings.Contains(e.From, "@") {
		return "smtp.helo"
	}
	return "smtp.mailfrom"
}

// reverseResult is the result of the client's reverse name (RFC 8601 §2.7.3).
func reverseResult(s *filters.Session) string {
	switch {
	case s.ReverseOK:
		return "pass"
	case s.ReverseName != "":
		return "fail"
	}
	return "permerror" // there is none
}

// property is name=value; a value that is no token is put in quotes (RFC 8601 §2.2, RFC 2045 §5.1). Of what others have
// chosen only characters of names, addresses and base64 without padding are left: some readers split at others even within quotes.
func property(name, value string) string {
	token := value != ""
	value = strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(".-_+", c):
			return c
		case strings.ContainsRune(":/", c):
			token = false
			return c
		}
		token = false
		return '?'
	}, value[:min(len(value), maxDomain)])
	if token {
		return name + "=" + value
	}
	return name + `="` + value + `"`
}
