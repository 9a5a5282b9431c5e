// Package dns is what is known of the DNS lists of the rules besides what they do to mail: what they answer about a subject
// (ask.go), how they fare by their test points (health.go), what the verdict log says of them (log.go), and which of them
// say the same (overlap.go). It prints nothing; its types are the JSON of `weir dns`.
//
//	b := &dns.Bench{Rules: set, Resolver: resolver, Budget: budget, Known: known}
//	b.Pick("zen.example")
//	answers, err := b.Check(ctx, "192.0.2.7")
//	health := b.Test(ctx)
package dns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing/fstest"
	"time"

	"weir/filters"
	"weir/filters/dnsbl"
	"weir/filters/lookup"
	"weir/rules"
)

// Bench is lists, and what is needed to ask them. Its fields are set before it is used; Pick sets Zones.
type Bench struct {
	Rules    *rules.Set
	Zones    []rules.Zone // those meant
	Resolver *lookup.Resolver
	Budget   time.Duration
	Known    rules.Known // for the lists of the catalogue
}

// ErrNotAsked is for what is of no kind that a list is asked for.
var ErrNotAsked = errors.New("no list is asked")

// Check asks the zones about subject: an address, a domain, a mail address or a link. An error is ErrNotAsked, or why the
// addresses of a domain are not known; of a list that does not answer that is said in its answer.
func (b *Bench) Check(ctx context.Context, subject string) ([]Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*b.Budget) // for the addresses of a domain, and for the lists
	defer cancel()
	questions, err := b.questions(ctx, strings.TrimSuffix(strings.ToLower(subject), "."))
	if err != nil {
		return nil, err
	}
	return b.ask(ctx, questions), nil
}

// Pick picks the zones that name means: all if it is empty, else one of the rules, of the catalogue, or whatever there is.
func (b *Bench) Pick(name string) {
	if name == "" {
		b.Zones = b.Rules.Zones
		return
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	is := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	for _, z := range b.Rules.Zones {
		if is(z.ID, z.Zone, z.Display) {
			b.Zones = []rules.Zone{z}
			return
		}
	}
	for _, l := range rules.Catalogue() {
		if l.Zone != "" && is(l.Name, l.ID, l.Zone) {
			if set, err := Catalogued(l.Name, b.Known); err == nil {
				b.Rules, b.Zones = set, set.Zones
				return
			}
		}
	}
	b.Zones = []rules.Zone{{ID: name, Zone: name, Display: name, Ask: []rules.Ask{rules.AskClientIP, rules.AskHelo}}}
}

// questions are what the zones are asked about subject. Lists of clients are asked for the addresses of a domain, unless
// the list takes the domain itself; all lists that do not take a link are asked for its host.
func (b *Bench) questions(ctx context.Context, subject string) ([]Answer, error) {
	link, host := linkOf(subject)
	var all []Answer
	var clients []rules.Zone
	add := func(z rules.Zone, subject string) {
		for _, key := range dnsbl.Keys(&z, subject) {
			all = append(all, Answer{Zone: z.ID, Asked: key + "." + z.Display, key: key, zone: z})
		}
	}
	_, err := netip.ParseAddr(host)
	for _, z := range b.Zones {
		before := len(all)
		if add(z, link); len(all) == before && link != host {
			add(z, host)
		}
		if len(all) == before && err != nil && slices.ContainsFunc(z.Ask, rules.Ask.IsIP) {
			clients = append(clients, z)
		}
	}
	if len(clients) > 0 && !strings.Contains(host, "@") {
		addresses, err := b.addresses(ctx, host)
		if err != nil {
			return nil, err
		}
		for _, ip := range addresses {
			for _, z := range clients {
				add(z, ip.String())
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w for %s: it is no address and has none, or the lists are for other things", ErrNotAsked, subject)
	}
	return all, nil
}

// linkOf is a link as it is asked for, without its scheme and what it asks the server, and its host. Of what is no link
// both are what it is.
func linkOf(subject string) (link, host string) {
	_, rest, isLink := strings.Cut(subject, "://")
	if !isLink {
		rest = subject
	}
	if at := strings.IndexAny(rest, "?#"); at >= 0 && isLink {
		rest = rest[:at]
	}
	host, path, hasPath := strings.Cut(rest, "/")
	switch {
	case !isLink && !hasPath:
		return subject, subject
	case !isLink:
		return subject, host
	}
	if at, err := url.Parse("//" + host); err == nil {
		host = at.Hostname()
	}
	return host + "/" + path, host
}

func (b *Bench) addresses(ctx context.Context, domain string) ([]netip.Addr, error) {
	var all []netip.Addr
	for _, kind := range []lookup.Kind{lookup.A, lookup.AAAA} {
		answer, err := b.Resolver.Lookup(ctx, domain, kind)
		if err != nil {
			return nil, err
		}
		all = append(all, answer.Addrs...)
	}
	return all, nil
}

// Answer is what one list says of one key, as `dns check --json` prints it.
type Answer struct {
	Zone      string           `json:"zone"`
	Asked     string           `json:"asked"`
	Outcome   string           `json:"outcome"` // listed, not listed or unknown
	Answer    []string         `json:"answer,omitempty"`
	Hits      []Hit            `json:"hits,omitempty"`
	Unclaimed []string         `json:"unclaimed,omitempty"` // codes that the rules do not speak of
	Reason    string           `json:"reason,omitempty"`    // the list's own words
	Note      string           `json:"note,omitempty"`      // what else is known of the list
	Error     *filters.Problem `json:"error,omitempty"`
	Server    string           `json:"server,omitempty"`
	TookUS    int64            `json:"took_us"`

	key  string
	zone rules.Zone
}

// Hit is what a rule makes of an answer.
type Hit struct {
	Rule  string       `json:"rule"`
	Score rules.Points `json:"score"`
	Mode  string       `json:"mode"`
	About string       `json:"about,omitempty"`
}

// ask asks all questions at once and fills in what is said.
func (b *Bench) ask(ctx context.Context, all []Answer) []Answer {
	var work sync.WaitGroup
	for i := range all {
		work.Go(func() {
			q := &all[i]
			began := time.Now()
			answer, err := b.Resolver.Lookup(ctx, q.key+"."+q.zone.Zone, lookup.A)
			q.TookUS = time.Since(began).Microseconds()
			q.read(b.Rules, answer, err)
			if len(q.Hits)+len(q.Unclaimed) > 0 {
				q.Reason = dnsbl.Reason(ctx, b.Resolver, &q.zone, q.key)
			}
		})
	}
	work.Wait()
	return all
}

func (q *Answer) read(set *rules.Set, answer lookup.Answer, err error) {
	q.Outcome, q.Server = "not listed", answer.Server
	var f *lookup.Failure
	if errors.As(err, &f) {
		q.Outcome, q.Server = "unknown", f.Server
		q.Error = &filters.Problem{Check: "dnsbl", Rule: q.Zone, Kind: f.Kind, Detail: f.Err.Error()}
		return
	}
	for _, ip := range answer.Addrs {
		q.Answer = append(q.Answer, ip.String())
	}
	said := dnsbl.Read(&q.zone, answer.Addrs)
	if said.Error != "" {
		q.Outcome = "unknown"
		q.Error = &filters.Problem{Check: "dnsbl", Rule: q.Zone, Kind: filters.KindSentinel, Detail: said.Error}
		return
	}
	if answer.Found {
		q.Outcome = "listed"
	}
	for _, m := range said.Matches {
		if s := set.Symbols[m.Symbol]; s != nil {
			q.Hits = append(q.Hits, Hit{Rule: s.Name, Score: s.Points, Mode: s.Mode.String(), About: s.About})
		}
	}
	for _, ip := range said.Unclaimed {
		q.Unclaimed = append(q.Unclaimed, ip.String())
	}
}

// Meaning is the outcome in words, with what else is known of the list.
func (q *Answer) Meaning() string {
	text := q.outcome()
	if q.Reason != "" {
		text += fmt.Sprintf(" (%s)", q.Reason)
	}
	if q.Note != "" {
		text += "; " + q.Note
	}
	return text
}

func (q *Answer) outcome() string {
	if q.Error != nil {
		return fmt.Sprintf("unknown (%s): %s", q.Error.Kind, q.Error.Detail)
	}
	var parts []string
	for _, h := range q.Hits {
		parts = append(parts, strings.TrimSuffix(fmt.Sprintf("%s %s %s", h.Rule, h.Score, h.Mode), " weighted"))
	}
	for _, code := range q.Unclaimed {
		parts = append(parts, code+" is not in the rules")
	}
	return cmp.Or(strings.Join(parts, ", "), q.Outcome)
}

// TookText writes how long an answer took.
func TookText(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }

// Catalogued is rules that name one list of the catalogue and nothing else.
func Catalogued(name string, known rules.Known) (*rules.Set, error) {
	text := fmt.Sprintf("version: 1\nzones: [{ use: %s }]\n", name)
	set, findings := rules.Load(fstest.MapFS{"rules": {Data: []byte(text)}}, "rules", known)
	return set, findings.Err()
}
