package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"weir/cmd/weir/dns"
	"weir/scoring/verdictlog"
)

// healthSince is how far back the log is read unless said otherwise.
const healthSince = "7d"

// logQuery says which verdicts tell of the lists, and where they are kept; dir is "" if there are none.
func (a *app) logQuery(f logFlags) (q verdictlog.Query, dir string, err error) {
	if f.dir == "" {
		c, err := a.config()
		if err != nil || c.Verdicts.Dir == "" {
			return q, "", err
		}
		if _, err := os.Stat(c.Verdicts.Dir); err != nil {
			return q, "", nil // no mail has come yet
		}
		f.dir = c.Verdicts.Dir
	}
	if dir, err = a.verdictDir(f.dir); err != nil {
		return q, "", err
	}
	f.since = cmp.Or(f.since, healthSince)
	if q, err = f.query(nil, time.Now()); err != nil {
		return q, "", exit{exitUsage, err}
	}
	return q, dir, nil
}

// parkedSince is how far back a list that is parked shows in the log, if there is mail.
const parkedSince = "10m"

// noteLists notes what is known of lists besides their answers: that they have ended, or are parked by the log. Who may
// not read the log has the answers all the same.
func (a *app) noteLists(ctx context.Context, b *dns.Bench, all []dns.Answer) {
	logs := map[string]*dns.Log{}
	q, dir, err := a.logQuery(logFlags{since: parkedSince})
	if err == nil && dir != "" {
		logs, err = b.ReadLog(ctx, dir, q)
	}
	if err != nil {
		a.say("whether lists are parked is not known: %v", err)
	}
	dns.Note(all, logs)
}

// printListLogs prints what the log says, a line a list, and below what went wrong last.
func (a *app) printListLogs(all []dns.Health, since time.Time) error {
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(a.out, "\nin the verdict log since %s; ham and spam are those of listed that people call so; the columns from refusals on are what would be otherwise without the list\n", since.UTC().Format("2006-01-02 15:04"))
	fmt.Fprintln(table, "asked\tlisted\tham\tspam\tunknown\tp50\tp99\trefusals\tunseen\tdeferred\ttags\tworse\t list")
	for _, h := range all {
		l := h.Log
		unknown := 0
		for _, n := range l.Unknown {
			unknown += n
		}
		asked := strconv.Itoa(l.Asked)
		if l.Asked < l.Listed {
			asked = "-" // older records do not say
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t %s\n", asked, l.Listed, l.Ham, l.Spam, unknown, usText(l.P50US), usText(l.P99US),
			-l.Loss.Refusals, -l.Loss.Unseen, -l.Loss.Deferred, -l.Loss.Tags, l.Loss.Worse, h.Zone)
	}
	if err := table.Flush(); err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	for _, h := range all {
		if e := h.Log.Error; e != nil {
			fmt.Fprintf(a.out, "%s: %s; last at %s: %s\n", h.Zone, kindsText(h.Log.Unknown), e.Time.UTC().Format(time.DateTime), printable(e.Detail))
		}
		if h.Log.Parked {
			fmt.Fprintf(a.out, "%s: weir did not ask it when it was last needed: it is parked\n", h.Zone)
		}
	}
	return nil
}

func usText(us int64) string {
	if us == 0 {
		return "-"
	}
	return dns.TookText(time.Duration(us) * time.Microsecond)
}

// kindsText says how many problems there were of each kind, the most frequent first.
func kindsText(kinds map[string]int) string {
	names := slices.SortedFunc(maps.Keys(kinds), func(a, b string) int { return cmp.Or(cmp.Compare(kinds[b], kinds[a]), cmp.Compare(a, b)) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", kinds[name], name)
	}
	return strings.Join(names, ", ")
}
