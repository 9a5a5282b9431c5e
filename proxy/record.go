package proxy

import (
	"runtime/debug"
	"time"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

// Recorder takes a record and the message as it was judged, nil where none has come. It must neither block nor read the
// message once it has returned.
type Recorder func(r verdictlog.Record, message []byte)

// record hands over the record of a transaction that ends with this reply to its client.
func (t *transaction) record(reply Reply) {
	t.account.done = true
	t.learn(reply)
	s := t.gate.server
	if s.Record == nil {
		return
	}
	defer func() { // what becomes of the message is decided, whatever happens to its record
		if cause := recover(); cause != nil {
			s.panicked(t.gate.client, cause, debug.Stack())
		}
	}()
	judged := Judged{Mail: t.trial.Mail, Verdict: unjudged()}
	if t.judged != nil {
		judged = *t.judged
	}
	r := judged.Record()
	r.ID = t.id
	s.sign(&r, t.gate.client)
	r.Envelope.To = append([]string{}, t.to...)
	r.Envelope.RcptRejected = t.refused
	if r.Message != nil {
		r.Message.Stripped, r.Message.Marked = t.account.stripped, t.account.marked
	}
	r.Verdict.At = t.account.at
	r.Verdict.Shadow = s.Shadow && judged.Action >= rules.Defer && t.account.by == ""
	if t.account.by != "" && reply.Code/100 != 2 {
		r.Verdict.By, r.Verdict.Action = t.account.by, actionOf(reply)
	}
	r.Verdict.Reply = recorded(reply)
	r.Timing = t.timing(r.Timing)
	if t.account.addr != "" || t.account.answer != "" {
		r.Backend = &verdictlog.Backend{Addr: t.account.addr, Reply: t.account.answer}
	}
	var message []byte
	if judged.Mail.Message != nil {
		message = judged.Mail.Message.Raw()
	}
	s.Record(r, message)
}

// recordRefused hands over the record of a client that was not let in.
func (s *Server) recordRefused(c *client, reply Reply) {
	if s.Record == nil {
		return
	}
	judged := Judged{Mail: filters.Mail{At: c.accepted, Session: c.session()}, Verdict: unjudged()}
	r := judged.Record()
	r.ID = c.id
	s.sign(&r, c)
	r.Verdict.At, r.Verdict.By, r.Verdict.Action = verdictlog.AtConnect, byFront, actionOf(reply)
	r.Verdict.Reply = recorded(reply)
	r.Timing.Total = verdictlog.Micros(time.Since(c.accepted))
	s.Record(r, nil)
}

// sign says who judged, and by which rules.
func (s *Server) sign(r *verdictlog.Record, c *client) {
	r.Origin = verdictlog.Origin{Host: s.Hostname, Version: s.Version}
	if c.gen != nil {
		r.Rules = verdictlog.RulesID{Digest: c.gen.Rules.Digest, Generation: c.gen.Number}
	}
}

// timing fills in what the checks do not know.
func (t *transaction) timing(known verdictlog.Timing) verdictlog.Timing {
	known.Connect = verdictlog.Micros(t.began.Sub(t.gate.client.accepted))
	known.Parse = verdictlog.Micros(t.account.parse)
	known.Backend = verdictlog.Micros(t.account.backend)
	known.Total = verdictlog.Micros(time.Since(t.began))
	known.DNS = t.gate.client.gen.DNSTime(known.Checks)
	return known
}

// unjudged is the verdict on what no rule has looked at.
func unjudged() scoring.Verdict {
	return scoring.Verdict{Thresholds: rules.NoThresholds()}
}

// actionOf is the action that a refusal amounts to.
func actionOf(r Reply) rules.Action {
	if r.Code/100 == 5 {
		return rules.Reject
	}
	return rules.Defer
}

func recorded(r Reply) verdictlog.Reply {
	return verdictlog.Reply{Code: r.Code, Enhanced: r.Enhanced, Text: r.Text}
}
