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
	c := &cobra.Command{Use: "dns", Short: "Ask the DNS lists"}
	c.AddCommand(a.dnsCheckCommand())
	return c
}

func (a *app) dnsCheckCommand() *cobra.Command {
	var w workbench
	c := &cobra.Command{
		Use:   "check IP|DOMAIN [ZONE]",
		Short: "Say what each list answers about a client, and what it means",
		Long: `Asks the lists of the rules, or the one named by its id or its zone, about an address or about all addresses
of a domain. A ZONE that is not in the rules is asked as it is, also for a domain: DOMAIN.ZONE.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error { return a.dnsCheck(c.Context(), w, args) },
	}
	w.flags(c)
	return c
}

func (a *app) dnsCheck(ctx context.Context, w workbench, args []string) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	var files []string
	if w.rules != "" {
		files = []string{w.rules}
	}
	set, err := a.namedRules(files)
	if err != nil {
		return err
	}
	resolver, err := w.resolver(c.DNS)
	if err != nil {
		return err
	}
	defer resolver.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*c.DNS.Budget) // for the addresses of a domain, and for the lists
	defer cancel()
	zones, stranger := zonesNamed(set, args[1:])
	if len(zones) == 0 {
		return exit{exitUsage, errors.New("the rules have no DNS lists\n  name one: weir dns check IP ZONE")}
	}
	keys, err := keysOf(ctx, resolver, args[0], stranger)
	if err != nil {
		return err
	}
	return a.printLists(askLists(ctx, resolver, set, questions(keys, zones)))
}

// zonesNamed finds the zones of the rules that are meant: all, or the one named. stranger is true if it is in no rule.
func zonesNamed(set *rules.Set, args []string) (zones []rules.Zone, stranger bool) {
	if len(args) == 0 {
		return set.Zones, false
	}
	name := strings.ToLower(strings.TrimSuffix(args[0], "."))
	for _, z := range set.Zones {
		if slices.Contains([]string{strings.ToLower(z.ID), strings.ToLower(z.Zone), strings.ToLower(z.Display)}, name) {
			return []rules.Zone{z}, false
		}
	}
	return []rules.Zone{{ID: name, Zone: name, Display: name}}, true
}

// keysOf is what lists are asked for: the reversed form of an address or of each address of a domain, or the domain
// itself if domains is true.
func keysOf(ctx context.Context, r *lookup.Resolver, subject string, domains bool) ([]string, error) {
	if ip, err := netip.ParseAddr(subject); err == nil {
		return []string{lookup.ReverseName(ip)}, nil
	}
	if domains {
		return []string{strings.TrimSuffix(subject, ".")}, nil
	}
	var keys []string
	for _, kind := range []lookup.Kind{lookup.A, lookup.AAAA} {
		answer, err := r.Lookup(ctx, subject, kind)
		if err != nil {
			return nil, exit{exitUnavailable, err}
		}
		for _, ip := range answer.Addrs {
			keys = append(keys, lookup.ReverseName(ip))
		}
	}
	if len(keys) == 0 {
		return nil, exit{exitNoInput, fmt.Errorf("%s is no address and has none", subject)}
	}
	return keys, nil
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

func questions(keys []string, zones []rules.Zone) []listSays {
	var all []listSays
	for _, key := range keys {
		for _, z := range zones {
			all = append(all, listSays{Zone: z.ID, Asked: key + "." + z.Display, key: key, zone: z})
		}
	}
	return all
}

// askLists asks all questions at once and fills in what is said.
func askLists(ctx context.Context, r *lookup.Resolver, set *rules.Set, all []listSays) []listSays {
	var work sync.WaitGroup
	for i := range all {
		work.Go(func() {
			q := &all[i]
			began := time.Now()
			answer, err := r.Lookup(ctx, q.key+"."+q.zone.Zone, lookup.A)
			q.TookUS = time.Since(began).Microseconds()
			q.read(set, answer, err)
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
		took := (time.Duration(q.TookUS) * time.Microsecond).Round(10 * time.Microsecond)
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", q.Zone, q.Asked, cmp.Or(strings.Join(q.Answer, " "), "-"), q.meaning(),
			cmp.Or(q.Server, "-"), took)
	}
	if err := table.Flush(); err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	if !reached {
		return exit{exitUnavailable, errors.New("no list answered")}
	}
	return nil
}
