package rules

import (
	_ "embed"
	"reflect"

	"weir/rules/strict"
)

// aboutKeys describes each key of a rules file, a line each: its path, a colon, and a sentence.
//
//go:embed keys.txt
var aboutKeys string

// Schema is the JSON schema of rules files, for editors. What it accepts, Load may still find wrong: it knows keys and
// kinds of values, not what they mean together.
func Schema() strict.Schema {
	return strict.SchemaFor[fileDoc]("What mail is worth: the rules of weir", strict.About(aboutKeys))
}

// Shape is that of the value.
func (s *said[T]) Shape(at strict.Shapes) strict.Schema { return at.Of(reflect.TypeFor[T]()) }

// Shape is one value, or a list.
func (l *oneOrMany[T]) Shape(at strict.Shapes) strict.Schema {
	one := at.Of(reflect.TypeFor[T]())
	return strict.OneOf(one, strict.Schema{"type": "array", "items": one})
}

// Shape is several expressions, or the name of a list.
func (a *anyDoc) Shape(at strict.Shapes) strict.Schema {
	one := at.Of(reflect.TypeFor[string]())
	return strict.OneOf(strict.Schema{"type": "string"}, strict.Schema{"type": "array", "items": one})
}

// Shape is a group of keys that the operator names.
func (all *entries[T]) Shape(at strict.Shapes) strict.Schema { return at.Named(reflect.TypeFor[T]()) }

// Shape is a number with at most two decimals.
func (p *Points) Shape(strict.Shapes) strict.Schema {
	return strict.Schema{"type": "number", "multipleOf": 0.01}
}

// Shape is points or "off".
func (t *Threshold) Shape(at strict.Shapes) strict.Schema {
	return strict.OneOf(at.Of(reflect.TypeFor[Points]()), strict.Word("off"))
}

// Shape is one of the modes.
func (m *Mode) Shape(strict.Shapes) strict.Schema { return strict.Word(modeNames[:]...) }

// Shape is one of the actions.
func (a *Action) Shape(strict.Shapes) strict.Schema { return strict.Word(actionNames[:]...) }

// Shape is the name of a list or a group of keys.
func (t *trapsDoc) Shape(at strict.Shapes) strict.Schema {
	return strict.OneOf(strict.Schema{"type": "string"}, at.Of(reflect.TypeFor[trapsKeys]()))
}

// Shape is "off" or a group of keys.
func (s *stopDoc) Shape(at strict.Shapes) strict.Schema {
	return strict.OneOf(at.Of(reflect.TypeFor[stopKeys]()), strict.Word("off"))
}
