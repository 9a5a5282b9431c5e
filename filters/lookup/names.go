package lookup

import (
	"net/netip"
	"strconv"
	"strings"
)

// ReverseName writes ip the way lists and reverse zones are asked, without the zone: "7.2.0.192" (RFC 5782 §2.1), or
// the 32 nibbles of an IPv6 address (§2.4). An IPv4 address in IPv6 form is taken as IPv4. ip must be valid.
func ReverseName(ip netip.Addr) string {
	ip = ip.Unmap()
	if ip.Is4() {
		b := ip.As4()
		out := make([]byte, 0, 15)
		for i := 3; i >= 0; i-- {
			out = strconv.AppendUint(out, uint64(b[i]), 10)
			if i > 0 {
				out = append(out, '.')
			}
		}
		return string(out)
	}
	const hex = "0123456789abcdef"
	b := ip.As16()
	out := make([]byte, 0, 63)
	for i := 15; i >= 0; i-- {
		out = append(out, hex[b[i]&15], '.', hex[b[i]>>4], '.')
	}
	return string(out[:63])
}

// ReverseZone is the zone of reverse names: "in-addr.arpa" or "ip6.arpa" (RFC 1035 §3.5, RFC 3596 §2.5).
func ReverseZone(ip netip.Addr) string {
	if ip.Unmap().Is4() {
		return "in-addr.arpa"
	}
	return "ip6.arpa"
}

// canonical lower-cases the ASCII letters of a name and takes its final dot.
func canonical(name string) string {
	name = strings.TrimSuffix(name, ".")
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' {
			b := []byte(name)
			for ; i < len(b); i++ {
				if c := b[i]; 'A' <= c && c <= 'Z' {
					b[i] = c - 'A' + 'a'
				}
			}
			return string(b)
		}
	}
	return name
}
