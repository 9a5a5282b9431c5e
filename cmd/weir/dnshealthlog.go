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

	"weir/filters"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/replay"
	"weir/scoring/verdictlog"
)

// This file is what the verdict log says of the lists.

// healthSince is how far back the log is read unless said otherwise.
const healthSince = "7d"

// listLog is what the verdict log says of a list, a part of what `dns health --json` prints.
type listLog struct {
	Asked   int            `json:"asked"` // verdicts for which it was asked, or its answers known from before
	Listed  int            `json:"listed"`
	Ham     int            `json:"ham"`     // of Listed, those that people call ham
	Spam    int            `json:"spam"`    // of Listed, those that people call spam
	Unknown map[string]int `json:"unknown"` // by kind of problem
	P50US   int64          `json:"p50_us"`  // of those for which it had to be asked
	P99US   int64          `json:"p99_us"`
	Error   *listError     `json:"last_error,omitempty"`
	Parked  bool           `json:"parked"` // it was not asked when it was last needed
	Loss    listLoss       `json:"loss"`

	times []int64
	next  int
}

type listError struct {
	Time   time.Time `json:"time"`
	Kind   string    `json:"kind"`
	Detail string    `json:"detail,omitempty"`
}

// listLoss is what would be otherwise without the list, of what only it explains.
type listLoss struct {
	Refusals int `json:"refusals"` // fewer
	Unseen   int `json:"unseen"`   // fewer refusals at RCPT; what the message would have come to nobody knows
	Deferred int `json:"deferred"` // fewer
	Tags     int `json:"tags"`     // fewer
	Worse    int `json:"worse"`    // more that are tagged, deferred or refused: the list speaks for senders
}

// maxTimes bounds how many times of a list are kept; the newest are.
const maxTimes = 1 << 16

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

// readLists reads of the log in dir what it says of the lists, by their ids.
func (b *dnsBench) readLists(ctx context.Context, dir string, q verdictlog.Query) (map[string]*listLog, error) {
	lists := map[string]*listLog{}
	for _, z := range b.zones {
		lists[z.ID] = &listLog{Unknown: map[string]int{}}
	}
	err := verdictlog.Search(ctx, dir, q, func(r *verdictlog.Record) error {
		for id, l := range lists {
			l.add(id, r)
		}
		for _, id := range zonesListing(b.set, r) {
			if l := lists[id]; l != nil {
				l.list(b.set, r, id)
			}
		}
		return nil
	})
	for _, l := range lists {
		l.P50US, l.P99US = l.percentile(50), l.percentile(99)
	}
	return lists, err
}

// parkedSince is how far back a list that is parked shows in the log, if there is mail.
const parkedSince = "10m"

// noteLists notes what is known of lists besides their answers: that they have ended, or are parked by the log. Who may
// not read the log has the answers all the same.
func (a *app) noteLists(ctx context.Context, b *dnsBench, all []listSays) {
	logs := map[string]*listLog{}
	q, dir, err := a.logQuery(logFlags{since: parkedSince})
	if err == nil && dir != "" {
		logs, err = b.readLists(ctx, dir, q)
	}
	if err != nil {
		a.say("whether lists are parked is not known: %v", err)
	}
	for i := range all {
		one := &all[i]
		if end := rules.Ended(one.zone.Zone); end != "" {
			one.Note = "the list is no longer in service: " + end
		} else if l := logs[one.Zone]; l != nil && l.Parked {
			one.Note = "weir does not ask it: " + l.Error.Detail
		}
	}
}

// add counts what r says of the list.
func (l *listLog) add(id string, r *verdictlog.Record) {
	took, asked := r.Timing.Zones[id]
	if asked {
		l.Asked++
		l.Parked = false
	}
	if took > 0 {
		if len(l.times) < maxTimes {
			l.times = append(l.times, took)
		} else {
			l.times[l.next], l.next = took, (l.next+1)%maxTimes
		}
	}
	for _, p := range r.Errors {
		if p.Rule != id {
			continue
		}
		l.Unknown[p.Kind]++
		l.Parked = p.Kind == filters.KindParked
		if l.Error == nil || !r.Time.Before(l.Error.Time) {
			l.Error = &listError{Time: r.Time, Kind: p.Kind, Detail: p.Detail}
		}
	}
}

// list counts r, which the list had listed.
func (l *listLog) list(set *rules.Set, r *verdictlog.Record, id string) {
	l.Listed++
	switch r.Learned {
	case verdictlog.Ham:
		l.Ham++
	case verdictlog.Spam:
		l.Spam++
	}
	l.Loss.add(set, r, id)
}

func (l *listLog) percentile(p int) int64 {
	if len(l.times) == 0 {
		return 0
	}
	slices.Sort(l.times)
	return l.times[(len(l.times)*p+99)/100-1]
}

// add counts what would have become of r without the list, under the rules of now.
func (l *listLoss) add(set *rules.Set, r *verdictlog.Record, id string) {
	with, without, ok := replay.Lose(set, r, func(symbol string) bool {
		s := set.Symbols[symbol]
		return s != nil && s.Zone == id
	})
	early := r.Message == nil // then only hard symbols decide
	switch {
	case !ok, early && (with.By != scoring.ByHard || without.By == scoring.ByHard), !early && with.Action == without.Action:
	case early:
		l.Unseen++
	case with.Action < without.Action:
		l.Worse++
	case with.Action == rules.Reject:
		l.Refusals++
	case with.Action == rules.Defer:
		l.Deferred++
	default:
		l.Tags++
	}
}

// printListLogs prints what the log says, a line a list, and below what went wrong last.
func (a *app) printListLogs(all []listHealth, since time.Time) error {
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
	return tookText(time.Duration(us) * time.Microsecond)
}

// kindsText says how many problems there were of each kind, the most frequent first.
func kindsText(kinds map[string]int) string {
	names := slices.SortedFunc(maps.Keys(kinds), func(a, b string) int { return cmp.Or(cmp.Compare(kinds[b], kinds[a]), cmp.Compare(a, b)) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", kinds[name], name)
	}
	return strings.Join(names, ", ")
}
