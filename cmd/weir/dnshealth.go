package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/filters/dnsbl"
	"weir/rules"
)

// States of a list, as its test finds it.
const (
	listWell     = "well"     // it lists what it must and not what it must not
	listUntested = "untested" // it answers, and has no test points
	listSilent   = "silent"   // it does not answer
	listWrong    = "wrong"    // it must not be asked; serve parks it
)

// listHealth is a list's state, as `dns health --json` prints it.
type listHealth struct {
	Zone   string `json:"zone"`
	Name   string `json:"name"`
	State  string `json:"state"`
	Detail string `json:"detail,omitempty"`
	Server string `json:"server,omitempty"`
	TookUS int64  `json:"took_us"` // the slowest answer

	Log *listLog `json:"log,omitempty"` // nil without a verdict log
}

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
	defer b.resolver.Close()
	q, dir, err := a.logQuery(f)
	if err != nil {
		return err
	}
	all := b.test(ctx)
	if dir != "" {
		logs, err := b.readLists(ctx, dir, q)
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

// test asks all lists for their test points.
func (b *dnsBench) test(ctx context.Context) []listHealth {
	ctx, cancel := context.WithTimeout(ctx, 2*b.budget)
	defer cancel()
	all := make([]listHealth, len(b.zones))
	var work sync.WaitGroup
	for i := range b.zones {
		work.Go(func() { all[i] = healthOf(&b.zones[i], dnsbl.Test(ctx, b.resolver, &b.zones[i])) })
	}
	work.Wait()
	return all
}

func healthOf(z *rules.Zone, found dnsbl.Health) listHealth {
	h := listHealth{Zone: z.ID, Name: z.Display, Server: found.Server, TookUS: found.Took.Microseconds()}
	switch {
	case found.Wrong != "":
		h.State, h.Detail = listWrong, found.Wrong
	case found.Failed != "":
		h.State, h.Detail = listSilent, found.Failed
	case found.Warning != "":
		h.State, h.Detail = listUntested, found.Warning
	default:
		h.State = listWell
	}
	return h
}

// took is the time of the slowest answer.
func (h listHealth) took() string { return tookText(time.Duration(h.TookUS) * time.Microsecond) }

func (a *app) printHealth(all []listHealth) error {
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, h := range all {
		if a.json {
			if err := a.printJSON(h); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", h.Zone, h.Name, h.State, cmp.Or(h.Server, "-"), h.took(), h.Detail)
	}
	if err := table.Flush(); err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	return nil
}

// verdictOnLists is the answer in the exit code.
func verdictOnLists(all []listHealth) error {
	switch {
	case !slices.ContainsFunc(all, func(h listHealth) bool { return h.State != listSilent }):
		return exit{exitUnavailable, errors.New("no list answered")}
	case slices.ContainsFunc(all, func(h listHealth) bool { return h.State == listWrong }):
		return exit{code: exitNo}
	}
	return nil
}
