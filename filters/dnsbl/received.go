package dnsbl

import (
	"net/netip"
	"slices"
	"strconv"

	"weir/filters"
	"weir/rules"
)

// maxSubject bounds what is shown of what strangers wrote, in letters.
const maxSubject = 120

// maxOthers bounds the hops further back that are asked for.
const maxOthers = 4

// hops are the public addresses from which m came before it came to the client, the last one first. Behind relays of ours
// the client is the first hop, unless the list is asked for it as the client. What is behind it has been written by
// strangers, so it is worth less.
func (z zone) hops(m filters.Mail) []netip.Addr {
	s := m.Session
	if m.Message == nil || s.Via != nil && !s.Addr.IsValid() {
		return nil
	}
	client := s.Addr.Addr().Unmap().WithZone("")
	var all []netip.Addr
	if s.Via != nil && !slices.Contains(z.Ask, rules.AskClientIP) {
		all = append(all, client)
	}
	hops := m.Message.Hops()
	for _, h := range hops[min(s.Hops, len(hops)):] {
		if isPublic(h.Addr) && h.Addr != client && !slices.Contains(all, h.Addr) {
			all = append(all, h.Addr)
		}
	}
	return all[:min(len(all), 1+maxOthers)]
}

// isPublic reports whether lists can know ip: it is that of one machine in no private network.
func isPublic(ip netip.Addr) bool { return ip.IsGlobalUnicast() && !ip.IsPrivate() }

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
