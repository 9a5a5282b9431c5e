package proxy

import (
	"context"
	"slices"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

// Candidate is rules on trial beside those in force. They judge the same messages and decide nothing: where they would have
// acted otherwise, the record says so.
//
// Of what they look for, only the patterns that differ are run besides, in a pipeline of their own. What they would ask
// others in another way (a zone, a window of bulk, a wait) nobody asks twice; where it could change their action, that is
// not known, and nothing is guessed.
type Candidate struct {
	Rules    *rules.Set
	Checks   *filters.Pipeline // its budget bounds how long a message may wait for it
	Patterns []string          // the symbols of Checks
	Unasked  []string          // the symbols that they would seek in another way, and nobody does
}

// begin starts on a message; nil if there is no candidate.
func (c *Candidate) begin(m filters.Mail) *filters.Pass {
	if c == nil {
		return nil
	}
	pass := c.Checks.Begin(context.Background()) // ends with the trial, or the budget
	pass.Reach(filters.Body, m)
	return pass
}

// judge is what the candidate would have done otherwise than j, which came about while the checks of open had not
// answered; nil if nothing. own is its pass, nil before the message has come; whose are the circumstances of the message.
func (c *Candidate) judge(j Judged, own *filters.Pass, whose rules.Whose, open []*filters.Check) *verdictlog.Candidate {
	if c == nil {
		return nil
	}
	unknown := append(symbolsOf(open), c.Unasked...)
	facts := scoring.FactsOf(j.Mail, j.Results)
	facts.Hits = slices.DeleteFunc(facts.Hits, func(h filters.Hit) bool {
		return slices.Contains(c.Unasked, h.Symbol) || slices.Contains(c.Patterns, h.Symbol)
	})
	facts.Hits = c.who(facts.Hits, j.Mail, whose)
	whole := own != nil
	if whole {
		for _, r := range own.Results(filters.Body) {
			facts.Hits = append(facts.Hits, r.Hits...)
			if len(r.Problems) > 0 {
				unknown = append(unknown, c.Patterns...)
			}
		}
	}
	p := c.Rules.PolicyFor(whose)
	v := scoring.Judge(c.Rules, p, facts)
	said := &verdictlog.Candidate{Action: v.Action, Score: v.Points, Rules: c.Rules.Digest}
	switch {
	case !whole && v.By != scoring.ByHard:
		said.Unknown = []string{verdictlog.UnknownMessage}
	case whole && !scoring.Bounds(c.Rules, p, facts, unknown).Certain():
		said.Unknown = unknown
	case v.Action == j.Action:
		return nil
	}
	return said
}

// who is hits with what the candidate's rules with `who:` make of the message, instead of what those in force do.
func (c *Candidate) who(hits []filters.Hit, m filters.Mail, whose rules.Whose) []filters.Hit {
	to, proven := []string{whose.Rcpt}, []string(nil)
	if m.Envelope != nil && len(m.Envelope.To) > 0 {
		to = m.Envelope.To
	}
	if m.Auth != nil {
		proven = m.Auth.Domains
	}
	for i := range c.Rules.Who {
		r := &c.Rules.Who[i]
		hits = slices.DeleteFunc(hits, func(h filters.Hit) bool { return h.Symbol == r.Symbol })
		if r.Holds(whose, to, proven) {
			hits = append(hits, filters.Hit{Symbol: r.Symbol})
		}
	}
	return hits
}
