package dnsbl

import (
	"net/netip"
	"strconv"
	"strings"

	"weir/filters"
)

// maxHops bounds the Received fields that are read.
const maxHops = 30

// maxSubject bounds what is shown of what strangers wrote, in letters.
const maxSubject = 120

// firstPublicHop is the first address of the hops before the client that is in no private network and not the client's
// own; the zero Addr if there is none. The client has written these fields, so it is worth less than the client's address.
func firstPublicHop(msg *filters.Message, client netip.Addr) netip.Addr {
	hops := msg.Header("Received")
	for _, hop := range hops[:min(len(hops), maxHops)] {
		ip := hopAddress(hop)
		if ip.IsValid() && ip.IsGlobalUnicast() && !ip.IsPrivate() && ip != client {
			return ip
		}
	}
	return netip.Addr{}
}

// hopAddress is the address from which a Received field says it came (RFC 5321 section 4.4): what the server saw, in
// round brackets, goes before what the client called itself.
func hopAddress(field string) netip.Addr {
	from, ok := strings.CutPrefix(strings.ToLower(field), "from ")
	if !ok {
		return netip.Addr{}
	}
	said, _, _ := strings.Cut(from, " by ")
	hello, seen, _ := strings.Cut(said, "(")
	for _, part := range []string{seen, hello} {
		for word := range strings.FieldsFuncSeq(part, func(r rune) bool { return strings.ContainsRune("[]() \t;,@", r) }) {
			if ip, err := netip.ParseAddr(strings.TrimPrefix(word, "ipv6:")); err == nil {
				return ip.Unmap().WithZone("")
			}
		}
	}
	return netip.Addr{}
}

// printable is text as it may be shown: one line without control and format characters, at most most letters.
func printable(text string, most int) string {
	runes := []rune(text)
	if len(runes) > most {
		runes = append(runes[:most-1:most-1], '…')
	}
	for i, r := range runes {
		if !strconv.IsPrint(r) {
			runes[i] = '?'
		}
	}
	return string(runes)
}
