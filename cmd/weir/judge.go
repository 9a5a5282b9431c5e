package main

import (
	"context"
	"net/netip"
	"time"

	"weir/cmd/weir/config"
	"weir/filters"
	"weir/proxy"
	"weir/rules"
	"weir/scoring/verdictlog"
)

// submission is a message to judge without SMTP, with the circumstances of the session it would have come in.
type submission struct {
	at      time.Time // the clock; zero for now
	client  netip.Addr
	session filters.Session // without Addr and ID
	from    string
	to      []string      // none: anybody, under the policy for all that no other is for
	raw     []byte        // nil: the dialogue ends at RCPT
	auth    *filters.Auth // given as proven; nil: find out
}

// outcome is a submission's verdict and where in the dialogue it fell.
type outcome struct {
	proxy.Judged
	at    string // verdictlog.AtRcpt or AtData
	id    string
	reply verdictlog.Reply
	parse time.Duration
	total time.Duration
}

// judge takes s the way of a message through g, as a session would. Of recipients under different policies those of
// the first one's are judged; the rest would have been asked to come again.
func judge(ctx context.Context, g *proxy.Generation, s submission) outcome {
	began := time.Now()
	if s.at.IsZero() {
		s.at = began
	}
	id := verdictlog.NewID(s.at)
	session := s.session
	session.ID, session.Addr = id, netip.AddrPortFrom(s.client, 0)
	mail := filters.Mail{At: s.at, Session: &session}
	conn := g.BeginConnection(ctx, mail)
	defer conn.End()

	envelope := filters.Envelope{From: s.from}
	mail.Envelope = &filters.Envelope{From: s.from}
	trial := proxy.NewTrial(g, conn, mail)
	trial.Whole = true
	defer trial.End()
	for _, rcpt := range s.to {
		if trial.Accepts(rcpt) {
			envelope.To = append(envelope.To, rcpt)
		}
	}
	if len(s.to) == 0 {
		trial.Accepts("")
	}
	trial.Mail.Envelope = &envelope

	o := outcome{Judged: trial.AtRcpt(), at: verdictlog.AtRcpt, id: id}
	if !o.Final && s.raw != nil {
		trial.Recipients(&envelope)
		parsing := time.Now()
		msg := filters.ParseMessage(s.raw)
		o.parse = time.Since(parsing)
		o.Judged, o.at = trial.AtData(msg, s.auth), verdictlog.AtData
	}
	if o.Action >= rules.Defer {
		r := proxy.RefusalFor(g.Rules, &o.Verdict, id)
		o.reply = verdictlog.Reply{Code: r.Code, Enhanced: r.Enhanced, Text: r.Text}
	} else {
		o.reply = verdictlog.Reply{Code: 250, Enhanced: "2.0.0", Text: "Ok"}
	}
	o.total = time.Since(began)
	return o
}

// record is the verdict record of an outcome under g.
func (o outcome) record(g *proxy.Generation) verdictlog.Record {
	r := o.Judged.Record()
	r.ID = o.id
	r.Origin = verdictlog.Origin{Host: config.Machine(), Version: release}
	r.Rules = verdictlog.RulesID{Digest: g.Rules.Digest, Generation: g.Number}
	r.Verdict.At = o.at
	r.Verdict.Reply = o.reply
	r.Timing.Parse, r.Timing.Total = verdictlog.Micros(o.parse), verdictlog.Micros(o.total)
	r.Timing.DNS = g.DNSTime(r.Timing.Checks)
	return r
}
