package dnsbl

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"weir/filters"
	"weir/filters/lookup"
	"weir/filters/mime"
	"weir/rules"
)

// subject is what a zone is asked about: as people write it, and as it is asked.
type subject struct{ text, key string }

// subjects are what the key a of ask: stands for in m, each once. What is no valid address or domain is left out.
func (z zone) subjects(m filters.Mail, a rules.Ask) []subject {
	var all []subject
	add := func(s subject) {
		if s.key != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	switch {
	case a.IsIP():
		for _, ip := range z.addressesOf(m, a) {
			add(z.ip(ip))
		}
	case z.Hash != "" && isWhole(a):
		for _, text := range wholesOf(m, a) {
			add(z.hashed(text))
		}
	default:
		for _, d := range domainsOf(m, a) {
			add(z.domain(d, a))
		}
	}
	return all
}

// ip asks for an address with its octets or nibbles reversed (RFC 5782 sections 2.1 and 2.4).
func (z zone) ip(a netip.Addr) subject {
	a = a.Unmap().WithZone("")
	limited := z.For.V4 || z.For.V6
	if !a.IsValid() || a.IsUnspecified() || limited && (a.Is4() && !z.For.V4 || a.Is6() && !z.For.V6) {
		return subject{}
	}
	asked := a
	if a.Is6() && z.V6Bits > 0 {
		asked = netip.PrefixFrom(a, z.V6Bits).Masked().Addr()
	}
	return subject{a.String(), lookup.ReverseName(asked)}
}

// domain asks for a domain, or the registered part of it. Links to bare addresses are asked for where a list holds such.
func (z zone) domain(d string, a rules.Ask) subject {
	d = strings.ToLower(strings.TrimSuffix(d, "."))
	if ip, err := netip.ParseAddr(d); err == nil && ip.Is4() && z.Literals && a == rules.AskURLHost {
		return subject{d, lookup.ReverseName(ip)}
	}
	if !isDomain(d) {
		return subject{}
	}
	if z.Host == rules.RegisteredHost || z.Host == "" && (a == rules.AskURLHost || a == rules.AskURLNS) {
		d = filters.Organisation(d)
	}
	if z.Hash != "" {
		return z.hashed(d)
	}
	return subject{d, d}
}

// hashed asks for the hexadecimal digits of a text's hash.
func (z zone) hashed(text string) subject {
	text = strings.ToLower(text)
	var sum []byte
	switch z.Hash {
	case rules.MD5:
		s := md5.Sum([]byte(text))
		sum = s[:]
	case rules.SHA1:
		s := sha1.Sum([]byte(text))
		sum = s[:]
	case rules.SHA256:
		s := sha256.Sum256([]byte(text))
		sum = s[:]
	}
	return subject{printable(text, maxSubject), hex.EncodeToString(sum)}
}

// isDomain reports whether d, in lower case, is a host name below a top-level domain that exists by its form (RFC 1123
// section 2.1; underscores stand in many names).
func isDomain(d string) bool {
	if len(d) > maxName {
		return false
	}
	labels := strings.Split(d, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return len(labels) > 1 && strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

// addressesOf are the addresses of m that a means.
func (z zone) addressesOf(m filters.Mail, a rules.Ask) []netip.Addr {
	if a == rules.AskClientIP {
		return []netip.Addr{m.Session.Addr.Addr()}
	}
	hops := z.hops(m)
	first := min(1, len(hops))
	if a == rules.AskReceivedIP {
		return hops[:first]
	}
	return hops[first:]
}

// isWhole reports whether a is asked for as a whole address or link by hashed lists.
func isWhole(a rules.Ask) bool {
	return a == rules.AskMailFrom || a == rules.AskFrom || a == rules.AskReplyTo || a == rules.AskURL
}

// wholesOf are the whole addresses or links of m that a means.
func wholesOf(m filters.Mail, a rules.Ask) []string {
	if a != rules.AskURL {
		if address := mailAddress(m, a); address != "" {
			return []string{address}
		}
		return nil
	}
	var links []string
	for _, u := range urls(m) {
		path, _, _ := strings.Cut(u.Path, "?")
		links = append(links, u.Host+"/"+strings.TrimPrefix(path, "/"))
	}
	return links
}

// domainsOf are the domains of m that a means, not yet checked.
func domainsOf(m filters.Mail, a rules.Ask) []string {
	var all []string
	switch a {
	case rules.AskHelo:
		all = []string{m.Session.Hello}
	case rules.AskRDNS:
		if m.Session.ReverseOK {
			all = []string{m.Session.ReverseName}
		}
	case rules.AskMessageID:
		if m.Message != nil {
			id := strings.Trim(m.Message.MessageID(), "<> ")
			all = []string{id[strings.LastIndexByte(id, '@')+1:]}
		}
	case rules.AskURLHost:
		for _, u := range urls(m) {
			all = append(all, u.Host)
		}
	case rules.AskDKIMDomain:
		all = signers(m.Auth)
	default:
		address := mailAddress(m, a)
		all = []string{address[strings.LastIndexByte(address, '@')+1:]}
	}
	return all
}

func urls(m filters.Mail) []mime.URL {
	if m.Message == nil {
		return nil
	}
	return m.Message.URLs()
}

// signers are the domains of valid signatures.
func signers(a *filters.Auth) []string {
	var all []string
	if a != nil {
		for _, s := range a.DKIM {
			if s.Result == "pass" {
				all = append(all, s.Domain)
			}
		}
	}
	return all
}

// mailAddress is the address that a means, "" for none.
func mailAddress(m filters.Mail, a rules.Ask) string {
	if a == rules.AskMailFrom {
		if m.Envelope == nil || m.Envelope.From == "" {
			return ""
		}
		return mime.Address("<" + m.Envelope.From + ">")
	}
	if m.Message == nil {
		return ""
	}
	if a != rules.AskReplyTo {
		return m.Message.FromAddress()
	}
	fields := m.Message.Fields()
	for i := range fields {
		if strings.EqualFold(fields[i].Name, "Reply-To") {
			return mime.Address(fields[i].Unfolded())
		}
	}
	return ""
}

// Keys are what z is asked for about subject, without the zone: an address of the network, a domain, a mail address or a
// link as host/path. None if z is not asked for such.
func Keys(z *rules.Zone, about string) []string {
	var keys []string
	add := func(s subject) {
		if s.key != "" && !slices.Contains(keys, s.key) {
			keys = append(keys, s.key)
		}
	}
	list := zone{Zone: z}
	ip, err := netip.ParseAddr(about)
	isLink := strings.Contains(about, "/")
	_, domain, isMail := strings.Cut(about, "@")
	if !isMail {
		domain = about
	}
	for _, a := range z.Ask {
		switch {
		case z.AsksIP(a):
			if err == nil {
				add(list.ip(ip))
			}
		case z.Hash != "" && isWhole(a):
			if isMail && a != rules.AskURL || isLink && a == rules.AskURL {
				add(list.hashed(about))
			}
		case !isLink:
			add(list.domain(domain, a))
		}
	}
	return keys
}
