// Package who looks at whom a message is from and for: rules with `who:`.
package who

import (
	"context"
	_ "embed"
	"strings"

	"weir/filters"
	"weir/rules"
)

// Readme is the manual of the check.
//
//go:embed README.md
var Readme string

// New makes the checks of the rules, one for each stage at which all is known that some of them read.
func New(all []rules.Who) []filters.Check {
	var checks []filters.Check
	for _, stage := range []filters.Stage{filters.Connect, filters.Sender, filters.Addressed, filters.Proven} {
		var mine []rules.Who
		var symbols []string
		for _, r := range all {
			if stageOf(&r) == stage {
				mine, symbols = append(mine, r), append(symbols, r.Symbol)
			}
		}
		if mine == nil {
			continue
		}
		checks = append(checks, filters.Check{
			Name: "who", Doc: "Whom a message is from and for.", Stage: stage, Symbols: symbols,
			Run: func(_ context.Context, m filters.Mail) (filters.Report, error) {
				return filters.Report{Hits: hits(mine, m)}, nil
			},
		})
	}
	return checks
}

// stageOf is the earliest stage at which all that the rule reads is known.
func stageOf(r *rules.Who) filters.Stage {
	switch {
	case r.AsksProof():
		return filters.Proven
	case r.AsksRecipient():
		return filters.Addressed
	case r.AsksSender():
		return filters.Sender
	}
	return filters.Connect
}

func hits(all []rules.Who, m filters.Mail) []filters.Hit {
	var whose rules.Whose
	var to, proven []string
	if s := m.Session; s != nil {
		whose = rules.Whose{User: s.User, Listener: s.Listener, Addr: s.Addr.Addr()}
	}
	if e := m.Envelope; e != nil {
		whose.Sender, to = e.From, e.To
	}
	if m.Auth != nil {
		proven = m.Auth.Domains
	}
	var found []filters.Hit
	for i := range all {
		if r := &all[i]; r.Holds(whose, to, proven) {
			found = append(found, filters.Hit{Symbol: r.Symbol, Detail: detail(r, whose, proven)})
		}
	}
	return found
}

// detail is what of a message a rule has looked at, apart from its recipients, whom the record names.
func detail(r *rules.Who, w rules.Whose, proven []string) string {
	var words []string
	if w.Addr.IsValid() {
		words = append(words, w.Addr.Unmap().String())
	}
	if r.AsksSender() && w.User != "" {
		words = append(words, "user "+w.User)
	}
	if r.AsksSender() {
		words = append(words, "<"+w.Sender+">")
	}
	if r.AsksProof() {
		words = append(words, "proven: "+strings.Join(proven, " "))
	}
	return strings.Join(words, ", ")
}
