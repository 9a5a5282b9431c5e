package main

import (
	"context"
	"time"

	"weir/filters"
	"weir/filters/attachment"
	"weir/filters/auth"
	"weir/filters/bulk"
	"weir/filters/dnsbl"
	"weir/filters/greylist"
	"weir/filters/hello"
	"weir/filters/html"
	"weir/filters/lookup"
	"weir/filters/manners"
	"weir/filters/outgoing"
	"weir/filters/pattern"
	"weir/filters/reverse"
	"weir/filters/store"
	"weir/filters/structure"
	"weir/filters/who"
	"weir/rules"
)

// parts is what filters are built of besides their rules.
type parts struct {
	resolver  *lookup.Resolver
	guards    *dnsbl.Guards // nil: no list is ever parked
	store     store.Store
	tally     *bulk.Tally   // nil: nobody asks
	dnsBudget time.Duration // for all that one check asks DNS
}

// checks is the list of all filters. A new one adds its line here. The patterns of set come compiled, since that is
// the one part that takes time.
func checks(set *rules.Set, patterns filters.Check, p parts) []filters.Check {
	lists := dnsbl.New(set.Zones, p.resolver, p.guards)
	for i := range lists {
		lists[i] = bounded(p.dnsBudget, lists[i])
	}
	all := append(lists, outgoing.New(set.Outgoing, p.store)...)
	all = append(all, who.New(set.Who)...)
	return append(all,
		bounded(p.dnsBudget, reverse.New(p.resolver)),
		bounded(p.dnsBudget, auth.NewSPF(p.resolver)),
		hello.New(),
		manners.New(),
		structure.New(),
		patterns,
		attachment.New(set.Attachments),
		html.New(set.Elements),
		bounded(p.dnsBudget, auth.NewDKIM(p.resolver)),
		bounded(p.dnsBudget, auth.NewARC(p.resolver)),
		bounded(p.dnsBudget, auth.NewDMARC(set.Sealers, p.resolver)),
		bulk.New(set.Bulk, p.store, p.tally),
		greylist.New(set.Greylist, p.store),
	)
}

// bounded gives a check a budget of its own, below that of the pipeline.
func bounded(budget time.Duration, c filters.Check) filters.Check {
	run := c.Run
	c.Run = func(ctx context.Context, m filters.Mail) (filters.Report, error) {
		ctx, cancel := context.WithTimeout(ctx, budget)
		defer cancel()
		return run(ctx, m)
	}
	return c
}

// known maps each check to the symbols that are its own, whatever the rules say.
func known() rules.Known {
	names := rules.Known{}
	for _, name := range dnsbl.Names() {
		names[name] = nil
	}
	for _, c := range checks(&rules.Set{}, filters.Check{Name: "pattern", Symbols: []string{pattern.Slow}}, parts{resolver: lookup.Offline(), store: store.NewMemory(1 << 10)}) {
		names[c.Name] = c.Symbols
	}
	return names
}
