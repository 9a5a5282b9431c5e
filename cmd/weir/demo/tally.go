package demo

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"weir/proxy/backend/sink"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

// fate is what became of the letters of one kind.
type fate struct{ sent, delivered, tagged, refused, other int }

// Tally is what happened in the demo. It is made by Count.
type Tally struct {
	fates   map[string]*fate
	mailbox int // messages in the backend
	unknown int // of them, those nobody sent
	records []verdictlog.Record
}

// kinds in the order of the table.
var kinds = []string{kindOrdinary, kindNewsletter, kindCampaign, kindSuspect, kindListed}

// Count finds out what became of the letters: by the replies to their senders, what the mail server behind weir has, and
// weir's own records.
func Count(letters []Letter, replies []int, mailbox []sink.Message, records []verdictlog.Record) Tally {
	t := Tally{fates: map[string]*fate{}, records: records}
	for _, kind := range kinds {
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
	_, after, _ := bytes.Cut(raw, []byte(kindHeader))
	kind, _, _ := bytes.Cut(after, []byte("\r\n"))
	return string(kind)
}

// Print writes the table of kinds and fates.
func (t Tally) Print(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tsent\tdelivered\ttagged\trefused\t")
	for _, kind := range kinds {
		f := t.fates[kind]
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t\n", kind, f.sent, f.delivered, f.tagged, f.refused)
	}
	table.Flush()
}

// Example is the record of a refusal that counting brought about, nil if there was none.
func (t Tally) Example() *verdictlog.Record {
	for i := range t.records {
		r := &t.records[i]
		if r.Verdict.Action == rules.Reject && r.Verdict.By == scoring.ByScore && r.Bulk != nil {
			return r
		}
	}
	return nil
}

// Wrong lists what did not happen as it should have, nothing if all is well.
func (t Tally) Wrong() []string {
	var out []string
	expect := func(ok bool, format string, args ...any) {
		if !ok {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	total := 0
	for _, kind := range kinds {
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
func (t Tally) wrongRecords() []string {
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
