package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
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
		Use:   "check IP|DOMAIN|ADDRESS [ZONE]",
		Short: "Say what each list answers about an address or a domain, and what it means",
		Long: `Asks the lists of the rules, or the one named by its id or its zone. Each is asked as it is for mail: lists of clients
for an address or all addresses of a domain, lists of domains for the domain, hashed lists for a mail address. A ZONE that
is not in the rules is asked as it is: for a domain, DOMAIN.ZONE.`,
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
	if b.zones = zonesNamed(b.set, name); len(b.zones) == 0 {
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
	ctx, cancel := context.WithTimeout(ctx, 2*b.budget) // for the addresses of a domain, and for the lists
	defer cancel()
	questions, err := b.questions(ctx, strings.TrimSuffix(strings.ToLower(args[0]), "."))
	if err != nil {
		return err
	}
	return a.printLists(b.ask(ctx, questions))
}

// zonesNamed are all zones of the rules, or the one that name means. One in no rule is asked for whatever there is.
func zonesNamed(set *rules.Set, name string) []rules.Zone {
	if name == "" {
		return set.Zones
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for _, z := range set.Zones {
		if slices.Contains([]string{strings.ToLower(z.ID), strings.ToLower(z.Zone), strings.ToLower(z.Display)}, name) {
			return []rules.Zone{z}
		}
	}
	return []rules.Zone{{ID: name, Zone: name, Display: name, Ask: []rules.Ask{rules.AskClientIP, rules.AskHelo}}}
}

// questions are what the zones are asked about subject. Lists of clients are asked for the addresses of a domain, unless
// the list takes the domain itself.
func (b *dnsBench) questions(ctx context.Context, subject string) ([]listSays, error) {
	var all []listSays
	var clients []rules.Zone
	add := func(z rules.Zone, subject string) {
		for _, key := range dnsbl.Keys(&z, subject) {
			all = append(all, listSays{Zone: z.ID, Asked: key + "." + z.Display, key: key, zone: z})
		}
	}
	_, err := netip.ParseAddr(subject)
	for _, z := range b.zones {
		before := len(all)
		add(z, subject)
		if len(all) == before && err != nil && slices.ContainsFunc(z.Ask, rules.Ask.IsIP) {
			clients = append(clients, z)
		}
	}
	if len(clients) > 0 && !strings.ContainsAny(subject, "@/") {
		addresses, err := b.addresses(ctx, subject)
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

// meaning is the outcome in words.
func (q *listSays) meaning() string {
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
