package proxy

import (
	"context"
	"testing"
	"time"

	"weir/filters"
	"weir/rules"
)

// What the last stage finds out about the sender is in the verdict's facts, in the record and in the headers, also when
// the rest was given.
func TestWhatIsFoundOfGivenProof(t *testing.T) {
	check := filters.Check{Name: "dmarc", Stage: filters.Proven, Run: func(_ context.Context, m filters.Mail) (filters.Report, error) {
		found := &filters.Auth{DMARC: filters.DMARC{Result: "fail", Domain: m.Message.FromDomain(), Policy: "reject"}}
		return filters.Report{Facts: filters.Facts{Auth: found}}, nil
	}}
	set := &rules.Set{Policies: []*rules.Policy{{ID: "default"}}}
	for _, given := range []*filters.Auth{nil, {Domains: []string{"shop.test"}}} {
		g := &Generation{Rules: set, Checks: filters.NewPipeline(time.Minute, check)}
		conn := g.BeginConnection(t.Context(), filters.Mail{Session: &filters.Session{}})
		trial := NewTrial(g, conn, filters.Mail{Session: &filters.Session{}, Envelope: &filters.Envelope{}})
		trial.Accepts("bob@example.org")
		j := trial.AtData(filters.ParseMessage([]byte("From: a@shop.test\r\n\r\nx")), given)
		trial.End()
		conn.End()
		r := j.Record()
		if a := trial.Mail.Auth; a == nil || a.DMARC.Result != "fail" || given != nil && !a.Proves("shop.test") {
			t.Errorf("given %v: %+v", given, a)
		}
		if r.Auth == nil || r.Auth.DMARC != "fail" || r.Auth.Policy != "reject" || r.Facts.Features.DMARC != "fail" {
			t.Errorf("given %v: the record has %+v, %+v", given, r.Auth, r.Facts)
		}
		if given != nil && given.DMARC.Result != "" {
			t.Error("what was given has been changed")
		}
	}
}
