package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"weir/rules/strict"
)

// deadZones have ended their service, each with what is known of its end. Most list everybody now, or will.
var deadZones = [...]struct{ zone, end string }{
	{"sorbs.net", "it ended on 2024-06-05"},
	{"ix.dnsbl.manitu.net", "it ended in January 2025"},
	{"dnsbl.ahbl.org", "it ended in 2015 and lists everybody"},
	{"dnsbl.njabl.org", "it ended in 2013"},
	{"relays.ordb.org", "it ended in 2006"},
	{"rfc-ignorant.org", "it ended in 2012"},
	{"dnsbl.inps.de", "it ended in 2020"},
	{"ubl.unsubscore.com", "it does not answer any more"},
	{"megarbl.net", "it ended in 2019 and lists everybody"},
	{"bl.emailbasura.org", "it ended and lists everybody"},
	{"dnsbl.burnt-tech.com", "it ended and lists everybody"},
	{"dnsbl.madavi.de", "it ended"},
	{"public.sarbl.org", "it ended"},
	{"bl.spamcannibal.org", "it ended and has listed everybody"},
}

// zones makes the DNS lists of a file and the symbols of their answers.
func (l *loading) zones(doc *fileDoc) {
	for _, z := range doc.Zones {
		if z.Use.At.Said() {
			var ok bool
			if z, ok = l.fromCatalogue(z); !ok {
				continue
			}
		} else if z.Key.At.Said() {
			l.keyShown(z.Key.At, "only a list of the catalogue takes a key", "name one by `use:`, or write `zone: ${file:/path}.example.org`")
		}
		if !l.named(z.Self, z.ID, upperName) {
			continue
		}
		if i := slices.IndexFunc(l.set.Zones, func(old Zone) bool { return old.ID == z.ID.V }); i >= 0 {
			l.defined(z.ID.At, z.ID.V, l.set.Zones[i].Src)
			continue
		}
		l.set.Zones = append(l.set.Zones, l.zone(z))
	}
}

func (l *loading) zone(doc zoneDoc) Zone {
	z := Zone{ID: doc.ID.V, Src: doc.ID.At.Src()}
	z.Zone, z.Display = l.zoneName(doc)
	l.asking(&z, doc)
	if len(doc.Answers) == 0 {
		l.missing(doc.Self, "answers")
	}
	for _, a := range doc.Answers {
		l.answer(&z, doc, a)
	}
	for _, e := range doc.Errors {
		if !e.Means.At.Said() {
			l.missing(e.Self, "means")
		}
		z.Errors = append(z.Errors, ZoneError{Match: l.match(e.Self, e.Match), Means: e.Means.V})
	}
	return z
}

// zoneName is the suffix to query, and the same without secrets.
func (l *loading) zoneName(doc zoneDoc) (name, display string) {
	if !doc.Zone.At.Said() {
		l.missing(doc.Self, "zone")
		return "", ""
	}
	name = foldDomain(doc.Zone.V.Text)
	display = strings.Trim(foldDomain(doc.Zone.V.Display), ".")
	switch {
	case doc.Zone.V.Text == "": // reported when it was read
	case !isDomain(name) || len(name) > 190:
		l.hintAt(doc.Zone.At, codeZone, fmt.Sprintf("%s is not the name of a zone", doc.Zone.At.Quoted()), "write a domain like zen.example.org, without final dot and port")
	case doc.Zone.At.IsSecret() && display == "":
		l.hintAt(doc.Zone.At, codeZone, "the whole name of the zone is secret", "leave what may be shown outside of ${…}")
	}
	if end := Ended(name); end != "" {
		l.hintAt(doc.Zone.At, codeDead, fmt.Sprintf("the list %s is no longer in service: %s", display, end), "drop the zone: a list that has ended may list everybody")
	}
	return name, display
}

// Ended is what is known of the end of a list, by the name of its zone in lower case; "" of one that is not known to
// have ended.
func Ended(zone string) string {
	for _, dead := range deadZones {
		if zone == dead.zone || strings.HasSuffix(zone, "."+dead.zone) {
			return dead.end
		}
	}
	return ""
}

// answer adds an answer of a zone and its symbol.
func (l *loading) answer(z *Zone, doc zoneDoc, a answerDoc) {
	match := l.match(a.Self, a.Match)
	if !l.named(a.Self, a.ID, answerName) {
		return
	}
	mode, public := a.Mode, a.Public
	if !mode.At.Said() {
		mode = doc.Mode
	}
	if !public.At.Said() {
		public = doc.Public
	}
	l.scored(a.Self, a.Score, mode.V)
	s := Symbol{
		Name: z.ID + "_" + a.ID.V, About: a.About.V, Points: a.Score.V, Mode: mode.V, Zone: z.ID,
		Public: l.publicText(public, z.Display),
	}
	if s.About == "" {
		s.About = fmt.Sprintf("%s lists it as %s", z.Display, a.ID.V)
	}
	asks := l.asks(a.Ask, z.Ask)
	l.allowing(mode.At, s)
	l.hearsay(z, a, asks, mode.V)
	if first := append(asks, z.Ask...); len(first) > 0 {
		l.allowedBy(mode.At, s.Mode, first)
		s.Family = first[0].family()
	}
	switch doc.Combine.V {
	case "", "sum":
	case "max":
		s.OneOf = "zone " + z.ID
	default:
		l.hintAt(doc.Combine.At, codeAnswer, fmt.Sprintf("answers cannot be combined by %s", doc.Combine.At.Quoted()), strict.DidYouMean(doc.Combine.V, []string{"sum", "max"}))
	}
	if neverListed(match, z.AllowLoopback) {
		l.hintAt(a.Self, codeAnswer, "this answer is never a listing",
			"lists answer within 127.0.0.0/8; 127.0.0.1 and 127.255.255.0/24 are errors by definition")
	}
	if l.define(a.ID.At, s) {
		z.Answers = append(z.Answers, Answer{Symbol: s.Name, Ask: asks, Match: match})
	}
}

// hearsay reports an answer that believes Received fields too much: anybody can write them.
func (l *loading) hearsay(z *Zone, a answerDoc, asks []Ask, mode Mode) {
	counts := asks
	if counts == nil {
		counts = z.Ask
	}
	others, hop := slices.Contains(counts, AskReceivedOthers), slices.Contains(counts, AskReceivedIP)
	nearby := hop || slices.Contains(counts, AskClientIP)
	switch {
	case (others || hop) && a.Score.V < 0:
		l.hintAt(a.Self, codeAnswer, "anybody could make himself welcome by a Received field of his own", "let it count for the client alone, `ask: client_ip`")
	case others && (mode == Hard || nearby && a.Score.V > 0):
		l.hintAt(a.Self, codeAnswer, "this counts for received_others as much as for hops nearby, or refuses alone",
			"anybody can write Received fields: give them an answer of their own with fewer points, `ask: received_others`")
	}
}

// match reads which addresses are meant.
func (l *loading) match(self strict.Value, doc matchDoc) AddrMatch {
	m := AddrMatch{Octets: [4]int16{-1, -1, -1, -1}}
	limited := false
	for _, is := range doc.Is {
		limited = true
		if r, err := parseRange(is.V); err == nil {
			m.Ranges = append(m.Ranges, r)
		} else if is.V != "" {
			l.hintAt(is.At, codeAnswer, err.Error(), "write 127.0.0.2, 127.0.0.4-127.0.0.7, 127.0.0.0/16, or a list of these")
		}
	}
	for i, octet := range [...]said[int]{doc.Octet1, doc.Octet2, doc.Octet3, doc.Octet4} {
		if !octet.At.Said() {
			continue
		}
		limited = true
		if octet.V < 0 || octet.V > 255 {
			l.errorAt(octet.At, codeAnswer, "an octet lies between 0 and 255")
			continue
		}
		m.Octets[i] = int16(octet.V)
	}
	if doc.Bits.At.Said() {
		limited = true
		if doc.Bits.V < 1 || doc.Bits.V > 255 {
			l.errorAt(doc.Bits.At, codeAnswer, "bits of the last octet lie between 1 and 255")
		} else {
			m.Bits = byte(doc.Bits.V)
		}
	}
	if !limited && self.Said() && !self.Meant("is", "bits", "octet1", "octet2", "octet3", "octet4") {
		l.hintAt(self, codeMissing, "this does not say which addresses it means", "give it `is:`, `bits:` or `octet1:` to `octet4:`")
	}
	return m
}

// parseRange reads an IPv4 address, a range a-b or a network.
func parseRange(text string) (AddrRange, error) {
	from, to, ranged := strings.Cut(text, "-")
	if !ranged {
		p, err := strict.ParsePrefix(strings.TrimSpace(text))
		if err != nil || !p.Addr().Is4() {
			return AddrRange{}, fmt.Errorf("%q is not an IPv4 address, range or network", text)
		}
		last := p.Addr().As4()
		for bit := p.Bits(); bit < 32; bit++ {
			last[bit/8] |= 0x80 >> (bit % 8)
		}
		return AddrRange{p.Addr(), netip.AddrFrom4(last)}, nil
	}
	a, err := strict.ParseAddr(strings.TrimSpace(from))
	b, err2 := strict.ParseAddr(strings.TrimSpace(to))
	if err != nil || err2 != nil || !a.Is4() || !b.Is4() || b.Less(a) {
		return AddrRange{}, fmt.Errorf("%q is not a range of IPv4 addresses", text)
	}
	return AddrRange{a, b}, nil
}

// neverListed reports whether all addresses of m are ones that are an error from every list. loopback says that
// 127.0.0.1 is none.
func neverListed(m AddrMatch, loopback bool) bool {
	if o := m.Octets[0]; o >= 0 && o != 127 {
		return true
	}
	errors := []AddrRange{
		{netip.AddrFrom4([4]byte{}), netip.AddrFrom4([4]byte{127, 0, 0, 1})},
		{netip.AddrFrom4([4]byte{127, 255, 255, 0}), netip.AddrFrom4([4]byte{255, 255, 255, 255})},
	}
	if loopback {
		errors[0].To = netip.AddrFrom4([4]byte{127, 0, 0, 0})
	}
	for _, r := range m.Ranges {
		if !slices.ContainsFunc(errors, func(e AddrRange) bool { return !r.From.Less(e.From) && !e.To.Less(r.To) }) {
			return false
		}
	}
	return len(m.Ranges) > 0
}

// publicText is a text for senders, ready to print.
func (l *loading) publicText(text said[string], zone string) string {
	if text.V == "" {
		return ""
	}
	fields := []string{"zone"}
	if zone == "" {
		fields = nil
	}
	m := l.message(text, fields...)
	if m == nil {
		return ""
	}
	return m.render(map[string]string{"zone": zone})
}

// hardZones marks the zones of which an answer can refuse alone, under one policy at least.
func (l *loading) hardZones() {
	forced := slices.ContainsFunc(l.set.Policies, func(p *Policy) bool { return p.ZoneMode != nil && *p.ZoneMode == Hard })
	for i := range l.set.Zones {
		z := &l.set.Zones[i]
		z.Hard = slices.ContainsFunc(z.Answers, func(a Answer) bool {
			mode := l.set.Symbols[a.Symbol].Mode
			return mode == Hard || forced && mode == Weighted
		})
	}
}
