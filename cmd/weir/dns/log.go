package dns

import (
	"context"
	"slices"
	"time"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/replay"
	"weir/scoring/verdictlog"
)

// This file is what the verdict log says of the lists.

// Log is what the verdict log says of a list, a part of what `dns health --json` prints.
type Log struct {
	Asked   int            `json:"asked"` // verdicts for which it was asked, or its answers known from before
	Listed  int            `json:"listed"`
	Ham     int            `json:"ham"`     // of Listed, those that people call ham
	Spam    int            `json:"spam"`    // of Listed, those that people call spam
	Unknown map[string]int `json:"unknown"` // by kind of problem
	P50US   int64          `json:"p50_us"`  // of those for which it had to be asked
	P99US   int64          `json:"p99_us"`
	Error   *Problem       `json:"last_error,omitempty"`
	Parked  bool           `json:"parked"` // it was not asked when it was last needed
	Loss    Loss           `json:"loss"`

	times []int64
	next  int
}

// Problem is why a list gave no answer, the last time.
type Problem struct {
	Time   time.Time `json:"time"`
	Kind   string    `json:"kind"`
	Detail string    `json:"detail,omitempty"`
}

// Loss is what would be otherwise without the list, of what only it explains.
type Loss struct {
	Refusals int `json:"refusals"` // fewer
	Unseen   int `json:"unseen"`   // fewer refusals at RCPT; what the message would have come to nobody knows
	Deferred int `json:"deferred"` // fewer
	Tags     int `json:"tags"`     // fewer
	Worse    int `json:"worse"`    // more that are tagged, deferred or refused: the list speaks for senders
}

// maxTimes bounds how many times of a list are kept; the newest are.
const maxTimes = 1 << 16

// ReadLog reads of the log in dir what it says of the lists, by their ids.
func (b *Bench) ReadLog(ctx context.Context, dir string, q verdictlog.Query) (map[string]*Log, error) {
	lists := map[string]*Log{}
	for _, z := range b.Zones {
		lists[z.ID] = &Log{Unknown: map[string]int{}}
	}
	err := verdictlog.Search(ctx, dir, q, func(r *verdictlog.Record) error {
		for id, l := range lists {
			l.add(id, r)
		}
		for _, id := range zonesListing(b.Rules, r) {
			if l := lists[id]; l != nil {
				l.list(b.Rules, r, id)
			}
		}
		return nil
	})
	for _, l := range lists {
		l.P50US, l.P99US = l.percentile(50), l.percentile(99)
	}
	return lists, err
}

// Note notes what is known of lists besides their answers: that they have ended, or are parked by what the log says of them.
func Note(all []Answer, logs map[string]*Log) {
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
func (l *Log) add(id string, r *verdictlog.Record) {
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
			l.Error = &Problem{Time: r.Time, Kind: p.Kind, Detail: p.Detail}
		}
	}
}

// list counts r, which the list had listed.
func (l *Log) list(set *rules.Set, r *verdictlog.Record, id string) {
	l.Listed++
	switch r.Learned {
	case verdictlog.Ham:
		l.Ham++
	case verdictlog.Spam:
		l.Spam++
	}
	l.Loss.add(set, r, id)
}

func (l *Log) percentile(p int) int64 {
	if len(l.times) == 0 {
		return 0
	}
	slices.Sort(l.times)
	return l.times[(len(l.times)*p+99)/100-1]
}

// add counts what would have become of r without the list, under the rules of now.
func (l *Loss) add(set *rules.Set, r *verdictlog.Record, id string) {
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
