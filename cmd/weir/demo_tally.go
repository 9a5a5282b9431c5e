package main

import (
	"bytes"
	"fmt"
	"slices"
	"text/tabwriter"

	"weir/proxy/backend/sink"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

// fate is what became of the letters of one kind.
type fate struct{ sent, delivered, tagged, refused, other int }

// tally is what happened in the demo.
type tally struct {
	fates   map[string]*fate
	mailbox int // messages in the backend
	unknown int // of them, those nobody sent
	records []verdictlog.Record
}

// demoKinds in the order of the table.
var demoKinds = []string{kindOrdinary, kindNewsletter, kindCampaign, kindSuspect, kindListed}

func tallyOf(letters []letter, replies []int, mailbox []sink.Message, records []verdictlog.Record) tally {
	t := tally{fates: map[string]*fate{}, records: records}
	for _, kind := range demoKinds {
		t.fates[kind] = &fate{}
	}
	for i, l := range letters {
		f := t.fates[l.kind]
		f.sent++
		switch {
		case replies[i] == 550:
			f.refused++
		case replies[i] != 250:
			f.other++
		}
	}
	for _, m := range mailbox {
		if !m.Taken {
			continue
		}
		t.mailbox++
		f := t.fates[kindOf(m.Data)]
		switch {
		case f == nil:
			t.unknown++
		case bytes.Contains(m.Data, []byte("X-Spam-Flag: YES\r\n")):
			f.tagged++
		default:
			f.delivered++
		}
	}
	return t
}

// kindOf finds the kind of a delivered letter by its header.
func kindOf(raw []byte) string {
	_, after, _ := bytes.Cut(raw, []byte(demoKind))
	kind, _, _ := bytes.Cut(after, []byte("\r\n"))
	return string(kind)
}

func (a *app) printTally(t tally) {
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tsent\tdelivered\ttagged\trefused\t")
	for _, kind := range demoKinds {
		f := t.fates[kind]
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t\n", kind, f.sent, f.delivered, f.tagged, f.refused)
	}
	table.Flush()
}

// example is the record of a refusal that counting brought about.
func (t tally) example() *verdictlog.Record {
	for i := range t.records {
		r := &t.records[i]
		if r.Verdict.Action == rules.Reject && r.Verdict.By == scoring.ByScore && r.Bulk != nil {
			return r
		}
	}
	return nil
}

// wrong lists what did not happen as it should have.
func (t tally) wrong() []string {
	var out []string
	expect := func(ok bool, format string, args ...any) {
		if !ok {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	total := 0
	for _, kind := range demoKinds {
		f := t.fates[kind]
		total += f.delivered + f.tagged
		expect(f.sent > 0 && f.sent == f.delivered+f.tagged+f.refused,
			"%s: %d sent, but %d delivered or tagged and %d refused", kind, f.sent, f.delivered+f.tagged, f.refused)
	}
	expect(t.mailbox == total && t.unknown == 0, "the mail server has %d messages, %d of them unknown", t.mailbox, t.unknown)

	for _, kind := range []string{kindOrdinary, kindNewsletter} {
		f := t.fates[kind]
		expect(f.delivered == f.sent, "%s: %d of %d delivered untagged", kind, f.delivered, f.sent)
	}
	listed, suspect, campaign := t.fates[kindListed], t.fates[kindSuspect], t.fates[kindCampaign]
	expect(listed.refused == listed.sent, "%s: %d of %d refused", kindListed, listed.refused, listed.sent)
	expect(suspect.tagged == suspect.sent, "%s: %d of %d tagged", kindSuspect, suspect.tagged, suspect.sent)
	expect(campaign.delivered < 30, "%s: %d of %d delivered untagged", kindCampaign, campaign.delivered, campaign.sent)
	expect(campaign.refused > campaign.sent/3, "%s: only %d of %d refused", kindCampaign, campaign.refused, campaign.sent)
	return append(out, t.wrongRecords()...)
}

// wrongRecords checks what must be true of every record.
func (t tally) wrongRecords() []string {
	var out []string
	total := 0
	for _, f := range t.fates {
		total += f.sent
	}
	if len(t.records) != total {
		out = append(out, fmt.Sprintf("%d records of %d transactions", len(t.records), total))
	}
	for _, r := range t.records {
		var sum rules.Points
		for _, h := range r.Hits {
			sum += h.Points
			if h.Rule == "BROKEN_LISTED" {
				out = append(out, r.ID+": a list's error counted as a listing")
			}
		}
		if sum != r.Verdict.Score {
			out = append(out, fmt.Sprintf("%s: hits sum to %s, the score is %s", r.ID, sum, r.Verdict.Score))
		}
		// A refusal does not wait for a list that could not change it.
		broken := r.Verdict.Early != nil && slices.ContainsFunc(r.Verdict.Early.Open, func(o scoring.Open) bool { return o.Rule == "BROKEN" })
		for _, e := range r.Errors {
			broken = broken || e.Rule == "BROKEN"
		}
		if !broken {
			out = append(out, r.ID+": the broken list is not among the errors")
		}
	}
	return out
}
