package verdictlog

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"weir/rules"
	"weir/rules/strict"
	"weir/scoring"
)

// key is one `name:value` of the query language.
type key struct {
	name  string
	wants string // what its value is, for messages
	parse func(value string) (matcher, error)
}

var keys = []key{
	{"action", "an action: pass, tag, subject, defer or reject", parseAction},
	{"rule", "the name of a rule; * stands for any letters", parseRule},
	{"shadow", "the name of a rule on trial; * stands for any letters", parseShadow},
	{"error", "a check, a rule or a kind of failure, such as timeout", parseError},
	{"policy", "the name of a policy", parsePolicy},
	{"from", "an address, a @domain, a part of either, or <> for the null sender", parseFrom},
	{"to", "an address, a @domain, or a part of either", parseTo},
	{"subject", "a part of the subject", parseSubject},
	{"ip", "an address", parseIP},
	{"net", "a network such as 192.0.2.0/24", parseNet},
	{"id", "an id or its beginning", parseID},
	{"campaign", "the name of a campaign or its beginning", parseCampaign},
	{"candidate", "differs, unknown, or an action: what the rules on trial would have done otherwise", parseCandidate},
	{"learned", "spam or ham: what people said of the message", parseLearned},
}

func keyNamed(name string) *key {
	i := slices.IndexFunc(keys, func(k key) bool { return strings.EqualFold(k.name, name) })
	if i < 0 {
		return nil
	}
	return &keys[i]
}

// parseFree makes the matcher of a word without a key: a part of the subject, an address, a name or an identifier.
func parseFree(text string) (matcher, error) {
	if text == "" {
		return matcher{}, errors.New("there is nothing to look for")
	}
	part := fold(text)
	narrow := holding(part, textSender, textRecipient, textSubject, textOther)
	return matcher{need: plain(text), reads: inSession | inEnvelope | inMessage, narrow: narrow, hashed: hashedAddress(text, parseFree), holds: func(r *Record) bool {
		in := []string{r.Envelope.From, r.Session.Helo, r.Session.Client.RDNS, r.Session.Client.IP, r.ID}
		in = append(in, recipients(r)...)
		if m := r.Message; m != nil {
			in = append(in, m.Subject, m.HeaderFrom, m.MessageID)
		}
		return slices.ContainsFunc(in, func(s string) bool { return strings.Contains(fold(s), part) })
	}}, nil
}

func parseAction(value string) (matcher, error) {
	var wanted rules.Action
	if err := wanted.UnmarshalText([]byte(strings.ToLower(value))); err != nil {
		names := rules.ActionNames()
		if near := strict.Nearest(value, names); near != "" {
			return matcher{}, fmt.Errorf("there is no action %s; did you mean %s?", value, near)
		}
		return matcher{}, fmt.Errorf("there is no action %s; it is one of %s", value, strings.Join(names, ", "))
	}
	need := fmt.Sprintf(`"action":"%s"`, wanted)
	narrow := named(nameAction, func(action string) bool { return action == wanted.String() })
	return matcher{need: need, reads: inVerdict, narrow: narrow, holds: func(r *Record) bool { return r.Verdict.Action == wanted }}, nil
}

func parseRule(value string) (matcher, error) {
	return parseLines(value, nameRule, func(r *Record) []scoring.Line { return r.Hits })
}

func parseShadow(value string) (matcher, error) {
	return parseLines(value, nameShadow, func(r *Record) []scoring.Line { return r.Shadow })
}

func parseLines(value string, kind uint8, of func(*Record) []scoring.Line) (matcher, error) {
	like := glob(value)
	need := plain(longest(value))
	if need == value {
		need = fmt.Sprintf(`"rule":"%s"`, value)
	}
	return matcher{need: need, narrow: named(kind, like), holds: func(r *Record) bool {
		return slices.ContainsFunc(of(r), func(l scoring.Line) bool { return like(l.Rule) })
	}}, nil
}

func parseError(value string) (matcher, error) {
	like := glob(value)
	return matcher{need: plain(longest(value)), narrow: named(nameError, like), holds: func(r *Record) bool {
		for _, e := range r.Errors {
			if like(e.Check) || like(e.Rule) || like(e.Kind) {
				return true
			}
		}
		return false
	}}, nil
}

func parsePolicy(value string) (matcher, error) {
	like := glob(value)
	return matcher{
		need: plain(longest(value)), reads: inVerdict, narrow: named(namePolicy, like),
		holds: func(r *Record) bool { return like(r.Verdict.Policy) },
	}, nil
}

func parseFrom(value string) (matcher, error) {
	if value == "<>" {
		return matcher{
			reads: inEnvelope, narrow: named(nameNobody, func(string) bool { return true }),
			holds: func(r *Record) bool { return r.Envelope.From == "" },
		}, nil
	}
	like := address(value)
	return matcher{need: plain(strings.Trim(value, "<@>")), reads: inEnvelope | inMessage, narrow: addressed(value, textSender), hashed: hashedAddress(value, parseFrom), holds: func(r *Record) bool {
		return like(r.Envelope.From) || r.Message != nil && like(r.Message.HeaderFrom)
	}}, nil
}

func parseTo(value string) (matcher, error) {
	like := address(value)
	return matcher{need: plain(strings.Trim(value, "<@>")), reads: inEnvelope, narrow: addressed(value, textRecipient), hashed: hashedAddress(value, parseTo), holds: func(r *Record) bool {
		return slices.ContainsFunc(recipients(r), like)
	}}, nil
}

func parseSubject(value string) (matcher, error) {
	part := fold(value)
	hashed := func(key secret) matcher {
		whole := key.hash(value)
		return matcher{need: whole, reads: inMessage, narrow: holding(whole, textSubject), holds: func(r *Record) bool {
			return r.Message != nil && r.Message.Subject == whole
		}}
	}
	return matcher{need: plain(value), reads: inMessage, narrow: holding(part, textSubject), hashed: hashed, holds: func(r *Record) bool {
		return r.Message != nil && strings.Contains(fold(r.Message.Subject), part)
	}}, nil
}

func parseIP(value string) (matcher, error) {
	ip, err := netip.ParseAddr(value)
	if err != nil {
		if _, err := netip.ParsePrefix(value); err == nil {
			return matcher{}, fmt.Errorf("that is a network; say net:%s", value)
		}
		return matcher{}, fmt.Errorf("%s is not an address", value)
	}
	text := ip.Unmap().String()
	narrow := within(netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()))
	return matcher{need: text, reads: inSession, narrow: narrow, holds: func(r *Record) bool { return r.Session.Client.IP == text }}, nil
}

func parseNet(value string) (matcher, error) {
	network, err := netip.ParsePrefix(value)
	if err != nil {
		ip, addrErr := netip.ParseAddr(value)
		if addrErr != nil {
			return matcher{}, fmt.Errorf("%s is not a network such as 192.0.2.0/24", value)
		}
		network = netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen())
	}
	return matcher{reads: inSession, narrow: within(network), holds: func(r *Record) bool {
		ip, err := netip.ParseAddr(r.Session.Client.IP)
		return err == nil && network.Contains(ip)
	}}, nil
}

func parseID(value string) (matcher, error) {
	begins := beginning(value)
	return matcher{
		need: plain(value), reads: inSession, narrow: holding(fold(value), textOther),
		holds: func(r *Record) bool { return begins(r.ID) || begins(r.Session.ID) },
	}, nil
}

func parseCampaign(value string) (matcher, error) {
	begins := beginning(value)
	return matcher{need: plain(value), reads: inBulk, narrow: holding(fold(value), textOther), holds: func(r *Record) bool {
		return r.Outcome.Bulk != nil && begins(r.Outcome.Bulk.Campaign)
	}}, nil
}

// hashedAddress makes what finds an address where its local part is hashed; nil if value is no whole address.
func hashedAddress(value string, parse func(string) (matcher, error)) func(secret) matcher {
	address := strings.Trim(value, "<>")
	if at := strings.LastIndexByte(address, '@'); at <= 0 || at == len(address)-1 {
		return nil
	}
	return func(key secret) matcher {
		m, err := parse(key.address(address))
		if err != nil {
			panic(err) // cannot happen: it is an address as well
		}
		return m
	}
}

func parseCandidate(value string) (matcher, error) {
	const need = `"candidate":{`
	switch fold(value) {
	case "differs":
		return matcher{
			need: need, reads: inCandidate, narrow: named(nameTried, func(is string) bool { return is != nameUnknown }),
			holds: func(r *Record) bool { return r.Candidate.Differs() },
		}, nil
	case "unknown":
		return matcher{
			need: need, reads: inCandidate, narrow: named(nameTried, func(is string) bool { return is == nameUnknown }),
			holds: func(r *Record) bool { return r.Candidate != nil && !r.Candidate.Differs() },
		}, nil
	}
	var wanted rules.Action
	if wanted.UnmarshalText([]byte(fold(value))) != nil {
		return matcher{}, fmt.Errorf("say candidate:differs, candidate:unknown, or an action: pass, tag, subject, defer or reject; not %s", value)
	}
	return matcher{
		need: need, reads: inCandidate, narrow: named(nameTried, func(is string) bool { return is == wanted.String() }),
		holds: func(r *Record) bool { return r.Candidate.Differs() && r.Candidate.Action == wanted },
	}, nil
}

func recipients(r *Record) []string {
	all := slices.Clone(r.Envelope.To)
	for _, refused := range r.Envelope.RcptRejected {
		all = append(all, refused.To)
	}
	return all
}

// beginning makes a func that tells what begins with value, whatever the case.
func beginning(value string) func(string) bool {
	value = fold(value)
	return func(s string) bool { return strings.HasPrefix(fold(s), value) }
}

// address makes a func that tells which addresses value means: "a@b" exactly that, "@b" those of domain b and below
// it, and any other text those it is a part of.
func address(value string) func(string) bool {
	value = fold(strings.Trim(value, "<>"))
	at := strings.IndexByte(value, '@')
	return func(s string) bool {
		s = fold(s)
		switch {
		case at > 0:
			return s == value
		case at == 0:
			domain := s[strings.LastIndexByte(s, '@')+1:]
			return domain == value[1:] || strings.HasSuffix(domain, "."+value[1:])
		}
		return strings.Contains(s, value)
	}
}

// glob makes a func that tells which names are like pattern, in which "*" stands for any letters. Case does not matter.
func glob(pattern string) func(string) bool {
	pieces := strings.Split(fold(pattern), "*")
	return func(name string) bool {
		name, found := strings.CutPrefix(fold(name), pieces[0])
		if len(pieces) == 1 {
			return found && name == ""
		}
		last := len(pieces) - 1
		for _, piece := range pieces[1:last] {
			i := strings.Index(name, piece)
			if i < 0 {
				return false
			}
			name = name[i+len(piece):]
		}
		return found && strings.HasSuffix(name, pieces[last])
	}
}

// longest is the longest piece of a pattern between its stars.
func longest(pattern string) string {
	best := ""
	for piece := range strings.SplitSeq(pattern, "*") {
		if len(piece) > len(best) {
			best = piece
		}
	}
	return best
}

// fold makes a text comparable whatever its case. A letter beyond ASCII never becomes one of ASCII, so that bytes of
// ASCII can be looked for before anything is decoded.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if l := unicode.ToLower(r); r < unicode.MaxASCII || l > unicode.MaxASCII {
			return l
		}
		return r
	}, s)
}
