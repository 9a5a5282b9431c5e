package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"weir/filters"
	"weir/filters/lookup"
	"weir/rules"
)

// The symbols of DMARC. At most one holds for a message.
const (
	DMARCPass       = "DMARC_PASS"            // the author's domain is proven, by its owner's rules
	DMARCNone       = "DMARC_NONE"            // the owner has published nothing
	DMARCFailNone   = "DMARC_FAIL_NONE"       // not proven; the owner asks for nothing
	DMARCQuarantine = "DMARC_FAIL_QUARANTINE" // not proven; the owner asks to put it aside
	DMARCReject     = "DMARC_FAIL_REJECT"     // not proven; the owner asks to refuse it
	DMARCSpared     = "DMARC_SPARED"          // not proven, but a trusted sealer has seen the proof
	DMARCList       = "DMARC_LIST"            // not proven, but signed by the mailing list that it comes from
	DMARCTemperror  = "DMARC_TEMPERROR"       // a lookup failed, so it is not known
	DMARCPermerror  = "DMARC_PERMERROR"       // it does not say who the one author is
)

var failSymbols = map[string]string{"none": DMARCFailNone, "quarantine": DMARCQuarantine, "reject": DMARCReject}

// maxAuthors is how many domains of an ambiguous From header are asked about.
const maxAuthors = 5

// NewDMARC makes the check of whether the author's domain is proven as its owner demands. A failure is spared if those
// who passed the message on are all in sealers, back to one who has seen it pass; nil trusts nobody. It is silent about
// authenticated users, and where SPF could not be checked about failures.
func NewDMARC(sealers *rules.List, r *lookup.Resolver) filters.Check {
	return filters.Check{
		Name:  "dmarc",
		Doc:   "Whether the author's domain is proven as its owner demands (RFC 9989)",
		Stage: filters.Proven,
		Symbols: []string{
			DMARCPass, DMARCNone, DMARCFailNone, DMARCQuarantine, DMARCReject, DMARCSpared, DMARCList, DMARCTemperror, DMARCPermerror,
		},
		Run: func(ctx context.Context, m filters.Mail) (filters.Report, error) {
			if m.Message == nil || m.Session != nil && m.Session.User != "" {
				return filters.Report{}, nil
			}
			if m.Auth == nil {
				m.Auth = &filters.Auth{}
			}
			c := dmarc{names: &names{resolver: r}, auth: m.Auth, sealers: sealers}
			found, detail := c.judge(ctx, m.Message)
			if ctx.Err() != nil {
				return filters.Report{}, fmt.Errorf("looking for the author's policy: %w", ctx.Err())
			}
			return c.report(m, found, detail), nil
		},
	}
}

func (c *dmarc) report(m filters.Mail, found filters.DMARC, detail string) filters.Report {
	failure := c.names.failure()
	report := filters.Report{Problems: problem(failure)}
	offline := failure != nil && report.Problems == nil
	if found.Result == "" || offline && found.Result == resultTemperror {
		return report
	}
	symbol := "DMARC_" + strings.ToUpper(found.Result)
	if found.Result == resultFail {
		if symbol, found.Spared = c.pardon(m.Message, found); found.Spared != "" {
			detail += "; " + found.Spared + " has seen it proven"
		}
	}
	report.Hits = []filters.Hit{{Symbol: symbol, Detail: detail}}
	report.Facts.Auth = &filters.Auth{DMARC: found}
	return report
}

// pardon is the symbol of a failure, and the sealer who vouches for it. A message is forwarded by machines that its
// author's owner cannot know of: those of whom we know that they look at what they pass on are believed.
func (c *dmarc) pardon(m *filters.Message, found filters.DMARC) (symbol, by string) {
	if author(m) != found.Domain {
		return failSymbols[found.Policy], ""
	}
	for _, s := range c.auth.ARC.Sealed {
		if c.sealers == nil || !c.sealers.HasDomain(s.Domain) {
			break
		}
		if s.DMARC == resultPass && (s.Author == "" || s.Author == found.Domain) {
			return DMARCSpared, s.Domain
		}
	}
	if list := mailingList(m); list != "" && slices.ContainsFunc(c.auth.DKIM, func(s filters.Signature) bool {
		return s.Result == resultPass && filters.Organisation(s.Domain) == filters.Organisation(list)
	}) {
		return DMARCList, ""
	}
	return failSymbols[found.Policy], ""
}

// mailingList is the domain of the list that a message says it comes from, or "" (RFC 2919 §3).
func mailingList(m *filters.Message) string {
	for _, value := range m.Header("List-Id") {
		if _, id, found := strings.Cut(value, "<"); found {
			name, _, _ := strings.Cut(id, ">")
			_, domain, _ := strings.Cut(name, ".")
			return fold(domain)
		}
	}
	return ""
}

// dmarc is one message being judged.
type dmarc struct {
	names   *names
	auth    *filters.Auth
	sealers *rules.List
}

// judge is the outcome for a message, and its evidence. If it is not clear who the author is, nobody is proven, and the
// sternest policy of those it may be holds (RFC 9989 §11.5).
func (c *dmarc) judge(ctx context.Context, m *filters.Message) (found filters.DMARC, detail string) {
	if a := author(m); a != "" {
		found, detail = c.of(ctx, a)
		return found, detail
	}
	found, detail = filters.DMARC{Result: resultPermerror}, "the From header does not name one author"
	for _, a := range authors(m) {
		one, why := c.of(ctx, a)
		if one.Result == resultTemperror && found.Result == resultPermerror {
			found, detail = one, why
		}
		if one.Result == resultFail && (found.Result != resultFail || slices.Index(policies, one.Policy) > slices.Index(policies, found.Policy)) {
			found, detail = one, why+"; the From header does not name one author"
		}
	}
	return found, detail
}

// of is the outcome for one author. Result is "" if nothing is proven, but not all was looked at.
func (c *dmarc) of(ctx context.Context, author string) (filters.DMARC, string) {
	unknown := func(err error) (filters.DMARC, string) {
		return filters.DMARC{Result: resultTemperror, Domain: author}, err.Error()
	}
	walk, err := c.policies(ctx, author)
	if err != nil {
		return unknown(err)
	}
	p, asked, err := c.applies(ctx, walk, author)
	if err != nil {
		return unknown(err)
	}
	if p == nil {
		return filters.DMARC{Result: resultNone, Domain: author}, author
	}
	found := filters.DMARC{Result: resultFail, Domain: author, Policy: asked}
	detail := fmt.Sprintf("%s asks for %s", author, asked)
	if p.at != author {
		detail = fmt.Sprintf("%s asks for %s by %s", author, asked, p.at)
	}
	var failed error
	all := c.witnesses(p)
	slices.SortStableFunc(all, func(x, y witness) int { return y.rank(author) - x.rank(author) })
	for _, w := range all {
		if w.result != resultPass && w.result != resultTemperror || found.Result == resultTemperror && w.result == resultTemperror {
			continue
		}
		ok, err := c.aligned(ctx, w, author, walk)
		switch {
		case err != nil:
			failed = err
		case ok && w.result == resultPass:
			found.Result = resultPass
			return found, fmt.Sprintf("%s by %s", author, w.domain)
		case ok:
			found.Result, detail = resultTemperror, fmt.Sprintf("whether %s has sent it for %s is not known", w.domain, author)
		}
	}
	switch {
	case failed != nil:
		return unknown(failed)
	case found.Result == resultFail && c.auth.SPF.Result == "":
		return filters.DMARC{}, ""
	}
	return found, detail
}

// witness is a domain that may have been proven.
type witness struct {
	domain string
	result string
	strict bool // it must be the author's own
}

// witnesses are those that SPF and DKIM have looked at; what was proven by others' word counts as a signature.
func (c *dmarc) witnesses(p *policy) []witness {
	all := []witness{{c.auth.SPF.Domain, c.auth.SPF.Result, p.strictSPF}}
	for _, s := range c.auth.DKIM {
		all = append(all, witness{s.Domain, s.Result, p.strictDKIM})
	}
	if c.auth.SPF.Result == "" && len(c.auth.DKIM) == 0 {
		for _, d := range c.auth.Domains {
			all = append(all, witness{d, resultPass, p.strictDKIM})
		}
	}
	return all
}

// policies is the walk from an author, as far as it is needed: a record of his own ends it, unless it depends on another
// domain of the same organisation whether he is proven.
func (c *dmarc) policies(ctx context.Context, author string) ([]*policy, error) {
	p, err := c.names.policyAt(ctx, author)
	if err != nil {
		return nil, err
	}
	if p != nil {
		himself := func(w witness) bool { return w.domain == author && w.result == resultPass }
		relative := func(w witness) bool { return w.relative(author) }
		if all := c.witnesses(p); slices.ContainsFunc(all, himself) || !slices.ContainsFunc(all, relative) {
			return []*policy{p}, nil
		}
	}
	return c.names.walk(ctx, author)
}

// rank puts the author's own domain, for which no walk is needed, before others.
func (w witness) rank(author string) int {
	if w.domain == author {
		return 1
	}
	return 0
}

// relative reports whether the walks of w and author are needed to tell if they are of one organisation. Two names that
// share no more than a public suffix never are: by the walk alone a registry's record that forgets to say psd=y would
// make all its customers one.
func (w witness) relative(author string) bool {
	return w.domain != author && !w.strict && (w.result == resultPass || w.result == resultTemperror) &&
		filters.Organisation(w.domain) == filters.Organisation(author)
}

// aligned reports whether w belongs to the author (RFC 9989 §4.4). walk is the author's.
func (c *dmarc) aligned(ctx context.Context, w witness, author string, walk []*policy) (bool, error) {
	if w.domain == author || !w.relative(author) {
		return w.domain == author, nil
	}
	other, err := c.names.walk(ctx, w.domain)
	return err == nil && organisationIn(other, w.domain) == organisationIn(walk, author), err
}

// applies is the record that holds for an author and what it asks for; nil if there is none (RFC 9989 §4.10.1).
func (c *dmarc) applies(ctx context.Context, walk []*policy, author string) (p *policy, asked string, err error) {
	if len(walk) == 0 {
		return nil, "", nil
	}
	if p = walk[0]; p.at == author {
		return p, p.milder(p.own), nil
	}
	p = walk[len(walk)-1]
	if org := organisationIn(walk, author); org != author {
		for _, other := range walk {
			if other.at == org {
				p = other
			}
		}
	}
	if p.absent != p.sub {
		answer, err := c.names.resolver.Lookup(ctx, author, lookup.TXT)
		if err != nil {
			return nil, "", c.names.fail(err)
		}
		if answer.NoName {
			return p, p.milder(p.absent), nil
		}
	}
	return p, p.milder(p.sub), nil
}
