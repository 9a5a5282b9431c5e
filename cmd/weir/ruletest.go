package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/filters"
	"weir/filters/attachment"
	"weir/filters/html"
	"weir/filters/lookup"
	"weir/filters/pattern"
	"weir/filters/store"
	"weir/rules"
	"weir/rules/strict"
)

// failure is a test of the rules that did not come out as it says.
type failure struct {
	Name string     `json:"name"`
	Src  strict.Src `json:"-"`
	At   string     `json:"src"`
	Text string     `json:"text"`
}

// testReport is the outcome of all tests written in a rule set.
type testReport struct {
	Proofs, Tests int
	Failures      []failure
	seen          map[string]bool // the symbols that some test has had present
}

func (r *testReport) fail(name string, src strict.Src, format string, args ...any) {
	r.Failures = append(r.Failures, failure{Name: name, Src: src, At: src.String(), Text: fmt.Sprintf(format, args...)})
}

// place makes the places of failures ones that can be opened from here; path is that of the rules.
func (r *testReport) place(path string) {
	for i := range r.Failures {
		f := &r.Failures[i]
		f.At = placed(f.Src, path).String()
	}
}

// testRules runs the hit/miss proofs and the whole-message tests of set. It touches no network and no shared state:
// each test has its own DNS and counts from nothing. patterns is the check of the set's patterns.
func testRules(ctx context.Context, set *rules.Set, patterns filters.Check) testReport {
	r := testReport{seen: map[string]bool{}}
	r.prove(ctx, set, patterns)
	for _, t := range set.Tests {
		r.Tests++
		zone, err := lookup.MapZone(t.DNS)
		if err != nil {
			r.fail(t.Name, t.Src, "%s: dns: %v", t.Name, err)
			continue
		}
		own := parts{resolver: lookup.FromZone(zone), store: store.NewMemory(1 << 20), dnsBudget: time.Second}
		o := judge(ctx, newGeneration(set, checks(set, patterns, own), 10*time.Second), submissionOf(t))
		own.resolver.Close()
		for name := range present(o) {
			r.seen[name] = true
		}
		for _, d := range differences(t.Want, o) {
			r.fail(t.Name, t.Src, "%s: %s", t.Name, d)
		}
	}
	return r
}

// prove runs the proofs beside the rules, those of patterns through patterns, the set's own.
func (r *testReport) prove(ctx context.Context, set *rules.Set, patterns filters.Check) {
	r.Proofs = len(set.Proofs)
	for _, f := range set.CheckCombos() {
		r.fail(f.Code, f.Src, "%s", f.Text)
	}
	trials := trialsOf(set.Matchers, patterns)
	for _, proof := range set.Proofs {
		trial, ok := trials[proof.Rule]
		if !ok {
			continue // a `when:` rule, proven above
		}
		said, err := trial.check.Run(ctx, filters.Mail{Message: trial.sample(proof.Text)})
		hit := slices.ContainsFunc(said.Hits, func(h filters.Hit) bool { return h.Symbol == proof.Rule })
		switch {
		case err != nil:
			r.fail(proof.Rule, proof.Src, "%v", err)
		case hit != proof.Hit:
			r.fail(proof.Rule, proof.Src, "%s: want %s, got %s on %q", proof.Rule, hitOrMiss(proof.Hit), hitOrMiss(hit), proof.Text)
		}
	}
}

// trial is how the proofs of one rule are run: the check that looks for it, and what makes a message of their texts.
type trial struct {
	check  filters.Check
	sample func(text string) *filters.Message
}

// trialsOf are the trials of all rules that look into messages, by their symbols.
func trialsOf(all rules.Matchers, patterns filters.Check) map[string]trial {
	trials := map[string]trial{}
	for _, p := range all.Patterns {
		trials[p.Symbol] = trial{patterns, func(text string) *filters.Message { return pattern.Sample(p, text) }}
	}
	files, elements := attachment.New(all.Attachments), html.New(all.Elements)
	for _, a := range all.Attachments {
		trials[a.Symbol] = trial{files, attachment.Sample}
	}
	for _, e := range all.Elements {
		trials[e.Symbol] = trial{elements, html.Sample}
	}
	return trials
}

func hitOrMiss(hit bool) string {
	if hit {
		return "a hit"
	}
	return "a miss"
}

func submissionOf(t rules.Test) submission {
	s := submission{at: t.At, client: t.Session.IP, from: t.Session.From, to: t.Session.To}
	s.session.Hello, s.session.User, s.session.Listener = t.Session.Helo, t.Session.User, t.Session.Listener
	if t.Session.RDNS != "" {
		s.session.ReverseName, s.session.ReverseOK, s.session.ReverseKnown = t.Session.RDNS, true, true
	}
	if t.Message != "" {
		s.raw = []byte(strings.ReplaceAll(strings.ReplaceAll(t.Message, "\r\n", "\n"), "\n", "\r\n"))
	}
	if t.Auth != nil {
		s.auth = proven(t.Auth...)
		for _, d := range s.auth.Domains {
			s.auth.DKIM = append(s.auth.DKIM, filters.Signature{Domain: d, Result: "pass"})
		}
	}
	return s
}

// differences lists in words where o is not as want says.
func differences(want rules.Want, o outcome) []string {
	var out []string
	differ := func(what string, want, got any) {
		out = append(out, fmt.Sprintf("want %s %v, got %v", what, want, got))
	}
	if want.Action != nil && *want.Action != o.Action {
		differ("action", *want.Action, fmt.Sprintf("%s at %s points (%s)", o.Action, o.Points, lineNames(o)))
	}
	if want.At != "" && want.At != o.at {
		differ("at", want.At, o.at)
	}
	if want.Code != 0 && want.Code != o.reply.Code {
		differ("code", want.Code, o.reply.Code)
	}
	if !strings.Contains(o.reply.Text, want.Reply) {
		differ("a reply with", fmt.Sprintf("%q", want.Reply), fmt.Sprintf("%q", o.reply.Text))
	}
	if want.Score != nil && *want.Score != o.Points {
		differ("score", *want.Score, fmt.Sprintf("%s (%s)", o.Points, lineNames(o)))
	}
	if want.Policy != "" && want.Policy != o.Policy {
		differ("policy", want.Policy, o.Policy)
	}
	return append(out, missing(want, o)...)
}

// present are the symbols of o, whatever they are worth.
func present(o outcome) map[string]bool {
	symbols := map[string]bool{}
	for _, result := range o.Results {
		for _, h := range result.Hits {
			symbols[h.Symbol] = true
		}
	}
	for _, l := range slices.Concat(o.Why, o.Shadow) {
		symbols[l.Rule] = true
	}
	return symbols
}

// missing compares the symbols and errors wanted with those there.
func missing(want rules.Want, o outcome) []string {
	symbols := present(o)
	failed := map[string]bool{}
	for _, result := range o.Results {
		for _, p := range result.Problems {
			failed[p.Rule], failed[p.Check] = true, true
		}
	}
	var out []string
	for _, name := range want.Hits {
		if !symbols[name] {
			out = append(out, fmt.Sprintf("want the symbol %s, got %s", name, lineNames(o)))
		}
	}
	for _, name := range want.Misses {
		if symbols[name] {
			out = append(out, fmt.Sprintf("want no symbol %s, got it", name))
		}
	}
	for _, name := range want.Errors {
		if !failed[name] {
			out = append(out, fmt.Sprintf("want an error of %s, got none", name))
		}
	}
	return out
}

func lineNames(o outcome) string {
	if len(o.Why) == 0 {
		return "no symbols"
	}
	var names []string
	for _, l := range o.Why {
		names = append(names, l.Rule)
	}
	return strings.Join(names, " ")
}
