package auth

import (
	"context"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxPointers is how many of a client's names are looked at (RFC 7208 §4.6.4).
const maxPointers = 10

var (
	nameMacro = regexp.MustCompile(`%\{[pP]([0-9]*)([rR]?)([-.+,/_=]*)\}`)
	plainName = regexp.MustCompile(`^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$`)
)

// nameClient puts the client's name in place of the macro p in the record of a domain (RFC 7208 §7). The library knows
// no such name, and few records ask for it.
func (n *names) nameClient(ctx context.Context, record, domain string) string {
	if !nameMacro.MatchString(record) {
		return record
	}
	name := n.clientName(ctx, strings.ToLower(strings.TrimSuffix(domain, ".")))
	return nameMacro.ReplaceAllStringFunc(record, func(macro string) string {
		m := nameMacro.FindStringSubmatch(macro)
		delimiters := m[3]
		if delimiters == "" {
			delimiters = "."
		}
		parts := strings.FieldsFunc(name, func(c rune) bool { return strings.ContainsRune(delimiters, c) })
		if m[2] != "" {
			slices.Reverse(parts)
		}
		if count, err := strconv.Atoi(m[1]); err == nil {
			parts = parts[max(0, len(parts)-count):]
		}
		return strings.Join(parts, ".")
	})
}

// clientName is a name of the client that points back to it: domain if it is one, else one below it, else any, else
// "unknown".
func (n *names) clientName(ctx context.Context, domain string) string {
	best, rank := "unknown", 0
	pointers, err := n.LookupAddr(ctx, n.client.String())
	if err != nil {
		return best
	}
	for _, name := range pointers[:min(len(pointers), maxPointers)] {
		addrs, err := n.LookupIPAddr(ctx, name)
		here := func(a net.IPAddr) bool { return a.IP.Equal(n.client.AsSlice()) }
		if err != nil || !plainName.MatchString(name) || !slices.ContainsFunc(addrs, here) {
			continue
		}
		is := 1
		if name == domain {
			is = 3
		} else if strings.HasSuffix(name, "."+domain) {
			is = 2
		}
		if is > rank {
			best, rank = name, is
		}
	}
	return best
}
