package backend

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
)

// The PROXY protocol tells the server in the first bytes who the client is, before its banner.

// proxyHeader is the header of a client, in version 1 (a line) or 2 (binary, without extras). Nobody is what a probe
// says: the server is to take the connection as our own.
func proxyHeader(who Client, version int) []byte {
	from, to := cleanAddr(who.Addr), cleanAddr(who.Local)
	if from.IsValid() && (!to.IsValid() || to.Addr().Is4() != from.Addr().Is4()) {
		to = netip.AddrPortFrom(unspecified(from.Addr()), to.Port()) // both must be of one family
	}
	if version == 1 {
		return proxyLine(from, to)
	}
	const local, proxied, tcp4, tcp6 = 0x20, 0x21, 0x11, 0x21
	head := slices.Clone(proxySignature)
	if !from.IsValid() {
		return append(head, local, 0, 0, 0)
	}
	family, size := byte(tcp4), uint16(12)
	if from.Addr().Is6() {
		family, size = tcp6, 36
	}
	head = append(head, proxied, family)
	head = binary.BigEndian.AppendUint16(head, size)
	head = append(head, from.Addr().AsSlice()...)
	head = append(head, to.Addr().AsSlice()...)
	head = binary.BigEndian.AppendUint16(head, from.Port())
	return binary.BigEndian.AppendUint16(head, to.Port())
}

func proxyLine(from, to netip.AddrPort) []byte {
	switch {
	case !from.IsValid():
		return []byte("PROXY UNKNOWN\r\n")
	case from.Addr().Is4():
		return fmt.Appendf(nil, "PROXY TCP4 %s %s %d %d\r\n", from.Addr(), to.Addr(), from.Port(), to.Port())
	}
	return fmt.Appendf(nil, "PROXY TCP6 %s %s %d %d\r\n", from.Addr(), to.Addr(), from.Port(), to.Port())
}

var proxySignature = []byte("\r\n\r\n\x00\r\nQUIT\n")

func cleanAddr(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

func unspecified(like netip.Addr) netip.Addr {
	if like.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}
