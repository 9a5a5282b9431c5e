// Package auth finds out who is proven to have sent a message, by SPF (RFC 7208) and DKIM (RFC 6376).
//
// NewSPF makes the check of the client's address, which needs the envelope sender alone. NewDKIM makes the check of the
// signatures; it also decides which of the domains that either has proven belong to the author whom a reader sees.
package auth

import (
	_ "embed"
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"weir/filters"
	"weir/filters/lookup"
)

// Readme is the manual of the checks.
//
//go:embed README.md
var Readme string

// aligned returns the distinct domains of proven that belong to the same organisation as the author's, in their order
// (RFC 7489 §3.1, relaxed). It returns none for the author "".
func aligned(author string, proven []string) []string {
	if author == "" {
		return nil
	}
	var out []string
	seen := map[string]bool{}
	for _, d := range proven {
		if d != "" && !seen[d] && filters.Organisation(d) == filters.Organisation(author) {
			seen[d] = true
			out = append(out, d)
		}
	}
	return out
}

// fold writes a domain as it is compared and asked for: lower case, without final dot, an international one in ASCII
// (RFC 8616 §3).
func fold(domain string) string {
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	if strings.IndexFunc(domain, func(c rune) bool { return c >= utf8.RuneSelf }) < 0 {
		return domain
	}
	for _, profile := range []*idna.Profile{idna.Lookup, idna.Punycode} { // the first takes no underscores
		if ascii, err := profile.ToASCII(domain); err == nil {
			return ascii
		}
	}
	return domain
}

// problem is what to record of a lookup that failed; nothing if lookups are switched off.
func problem(f *lookup.Failure) []filters.Problem {
	if f == nil || errors.Is(f, lookup.ErrOffline) {
		return nil
	}
	return []filters.Problem{{Kind: f.Kind, Detail: f.Error()}}
}
