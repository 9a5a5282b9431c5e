package proxy

import (
	"strings"
	"time"

	"weir/filters"
	"weir/proxy/backend"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

const (
	maxHops    = 100 // Received lines, after which a message goes in circles (RFC 5321 6.3)
	maxRefused = 100 // refused recipients that a record names
)

// transaction is one message on its way from MAIL to the final reply.
type transaction struct {
	gate     *gate
	id       string
	began    time.Time
	from     path
	params   []string // of MAIL
	trial    *Trial
	judged   *Judged  // the verdict so far; nil before the first recipient
	to       []string // the recipients that the backend has accepted
	accepted []string // the same with their parameters
	refused  []verdictlog.RcptRejected
	spare    *backend.Conn // of the transaction before, at rest
	behind   *backend.Conn // nil before the first recipient is passed on, and when it has failed
	account  account
}

// account is what the record says beyond the verdict.
type account struct {
	at       string     // how far the transaction came
	by       scoring.By // who refused, if not the verdict
	last     Reply      // the last refusal
	addr     string     // the backend's
	answer   string     // its last word
	parse    time.Duration
	backend  time.Duration
	stripped int
	marked   int
	done     bool
}

// byFront is the decider of refusals that are neither the rules' nor the backend's: limits and protocol.
const byFront scoring.By = "front"

func newTransaction(g *gate, spare *backend.Conn) *transaction {
	now := time.Now()
	t := &transaction{
		gate: g, spare: spare, id: verdictlog.NewID(now), began: now, from: g.cmd.path, params: g.cmd.params,
	}
	t.account.at = verdictlog.AtRcpt
	facts := g.client.session()
	facts.Hello, facts.Proto = g.state.hello, g.protocol()
	t.trial = NewTrial(g.client.gen, g.client.pass, filters.Mail{
		At: now, Session: facts, Envelope: &filters.Envelope{From: t.from.address},
	})
	t.trial.Shadow = g.server.Shadow
	return t
}

// rcpt decides on one recipient: whether it is ours, whether the rules let this client come to it, and whether the
// backend takes it.
func (t *transaction) rcpt(to path, params []string) Reply {
	s := t.gate.server
	relay := t.gate.client.settings.Relay
	if relay != nil && t.gate.client.user == "" && !to.bare && (to.routed() || !relay(to.domain())) {
		return t.front(replyRelay)
	}
	if len(t.to) == 0 {
		t.trial.Policy = nil // recipients refused bind nobody
	}
	before := t.trial.Policy
	if !t.trial.Accepts(to.address) && !s.Shadow {
		return replyPolicySplit
	}
	if before == nil {
		judged := t.trial.AtRcpt()
		t.judged = &judged
	}
	if t.judged.Final && !s.Shadow {
		t.account.by = ""
		return RefusalFor(t.gate.client.gen.Rules, &t.judged.Verdict, t.id)
	}
	reply := t.offer(to, params)
	if reply.Code/100 == 2 {
		t.to = append(t.to, to.address)
		t.accepted = append(t.accepted, strings.Join(append([]string{to.wire()}, params...), " "))
	}
	return reply
}

// rejected remembers the refusal of a recipient.
func (t *transaction) rejected(to path, r Reply) {
	t.account.last = r
	if len(t.refused) < maxRefused {
		t.refused = append(t.refused, verdictlog.RcptRejected{To: to.address, Reply: r.String()})
	}
}

// front marks a refusal as ours.
func (t *transaction) front(r Reply) Reply {
	t.account.by = byFront
	return r
}

// notReceived is the reply to a message that did not arrive whole or is too large.
func (t *transaction) notReceived(err error) Reply {
	reply := replyOf(err)
	if reply == replyFault || reply == replyNoSpace || reply == replyBusy {
		t.gate.server.logger().Error("taking a message", "session", t.gate.client.id, "err", err)
	}
	if reply != replyTimeout { // a client that is gone has decided nothing
		t.account.at = verdictlog.AtData
		t.record(t.front(reply))
	}
	return reply
}

// conclude answers a message: as before, if it came before and its client did not hear the answer, else by decide.
func (t *transaction) conclude(raw []byte) Reply {
	g := t.gate
	life := g.client.settings.Dialogue.FinalDot
	if life == 0 {
		return t.decide(raw)
	}
	key, dots := t.key(raw), &g.server.dots
	if reply, ok := dots.answered(g.client.ctx, key, life); ok {
		t.judged = &Judged{Mail: t.trial.Mail, Verdict: unjudged()}
		t.account.at, t.account.answer = verdictlog.AtData, "delivered before: "+reply.String()
		t.record(t.front(reply))
		dots.begin(g, key).answer(reply)
		return reply
	}
	mine, reply := dots.begin(g, key), replyFault
	defer func() { mine.answer(reply) }() // also after a panic
	reply = t.decide(raw)
	return reply
}

// decide judges the message and does what the verdict says.
func (t *transaction) decide(raw []byte) Reply {
	s := t.gate.server
	began := time.Now()
	msg := filters.ParseMessage(raw)
	t.account.parse = time.Since(began)
	judged := t.trial.AtData(msg, nil)
	t.judged, t.account.at, t.account.by = &judged, verdictlog.AtData, ""
	var reply Reply
	switch {
	case len(msg.Header("Received")) > maxHops:
		reply = t.front(replyTooManyHops)
	case judged.Action >= rules.Defer && !s.Shadow:
		reply = RefusalFor(t.gate.client.gen.Rules, &judged.Verdict, t.id)
	default:
		reply = t.forward(raw)
	}
	t.record(reply)
	return reply
}

// end closes the transaction, whichever way it went, and returns the backend's connection if there is one, at rest.
func (t *transaction) end() *backend.Conn {
	t.trial.End()
	if !t.account.done && len(t.refused) > 0 {
		t.record(t.account.last)
	}
	if t.behind != nil {
		t.behind.Rest()
		return t.behind
	}
	return t.spare
}

// free gives the message back when no check can be reading it any more: a late one may be.
func (t *transaction) free(m *spool) {
	if !m.mapped {
		t.close(m)
		return
	}
	t.trial.End()
	go func() { // ends with the last check
		t.trial.Wait()
		t.close(m)
	}()
}

func (t *transaction) close(m *spool) {
	if err := m.close(); err != nil {
		t.gate.server.logger().Error("closing the spool", "err", err)
	}
}

// protocol names what is spoken, as Received lines do (RFC 3848, RFC 6531 3.7.3).
func (g *gate) protocol() string {
	name := "SMTP"
	switch {
	case g.state.asUTF8:
		name = "UTF8SMTP"
	case g.state.esmtp:
		name = "ESMTP"
	}
	if name != "SMTP" && g.client.tls != "" {
		name += "S"
	}
	if name != "SMTP" && g.client.user != "" {
		name += "A"
	}
	return name
}

// withParam reports whether MAIL had the parameter with this value.
func (t *transaction) withParam(name, value string) bool {
	c := command{params: t.params}
	got, ok := c.param(name)
	return ok && strings.EqualFold(got, value)
}
