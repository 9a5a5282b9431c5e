// Package pattern runs the rules that read a message by regular expressions, all in one pass.
//
// The expressions of all rules are gathered by what they read: each header, the visible text, the hosts of links,
// the links. Where they are many, an RE2 set finds in one pass those that may match, and only these are tried one by
// one by package regexp, which has the last word and shows where. Few expressions are tried one by one at once.
package pattern

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/filters"
	"weir/rules"
)

// Readme is the manual of the check.
//
//go:embed README.md
var Readme string

// patience is how long all patterns together may take for one message. Ordinary ones take less than a thousandth of it;
// what was found by then counts.
const patience = 2 * time.Second

// Slow is the symbol of a message whose text takes the expressions so long that some have read its beginning alone.
const Slow = "TEXT_SLOW"

// maxEvidence is how many excerpts the detail of a hit shows.
const maxEvidence = 3

// scanner holds all patterns, ready to run.
type scanner struct {
	patterns []rules.Pattern
	targets  []target
}

// target is one part of messages and the expressions that read it.
type target struct {
	where  rules.Where
	header string // lower case, for rules.InHeader
	finder *finder
	owners []owner // of the finder's expressions, by number
}

// owner says which expression of which pattern one is.
type owner struct{ pattern, expression int }

// New makes the check of all patterns. It compiles them, which takes a second for some thousand. An expression
// that does not compile is an error.
func New(patterns []rules.Pattern) (filters.Check, error) {
	s, err := newScanner(patterns)
	if err != nil {
		return filters.Check{}, err
	}
	check := filters.Check{
		Name:  "pattern",
		Doc:   "Rules that read headers, the visible text and links by regular expressions",
		Stage: filters.Body,
		Run:   s.run,
	}
	check.Symbols = append(check.Symbols, Slow)
	for _, p := range patterns {
		check.Symbols = append(check.Symbols, p.Symbol)
	}
	return check, nil
}

func newScanner(patterns []rules.Pattern) (*scanner, error) {
	s := &scanner{patterns: patterns}
	index := map[string]int{}
	var expressions [][]string
	for i, p := range patterns {
		header := strings.ToLower(p.Header)
		key := fmt.Sprint(p.Where, header)
		at, seen := index[key]
		if !seen {
			at = len(s.targets)
			index[key] = at
			s.targets = append(s.targets, target{where: p.Where, header: header})
			expressions = append(expressions, nil)
		}
		for j, expression := range p.Any {
			s.targets[at].owners = append(s.targets[at].owners, owner{i, j})
			expressions[at] = append(expressions[at], expression)
		}
	}
	for i := range s.targets {
		t := &s.targets[i]
		finder, err := newFinder(expressions[i], t.where == rules.InBody)
		if err != nil {
			return nil, fmt.Errorf("compiling the patterns: %w", err)
		}
		t.finder = finder
	}
	return s, nil
}

func (s *scanner) run(ctx context.Context, m filters.Mail) (filters.Report, error) {
	if m.Message == nil {
		return filters.Report{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, slow, err := s.search(ctx, m.Message)
	var report filters.Report
	if slow != nil {
		report.Hits = append(report.Hits, filters.Hit{Symbol: Slow, Detail: slow.Error()})
		report.Problems = append(report.Problems, filters.Problem{Kind: filters.KindTimeout, Detail: slow.Error()})
	}
	for i, p := range s.patterns {
		switch {
		case p.Missing:
			if len(m.Message.Header(p.Header)) == 0 {
				report.Hits = append(report.Hits, filters.Hit{Symbol: p.Symbol})
			}
		case len(found[i]) >= max(p.AtLeast, 1):
			report.Hits = append(report.Hits, filters.Hit{Symbol: p.Symbol, Detail: detail(found[i])})
		}
	}
	return report, err
}

// search returns for each pattern the evidence of its expressions that match. With an error, which is that of ctx, or with
// a text that was too slow to read, some may be missing.
func (s *scanner) search(ctx context.Context, m *filters.Message) (found [][]string, slow *tooSlow, err error) {
	found = make([][]string, len(s.patterns))
	for i := range s.targets {
		t := &s.targets[i]
		matches, err := t.finder.find(ctx, t.texts(m))
		for _, match := range matches {
			p := t.owners[match.expression].pattern
			found[p] = append(found[p], match.excerpt)
		}
		if err != nil && !errors.As(err, &slow) {
			return found, slow, err
		}
	}
	return found, slow, nil
}

// texts are what the target's expressions read of a message, each on its own.
func (t *target) texts(m *filters.Message) []string {
	var texts []string
	switch t.where {
	case rules.InHeader:
		return m.Header(t.header)
	case rules.InBody:
		return []string{m.Text()}
	case rules.InURLHost:
		for _, u := range m.URLs() {
			texts = append(texts, u.Host)
		}
	case rules.InURL:
		for _, u := range m.URLs() {
			texts = append(texts, u.Raw)
		}
	}
	return texts
}

func detail(evidence []string) string {
	var shown []string
	for _, e := range evidence {
		if e != "" && len(shown) < maxEvidence {
			shown = append(shown, e)
		}
	}
	return strings.Join(shown, " | ")
}

// Sample is a message for the proof of p: of header lines ("Name: value") for a header pattern, else with a visible text,
// in which links are found for the patterns that read them. A proof goes the way of a whole message, through the same
// compiled check, so that it means the same as mail.
func Sample(p rules.Pattern, text string) *filters.Message {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n") + "\r\n"
	if p.Where == rules.InHeader {
		text += "\r\n"
	} else {
		text = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text
	}
	return filters.ParseMessage([]byte(text))
}
