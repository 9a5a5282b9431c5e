package rules

import (
	"fmt"

	"github.com/expr-lang/expr/parser"
)

// saved reports good points that are meant to save a message and cannot: what refuses alone refuses whatever the sum is.
func (l *loading) saved() {
	for _, doc := range l.files {
		for _, r := range doc.Rules {
			l.refusesGood(r.Mode, r.ID.V)
			l.savesNothing(r)
		}
		for _, z := range doc.Zones {
			for _, a := range z.Answers {
				mode := a.Mode
				if !mode.At.Said() {
					mode = z.Mode
				}
				l.refusesGood(mode, z.ID.V+"_"+a.ID.V)
			}
		}
	}
}

// refusesGood reports a symbol that is good and refuses alone.
func (l *loading) refusesGood(mode said[Mode], symbol string) {
	if s := l.set.Symbols[symbol]; s != nil && mode.At.Said() && s.Mode == Hard && s.Points < 0 {
		l.warnAt(mode.At, codeSaved, fmt.Sprintf("%s refuses alone, though it is worth %s", symbol, s.Points), "what speaks for a message is weighted")
	}
}

// savesNothing reports a condition with good points that holds only beside something that refuses alone.
func (l *loading) savesNothing(r ruleDoc) {
	s := l.set.Symbols[r.ID.V]
	if s == nil || s.Points >= 0 || !r.When.At.Said() || s.Src != r.ID.At.Src() {
		return
	}
	tree, err := parser.Parse(r.When.V)
	if err != nil {
		return // reported when it was read
	}
	for _, c := range l.set.Combos {
		for _, name := range c.When.Symbols {
			if hard := l.set.Symbols[name]; c.Symbol == s.Name && hard != nil && hard.Mode == Hard && needs(tree.Node, name) {
				l.warnAt(r.Score.At, codeSaved, fmt.Sprintf("this saves nobody from %s, which refuses alone", name),
					"take `mode: hard` away there, or write the exception into a condition that refuses")
				return
			}
		}
	}
}
