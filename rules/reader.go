package rules

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"weir/rules/strict"
)

// names are what conditions may read.
type names struct {
	symbols  map[string]bool
	features map[string]feature
}

// all are all names, sorted, for suggestions.
func (n names) all() []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(n.symbols)), maps.Keys(n.features))
	all = slices.AppendSeq(all, maps.Keys(constants))
	slices.Sort(all)
	return all
}

// reader walks a parsed condition, collects what it reads and reports what has no place in one.
type reader struct {
	loading  *loading
	known    names
	at       strict.Value
	symbols  []string
	features []string
	failed   bool
}

var conditionOperators = []string{
	"&&", "||", "and", "or", "!", "not", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%",
	"in", "contains", "startsWith", "endsWith", "matches",
}

// condition parses, checks and compiles the condition of a rule. It is nil if it is wrong, and that is reported.
func (l *loading) condition(when said[string], known names) *Condition {
	r := &reader{loading: l, known: known, at: when.At}
	if when.V == "" || len(when.V) > maxCondition {
		l.errorAt(when.At, codeWhen, "a condition has between 1 and %d bytes", maxCondition)
		return nil
	}
	tree, err := parser.Parse(when.V)
	if err != nil {
		r.malformed(err)
		return nil
	}
	r.walk(tree.Node)
	if r.failed {
		return nil
	}
	c, err := r.compile(when.V)
	if err != nil {
		r.malformed(err)
		return nil
	}
	c.Src = when.At.Src()
	switch never, always := constant(tree.Node); {
	case never:
		r.fail(0, codeNever, "this can never hold", "")
	case always:
		l.warnAt(when.At, codeAlways, "this always holds", "")
	}
	return c
}

// fail reports an error at a letter of the condition.
func (r *reader) fail(offset int, code, text, hint string) {
	r.failed = true
	f := r.at.FindingWithin(offset, code, text)
	f.Hint = hint
	r.loading.add(f)
}

// malformed reports an error of the expression library.
func (r *reader) malformed(err error) {
	var e *file.Error
	if !errors.As(err, &e) {
		text, hint := plainly(err.Error())
		r.fail(0, codeWhen, text, hint)
		return
	}
	text, hint := plainly(strings.TrimPrefix(e.Message, "compilation failed: "))
	r.fail(e.From, codeWhen, text, hint)
}

var (
	strayToken = regexp.MustCompile(`^unexpected token \w+\("(.*)"\)`)
	mismatch   = regexp.MustCompile(`^invalid operation: (\S+) \(mismatched types (\S+) and (\S+)\)`)
	inArray    = regexp.MustCompile(`^cannot use (\S+) as type (\S+) in array`)
	noBool     = regexp.MustCompile(`(?:expected bool, but got|non-bool expression \(type) ([^)\s]+)`)
	inWords    = strings.NewReplacer("[]string", "several texts", "[]interface {}", "several values", "float64", "a number", "int64", "a number", "int", "a number",
		"string", "a text", "bool", "yes or no")
)

// plainly says what the expression library says in the words of the language, and how to put it right.
func plainly(text string) (said, hint string) {
	token, types := strayToken.FindStringSubmatch(text), mismatch.FindStringSubmatch(text)
	switch {
	case text == "unexpected token EOF":
		return "the condition ends too early", ""
	case strings.HasPrefix(text, "bad number syntax"):
		return "a number ends in letters", "a unit is a factor: 10*KiB, 2*MiB"
	case token != nil && token[1] == "=":
		return "= is no operator", "what is equal is =="
	case token != nil:
		return fmt.Sprintf("%s has no place here", token[1]), ""
	case types != nil:
		return fmt.Sprintf("%s does not go with %s and %s", types[1], inWords.Replace(types[2]), inWords.Replace(types[3])), ""
	}
	if m := inArray.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("%s is sought where each is %s", inWords.Replace(m[1]), inWords.Replace(m[2])), ""
	}
	if m := noBool.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("this is %s, and must be yes or no", inWords.Replace(m[1])), "compare it, as in size > 10*KiB"
	}
	return text, ""
}

// walk checks a node and all below it.
func (r *reader) walk(node ast.Node) {
	offset := node.Location().From
	switch n := node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode:
	case *ast.IdentifierNode:
		r.name(offset, n.Value)
	case *ast.UnaryNode:
		r.operator(offset, n.Operator)
		r.walk(n.Node)
	case *ast.BinaryNode:
		r.operator(offset, n.Operator)
		r.walk(n.Left)
		r.walk(n.Right)
		if n.Operator == "matches" {
			r.pattern(n.Right)
		}
	case *ast.ArrayNode:
		for _, item := range n.Nodes {
			r.walk(item)
		}
	case *ast.ConditionalNode:
		r.walk(n.Cond)
		r.walk(n.Exp1)
		r.walk(n.Exp2)
	case *ast.MemberNode:
		name, ok := memberName(n)
		if inner, isName := n.Node.(*ast.IdentifierNode); ok && isName {
			r.name(inner.Location().From, name)
			return
		}
		r.fail(offset, codeWhen, "this cannot be used in a condition", "")
	case *ast.CallNode, *ast.BuiltinNode:
		r.fail(offset, codeWhen, "a condition calls no functions", "use names, numbers, texts and "+strings.Join(conditionOperators, " "))
	default:
		r.fail(offset, codeWhen, "this cannot be used in a condition", "use names, numbers, texts and "+strings.Join(conditionOperators, " "))
	}
}

func (r *reader) operator(offset int, operator string) {
	if !slices.Contains(conditionOperators, operator) {
		r.fail(offset, codeWhen, fmt.Sprintf("the operator %s cannot be used in a condition", operator), "use "+strings.Join(conditionOperators, " "))
	}
}

// name checks that a name is known and keeps it.
func (r *reader) name(offset int, name string) {
	_, isConstant := constants[name]
	_, isFeature := r.known.features[name]
	switch {
	case isConstant:
	case isFeature:
		if !slices.Contains(r.features, name) {
			r.features = append(r.features, name)
		}
	case r.known.symbols[name]:
		if !slices.Contains(r.symbols, name) {
			r.symbols = append(r.symbols, name)
		}
	case r.loading.full():
		r.failed = true
	default:
		r.fail(offset, codeSymbol, fmt.Sprintf("there is no symbol or feature %q", name), strict.DidYouMean(name, r.known.all()))
	}
}

// pattern checks the right side of `matches`, which must be a constant so that it is compiled once.
func (r *reader) pattern(n ast.Node) {
	text, ok := n.(*ast.StringNode)
	if !ok {
		r.fail(n.Location().From, codeWhen, "the expression after matches must be a text in quotes", "")
		return
	}
	if !r.loading.regex(r.at, text.Value, n.Location().From+1) {
		r.failed = true
	}
}
