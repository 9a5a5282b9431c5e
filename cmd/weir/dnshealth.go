package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"weir/cmd/weir/dns"
)

func (a *app) dnsHealthCommand() *cobra.Command {
	var w workbench
	var f logFlags
	c := &cobra.Command{
		Use:   "health [ZONE]",
		Short: "Test every list of the rules",
		Long: `Asks each list of the rules, or the one named, for its test points (RFC 5782): it must list 127.0.0.2 or "test", and must
not list 127.0.0.1 or "invalid".

  well      it does so
  untested  it answers, but lists no test point; many lists have none
  silent    it does not answer: nothing is known
  wrong     it answers with an error code, lists everybody, or its answers are rewritten; serve does not ask it

If there is a verdict log, it says too how often each list was asked in the last week, had listed something or gave no
answer, how long it took, what people called ham and spam (weir learn) of what it listed, what went wrong last, and what
losing it would cost: the verdicts are judged again without it, under the rules as they are now.

The exit code is 1 if a list is wrong, 69 if none answers.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.dnsHealth(c.Context(), w, f, args) },
	}
	w.flags(c)
	f.bind(c)
	return c
}

func (a *app) dnsHealth(ctx context.Context, w workbench, f logFlags, args []string) error {
	b, err := a.dnsBench(w, strings.Join(args, ""))
	if err != nil {
		return err
	}
	defer b.Resolver.Close()
	q, dir, err := a.logQuery(f)
	if err != nil {
		return err
	}
	all := b.Test(ctx)
	if dir != "" {
		logs, err := b.ReadLog(ctx, dir, q)
		if err != nil {
			return err
		}
		for i := range all {
			all[i].Log = logs[all[i].Zone]
		}
	}
	if err := a.printHealth(all); err != nil {
		return err
	}
	if dir != "" && !a.json {
		if err := a.printListLogs(all, q.Since); err != nil {
			return err
		}
	}
	return verdictOnLists(all)
}

func (a *app) printHealth(all []dns.Health) error {
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, h := range all {
		if a.json {
			if err := a.printJSON(h); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", h.Zone, h.Name, h.State, cmp.Or(h.Server, "-"), h.Took(), h.Detail)
	}
	if err := table.Flush(); err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	return nil
}

// verdictOnLists is the answer in the exit code.
func verdictOnLists(all []dns.Health) error {
	switch {
	case !slices.ContainsFunc(all, func(h dns.Health) bool { return h.State != dns.Silent }):
		return exit{exitUnavailable, errors.New("no list answered")}
	case slices.ContainsFunc(all, func(h dns.Health) bool { return h.State == dns.Wrong }):
		return exit{code: exitNo}
	}
	return nil
}
