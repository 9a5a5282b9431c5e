package main

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
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/filters"
	"weir/filters/dnsbl"
	"weir/filters/lookup"
	"weir/rules"
)

func (a *app) dnsCommand() *cobra.Command {
	c := &cobra.Command{Use: "dns", Short: "Ask and test the DNS lists"}
	c.AddCommand(a.dnsCheckCommand(), a.dnsHealthCommand(), a.dnsOverlapCommand(), a.dnsCatalogueCommand())
	return c
}

func (a *app) dnsCheckCommand() *cobra.Command {
	var w workbench
	c := &cobra.Command{
		Use:   "check IP|DOMAIN|ADDRESS|LINK [ZONE]",
		Short: "Say what each list answers about an address or a domain, and what it means",
		Long: `Asks the lists of the rules, or the one named by its id or its zone. Each is asked as it is for mail: lists of clients
for an address or all addresses of a domain, lists of domains for the domain, hashed lists for a mail address or a link. A ZONE
that is not in the rules has the meaning that the catalogue gives it; one that is not there either is asked as it is: for a
domain, DOMAIN.ZONE. It prints the list, what was asked, the answer, what that means with the list's own words, which server
said so and how long it took; and of a list that has ended, or that a running weir does not ask now, that it is so.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error { return a.dnsCheck(c.Context(), w, args) },
	}
	w.flags(c)
	return c
}

// dnsBench is what verbs that ask lists need.
type dnsBench struct {
	set      *rules.Set
	zones    []rules.Zone // those meant
	resolver *lookup.Resolver
	budget   time.Duration
}

// dnsBench loads the rules and picks the zones that name means; all if it is empty. The caller closes the resolver.
func (a *app) dnsBench(w workbench, name string) (*dnsBench, error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	var files []string
	if w.rules != "" {
		files = []string{w.rules}
	}
	b := &dnsBench{budget: c.DNS.Budget}
	if b.set, err = a.namedRules(files); err != nil {
		return nil, err
	}
	if b.name(name); len(b.zones) == 0 {
		return nil, exit{exitUsage, errors.New("the rules have no DNS lists\n  name one by its zone, as the last word")}
	}
	b.resolver, err = w.resolver(c.DNS)
	return b, err
}

func (a *app) dnsCheck(ctx context.Context, w workbench, args []string) error {
	b, err := a.dnsBench(w, strings.Join(args[1:], ""))
	if err != nil {
		return err
	}
	defer b.resolver.Close()
	bounded, cancel := context.WithTimeout(ctx, 2*b.budget) // for the addresses of a domain, and for the lists
	defer cancel()
	questions, err := b.questions(bounded, strings.TrimSuffix(strings.ToLower(args[0]), "."))
	if err != nil {
		return err
	}
	answered := b.ask(bounded, questions)
	a.noteLists(ctx, b, answered)
	return a.printLists(answered)
}

// name picks the zones that name means: all if it is empty, else one of the rules, of the catalogue, or whatever there is.
func (b *dnsBench) name(name string) {
	if name == "" {
		b.zones = b.set.Zones
		return
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	is := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	for _, z := range b.set.Zones {
		if is(z.ID, z.Zone, z.Display) {
			b.zones = []rules.Zone{z}
			return
		}
	}
	for _, l := range rules.Catalogue() {
		if l.Zone != "" && is(l.Name, l.ID, l.Zone) {
			if set, err := catalogued(l.Name); err == nil {
				b.set, b.zones = set, set.Zones
				return
			}
		}
	}
	b.zones = []rules.Zone{{ID: name, Zone: name, Display: name, Ask: []rules.Ask{rules.AskClientIP, rules.AskHelo}}}
}

// questions are what the zones are asked about subject. Lists of clients are asked for the addresses of a domain, unless
// the list takes the domain itself; all lists that do not take a link are asked for its host.
func (b *dnsBench) questions(ctx context.Context, subject string) ([]listSays, error) {
	link, host := linkOf(subject)
	var all []listSays
	var clients []rules.Zone
	add := func(z rules.Zone, subject string) {
		for _, key := range dnsbl.Keys(&z, subject) {
			all = append(all, listSays{Zone: z.ID, Asked: key + "." + z.Display, key: key, zone: z})
		}
	}
	_, err := netip.ParseAddr(host)
	for _, z := range b.zones {
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
		return nil, exit{exitNoInput, fmt.Errorf("no list is asked for %s: it is no address and has none, or the lists are for other things", subject)}
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

func (b *dnsBench) addresses(ctx context.Context, domain string) ([]netip.Addr, error) {
	var all []netip.Addr
	for _, kind := range []lookup.Kind{lookup.A, lookup.AAAA} {
		answer, err := b.resolver.Lookup(ctx, domain, kind)
		if err != nil {
			return nil, exit{exitUnavailable, err}
		}
		all = append(all, answer.Addrs...)
	}
	return all, nil
}

// listSays is what one list says of one key, as `dns check --json` prints it.
type listSays struct {
	Zone      string           `json:"zone"`
	Asked     string           `json:"asked"`
	Outcome   string           `json:"outcome"` // listed, not listed or unknown
	Answer    []string         `json:"answer,omitempty"`
	Hits      []listHit        `json:"hits,omitempty"`
	Unclaimed []string         `json:"unclaimed,omitempty"` // codes that the rules do not speak of
	Reason    string           `json:"reason,omitempty"`    // the list's own words
	Note      string           `json:"note,omitempty"`      // what else is known of the list
	Error     *filters.Problem `json:"error,omitempty"`
	Server    string           `json:"server,omitempty"`
	TookUS    int64            `json:"took_us"`

	key  string
	zone rules.Zone
}

type listHit struct {
	Rule  string       `json:"rule"`
	Score rules.Points `json:"score"`
	Mode  string       `json:"mode"`
	About string       `json:"about,omitempty"`
}

// ask asks all questions at once and fills in what is said.
func (b *dnsBench) ask(ctx context.Context, all []listSays) []listSays {
	var work sync.WaitGroup
	for i := range all {
		work.Go(func() {
			q := &all[i]
			began := time.Now()
			answer, err := b.resolver.Lookup(ctx, q.key+"."+q.zone.Zone, lookup.A)
			q.TookUS = time.Since(began).Microseconds()
			q.read(b.set, answer, err)
			if len(q.Hits)+len(q.Unclaimed) > 0 {
				q.Reason = dnsbl.Reason(ctx, b.resolver, &q.zone, q.key)
			}
		})
	}
	work.Wait()
	return all
}

func (q *listSays) read(set *rules.Set, answer lookup.Answer, err error) {
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
			q.Hits = append(q.Hits, listHit{Rule: s.Name, Score: s.Points, Mode: s.Mode.String(), About: s.About})
		}
	}
	for _, ip := range said.Unclaimed {
		q.Unclaimed = append(q.Unclaimed, ip.String())
	}
}

// meaning is the outcome in words, with what else is known of the list.
func (q *listSays) meaning() string {
	text := q.outcome()
	if q.Reason != "" {
		text += fmt.Sprintf(" (%s)", q.Reason)
	}
	if q.Note != "" {
		text += "; " + q.Note
	}
	return text
}

func (q *listSays) outcome() string {
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

// printLists prints what the lists say. It is an error if none of them could be asked.
func (a *app) printLists(all []listSays) error {
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	reached := false
	for i := range all {
		q := &all[i]
		reached = reached || q.Error == nil || q.Error.Kind == filters.KindSentinel
		if a.json {
			if err := a.printJSON(q); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", q.Zone, q.Asked, cmp.Or(strings.Join(q.Answer, " "), "-"), q.meaning(),
			cmp.Or(q.Server, "-"), tookText(time.Duration(q.TookUS)*time.Microsecond))
	}
	if err := table.Flush(); err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	if !reached {
		return exit{exitUnavailable, errors.New("no list answered")}
	}
	return nil
}

func tookText(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }
