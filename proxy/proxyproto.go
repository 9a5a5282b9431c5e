package proxy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// A load balancer in front says who the client is by the PROXY protocol, version 1 (a line) or 2 (binary), before
// anything else. It is believed from the listener's Proxies alone.

const (
	proxyLine  = 107 // the longest header of version 1
	proxyBlock = 536 // more of version 2 than addresses and usual extras need
)

var (
	errProxy       = errors.New("no PROXY header where one must be")
	proxySignature = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

// trusts reports whether the listener believes a PROXY header of this peer.
func (l *Listener) trusts(peer netip.Addr) bool {
	return slices.ContainsFunc(l.Proxies, func(p netip.Prefix) bool { return p.Contains(peer) })
}

// readProxy reads a PROXY header from r and not a byte further. The address is not valid when the proxy speaks for
// itself (LOCAL, UNKNOWN).
func readProxy(r io.Reader) (netip.AddrPort, error) {
	head := make([]byte, len("PROXY "), proxyLine)
	if _, err := io.ReadFull(r, head); err != nil {
		return netip.AddrPort{}, err
	}
	if string(head) == "PROXY " {
		return readProxyLine(r, head)
	}
	if bytes.HasPrefix(proxySignature, head) {
		return readProxyBlock(r, head)
	}
	return netip.AddrPort{}, errProxy
}

func readProxyLine(r io.Reader, line []byte) (netip.AddrPort, error) {
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		if len(line) == proxyLine {
			return netip.AddrPort{}, errProxy
		}
		line = line[:len(line)+1]
		if _, err := io.ReadFull(r, line[len(line)-1:]); err != nil {
			return netip.AddrPort{}, err
		}
	}
	words := strings.Split(strings.TrimSuffix(string(line), "\r\n"), " ")
	if words[1] == "UNKNOWN" {
		return netip.AddrPort{}, nil
	}
	if len(words) != 6 || words[1] != "TCP4" && words[1] != "TCP6" {
		return netip.AddrPort{}, errProxy
	}
	from, err := netip.ParseAddrPort(words[2] + ":" + words[4])
	if words[1] == "TCP6" {
		from, err = netip.ParseAddrPort("[" + words[2] + "]:" + words[4])
	}
	if err != nil || from.Addr().Zone() != "" || from.Addr().Is4() != (words[1] == "TCP4") {
		return netip.AddrPort{}, errProxy
	}
	return clean(from), nil
}

func readProxyBlock(r io.Reader, head []byte) (netip.AddrPort, error) {
	have := len(head)
	head = head[:len(proxySignature)+4]
	if _, err := io.ReadFull(r, head[have:]); err != nil {
		return netip.AddrPort{}, err
	}
	rest, size := head[len(proxySignature):], binary.BigEndian.Uint16(head[len(proxySignature)+2:])
	if !bytes.HasPrefix(head, proxySignature) || rest[0]>>4 != 2 || size > proxyBlock {
		return netip.AddrPort{}, errProxy
	}
	block := make([]byte, size)
	if _, err := io.ReadFull(r, block); err != nil {
		return netip.AddrPort{}, err
	}
	switch command, family := rest[0]&0xf, rest[1]; {
	case command == 0:
		return netip.AddrPort{}, nil
	case command == 1 && family == 0x11 && size >= 12:
		return clean(netip.AddrPortFrom(netip.AddrFrom4([4]byte(block)), binary.BigEndian.Uint16(block[8:]))), nil
	case command == 1 && family == 0x21 && size >= 36:
		return clean(netip.AddrPortFrom(netip.AddrFrom16([16]byte(block)), binary.BigEndian.Uint16(block[32:]))), nil
	case command == 1 && family == 0:
		return netip.AddrPort{}, nil
	}
	return netip.AddrPort{}, errProxy
}

// clean writes an address as all of weir does: IPv4 as such, without zone.
func clean(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
