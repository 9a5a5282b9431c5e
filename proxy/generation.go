package proxy

import (
	"context"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

// Generation is one state of the rules with the checks that serve them. It is immutable; a reload makes a new one,
// and a session keeps the one it began with.
type Generation struct {
	Number int
	Rules  *rules.Set
	Checks *filters.Pipeline
}

// Trial is the way of one message through a generation, from its sender to its verdict. A session makes one for each
// transaction; `weir check` and the rules' own tests make one without SMTP, so that all judge alike.
// One goroutine uses it, in the order of its methods.
type Trial struct {
	Mail   filters.Mail
	Policy *rules.Policy // of the recipients so far; nil before the first
	gen    *Generation
	pass   *filters.Pass
}

// NewTrial starts the trial of a message whose session and sender are in m. conn is the pass of its connection, on
// which Reach(Connect) was called.
func NewTrial(g *Generation, conn *filters.Pass, m filters.Mail) *Trial {
	t := &Trial{Mail: m, gen: g, pass: conn.Message()}
	t.pass.Reach(filters.Sender, m)
	return t
}

// Judged is a verdict and what it was reached by.
type Judged struct {
	scoring.Verdict
	Mail    filters.Mail
	Results []filters.Result
}

// Record composes the verdict record; the caller adds what only it knows.
func (j Judged) Record() verdictlog.Record { return verdictlog.Compose(j.Mail, j.Results, j.Verdict) }

// Accepts reports whether rcpt is under the same policy as the recipients before it, and remembers the policy of the
// first. A message has one verdict, so recipients of different policies must come in different messages.
func (t *Trial) Accepts(rcpt string) bool {
	w := rules.Whose{Rcpt: rcpt}
	if s := t.Mail.Session; s != nil {
		w.User, w.Listener, w.Addr = s.User, s.Listener, s.Addr.Addr()
	}
	if e := t.Mail.Envelope; e != nil {
		w.Sender = e.From
	}
	p := t.gen.Rules.PolicyFor(w)
	if t.Policy == nil {
		t.Policy = p
	}
	return t.Policy == p
}

// AtRcpt waits for what is known of client and sender, and judges it under the policy of the recipients. Only a hard
// refusal (scoring.ByHard) is to be acted on now; the rest is weighed at the end of DATA.
func (t *Trial) AtRcpt() Judged {
	results := t.pass.Results(filters.Sender)
	t.know(results)
	return t.judge(results)
}

// Recipients starts what waits for the envelope to be complete.
func (t *Trial) Recipients(e *filters.Envelope) {
	t.Mail.Envelope = e
	t.know(t.pass.Results(filters.Sender))
	t.pass.Reach(filters.Recipients, t.Mail)
}

// AtData judges the whole message. auth, if not nil, is taken as proven instead of what the checks find.
func (t *Trial) AtData(msg *filters.Message, auth *filters.Auth) Judged {
	t.Mail.Message = msg
	t.pass.Reach(filters.Body, t.Mail)
	t.know(t.pass.Results(filters.Body))
	if auth != nil {
		t.Mail.Auth = auth
	}
	t.pass.Reach(filters.Proven, t.Mail)
	results := t.pass.Results(filters.Proven)
	return t.judge(results)
}

// End stops what still runs for this message.
func (t *Trial) End() { t.pass.End() }

// Wait returns when no check reads the message any more.
func (t *Trial) Wait() { t.pass.Wait() }

// know adds to the mail what checks have learnt of it.
func (t *Trial) know(results []filters.Result) {
	facts := filters.Gather(results)
	if facts.Auth != nil {
		t.Mail.Auth = facts.Auth
	}
	if r := facts.Reverse; r != nil && t.Mail.Session != nil {
		s := *t.Mail.Session
		s.ReverseName, s.ReverseOK, s.ReverseKnown = r.Name, r.OK, true
		t.Mail.Session = &s
	}
}

func (t *Trial) judge(results []filters.Result) Judged {
	v := scoring.Judge(t.gen.Rules, t.Policy, scoring.FactsOf(t.Mail, results))
	return Judged{Verdict: v, Mail: t.Mail, Results: results}
}

// DNSTime is the time of the slowest check of client and sender, which have only DNS to wait for; took is by check.
func (g *Generation) DNSTime(took map[string]int64) int64 {
	var slowest int64
	for _, c := range g.Checks.Checks() {
		if c.Stage <= filters.Sender {
			slowest = max(slowest, took[c.Name])
		}
	}
	return slowest
}

// BeginConnection starts the pass of one connection and the checks that need only the client's address.
func (g *Generation) BeginConnection(ctx context.Context, m filters.Mail) *filters.Pass {
	pass := g.Checks.Begin(ctx)
	pass.Reach(filters.Connect, m)
	return pass
}
