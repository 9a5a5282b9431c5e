package filters

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Bounds of what is read of Received fields.
const (
	maxHops     = 30   // fields
	maxReceived = 2000 // bytes of one
)

// Hop is what a Received field says of whom its server had the message from.
type Hop struct {
	Addr  netip.Addr // as the server saw it; the zero Addr if that is not said
	Hello string     // what it called itself by, or ""
	User  bool       // it had logged in (RFC 3848)
}

// Hops are the hops of the message, the last one first, at most 30. Only what trusted servers have written is true.
func (m *Message) Hops() []Hop {
	var hops []Hop
	fields := m.Fields()
	for i := range fields {
		if len(hops) < maxHops && strings.EqualFold(fields[i].Name, "Received") {
			hops = append(hops, ReadHop(fields[i].Unfolded())) // not decoded, since servers encode nothing in it
		}
	}
	return hops
}

var (
	bracketed = regexp.MustCompile(`\[(?:(?i:ipv6):)?([0-9A-Fa-f:.]+)\]`)
	asUser    = regexp.MustCompile(`^(?i:(UTF8)?(E?SMTP|LMTP)S?A)$`)
)

// ReadHop reads the value of a Received field (RFC 5321 section 4.4) as servers write it. What the client says of itself
// never passes for what the server saw: that stands in the first comment that holds an address, without a HELO name in it,
//
//	from HELO (NAME [ADDRESS]) by …             most
//	from NAME ([ADDRESS] helo=HELO) by …        Exim
//	from NAME (HELO HELO) (IDENT@ADDRESS) by …  qmail
//
// or, where no comment holds one, is the literal before it: from [ADDRESS] (helo=HELO) by ….
func ReadHop(field string) Hop {
	field = field[:min(len(field), maxReceived)]
	from, rest := cutWord(field)
	if !strings.EqualFold(from, "from") {
		return Hop{}
	}
	var h Hop
	h.Hello, rest = cutWord(rest)
	literal := h.Hello
	for {
		comment, after, ok := cutComment(rest)
		if !ok {
			break
		}
		rest = after
		seen := h.without(comment)
		if !h.Addr.IsValid() {
			h.Addr = addressIn(seen)
		}
	}
	if !h.Addr.IsValid() {
		if found := bracketed.FindStringSubmatch(literal); found != nil && found[0] == literal {
			h.Addr = hopAddr(found[1])
		}
	}
	h.User = asUser.MatchString(protocolIn(rest))
	return h
}

// without takes the HELO name from a comment, and what else the client has chosen.
func (h *Hop) without(comment string) string {
	words := strings.Fields(comment)
	if len(words) > 0 && (strings.EqualFold(words[0], "helo") || strings.EqualFold(words[0], "ehlo")) {
		h.Hello = strings.Join(words[1:], " ")
		return ""
	}
	return strings.Join(slices.DeleteFunc(words, func(word string) bool {
		key, value, ok := strings.Cut(word, "=")
		if ok && strings.EqualFold(key, "helo") {
			h.Hello = value
		}
		return ok
	}), " ")
}

// addressIn is the last address of a comment: what comes before may be a name that the client has chosen.
func addressIn(comment string) netip.Addr {
	if all := bracketed.FindAllStringSubmatch(comment, -1); all != nil {
		return hopAddr(all[len(all)-1][1])
	}
	words := strings.Fields(comment)
	if len(words) == 0 {
		return netip.Addr{}
	}
	last := words[len(words)-1]
	return hopAddr(last[strings.LastIndexByte(last, '@')+1:])
}

func hopAddr(text string) netip.Addr {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap().WithZone("")
}

// protocolIn is the word after "with" in the rest of a field, comments apart; "" if there is none.
func protocolIn(rest string) string {
	var words []string
	for rest != "" {
		if _, after, ok := cutComment(rest); ok {
			rest = after
			continue
		}
		var word string
		word, rest = cutWord(rest)
		if strings.HasSuffix(word, ";") {
			return ""
		}
		words = append(words, word)
		if n := len(words); n > 1 && strings.EqualFold(words[n-2], "with") {
			return word
		}
	}
	return ""
}

// cutWord cuts the first word, which ends at white space.
func cutWord(s string) (word, rest string) {
	s = strings.TrimLeft(s, " \t")
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], strings.TrimLeft(s[i:], " \t")
	}
	return s, ""
}

// cutComment cuts a comment from the beginning of s, which may hold others (RFC 5322 section 3.2.2).
func cutComment(s string) (comment, rest string, ok bool) {
	if !strings.HasPrefix(s, "(") {
		return "", s, false
	}
	depth := 1
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			return s[1:i], strings.TrimLeft(s[i+1:], " \t"), true
		}
	}
	return "", s, false
}

// relayed reports whether the client of m is one of relays: a server of ours that passes on what others have sent. One
// that has logged in sends for its user.
func (m Mail) relayed(relays []netip.Prefix) bool {
	s := m.Session
	return s != nil && s.Via == nil && s.User == "" && isOurs(s.Addr.Addr(), relays)
}

func isOurs(ip netip.Addr, relays []netip.Prefix) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(relays, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// behind is m with the client from whom relays had it: each of them has written that into the topmost Received field but
// those of the relays after it. A relay's loopback is the relay. If the message began with a relay, with a user who had
// logged in there or in a private network, or a relay does not say, the client is not known: the session has no address
// and no name, and nobody is asked about it.
func (m Mail) behind(relays []netip.Prefix) Mail {
	s := Session{ID: m.Session.ID, Listener: m.Session.Listener, Proto: m.Session.Proto, TLS: m.Session.TLS, Via: m.Session}
	for _, h := range m.Message.Hops() {
		s.Hops++
		if isOurs(h.Addr, relays) || h.Addr.IsLoopback() {
			continue
		}
		if h.Addr.IsGlobalUnicast() && !h.Addr.IsPrivate() && !h.User {
			s.Addr, s.Hello = netip.AddrPortFrom(h.Addr, 0), h.Hello
		}
		break
	}
	m.Session = &s
	return m
}
