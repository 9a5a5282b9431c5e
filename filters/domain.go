package filters

import (
	"regexp"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Organisation is the part of a domain that somebody has registered: the public suffix and one label (RFC 7489 section
// 3.2). A domain that is itself a public suffix, and an address in numbers, is an organisation of its own.
func Organisation(domain string) string {
	if d, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return d
	}
	return domain
}

// shownLink is a link's text that is itself an address of the web.
var shownLink = regexp.MustCompile(`^\s*https?://([A-Za-z0-9.-]+\.[A-Za-z]{2,24})(?:[/:?#\s]|$)`)

// Misleads returns the host in the text of a link, in lower case, if that text is an address of the web and the link
// leads to another organisation: to host; "" if not.
func Misleads(text, host string) string {
	says := shownLink.FindStringSubmatch(text)
	if says == nil || host == "" {
		return ""
	}
	shown := strings.ToLower(says[1])
	if Organisation(shown) == Organisation(host) {
		return ""
	}
	return shown
}
