package strict

import (
	"cmp"
	"encoding"
	"net/netip"
	"reflect"
	"strings"
	"time"
)

// Schema is a JSON schema (draft 2020-12), ready to be marshalled.
type Schema map[string]any

// Shaper is implemented by types that read themselves, to say how they are written.
type Shaper interface {
	Shape(s Shapes) Schema
}

// Shapes makes schemas of types as Decode reads them, and describes their keys.
type Shapes struct {
	about map[string]string
	path  string
}

// SchemaFor is the schema of files that Decode reads into a T, for editors. about describes each key by its path, as
// "zones[].ask", or wherever it stands by ".ask"; below keys that the operator names, "*" stands for the name.
func SchemaFor[T any](title string, about map[string]string) Schema {
	s := Shapes{about: about}.Of(reflect.TypeFor[T]())
	s["$schema"], s["title"] = "https://json-schema.org/draft/2020-12/schema", title
	return s
}

// Of is the schema of a type.
func (s Shapes) Of(t reflect.Type) Schema {
	switch v := reflect.New(t).Interface().(type) {
	case Shaper:
		return v.Shape(s)
	case *Value:
		return Schema{}
	case *time.Duration:
		return Schema{"anyOf": []Schema{{"const": 0}, {"type": "string", "pattern": durationPattern.String()}}}
	case *time.Time:
		return Schema{"type": "string", "pattern": `^\d{4}-\d{2}-\d{2}`}
	case *Size:
		return Schema{"anyOf": []Schema{{"type": "integer", "minimum": 0}, {"type": "string", "pattern": `^\d+(B|KiB|MiB|GiB|TiB)?$`}}}
	case *netip.Addr, *netip.Prefix, encoding.TextUnmarshaler:
		return Schema{"type": "string"}
	}
	return s.kind(t)
}

func (s Shapes) kind(t reflect.Type) Schema {
	switch t.Kind() {
	case reflect.Pointer:
		return s.Of(t.Elem())
	case reflect.Struct:
		return s.group(t)
	case reflect.Slice:
		return s.List(t.Elem())
	case reflect.Map:
		return s.Named(t.Elem())
	case reflect.Bool:
		return Schema{"enum": []any{true, false, "on", "off"}}
	case reflect.Float64:
		return Schema{"type": "number"}
	case reflect.String:
		return Schema{"type": []string{"string", "number", "boolean"}}
	}
	return Schema{"type": "integer"}
}

// group is the schema of a struct: its keys, and no others.
func (s Shapes) group(t reflect.Type) Schema {
	keys := Schema{}
	s.keys(t, keys)
	return Schema{"type": []string{"object", "null"}, "properties": keys, "additionalProperties": false}
}

func (s Shapes) keys(t reflect.Type, into Schema) {
	for i := range t.NumField() {
		field := t.Field(i)
		switch tag := field.Tag.Get("yaml"); tag {
		case "", "-", ",self":
		case ",inline":
			s.keys(field.Type, into)
		default:
			key := s.below(tag)
			shape := key.Of(field.Type)
			if about := cmp.Or(s.about[key.path], s.about["."+tag]); about != "" {
				shape["description"] = about
			}
			into[tag] = shape
		}
	}
}

// List is the schema of a list of t.
func (s Shapes) List(t reflect.Type) Schema {
	s.path += "[]"
	return Schema{"type": []string{"array", "null"}, "items": s.Of(t)}
}

// Named is the schema of a group of keys that the operator names, each a t.
func (s Shapes) Named(t reflect.Type) Schema {
	return Schema{"type": []string{"object", "null"}, "additionalProperties": s.below("*").Of(t)}
}

// OneOf is the schema of what is written in one of several ways.
func OneOf(ways ...Schema) Schema { return Schema{"anyOf": ways} }

// Word is the schema of one of some words.
func Word(words ...string) Schema { return Schema{"enum": words} }

func (s Shapes) below(key string) Shapes {
	s.path = strings.TrimPrefix(s.path+"."+key, ".")
	return s
}

// Keys are the paths of all keys of a schema, as SchemaFor's about has them.
func (s Schema) Keys() []string {
	var all []string
	s.walk("", func(path string) { all = append(all, path) })
	return all
}

func (s Schema) walk(path string, visit func(path string)) {
	if keys, ok := s["properties"].(Schema); ok {
		for key, shape := range keys {
			at := strings.TrimPrefix(path+"."+key, ".")
			visit(at)
			shape.(Schema).walk(at, visit)
		}
	}
	if items, ok := s["items"].(Schema); ok {
		items.walk(path+"[]", visit)
	}
	if named, ok := s["additionalProperties"].(Schema); ok {
		named.walk(strings.TrimPrefix(path+".*", "."), visit)
	}
	for _, way := range asSchemas(s["anyOf"]) {
		way.walk(path, visit)
	}
}

func asSchemas(v any) []Schema {
	all, _ := v.([]Schema)
	return all
}

// About reads descriptions of keys, a line each: "zones[].ask: What the list is asked for". A line that begins with a
// blank goes on with the one before.
func About(text string) map[string]string {
	about, last := map[string]string{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if path, sentence, ok := strings.Cut(line, ": "); ok && !strings.HasPrefix(line, " ") {
			about[path], last = sentence, path
		} else if last != "" && strings.TrimSpace(line) != "" {
			about[last] += " " + strings.TrimSpace(line)
		}
	}
	return about
}

// Shape is a text.
func (s *SecretText) Shape(Shapes) Schema { return Schema{"type": "string"} }
