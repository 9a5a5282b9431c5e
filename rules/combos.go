package rules

import (
	"fmt"
	"slices"
	"strings"

	"weir/rules/strict"
)

// conditions compiles all `when:` rules and puts them in an order in which each comes after those that it reads.
func (l *loading) conditions() {
	known := names{l.symbols, allFeatures()}
	conditions := map[string]*Condition{}
	at := map[string]strict.Value{}
	var order []string
	for _, doc := range l.files {
		for i := range doc.Rules {
			r := &doc.Rules[i]
			if symbol := l.set.Symbols[r.ID.V]; !r.When.At.Said() || symbol == nil || symbol.Src != r.ID.At.Src() {
				continue
			}
			if c := l.condition(r.When, known); c != nil {
				conditions[r.ID.V], at[r.ID.V] = c, r.When.At
				order = append(order, r.ID.V)
			}
		}
	}
	s := sorter{conditions: conditions, state: map[string]visit{}}
	for _, name := range order {
		s.visit(name, nil)
	}
	for _, circle := range s.circles {
		l.hintAt(at[circle[0]], codeCycle, "this condition reads itself: "+strings.Join(append(circle, circle[0]), " reads "), "break the circle")
	}
	for _, name := range s.sorted {
		l.set.Combos = append(l.set.Combos, Combo{Symbol: name, When: conditions[name]})
	}
	l.proofSymbols()
}

// visit is how far a condition's place in the order is known.
type visit uint8

const (
	unseen visit = iota
	underway
	placed
)

// sorter orders conditions by what they read, depth first.
type sorter struct {
	conditions map[string]*Condition
	state      map[string]visit
	sorted     []string
	circles    [][]string
}

func (s *sorter) visit(name string, path []string) {
	switch {
	case s.conditions[name] == nil || s.state[name] == placed:
		return
	case s.state[name] == underway:
		s.circles = append(s.circles, slices.Clone(path[slices.Index(path, name):]))
		return
	}
	s.state[name] = underway
	for _, read := range s.conditions[name].Symbols {
		s.visit(read, append(path, name))
	}
	s.state[name] = placed
	s.sorted = append(s.sorted, name)
}

// proofSymbols checks that the symbols in the tests of conditions exist.
func (l *loading) proofSymbols() {
	for _, doc := range l.files {
		for _, r := range doc.Rules {
			if !r.When.At.Said() {
				continue
			}
			for _, t := range r.Tests {
				for _, symbol := range slices.Concat(t.Hit, t.Miss) {
					l.symbolExists(symbol)
				}
			}
		}
	}
}

// symbolExists reports a name that is no symbol.
func (l *loading) symbolExists(s said[string]) {
	if s.V != "" && !l.symbols[s.V] && !l.full() {
		l.hintAt(s.At, codeSymbol, fmt.Sprintf("there is no symbol %s", s.At.Quoted()), strict.DidYouMean(s.V, names{symbols: l.symbols}.all()))
	}
}

// CheckCombos runs the proofs of all `when:` rules: with the symbols of a proof, and what other conditions make of
// them, the rule must hold or must not. Each that comes out otherwise is an error at the proof.
func (s *Set) CheckCombos() strict.Findings {
	var findings strict.Findings
	for _, p := range s.Proofs {
		if !slices.ContainsFunc(s.Combos, func(c Combo) bool { return c.Symbol == p.Rule }) {
			continue
		}
		holds, err := s.prove(p)
		text := ""
		switch {
		case err != nil:
			text = fmt.Sprintf("%s: %v", p.Rule, err)
		case p.Hit && !holds:
			text = fmt.Sprintf("%s: want a hit with [%s], got a miss", p.Rule, strings.Join(p.Symbols, ", "))
		case !p.Hit && holds:
			text = fmt.Sprintf("%s: want a miss with [%s], got a hit", p.Rule, strings.Join(p.Symbols, ", "))
		default:
			continue
		}
		findings = append(findings, strict.Finding{Src: p.Src, Code: codeFailed, Text: text})
	}
	return findings
}

// prove reports whether the rule of p holds for its symbols.
func (s *Set) prove(p Proof) (bool, error) {
	present := map[string]bool{}
	for _, name := range p.Symbols {
		present[name] = true
	}
	for _, c := range s.Combos {
		holds, err := c.When.Holds(func(name string) bool { return present[name] }, &Features{})
		if c.Symbol == p.Rule || err != nil {
			return holds, err
		}
		if holds {
			present[c.Symbol] = true
		}
	}
	return false, nil
}
