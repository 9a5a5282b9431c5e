package rules

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"weir/rules/strict"
)

// Bounds of one condition.
const (
	maxCondition = 4 << 10 // bytes
	maxNodes     = 400     // names, numbers and operators
)

// constants are the numbers that conditions may name.
var constants = map[string]int{"KiB": 1 << 10, "MiB": 1 << 20}

// Condition is a compiled `when:` expression over symbols and features. Any number of goroutines may use it at once.
type Condition struct {
	Text     string
	Src      strict.Src
	Symbols  []string // the symbols it reads, in the order of the text
	features []feature
	program  *vm.Program
	idle     sync.Pool // of *evaluation
}

// feature is a field of Features that a condition reads.
type feature struct {
	name  string
	index []int
}

// evaluation is the working memory of one run of a condition.
type evaluation struct {
	env map[string]any
	vm  vm.VM
}

// Holds reports whether the condition holds for a message that has the symbols for which has is true. An error means
// that there is no answer, as of a division by zero; it is not a hit.
func (c *Condition) Holds(has func(symbol string) bool, f *Features) (bool, error) {
	e, ok := c.idle.Get().(*evaluation)
	if !ok {
		e = &evaluation{env: make(map[string]any, len(c.Symbols)+len(c.features))}
	}
	defer c.idle.Put(e)
	for _, name := range c.Symbols {
		e.env[name] = has(name)
	}
	if len(c.features) > 0 {
		fields := reflect.ValueOf(f).Elem()
		for _, feature := range c.features {
			e.env[feature.name] = fields.FieldByIndex(feature.index).Interface()
		}
	}
	result, err := e.vm.Run(c.program, e.env)
	if err != nil {
		return false, fmt.Errorf("evaluating %q: %s", c.Text, exprMessage(err))
	}
	holds, ok := result.(bool)
	if !ok {
		return false, fmt.Errorf("evaluating %q: the result is neither true nor false", c.Text)
	}
	return holds, nil
}

// exprMessage is the text of an error of the expression library without its excerpt.
func exprMessage(err error) string {
	var e *file.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// FeatureNames are the names of all features, in order.
func FeatureNames() []string { return slices.Sorted(maps.Keys(allFeatures())) }

// Value is that of the feature which conditions read by name.
func (f *Features) Value(name string) (value any, ok bool) {
	feature, ok := allFeatures()[name]
	if !ok {
		return nil, false
	}
	return reflect.ValueOf(f).Elem().FieldByIndex(feature.index).Interface(), true
}

// allFeatures are the fields of Features by the names that conditions use, "bulk.alike" for those of a group.
func allFeatures() map[string]feature {
	all := map[string]feature{}
	collectFeatures(all, reflect.TypeFor[Features](), "", nil)
	return all
}

func collectFeatures(all map[string]feature, t reflect.Type, group string, index []int) {
	for i := range t.NumField() {
		field := t.Field(i)
		name := group + field.Tag.Get("expr")
		at := append(index[:len(index):len(index)], i)
		if field.Anonymous {
			collectFeatures(all, field.Type, group, at)
			continue
		}
		if field.Type.Kind() == reflect.Struct {
			collectFeatures(all, field.Type, name+".", at)
			continue
		}
		all[name] = feature{name, at}
	}
}

// compile makes a condition of text, of which reader has found what it reads and that it is well formed.
func (r *reader) compile(text string) (*Condition, error) {
	c := &Condition{Text: text, Symbols: r.symbols}
	env := map[string]any{}
	for _, name := range r.symbols {
		env[name] = false
	}
	for _, name := range r.features {
		f := r.known.features[name]
		c.features = append(c.features, f)
		env[name] = reflect.Zero(reflect.TypeFor[Features]().FieldByIndex(f.index).Type).Interface()
	}
	program, err := expr.Compile(text, expr.Env(env), expr.AsBool(), expr.MaxNodes(maxNodes), expr.DisableAllBuiltins(), expr.Patch(renamer{}))
	if err != nil {
		return nil, err
	}
	c.program = program
	return c, nil
}

// renamer puts numbers in place of constants, and one name in place of group.field, so that all that a condition
// reads stands in one flat map.
type renamer struct{}

// Visit implements ast.Visitor.
func (renamer) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if number, ok := constants[n.Value]; ok {
			ast.Patch(node, &ast.IntegerNode{Value: number})
		}
	case *ast.MemberNode:
		if name, ok := memberName(n); ok {
			ast.Patch(node, &ast.IdentifierNode{Value: name})
		}
	}
}

// memberName is "group.field" if that is what n is.
func memberName(n *ast.MemberNode) (string, bool) {
	group, ok := n.Node.(*ast.IdentifierNode)
	field, ok2 := n.Property.(*ast.StringNode)
	if !ok || !ok2 || n.Optional || n.Method {
		return "", false
	}
	return group.Value + "." + field.Value, true
}
