package rules

import (
	"fmt"
	"slices"
	"strings"
)

// Who is a rule about whom a message is from and for. Of the kinds that it names, all must fit; of the values of a kind,
// one.
type Who struct {
	Symbol string
	whose  audience
	proven []*List // of domains; nil for no condition
}

// Holds reports whether a message is what the rule is about: w is whom it is from, to are its recipients, who must all fit
// and of whom there must be one if the rule asks for them, proven the domains that are proven to have sent it.
func (r *Who) Holds(w Whose, to, proven []string) bool {
	if r.AsksRecipient() && len(to) == 0 || r.proven != nil && !slices.ContainsFunc(proven, r.wants) {
		return false
	}
	if !r.AsksRecipient() {
		return r.fits(w)
	}
	return !slices.ContainsFunc(to, func(rcpt string) bool {
		w.Rcpt = rcpt
		return !r.fits(w)
	})
}

func (r *Who) fits(w Whose) bool { return r.whose.has(w.fold()) }

// wants reports whether domain is one of those that the rule wants to be proven.
func (r *Who) wants(domain string) bool {
	return slices.ContainsFunc(r.proven, func(l *List) bool { return l.HasDomain(domain) })
}

// AsksProof reports whether the rule wants to know who is proven to have sent the message.
func (r *Who) AsksProof() bool { return r.proven != nil }

// AsksRecipient reports whether the rule wants to know for whom the message is.
func (r *Who) AsksRecipient() bool { return r.whose.rcpt != nil }

// AsksSender reports whether the rule wants to know the envelope sender or the user.
func (r *Who) AsksSender() bool { return r.whose.sender != nil || r.whose.user != nil }

// Alike reports whether a message may have both recipients: no policy and no rule tells them apart.
func (s *Set) Alike(a, b Whose) bool {
	return s.PolicyFor(a) == s.PolicyFor(b) && !slices.ContainsFunc(s.Who, func(r Who) bool {
		return r.AsksRecipient() && r.fits(a) != r.fits(b)
	})
}

// who reads whom a rule is about.
func (l *loading) who(symbol string, doc *whoDoc) Who {
	w := Who{Symbol: symbol}
	if !doc.Self.Said() { // reported when it was read
		return w
	}
	w.whose, _ = l.audience(doc.Whose)
	if !append(doc.Whose.all(), doc.Proven).forSomebody() && !doc.Self.Meant("rcpt", "sender", "user", "listener", "net", "proven") {
		l.hintAt(doc.Self, codePolicy, fmt.Sprintf("the rule %s is about nobody", symbol), "give it sender:, net:, rcpt:, user:, listener: or proven:")
	}
	w.proven = l.proven(doc.Proven)
	return w
}

// proven reads domains that can be proven to have sent a message.
func (l *loading) proven(said oneOrMany[string]) []*List {
	if said == nil {
		return nil
	}
	own := &List{Type: Domains, names: map[string]struct{}{}}
	all := []*List{own}
	for _, word := range said {
		if strings.HasPrefix(word.V, "list.") {
			if list, ok := l.listNamed(word, Domains); ok {
				all = append(all, list)
			}
			continue
		}
		if err := own.add(word.V); err != nil && word.V != "" {
			l.hintAt(word.At, codePolicy, err.Error(), "write a domain like partner.example, or list.NAME")
		}
	}
	return all
}
