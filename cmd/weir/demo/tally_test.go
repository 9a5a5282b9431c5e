package demo

import (
	"strings"
	"testing"

	"weir/filters"
	"weir/proxy/backend/sink"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

// A demo that cannot fail proves nothing: each thing that goes wrong must be noticed.
func TestTheDemoNoticesWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(replies []int, mailbox []sink.Message, records []verdictlog.Record)
		want  string
	}{
		"nothing": {func([]int, []sink.Message, []verdictlog.Record) {}, ""},
		"lost":    {func(_ []int, m []sink.Message, _ []verdictlog.Record) { m[0].Taken = false }, "delivered or tagged"},
		"tagged good mail": {func(_ []int, m []sink.Message, _ []verdictlog.Record) {
			m[0].Data = append([]byte("X-Spam-Flag: YES\r\n"), m[0].Data...)
		}, "delivered untagged"},
		"listed mail in": {func(r []int, _ []sink.Message, _ []verdictlog.Record) { r[4] = 250 }, "refused"},
		"sum": {func(_ []int, _ []sink.Message, r []verdictlog.Record) {
			r[0].Hits = []scoring.Line{{Rule: "A", Points: 1}}
		}, "hits sum to"},
		"error as listing": {func(_ []int, _ []sink.Message, r []verdictlog.Record) {
			r[0].Hits = []scoring.Line{{Rule: "BROKEN_LISTED"}}
		}, "counted as a listing"},
		"silent list": {func(_ []int, _ []sink.Message, r []verdictlog.Record) { r[0].Errors = nil }, "not among the errors"},
	} {
		letters, replies, mailbox, records := smallDemo()
		c.spoil(replies, mailbox, records)
		wrong := strings.Join(Count(letters, replies, mailbox, records).Wrong(), "\n")
		if (wrong == "") != (c.want == "") || !strings.Contains(wrong, c.want) {
			t.Errorf("%s: noticed %q, want %q", name, wrong, c.want)
		}
	}
}

// smallDemo is a demo of one letter of each kind that went as it should.
func smallDemo() (letters []Letter, replies []int, mailbox []sink.Message, records []verdictlog.Record) {
	for _, l := range []struct {
		kind  string
		reply int
		head  string
	}{
		{kindOrdinary, 250, ""}, {kindNewsletter, 250, ""}, {kindCampaign, 550, ""},
		{kindSuspect, 250, "X-Spam-Flag: YES\r\n"}, {kindListed, 550, ""},
	} {
		letters, replies = append(letters, Letter{kind: l.kind}), append(replies, l.reply)
		if l.reply == 250 {
			mailbox = append(mailbox, sink.Message{Taken: true, Data: []byte(l.head + kindHeader + l.kind + "\r\n\r\n")})
		}
		r := verdictlog.Record{ID: l.kind}
		r.Verdict.Action = rules.Pass
		r.Errors = []filters.Problem{{Rule: "BROKEN", Kind: filters.KindSentinel}}
		records = append(records, r)
	}
	return letters, replies, mailbox, records
}
