package proxy

import (
	"context"
	"slices"
	"time"

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

	// Patience is how long a message that is delivered in any case waits at the end of DATA for what could still change
	// its score. One that is refused in any case does not wait.
	Patience time.Duration

	Candidate *Candidate // nil if no other rules are on trial
}

// Trial is the way of one message through a generation, from its sender to its verdict. A session makes one for each
// transaction; `weir check` and the rules' own tests make one without SMTP, so that all judge alike.
// One goroutine uses it, in the order of its methods.
type Trial struct {
	Mail   filters.Mail
	Policy *rules.Policy // of the recipients so far; nil before the first
	Shadow bool          // nothing is refused, so that all is delivered
	Whole  bool          // all checks are waited for: the same message always has the same verdict and record
	gen    *Generation
	pass   *filters.Pass
	whose  rules.Whose   // of the first recipient
	beside *filters.Pass // of the candidate; nil before the message has come, and without one
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
	Final   bool // nothing that was not waited for, nor at RCPT the message itself, can change the action

	Candidate *verdictlog.Candidate // of a final verdict, what the rules on trial would have done otherwise; nil if nothing
}

// Record composes the verdict record; the caller adds what only it knows.
func (j Judged) Record() verdictlog.Record {
	r := verdictlog.Compose(j.Mail, j.Results, j.Verdict)
	r.Candidate = j.Candidate
	return r
}

// Accepts reports whether the rules judge rcpt as they do the recipients before it, and remembers the policy of the first.
// A message has one verdict, so recipients that rules tell apart must come in different messages.
func (t *Trial) Accepts(rcpt string) bool {
	w := rules.Whose{Rcpt: rcpt}
	if s := t.Mail.Session; s != nil {
		w.User, w.Listener, w.Addr = s.User, s.Listener, s.Addr.Addr()
	}
	if e := t.Mail.Envelope; e != nil {
		w.Sender = e.From
	}
	if t.Policy != nil {
		return t.gen.Rules.Alike(t.whose, w)
	}
	t.Policy, t.whose = t.gen.Rules.PolicyFor(w), w
	m := t.Mail
	if rcpt != "" {
		m.Envelope = &filters.Envelope{From: w.Sender, To: []string{rcpt}}
	}
	t.pass.Address(m)
	return true
}

// AtRcpt judges what is known of client, sender and first recipient under the policy of the recipients. It waits only for
// checks that could refuse alone, or could let pass what another refuses, and not for the former once one has. Only a final refusal is to be acted on now; the rest is weighed at
// the end of DATA.
func (t *Trial) AtRcpt() Judged {
	var refusers, allowers map[string]bool
	results, open := t.pass.Until(filters.Addressed, nil, func(done []filters.Result, open []*filters.Check) bool {
		if refusers == nil {
			refusers, allowers = scoring.Refusers(t.gen.Rules, t.Policy), scoring.Allowers(t.gen.Rules, t.Policy)
		}
		switch {
		case t.Whole:
			return false
		case t.refused(done, open):
			return !mayReport(open, allowers)
		}
		return !mayReport(open, refusers)
	})
	t.know(results)
	j := t.judge(results, open)
	if j.Final = j.By == scoring.ByHard && t.refused(results, open); j.Final {
		j.Candidate = t.gen.Candidate.judge(j, nil, t.whose, open)
	}
	return j
}

// mayReport reports whether one of the checks may report one of the symbols.
func mayReport(checks []*filters.Check, symbols map[string]bool) bool {
	return slices.ContainsFunc(symbolsOf(checks), func(name string) bool { return symbols[name] })
}

// refused reports whether a hard symbol refuses, whatever else follows.
func (t *Trial) refused(done []filters.Result, open []*filters.Check) bool {
	later := symbolsOf(open)
	for _, c := range t.gen.Checks.Checks() {
		if c.Stage > filters.Addressed {
			later = append(later, c.Symbols...)
		}
	}
	return scoring.Refuses(t.gen.Rules, t.Policy, scoring.FactsOf(t.Mail, done), later)
}

// Recipients starts what waits for the envelope to be complete.
func (t *Trial) Recipients(e *filters.Envelope) {
	t.Mail.Envelope = e
	t.know(t.needed(filters.Sender))
	t.pass.Reach(filters.Recipients, t.Mail)
}

// AtData judges the whole message. auth, if not nil, is taken as proven instead of what the checks find.
//
// When all that is open could come out either way and the action would still be the same, the verdict does not wait for
// it: at once if the message is refused, else when the generation's Patience is over. Only optional checks can be left
// open. What others read (who is proven to have sent it) and what counts messages (bulk, greylisting) is always waited
// for, since a message that is not counted would make the counts of the next one wrong.
func (t *Trial) AtData(msg *filters.Message, auth *filters.Auth) Judged {
	t.Mail.Message = msg
	t.behind()
	t.pass.Reach(filters.Body, t.Mail)
	t.beside = t.gen.Candidate.begin(t.Mail)
	t.know(t.needed(filters.Body))
	if auth != nil {
		t.Mail.Auth = auth
	}
	t.pass.Reach(filters.Proven, t.Mail)
	began, patience := time.Now(), time.NewTimer(t.gen.Patience)
	defer patience.Stop()
	t.know(t.needed(filters.Proven))
	if auth != nil {
		given := *auth
		given.DMARC = t.Mail.Auth.DMARC
		t.Mail.Auth = &given
	}
	results, open := t.pass.Until(filters.Proven, patience.C, func(done []filters.Result, open []*filters.Check) bool {
		r := t.bounds(done, open)
		refused := r.Low.Action >= rules.Defer && !t.Shadow
		return !t.Whole && r.Certain() && (refused || time.Since(began) >= t.gen.Patience)
	})
	j := t.judge(results, open)
	j.Final = true
	j.Candidate = t.gen.Candidate.judge(j, t.beside, t.whose, open)
	return j
}

// behind puts the client from whom a relay of ours had the message in the relay's place, and starts what has waited for it.
func (t *Trial) behind() {
	m, relayed := t.gen.Checks.Behind(t.Mail)
	if !relayed {
		return
	}
	t.Mail = m
	t.pass.Reach(filters.Connect, m)
	t.pass.Reach(filters.Sender, m)
	t.pass.Reach(filters.Addressed, m)
	t.know(t.needed(filters.Sender))
	t.pass.Reach(filters.Recipients, t.Mail)
}

// needed waits for the checks of the stages up to s that are not optional.
func (t *Trial) needed(s filters.Stage) []filters.Result {
	results, _ := t.pass.Until(s, nil, func(_ []filters.Result, open []*filters.Check) bool {
		return !slices.ContainsFunc(open, isNeeded)
	})
	return results
}

func isNeeded(c *filters.Check) bool { return !c.Optional }

// bounds is what the verdict can still become.
func (t *Trial) bounds(done []filters.Result, open []*filters.Check) scoring.Range {
	return scoring.Bounds(t.gen.Rules, t.Policy, scoring.FactsOf(t.Mail, done), symbolsOf(open))
}

func symbolsOf(checks []*filters.Check) []string {
	var all []string
	for _, c := range checks {
		all = append(all, c.Symbols...)
	}
	return all
}

// End stops what still runs for this message.
func (t *Trial) End() {
	t.pass.End()
	if t.beside != nil {
		t.beside.End()
	}
}

// Wait returns when no check reads the message any more.
func (t *Trial) Wait() {
	t.pass.Wait()
	if t.beside != nil {
		t.beside.Wait()
	}
}

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

// judge judges what is there, and says of what is open what it could have changed.
func (t *Trial) judge(done []filters.Result, open []*filters.Check) Judged {
	v := scoring.Judge(t.gen.Rules, t.Policy, scoring.FactsOf(t.Mail, done))
	if len(open) > 0 {
		r := t.bounds(done, open)
		v.Early = &scoring.Early{Low: r.Low.Points, High: r.High.Points}
		for _, c := range open {
			v.Early.Open = append(v.Early.Open, scoring.Open{Check: c.Name, Rule: c.Rule, Symbols: c.Symbols})
		}
	}
	return Judged{Verdict: v, Mail: t.Mail, Results: done}
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
