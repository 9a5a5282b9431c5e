package hello

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// accessWords stand in the names that providers give to lines of changing customers.
var accessWords = []string{"adsl", "broadband", "cable", "catv", "dhcp", "dial", "dialin", "dialup", "dsl", "dyn", "dynamic", "dynip",
	"fttb", "ftth", "gpon", "kabel", "pool", "ppp", "pppoe", "vdsl", "wifi", "wireless", "xdsl"}

// serverWords stand in names that somebody chose for a server.
var serverWords = []string{"email", "gateway", "mail", "mailer", "mailout", "mta", "mx", "newsletter", "out", "outbound", "outgoing",
	"relay", "send", "sender", "server", "smtp", "smtpout", "srv", "static"}

// looksGeneric reports whether name is one that a provider gave to all its lines: it holds the address, or a word
// for the kind of line and a number. name is in lower case.
func looksGeneric(name string, ip netip.Addr) bool {
	words := strings.FieldsFunc(name, func(r rune) bool { return !isLetter(r) })
	if slices.ContainsFunc(words, func(w string) bool { return slices.Contains(serverWords, w) }) {
		return false
	}
	if holdsAddress(name, ip) {
		return true
	}
	numbered := strings.ContainsAny(name, "0123456789")
	return numbered && slices.ContainsFunc(words, func(w string) bool { return slices.Contains(accessWords, w) })
}

// holdsAddress reports whether name spells ip: its octets in order or in reverse, apart or as one number, or in
// hexadecimal digits.
func holdsAddress(name string, ip netip.Addr) bool {
	if !ip.IsValid() {
		return false
	}
	joined := strings.NewReplacer("-", "", ".", "").Replace(name)
	if ip.Is6() {
		octets := ip.As16()
		return strings.Contains(joined, hex.EncodeToString(octets[8:]))
	}
	octets := ip.As4()
	forward, backward, padded := make([]int, 4), make([]int, 4), ""
	for i, o := range octets {
		forward[i], backward[3-i] = int(o), int(o)
		padded += fmt.Sprintf("%03d", o)
	}
	digits := numbers(name)
	return holds(digits, forward) || holds(digits, backward) ||
		strings.Contains(joined, padded) || strings.Contains(joined, hex.EncodeToString(octets[:]))
}

// numbers are the runs of digits in name that can be octets; a run that cannot is -1.
func numbers(name string) []int {
	var all []int
	for run := range strings.FieldsFuncSeq(name, func(r rune) bool { return !isDigit(r) }) {
		n, err := strconv.Atoi(run)
		if err != nil || n > 255 {
			n = -1
		}
		all = append(all, n)
	}
	return all
}

// holds reports whether part stands in all without a gap.
func holds(all, part []int) bool {
	for i := 0; i+len(part) <= len(all); i++ {
		if slices.Equal(all[i:i+len(part)], part) {
			return true
		}
	}
	return false
}
