package lookup

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Bounds of one answer. One beyond them is a Failure.
const (
	maxRecords = 256
	maxChain   = 16 // aliases followed
)

// outcome is an answer and how long it may be kept, before clamping.
type outcome struct {
	answer Answer
	ttl    time.Duration
}

// interpret reads a packet that answers a question of kind k. Name and Server of the failure are left to the caller.
func interpret(packet []byte, k Kind) (outcome, *Failure) {
	var m dns.Msg
	if err := m.Unpack(packet); err != nil {
		return outcome{}, &Failure{Kind: Failed, Err: fmt.Errorf("malformed answer: %w", err)}
	}
	if len(m.Question) != 1 {
		return outcome{}, &Failure{Kind: Failed, Err: errors.New("malformed answer: no question")}
	}
	return interpretMessage(&m, k)
}

func interpretMessage(m *dns.Msg, k Kind) (outcome, *Failure) {
	switch m.Rcode {
	case dns.RcodeSuccess:
	case dns.RcodeNameError:
		return outcome{answer: Answer{NoName: true}, ttl: negativeTTL(m)}, nil
	case dns.RcodeServerFailure:
		return outcome{}, &Failure{Kind: Servfail, Err: errors.New("the server answered SERVFAIL")}
	case dns.RcodeRefused:
		return outcome{}, &Failure{Kind: Refused, Err: errors.New("the server answered REFUSED")}
	default:
		return outcome{}, &Failure{Kind: Failed, Err: fmt.Errorf("the server answered %s", rcodeName(m.Rcode))}
	}
	if len(m.Answer) > maxRecords {
		err := fmt.Errorf("%d records in the answer, more than %d", len(m.Answer), maxRecords)
		return outcome{}, &Failure{Kind: Failed, Err: err}
	}
	owner, ttl, err := followAliases(m, k)
	if err != nil {
		return outcome{}, &Failure{Kind: Failed, Err: err}
	}
	o := outcome{ttl: ttl}
	o.collect(m.Answer, owner, k)
	if !o.answer.Found {
		if referral(m) {
			return outcome{}, &Failure{Kind: Failed, Err: errors.New("the server only refers to other servers")}
		}
		o.ttl = negativeTTL(m)
	}
	return o, nil
}

func rcodeName(code int) string {
	if name, ok := dns.RcodeToString[code]; ok {
		return name
	}
	return fmt.Sprintf("code %d", code)
}

// followAliases follows the CNAMEs of the answer from the name asked, and returns where they end and the least TTL.
func followAliases(m *dns.Msg, k Kind) (owner string, ttl time.Duration, err error) {
	owner, ttl = m.Question[0].Name, maxPositive
	if k == CNAME {
		return owner, ttl, nil
	}
	for range maxChain {
		i := slices.IndexFunc(m.Answer, func(rr dns.RR) bool {
			h := rr.Header()
			return h.Rrtype == dns.TypeCNAME && h.Class == dns.ClassINET && strings.EqualFold(h.Name, owner)
		})
		if i < 0 {
			return owner, ttl, nil
		}
		alias, ok := m.Answer[i].(*dns.CNAME)
		if !ok {
			return "", 0, errors.New("malformed answer: odd CNAME")
		}
		owner, ttl = alias.Target, min(ttl, seconds(alias.Hdr.Ttl))
	}
	return "", 0, ErrAliases
}

// collect takes the records of kind k at owner.
func (o *outcome) collect(records []dns.RR, owner string, k Kind) {
	a := &o.answer
	var best []*dns.MX
	for _, rr := range records {
		h := rr.Header()
		if h.Rrtype != uint16(k) || h.Class != dns.ClassINET || !strings.EqualFold(h.Name, owner) {
			continue
		}
		switch rr := rr.(type) {
		case *dns.A:
			if addr, ok := netip.AddrFromSlice(rr.A.To4()); ok {
				a.Addrs = append(a.Addrs, addr)
			}
		case *dns.AAAA:
			if addr, ok := netip.AddrFromSlice(rr.AAAA.To16()); ok {
				a.Addrs = append(a.Addrs, addr)
			}
		case *dns.TXT:
			a.Texts = append(a.Texts, unescape(strings.Join(rr.Txt, "")))
		case *dns.PTR:
			a.Names = append(a.Names, canonical(rr.Ptr))
		case *dns.NS:
			a.Names = append(a.Names, canonical(rr.Ns))
		case *dns.CNAME:
			a.Names = append(a.Names, canonical(rr.Target))
		case *dns.MX:
			best = append(best, rr)
		default:
			continue
		}
		o.ttl = min(o.ttl, seconds(h.Ttl))
	}
	slices.SortStableFunc(best, func(x, y *dns.MX) int { return cmp.Compare(x.Preference, y.Preference) })
	for _, mx := range best {
		a.Names, a.Ranks = append(a.Names, canonical(mx.Mx)), append(a.Ranks, mx.Preference)
	}
	a.Found = len(a.Addrs)+len(a.Texts)+len(a.Names) > 0
}

// negativeTTL is how long the absence may be kept (RFC 2308 §5); 0 if the answer does not say.
func negativeTTL(m *dns.Msg) time.Duration {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return seconds(min(soa.Hdr.Ttl, soa.Minttl))
		}
	}
	return 0
}

// referral reports an answer that says nothing but whom else to ask: the server does not recurse (RFC 2308 §2.2).
func referral(m *dns.Msg) bool {
	names := false
	for _, rr := range m.Ns {
		switch rr.Header().Rrtype {
		case dns.TypeSOA:
			return false
		case dns.TypeNS:
			names = true
		}
	}
	return names && !m.Authoritative && !m.RecursionAvailable
}

func seconds(ttl uint32) time.Duration {
	if ttl > 1<<31-1 { // RFC 2181 §8
		return 0
	}
	return time.Duration(ttl) * time.Second
}

// unescape turns the presentation form of a character-string (RFC 1035 §5.1) into its bytes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		if i+3 < len(s) && isDigit(s[i+1]) && isDigit(s[i+2]) && isDigit(s[i+3]) {
			out = append(out, (s[i+1]-'0')*100+(s[i+2]-'0')*10+s[i+3]-'0')
			i += 3
			continue
		}
		i++
		out = append(out, s[i])
	}
	return string(out)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
