package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"weir/rules/strict"
)

// Whose is whom a message is from and for, as far as policies ask.
type Whose struct {
	Rcpt     string     // the recipient, as in RCPT TO without brackets
	Sender   string     // the envelope sender; "" for the null sender
	User     string     // the authenticated user; "" for strangers
	Listener string     // the name of the listener
	Addr     netip.Addr // the client
}

// audience is whom a policy or rule is for. Of the kinds that are said, all must fit; of the values of a kind, one.
type audience struct {
	rcpt, sender, user *addressPatterns // nil: anybody
	listeners          []string
	networks           *networks
}

// folded is a Whose as it is compared.
type folded struct {
	rcpt, sender, user, listener string
	addr                         netip.Addr
}

func (w Whose) fold() folded {
	f := folded{rcpt: foldAddress(w.Rcpt), sender: foldAddress(w.Sender), user: foldAddress(w.User), listener: w.Listener, addr: w.Addr.Unmap()}
	if !strings.Contains(f.rcpt, "@") {
		f.rcpt += "@"
	}
	return f
}

func (a *audience) has(w folded) bool {
	return a.rcpt.has(w.rcpt) && a.sender.has(w.sender) && (a.user == nil || w.user != "" && a.user.has(w.user)) &&
		(a.listeners == nil || slices.Contains(a.listeners, w.listener)) && a.networks.has(w.addr)
}

// addressPatterns are the addresses a policy is for.
type addressPatterns struct {
	exact map[string]bool
	globs []string // with *
	lists []*List
}

// has reports whether a, folded, is one of the addresses. Without patterns every address is.
func (p *addressPatterns) has(a string) bool {
	if p == nil || p.exact[a] {
		return true
	}
	for _, g := range p.globs {
		if globMatch(g, a) {
			return true
		}
	}
	for _, l := range p.lists {
		if l.HasAddress(a) {
			return true
		}
	}
	return false
}

// networks are the networks a policy is for.
type networks struct {
	prefixes []netip.Prefix
	lists    []*List
}

// has reports whether a is in one of the networks. Without networks every address is.
func (n *networks) has(a netip.Addr) bool {
	if n == nil {
		return true
	}
	for _, p := range n.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	for _, l := range n.lists {
		if l.HasIP(a) {
			return true
		}
	}
	return false
}

// globMatch reports whether text is pattern, in which each * stands for any letters or none.
func globMatch(pattern, text string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(text, part)
		}
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text, rest = text[i+len(part):], after
	}
}

// audience reads whom a policy or rule is for, and reports whether that is everybody.
func (l *loading) audience(d audienceDoc) (a audience, everybody bool) {
	a.rcpt, everybody = l.addresses(d.Rcpt, "recipient")
	a.sender, _ = l.addresses(d.Sender, "sender")
	a.user = l.users(d.User)
	a.networks = l.networks(d.Net)
	for _, name := range d.Listener {
		if name.V == "" {
			l.errorAt(name.At, codePolicy, "a listener has a name")
		}
		a.listeners = append(a.listeners, name.V)
	}
	return a, everybody && d.Sender == nil && d.User == nil && d.Net == nil && d.Listener == nil
}

// kinds are the words for each kind of whom a policy or rule is for; nil for one of which nothing is said.
type kinds []oneOrMany[string]

func (d audienceDoc) all() kinds { return kinds{d.Rcpt, d.Sender, d.User, d.Net, d.Listener} }

// forSomebody reports whether it is said who is meant, and nowhere nobody.
func (all kinds) forSomebody() bool {
	said := false
	for _, words := range all {
		if words != nil && len(words) == 0 {
			return false
		}
		said = said || words != nil
	}
	return said
}

// addresses reads addresses, of recipients or senders, and reports whether that is everybody. nil stands for nothing said.
func (l *loading) addresses(said oneOrMany[string], what string) (p *addressPatterns, everybody bool) {
	if said == nil {
		return nil, false
	}
	p = &addressPatterns{exact: map[string]bool{}}
	for _, r := range said {
		local, domain, isAddress := cutAddress(foldAddress(r.V))
		switch {
		case r.V == "" && what == "sender": // the null sender
			p.exact[""] = true
		case r.V == "":
		case strings.HasPrefix(r.V, "list.") && !isAddress:
			p.refer(l, r)
		case r.V == "*":
			p.globs, everybody = append(p.globs, "*"), true
		case !isAddress || local == "" || strings.ContainsAny(r.V, " \t<>") || !isDomain(strings.ReplaceAll(domain, "*", "x")):
			l.hintAt(r.At, codePolicy, fmt.Sprintf("%s is not a %s", r.At.Quoted(), what), "write ann@example.org, *@example.org, postmaster@* or list.NAME")
		case strings.Contains(local+domain, "*"):
			p.globs = append(p.globs, local+"@"+domain)
			everybody = everybody || local == "*" && domain == "*"
		default:
			p.exact[local+"@"+domain] = true
		}
	}
	return p, everybody
}

// refer adds a list of addresses or domains.
func (p *addressPatterns) refer(l *loading, name said[string]) {
	if list, ok := l.listNamed(name, Addresses, Domains); ok {
		p.lists = append(p.lists, list)
	}
}

// users reads names of users, which need not be addresses; * is every user. nil stands for nothing said.
func (l *loading) users(said oneOrMany[string]) *addressPatterns {
	if said == nil {
		return nil
	}
	p := &addressPatterns{exact: map[string]bool{}}
	for _, u := range said {
		switch {
		case u.V == "":
			l.hintAt(u.At, codePolicy, "a user has a name", "write * for every user")
		case strings.HasPrefix(u.V, "list."):
			p.refer(l, u)
		case strings.Contains(u.V, "*"):
			p.globs = append(p.globs, foldAddress(u.V))
		default:
			p.exact[foldAddress(u.V)] = true
		}
	}
	return p
}

// networks reads networks of clients. nil stands for nothing said.
func (l *loading) networks(said oneOrMany[string]) *networks {
	if said == nil {
		return nil
	}
	n := &networks{}
	for _, word := range said {
		if strings.HasPrefix(word.V, "list.") {
			if list, ok := l.listNamed(word, Networks); ok {
				n.lists = append(n.lists, list)
			}
			continue
		}
		p, err := strict.ParsePrefix(word.V)
		if err != nil {
			l.errorAt(word.At, codePolicy, "%v", err)
			continue
		}
		n.prefixes = append(n.prefixes, p)
	}
	return n
}
