package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"weir/filters"
	"weir/proxy/backend/sink"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

func TestDemo(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(context.Background(), []string{"demo"}, streams{strings.NewReader(""), &out, &errs}); code != exitOK {
		t.Fatalf("exit %d\n%s%s", code, out.String(), errs.String())
	}
	for _, want := range []string{"the randomised campaign", "BULK_MANY", "the sum", "Everything happened as it should have."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not say %q", want)
		}
	}
	if strings.Contains(errs.String(), "\r") {
		t.Error("a progress bar was drawn although nobody watches")
	}
}

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
		wrong := strings.Join(tallyOf(letters, replies, mailbox, records).wrong(), "\n")
		if (wrong == "") != (c.want == "") || !strings.Contains(wrong, c.want) {
			t.Errorf("%s: noticed %q, want %q", name, wrong, c.want)
		}
	}
}

// smallDemo is a demo of one letter of each kind that went as it should.
func smallDemo() (letters []letter, replies []int, mailbox []sink.Message, records []verdictlog.Record) {
	for _, l := range []struct {
		kind  string
		reply int
		head  string
	}{
		{kindOrdinary, 250, ""}, {kindNewsletter, 250, ""}, {kindCampaign, 550, ""},
		{kindSuspect, 250, "X-Spam-Flag: YES\r\n"}, {kindListed, 550, ""},
	} {
		letters, replies = append(letters, letter{kind: l.kind}), append(replies, l.reply)
		if l.reply == 250 {
			mailbox = append(mailbox, sink.Message{Taken: true, Data: []byte(l.head + demoKind + l.kind + "\r\n\r\n")})
		}
		r := verdictlog.Record{ID: l.kind}
		r.Verdict.Action = rules.Pass
		r.Errors = []filters.Problem{{Rule: "BROKEN", Kind: filters.KindSentinel}}
		records = append(records, r)
	}
	return letters, replies, mailbox, records
}
