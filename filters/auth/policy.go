package auth

import (
	"context"
	"slices"
	"strings"
)

// The policies of RFC 9989 §4.7, mildest first.
var policies = []string{"none", "quarantine", "reject"}

// maxWalk is the most labels of a name that a walk asks for after the first (RFC 9989 §4.10).
const maxWalk = 7

// policy is a DMARC record (RFC 9989 §4.7) and where it was found.
type policy struct {
	at         string // the domain, without _dmarc
	own        string // p=
	sub        string // sp=, what own says if it is not there
	absent     string // np=, what sub says if it is not there
	strictDKIM bool
	strictSPF  bool
	testing    bool   // t=y: ask for the next milder
	psd        string // y, n, or u for not said
}

// policyOf reads the record of domain; false if the text is none. What it does not say, or says wrong, is as if it were
// not said; a record without a policy asks for nothing.
func policyOf(text, domain string) (policy, bool) {
	version, rest, _ := strings.Cut(text, ";")
	name, value, found := strings.Cut(version, "=")
	if !found || strings.TrimSpace(name) != "v" || strings.TrimSpace(value) != "DMARC1" {
		return policy{}, false
	}
	tags := map[string]string{}
	for part := range strings.SplitSeq(rest, ";") {
		name, value, found := strings.Cut(part, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if _, said := tags[name]; found && !said {
			tags[name] = strings.ToLower(strings.TrimSpace(value))
		}
	}
	choose := func(tag, otherwise string) string {
		if slices.Contains(policies, tags[tag]) {
			return tags[tag]
		}
		return otherwise
	}
	p := policy{
		at: domain, own: choose("p", policies[0]), psd: tags["psd"],
		strictDKIM: tags["adkim"] == "s", strictSPF: tags["aspf"] == "s",
		// pct= is gone since RFC 9989 §A.6, but for pct=0, which t=y took the place of.
		testing: tags["t"] == "y" || tags["pct"] == "0",
	}
	p.sub = choose("sp", p.own)
	p.absent = choose("np", p.sub)
	return p, true
}

// milder is what a policy comes to while it is being tested.
func (p *policy) milder(asked string) string {
	if p.testing {
		return policies[max(0, slices.Index(policies, asked)-1)]
	}
	return asked
}

// policyAt looks up the record of a domain; nil if there is none, or more than one (RFC 9989 §4.10).
func (n *names) policyAt(ctx context.Context, domain string) (*policy, error) {
	texts, err := n.texts(ctx, "_dmarc."+domain)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found *policy
	for _, text := range texts {
		if p, ok := policyOf(text, domain); ok {
			if found != nil {
				return nil, nil
			}
			found = &p
		}
	}
	return found, nil
}

// walk collects the records of a domain and of those above it, up to one that says where an organisation begins
// (RFC 9989 §4.10). At most eight names are asked for.
func (n *names) walk(ctx context.Context, domain string) ([]*policy, error) {
	var all []*policy
	for name := domain; name != ""; name = above(name) {
		p, err := n.policyAt(ctx, name)
		if err != nil {
			return nil, err
		}
		if p == nil {
			continue
		}
		all = append(all, p)
		if p.psd == "n" || p.psd == "y" && name != domain {
			break
		}
	}
	return all, nil
}

// above is the next name of a walk: without the first label, or, of a long one, the last seven.
func above(name string) string {
	labels := strings.Split(name, ".")
	return strings.Join(labels[max(1, len(labels)-maxWalk):], ".")
}

// organisationIn is the organisation that domain belongs to by the records of its walk: that of the highest record, or
// the name below it if it says that it speaks for a registry (RFC 9989 §4.10.2).
func organisationIn(walk []*policy, domain string) string {
	if len(walk) == 0 {
		return domain
	}
	highest := walk[len(walk)-1]
	if highest.psd == "y" && highest.at != domain {
		return below(highest.at, domain)
	}
	return highest.at
}

// below is the name one label below parent that domain lies at or under.
func below(parent, domain string) string {
	front := strings.TrimSuffix(domain, "."+parent)
	return front[strings.LastIndexByte(front, '.')+1:] + "." + parent
}
