package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/cmd/weir/dns"
	"weir/filters"
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

// dnsBench loads the rules and picks the zones that name means; all if it is empty. The caller closes the resolver.
func (a *app) dnsBench(w workbench, name string) (*dns.Bench, error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	var files []string
	if w.rules != "" {
		files = []string{w.rules}
	}
	b := &dns.Bench{Budget: c.DNS.Budget, Known: known()}
	if b.Rules, err = a.namedRules(files); err != nil {
		return nil, err
	}
	if b.Pick(name); len(b.Zones) == 0 {
		return nil, exit{exitUsage, errors.New("the rules have no DNS lists\n  name one by its zone, as the last word")}
	}
	b.Resolver, err = w.resolver(c.DNS)
	return b, err
}

func (a *app) dnsCheck(ctx context.Context, w workbench, args []string) error {
	b, err := a.dnsBench(w, strings.Join(args[1:], ""))
	if err != nil {
		return err
	}
	defer b.Resolver.Close()
	answered, err := b.Check(ctx, args[0])
	switch {
	case errors.Is(err, dns.ErrNotAsked):
		return exit{exitNoInput, err}
	case err != nil:
		return exit{exitUnavailable, err}
	}
	a.noteLists(ctx, b, answered)
	return a.printLists(answered)
}

// printLists prints what the lists say. It is an error if none of them could be asked.
func (a *app) printLists(all []dns.Answer) error {
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
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", q.Zone, q.Asked, cmp.Or(strings.Join(q.Answer, " "), "-"), q.Meaning(),
			cmp.Or(q.Server, "-"), dns.TookText(time.Duration(q.TookUS)*time.Microsecond))
	}
	if err := table.Flush(); err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	if !reached {
		return exit{exitUnavailable, errors.New("no list answered")}
	}
	return nil
}
