package proxy

import (
	"strings"

	"weir/filters"
	"weir/rules"
)

// learn lets the checks that count outcomes know what became of a transaction that ends with this reply, and the
// operator that a user's mail is refused. What a trial in shadow would have refused counts as what became of it.
func (t *transaction) learn(reply Reply) {
	c := t.gate.client
	if c.gen == nil || t.judged == nil {
		return
	}
	ours := t.account.by == byFront
	o := filters.Outcome{
		Delivered: reply.Code/100 == 2 && !ours,
		Marked:    t.judged.Action >= rules.Tag,
		Refused:   t.judged.Action >= rules.Defer && t.account.by == "" && !t.gate.server.Shadow,
	}
	o.Deferred, o.Facts = o.Refused && t.judged.Action == rules.Defer, filters.Gather(t.judged.Results)
	for _, r := range t.refused {
		if strings.HasPrefix(r.Reply, "5") {
			o.RcptNo++
		}
	}
	log := t.gate.server.logger()
	for _, p := range c.gen.Checks.Learn(c.ctx, t.judged.Mail, o) {
		log.Warn("learning from a message", "id", t.id, "check", p.Check, "err", p.Detail)
	}
	if o.Refused && c.user != "" && t.gate.server.rates.told.within(c, 1) {
		log.Warn("a user's mail is refused", "user", c.user, "client", c.addr, "id", t.id,
			"action", t.judged.Action, "score", t.judged.Points, "because", t.because())
	}
}

// because names the heaviest symbols against the sender.
func (t *transaction) because() string {
	const few = 3
	var names []string
	for _, l := range t.judged.Why {
		if (l.Points > 0 || strings.HasPrefix(l.Rule, "hard:")) && len(names) < few {
			names = append(names, l.Rule)
		}
	}
	return strings.Join(names, " ")
}
