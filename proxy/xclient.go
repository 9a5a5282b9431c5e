package proxy

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"weir/filters"
)

// A trusted peer may say by XCLIENT whom it speaks for. The session then begins anew as that client's: it is counted,
// looked up, judged and recorded as if it had come itself.

// xclientOffer is what of XCLIENT we take. What a peer says of HELO and PROTO is said again by the EHLO that follows.
const xclientOffer = "XCLIENT NAME ADDR PORT PROTO HELO"

var errAttribute = errors.New("not an attribute of XCLIENT")

// introduction is what an XCLIENT command says.
type introduction struct {
	addr netip.Addr
	port uint16
	name *filters.Reverse // nil if it could not be found out or nothing is said
}

// trusted reports whether the peer may say whom it speaks for.
func (s *Settings) trusted(peer netip.Addr) bool {
	return slices.ContainsFunc(s.Trusted, func(p netip.Prefix) bool { return p.Contains(peer) })
}

// introduced takes up the client that a trusted peer speaks for.
func (g *gate) introduced() error {
	if !g.client.speaks {
		g.junk()
		g.say(replyForbidden)
		return nil
	}
	if g.state.mail {
		g.say(replyMailTwice)
		return nil
	}
	who, err := readIntroduction(g.cmd.arg)
	if err != nil {
		g.say(replyArgument)
		return nil
	}
	c := g.client
	if !who.addr.IsValid() {
		who.addr = c.addr.Addr()
	}
	if refusal := g.server.move(g, netip.AddrPortFrom(who.addr, who.port)); refusal != nil {
		g.server.recordRefused(c, *refusal)
		return g.hangUp(*refusal)
	}
	c.named, c.manners = who.name, filters.Manners{}
	c.pass.End()
	c.begin(g.server.Current())
	g.state = state{errors: g.state.errors, junk: g.state.junk}
	g.say(Reply{Code: 220, Text: g.server.Hostname + " ESMTP"})
	return nil
}

// readIntroduction takes the argument of XCLIENT apart.
func readIntroduction(arg string) (introduction, error) {
	var who introduction
	words := strings.Fields(arg)
	if len(words) == 0 {
		return who, errAttribute
	}
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		value, err := unxtext(value)
		if !ok || err != nil {
			return introduction{}, errAttribute
		}
		if err := who.set(strings.ToUpper(key), value); err != nil {
			return introduction{}, err
		}
	}
	return who, nil
}

func (who *introduction) set(key, value string) error {
	unknown := value == "[UNAVAILABLE]" || value == "[TEMPUNAVAIL]"
	switch {
	case key == "HELO" || key == "PROTO":
	case key == "NAME" && value == "[TEMPUNAVAIL]":
		who.name = nil
	case key == "NAME" && unknown:
		who.name = &filters.Reverse{}
	case key == "NAME" && isDomain(value):
		who.name = &filters.Reverse{Name: strings.ToLower(value), OK: true}
	case key == "PORT" && unknown:
		who.port = 0
	case key == "PORT":
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return errAttribute
		}
		who.port = uint16(n)
	case key == "ADDR":
		if len(value) > 5 && strings.EqualFold(value[:5], "IPV6:") {
			value = value[5:]
		}
		a, err := netip.ParseAddr(value)
		if err != nil || a.Zone() != "" {
			return errAttribute
		}
		who.addr = a.Unmap()
	default:
		return errAttribute
	}
	return nil
}

// unxtext undoes xtext (RFC 3461 4).
func unxtext(s string) (string, error) {
	var out strings.Builder
	for {
		plain, rest, coded := strings.Cut(s, "+")
		out.WriteString(plain)
		if !coded {
			return out.String(), nil
		}
		if len(rest) < 2 {
			return "", errAttribute
		}
		b, err := hex.DecodeString(rest[:2])
		if err != nil {
			return "", errAttribute
		}
		out.Write(b)
		s = rest[2:]
	}
}
