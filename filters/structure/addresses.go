package structure

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"weir/filters"
)

var (
	// addressInText finds addresses in what people read.
	addressInText = regexp.MustCompile(`[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}`)

	// angled finds addresses in angle brackets, outside quoted strings once those are cut.
	angled = regexp.MustCompile(`<[^<>\s@]+@[^<>\s@]+>`)

	quotedString = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// freemail are providers at which anybody can have an address.
var freemail = []string{"gmail.com", "googlemail.com", "yahoo.com", "ymail.com", "rocketmail.com", "hotmail.com", "outlook.com", "live.com",
	"msn.com", "aol.com", "aim.com", "icloud.com", "me.com", "mail.com", "email.com", "usa.com", "consultant.com", "gmx.com", "gmx.net",
	"gmx.de", "web.de", "proton.me", "protonmail.com", "pm.me", "tutanota.com", "tuta.io", "zoho.com", "fastmail.com", "yandex.com",
	"yandex.ru", "ya.ru", "mail.ru", "inbox.ru", "list.ru", "bk.ru", "internet.ru", "rambler.ru", "lenta.ru", "ro.ru", "ukr.net", "i.ua",
	"qq.com", "foxmail.com", "163.com", "126.com", "sina.com", "sohu.com", "naver.com", "daum.net", "rediffmail.com", "seznam.cz",
	"wp.pl", "o2.pl", "onet.pl", "libero.it", "virgilio.it", "laposte.net", "orange.fr", "free.fr", "uol.com.br", "bol.com.br"}

// freemailFamilies are providers with a domain in each country: yahoo.co.uk, hotmail.fr.
var freemailFamilies = []string{"yahoo", "hotmail", "outlook", "live"}

// freemailServers are the domains of the servers that send a provider's mail, by the first label of its addresses.
var freemailServers = map[string][]string{
	"gmail": {"google.com"}, "googlemail": {"google.com"},
	"yahoo": {"yahoo.com", "yahoo.co.jp", "yahoodns.net", "aol.com"}, "ymail": {"yahoo.com"}, "rocketmail": {"yahoo.com"},
	"aol": {"aol.com", "yahoo.com"}, "icloud": {"icloud.com", "apple.com"},
	"hotmail": {"outlook.com", "hotmail.com"}, "outlook": {"outlook.com", "hotmail.com"},
	"live": {"outlook.com", "hotmail.com"}, "msn": {"outlook.com", "hotmail.com"},
	"yandex": {"yandex.net", "yandex.ru", "yandex.com"}, "ya": {"yandex.net", "yandex.ru"},
	"mail": {"mail.ru"}, "inbox": {"mail.ru"}, "list": {"mail.ru"}, "bk": {"mail.ru"},
}

func isFreemail(domain string) bool {
	first, rest, _ := strings.Cut(domain, ".")
	return slices.Contains(freemail, domain) ||
		slices.Contains(freemailFamilies, first) && rest != "" && strings.Count(rest, ".") <= 1 && len(rest) <= len("com.br")
}

// freemailElsewhere finds mail in the name of an address at a great provider that comes from a server not of that
// provider. Lists are let pass.
func freemailElsewhere(m filters.Mail) []filters.Hit {
	if m.Session == nil || m.Session.User != "" || !m.Session.ReverseKnown || m.Session.ReverseName == "" || isList(m.Message) {
		return nil
	}
	domain := m.Message.FromDomain()
	first, _, _ := strings.Cut(domain, ".")
	servers := freemailServers[first]
	if !isFreemail(domain) || servers == nil {
		return nil
	}
	host := strings.TrimSuffix(strings.ToLower(m.Session.ReverseName), ".")
	if slices.ContainsFunc(servers, func(s string) bool { return strings.HasSuffix("."+host, "."+s) }) {
		return nil
	}
	return one(fromElsewhere, fmt.Sprintf("from %s, sent by %s", domain, host))
}

func isList(m *filters.Message) bool {
	return len(m.Header("List-Id")) > 0 || len(m.Header("List-Post")) > 0
}

// senders judges the From field.
func senders(m filters.Mail) []filters.Hit {
	values := m.Message.Header("From")
	if len(values) == 0 {
		return nil
	}
	value, address := values[0], m.Message.FromAddress()
	local, domain, _ := strings.Cut(address, "@")
	if local == "" || !strings.ContainsAny(domain, ".:") || strings.ContainsAny(address, " \t<>") {
		return one(fromInvalid, shorten(value))
	}
	var found []filters.Hit
	if n := len(angled.FindAllString(quotedString.ReplaceAllString(value, ""), 3)); n > 1 && len(m.Message.Header("Sender")) == 0 {
		found = append(found, filters.Hit{Symbol: fromSeveral, Detail: shorten(value)}) // RFC 5322 section 3.6.2
	}
	name, _, _ := cutLast(value, "<")
	for _, other := range addressInText.FindAllString(name, 2) {
		_, otherDomain, _ := strings.Cut(strings.ToLower(other), "@")
		if filters.Organisation(otherDomain) != filters.Organisation(domain) && !strings.Contains(strings.ToLower(name), " via ") {
			found = append(found, filters.Hit{Symbol: fromNameAddress, Detail: fmt.Sprintf("%s is from %s", shorten(name), address)})
			break
		}
	}
	if words := mixedWords(name, 1); len(words) > 0 {
		found = append(found, filters.Hit{Symbol: fromScripts, Detail: words[0]})
	}
	if (m.Session == nil || m.Session.User == "") && !isList(m.Message) {
		if slices.ContainsFunc(recipients(m), func(to string) bool { return strings.EqualFold(to, address) }) {
			found = append(found, filters.Hit{Symbol: fromRecipient, Detail: address})
		}
	}
	return found
}

// replies finds a Reply-To at a free mail provider when the sender is elsewhere, or somebody else there. Lists are
// let pass: their members' addresses stand in Reply-To.
func replies(m filters.Mail) []filters.Hit {
	values := m.Message.Header("Reply-To")
	if len(values) == 0 || isList(m.Message) {
		return nil
	}
	reply := strings.ToLower(addressInText.FindString(values[0]))
	_, domain, _ := strings.Cut(reply, "@")
	from := strings.ToLower(m.Message.FromAddress())
	if from == "" || reply == from || !isFreemail(domain) {
		return nil
	}
	return one(replyFreemail, fmt.Sprintf("%s, but from %s", reply, from))
}

// recipients are the envelope's recipients and the addresses of the To field.
func recipients(m filters.Mail) []string {
	var all []string
	if m.Envelope != nil {
		all = slices.Clone(m.Envelope.To)
	}
	for _, to := range m.Message.Header("To") {
		all = append(all, addressInText.FindAllString(to, 20)...)
	}
	return all
}

func cutLast(text, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(text, separator); i >= 0 {
		return text[:i], text[i+len(separator):], true
	}
	return text, "", false
}
