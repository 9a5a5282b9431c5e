package rules

import (
	"maps"
	"regexp/syntax"
	"slices"

	"github.com/expr-lang/expr/ast"
)

// maxAtoms bounds the truth table of a condition.
const maxAtoms = 10

// constant reports whether a condition is false, or true, whatever its symbols and features are.
func constant(node ast.Node) (never, always bool) {
	never, always = true, true
	if !eachCase(node, func(_ map[string]bool, holds bool) { never, always = never && !holds, always && holds }) {
		return false, false
	}
	return never, always
}

// needs reports whether a condition holds only if the symbol does.
func needs(node ast.Node, symbol string) bool {
	without := false
	complete := eachCase(node, func(atoms map[string]bool, holds bool) { without = without || holds && !atoms[symbol] })
	return complete && !without
}

// eachCase calls each for every possible case of what a condition reads, with whether it then holds. It reports false, and
// calls nothing, if there are too many.
func eachCase(node ast.Node, each func(atoms map[string]bool, holds bool)) bool {
	atoms := map[string]bool{}
	truth(node, atoms)
	keys := slices.Sorted(maps.Keys(atoms))
	if len(keys) > maxAtoms {
		return false
	}
	compared := comparisons(node, nil)
	for row := range 1 << len(keys) {
		for i, key := range keys {
			atoms[key] = row>>i&1 == 1
		}
		if possible(compared, atoms) {
			each(atoms, truth(node, atoms))
		}
	}
	return true
}

// comparison is an atom that compares a feature with a number or a text.
type comparison struct {
	key      string // of the atom
	feature  string
	operator string
	number   int
	text     string
	isText   bool
}

// comparisons adds those among the atoms of node to all.
func comparisons(node ast.Node, all []comparison) []comparison {
	switch n := node.(type) {
	case *ast.UnaryNode:
		if n.Operator == "!" || n.Operator == "not" {
			return comparisons(n.Node, all)
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "&&", "and", "||", "or":
			return comparisons(n.Right, comparisons(n.Left, all))
		case "==", "!=", "<", "<=", ">", ">=":
			c := comparison{key: n.String(), feature: featureOf(n.Left), operator: n.Operator}
			var isNumber bool
			c.number, isNumber = numberOf(n.Right)
			if text, ok := n.Right.(*ast.StringNode); ok && (n.Operator == "==" || n.Operator == "!=") {
				c.text, c.isText = text.Value, true
			}
			if c.feature != "" && (isNumber || c.isText) {
				return append(all, c)
			}
		}
	}
	return all
}

// featureOf is the name that node is, "" if it is none.
func featureOf(node ast.Node) string {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return n.Value
	case *ast.MemberNode:
		if name, ok := memberName(n); ok {
			return name
		}
	}
	return ""
}

// numberOf is what a whole number, or a product of such as 200*KiB, comes to.
func numberOf(node ast.Node) (int, bool) {
	switch n := node.(type) {
	case *ast.IntegerNode:
		return n.Value, true
	case *ast.IdentifierNode:
		number, ok := constants[n.Value]
		return number, ok
	case *ast.BinaryNode:
		left, ok := numberOf(n.Left)
		right, ok2 := numberOf(n.Right)
		return left * right, ok && ok2 && n.Operator == "*"
	}
	return 0, false
}

// possible reports whether features have values for which all comparisons are as atoms says. Numbers are counts, so that
// none is below 0.
func possible(compared []comparison, atoms map[string]bool) bool {
	for i, c := range compared {
		if slices.ContainsFunc(compared[:i], func(before comparison) bool { return before.feature == c.feature }) {
			continue // its feature was looked at
		}
		fits := func(value comparison) bool {
			return value.number >= 0 && !slices.ContainsFunc(compared, func(c comparison) bool {
				return c.feature == value.feature && c.holds(value) != atoms[c.key]
			})
		}
		if !slices.ContainsFunc(values(compared, c.feature), fits) {
			return false
		}
	}
	return true
}

// values are those of a feature at which a comparison may turn, and one of which none speaks.
func values(compared []comparison, feature string) []comparison {
	const other = "\x00"
	all := []comparison{{feature: feature, text: other}}
	for _, c := range compared {
		if c.feature == feature {
			for _, number := range []int{c.number - 1, c.number, c.number + 1} {
				all = append(all, comparison{feature: feature, number: number, text: c.text})
			}
		}
	}
	return all
}

// holds reports whether the comparison is true of a value.
func (c comparison) holds(value comparison) bool {
	switch c.operator {
	case "==":
		return c.isText && c.text == value.text || !c.isText && value.number == c.number
	case "!=":
		return c.isText && c.text != value.text || !c.isText && value.number != c.number
	case "<":
		return value.number < c.number
	case "<=":
		return value.number <= c.number
	case ">":
		return value.number > c.number
	}
	return value.number >= c.number
}

// truth evaluates the logic of a condition. What is not logic is an atom, true or false as atoms says; an unknown
// atom is added. Both sides are always evaluated, so that all atoms are found.
func truth(node ast.Node, atoms map[string]bool) bool {
	switch n := node.(type) {
	case *ast.BoolNode:
		return n.Value
	case *ast.UnaryNode:
		if n.Operator == "!" || n.Operator == "not" {
			return !truth(n.Node, atoms)
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "&&", "and":
			left, right := truth(n.Left, atoms), truth(n.Right, atoms)
			return left && right
		case "||", "or":
			left, right := truth(n.Left, atoms), truth(n.Right, atoms)
			return left || right
		}
	}
	key := node.String()
	value := atoms[key]
	atoms[key] = value
	return value
}

// matchesNothing reports whether an expression can match no text: it wants something before the beginning of the text,
// or after its end.
func matchesNothing(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpNoMatch:
		return true
	case syntax.OpCharClass:
		return len(re.Rune) == 0
	case syntax.OpCapture, syntax.OpPlus:
		return matchesNothing(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min > 0 && matchesNothing(re.Sub[0])
	case syntax.OpAlternate:
		return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !matchesNothing(sub) })
	case syntax.OpConcat:
		ended := false
		letters := 0
		for _, sub := range re.Sub {
			least := leastLetters(sub)
			if matchesNothing(sub) || sub.Op == syntax.OpBeginText && letters > 0 || ended && least > 0 {
				return true
			}
			letters += least
			ended = ended || sub.Op == syntax.OpEndText
		}
	}
	return false
}

// leastLetters is how many letters what re matches has at least.
func leastLetters(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpCapture, syntax.OpPlus:
		return leastLetters(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min * leastLetters(re.Sub[0])
	case syntax.OpConcat:
		sum := 0
		for _, sub := range re.Sub {
			sum += leastLetters(sub)
		}
		return sum
	case syntax.OpAlternate:
		least := leastLetters(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			least = min(least, leastLetters(sub))
		}
		return least
	}
	return 0
}
