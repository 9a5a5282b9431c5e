package rules

import (
	"fmt"
	"slices"
	"strings"

	"weir/rules/strict"
)

// Ask is what of a session or message is looked up in a zone.
type Ask uint8

// The keys a zone can be asked for.
const (
	AskClientIP       Ask = iota // the client's address
	AskReceivedIP                // the first public address of the hops before the client, as Received fields name them
	AskReceivedOthers            // the public addresses of the hops before that
	AskHelo                      // the domain the client calls itself by
	AskRDNS                      // the client's reverse name, if it points back
	AskMailFrom                  // the envelope sender: its domain, or the whole address in a hashed list
	AskFrom                      // the whole address in the From field; hashed lists only
	AskFromDomain                // its domain
	AskReplyTo                   // the address in the Reply-To field: its domain, or the whole in a hashed list
	AskMessageID                 // the domain of the Message-ID
	AskURLHost                   // the host of each link
	AskURL                       // each link as host/path; hashed lists only
	AskURLIP                     // the addresses of the host of each link
	AskURLNS                     // the name servers of the domain of each link: see Zone.AsksIP
	AskDKIMDomain                // the domain of each valid signature
)

// askNames are the keys of `ask:`, in the order of the constants.
var askNames = []string{
	"client_ip", "received_ip", "received_others", "helo", "rdns", "mail_from", "from", "from_domain", "reply_to", "message_id",
	"url_host", "url", "url_ip", "url_ns", "dkim_domain",
}

// String is the key's name in rules.
func (a Ask) String() string { return askNames[a] }

// IsIP reports whether a is an address of the network, in any list.
func (a Ask) IsIP() bool {
	return a == AskClientIP || a == AskReceivedIP || a == AskReceivedOthers || a == AskURLIP
}

// AsksIP reports whether z is asked for a as an address of the network. Name servers are asked for by their addresses in
// a list that is asked for other addresses, else by their names.
func (z *Zone) AsksIP(a Ask) bool {
	return a.IsIP() || a == AskURLNS && slices.ContainsFunc(z.Ask, Ask.IsIP)
}

// Many reports whether one message may have several of a.
func (a Ask) Many() bool {
	return slices.Contains([]Ask{AskReceivedOthers, AskURLHost, AskURL, AskURLIP, AskURLNS, AskDKIMDomain}, a)
}

// Lookups is how many questions of a message find out what a stands for, before any list is asked: once, however many
// zones are asked for a.
func (a Ask) Lookups() int {
	switch a {
	case AskURLIP:
		return 2 * LinkHosts
	case AskURLNS:
		return LinkDomains * (1 + LinkServers)
	}
	return 0
}

// Bounds of what is found out about the links of one message.
const (
	LinkHosts   = 4 // of which the addresses are looked up
	LinkDomains = 3 // of which the name servers are
	LinkServers = 2 // of each domain
)

// family is whose cap a symbol found by a counts under.
func (a Ask) family() string {
	if a.IsIP() && a != AskURLIP {
		return "dns_ip"
	}
	return "dns_url"
}

// Most questions that one message may lead to, apart from those of which there may be many: so the queries a message
// costs are bounded when the rules load.
const (
	maxSingle = 40
	maxMany   = 12
)

// Hash is how what is asked for is hidden; "" for not.
type Hash string

// The hashes, written in hexadecimal digits.
const (
	MD5    Hash = "md5"
	SHA1   Hash = "sha1"
	SHA256 Hash = "sha256"
)

// Host is which part of a domain is asked for; "" is the registered domain of links and the full name of all else.
type Host string

// The parts of a domain.
const (
	RegisteredHost Host = "registered" // the public suffix and one label
	FullHost       Host = "full"
)

// Only limits a zone to some clients and mails. The zero Only is no limit.
type Only struct {
	V4, V6     bool // addresses of these kinds, if one is set
	NullSender bool // mail from the null sender
}

// TestPoints are keys that tell whether a list works (RFC 5782 section 5), without the zone.
type TestPoints struct{ Listed, Unlisted []string }

// asks reads keys of `ask:`. Those allowed, if any are given, are the only ones.
func (l *loading) asks(doc oneOrMany[string], allowed []Ask) []Ask {
	names := askNames
	if allowed != nil {
		names = nil
		for _, a := range allowed {
			names = append(names, a.String())
		}
	}
	var all []Ask
	for _, ask := range doc {
		i := slices.Index(askNames, ask.V)
		switch {
		case ask.V == "":
		case i >= 0 && slices.Contains(all, Ask(i)):
			l.errorAt(ask.At, codeAsk, "%s stands twice", ask.At.Quoted())
		case i >= 0 && slices.Contains(names, ask.V):
			all = append(all, Ask(i))
		case i >= 0:
			l.hintAt(ask.At, codeAsk, fmt.Sprintf("the zone is not asked for %s", ask.At.Quoted()), "it is asked for: "+strings.Join(names, ", "))
		default:
			hint := strict.DidYouMean(ask.V, names)
			if strict.Nearest(ask.V, names) == "" {
				hint = "a zone can be asked for: " + strings.Join(names, ", ")
			}
			l.hintAt(ask.At, codeAsk, fmt.Sprintf("a zone cannot be asked for %s", ask.At.Quoted()), hint)
		}
	}
	return all
}

// asking reads how a zone is asked.
func (l *loading) asking(z *Zone, doc zoneDoc) {
	if len(doc.Ask) == 0 && doc.Self.Said() && !doc.Self.Meant("ask") {
		l.hintAt(doc.Self, codeMissing, `the key "ask" is missing`, "a zone can be asked for: "+strings.Join(askNames, ", "))
	}
	z.Ask = l.asks(doc.Ask, nil)
	z.AllowLoopback = doc.How.AllowLoopback.V
	z.Literals = doc.How.Literals.V
	l.v6Bits(z, doc.How.V6Bits)
	l.hash(z, doc)
	l.host(z, doc)
	l.only(z, doc)
	z.Test = TestPoints{Listed: l.testPoints(doc.How.Test.Listed), Unlisted: l.testPoints(doc.How.Test.Unlisted)}
	l.bounded(z, doc)
}

// v6Bits reads by which network IPv6 addresses are asked for.
func (l *loading) v6Bits(z *Zone, bits said[int]) {
	z.V6Bits = bits.V
	switch {
	case !bits.At.Said():
	case bits.V < 32 || bits.V > 128:
		l.hintAt(bits.At, codeAsking, "a network of IPv6 addresses has 32 to 128 bits", "write v6_bits: 64")
	case !slices.ContainsFunc(z.Ask, z.AsksIP):
		l.errorAt(bits.At, codeAsking, "the zone is asked for no address")
	}
}

func (l *loading) hash(z *Zone, doc zoneDoc) {
	known := []string{string(MD5), string(SHA1), string(SHA256)}
	z.Hash = Hash(doc.How.Hash.V)
	if doc.How.Hash.At.Said() && !slices.Contains(known, doc.How.Hash.V) {
		l.hintAt(doc.How.Hash.At, codeAsking, fmt.Sprintf("%s is not a hash that lists use", doc.How.Hash.At.Quoted()), strict.DidYouMean(doc.How.Hash.V, known))
	}
	for _, a := range z.Ask {
		switch {
		case z.Hash == "" && (a == AskFrom || a == AskURL):
			l.hintAt(doc.ID.At, codeAsking, fmt.Sprintf("only hashed lists can be asked for %s", a), "give it `hash: sha1` or ask for from_domain or url_host")
		case z.Hash != "" && a.IsIP():
			l.errorAt(doc.How.Hash.At, codeAsking, "hashed lists cannot be asked for %s", a)
		}
	}
}

// host reads which part of a domain is asked for.
func (l *loading) host(z *Zone, doc zoneDoc) {
	known := []string{string(RegisteredHost), string(FullHost)}
	z.Host = Host(doc.How.Host.V)
	if doc.How.Host.At.Said() && !slices.Contains(known, doc.How.Host.V) {
		l.hintAt(doc.How.Host.At, codeAsking, fmt.Sprintf("%s is not a part of a domain", doc.How.Host.At.Quoted()), strict.DidYouMean(doc.How.Host.V, known))
	}
	isName := func(a Ask) bool { return !z.AsksIP(a) }
	if !slices.ContainsFunc(z.Ask, isName) && doc.How.Host.At.Said() && len(z.Ask) > 0 {
		l.errorAt(doc.How.Host.At, codeAsking, "the zone is asked for no domain")
	}
	if slices.Contains(z.Ask, AskURLNS) && z.AsksIP(AskURLNS) && slices.ContainsFunc(z.Ask, isName) {
		l.hintAt(doc.ID.At, codeAsking, "url_ns could mean addresses or names here, since the zone is asked for both", "write two zones")
	}
	if doc.How.Literals.At.Said() && !slices.Contains(z.Ask, AskURLHost) {
		l.errorAt(doc.How.Literals.At, codeAsking, "the zone is not asked for url_host")
	}
}

// only reads for whom a zone is asked.
func (l *loading) only(z *Zone, doc zoneDoc) {
	known := []string{"v4", "v6", "null_sender"}
	for _, word := range doc.How.For {
		switch word.V {
		case "":
		case "v4":
			z.For.V4 = true
		case "v6":
			z.For.V6 = true
		case "null_sender":
			z.For.NullSender = true
		default:
			l.hintAt(word.At, codeAsking, fmt.Sprintf("a zone cannot be asked for %s alone", word.At.Quoted()), strict.DidYouMean(word.V, known))
		}
	}
}

// testPoints reads keys: addresses, or domains without the zone.
func (l *loading) testPoints(doc oneOrMany[string]) []string {
	var points []string
	for _, p := range doc {
		if _, err := strict.ParseAddr(p.V); p.V != "" && err != nil && !isDomain(foldDomain(p.V)) {
			l.errorAt(p.At, codeAsking, "%s is neither an address nor a domain", p.At.Quoted())
		}
		points = append(points, foldDomain(p.V))
	}
	return points
}

// bounded reports the zone with which one message could lead to too many queries.
func (l *loading) bounded(z *Zone, doc zoneDoc) {
	single, many := 0, 0
	found := map[Ask]bool{}
	for _, zone := range append(l.set.Zones[:len(l.set.Zones):len(l.set.Zones)], *z) {
		for _, a := range zone.Ask {
			if a.Many() {
				many++
			} else {
				single++
			}
			if !found[a] {
				single += a.Lookups()
			}
			found[a] = true
		}
	}
	if single > maxSingle || many > maxMany {
		l.hintAt(doc.ID.At, codeAsking, "with this zone one message leads to too many queries",
			fmt.Sprintf("all zones together can be asked for %d keys, and %d times for those of which a message may have many; "+
				"the first url_ip counts as %d keys more, the first url_ns as %d", maxSingle, maxMany, AskURLIP.Lookups(), AskURLNS.Lookups()))
	}
}
