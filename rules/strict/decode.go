package strict

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"
)

// Decoder is implemented by types that read themselves from a Value. An error is reported at the value's place; what
// v.Decode finds is reported by itself.
type Decoder interface {
	DecodeYAML(v Value) error
}

// Decode reads data, the contents of file, into what into points to, and returns everything that is wrong with it.
// Values that the file does not say stay as they are, so into holds the defaults.
//
// It knows structs (by the tag `yaml:"name"`), slices, maps by text, pointers, texts, numbers, booleans (true, false,
// on, off), durations (10m, 1h30m, 36d), Size, Points, times, IP addresses and prefixes, and types with a Decoder or
// an encoding.TextUnmarshaler. ${env:X} and ${file:/path} in a text stand for a secret.
func Decode(data []byte, file string, into any) Findings {
	d, findings := Parse(data, file)
	if d == nil {
		return findings
	}
	return d.Decode(into)
}

// Decode is like the function Decode.
func (d *Document) Decode(into any) Findings {
	d.findings, d.meant, d.aliased = nil, map[*yaml.Node][]string{}, 0
	Value{d, d.root}.Decode(into)
	return d.findings
}

// Decode reads v into what into points to, and reports what is wrong with it.
func (v Value) Decode(into any) { v.decode(reflect.ValueOf(into).Elem()) }

func (v Value) decode(into reflect.Value) {
	d := v.doc
	if v.node.Kind == yaml.AliasNode {
		d.depth++
		defer func() { d.depth-- }()
	}
	if d.depth > 0 {
		if d.aliased++; d.aliased > maxAliased {
			if d.aliased == maxAliased+1 {
				d.report(v.Finding(CodeAliases, "the aliases of this file stand for more than %d values", maxAliased))
			}
			return
		}
	}
	if !v.decodeItself(into) {
		v.decodeKind(into)
	}
}

// decodeItself serves the types that are written as one word or know how they are written.
func (v Value) decodeItself(into reflect.Value) bool {
	var err error
	switch p := into.Addr().Interface().(type) {
	case *Value:
		*p = v
	case Decoder:
		err = p.DecodeYAML(v)
	case *time.Duration:
		err = v.Scalar(func(text string) (e error) { *p, e = parseDuration(text); return e })
	case *time.Time:
		err = v.Scalar(func(text string) (e error) { *p, e = parseTime(text); return e })
	case *netip.Addr:
		err = v.Scalar(func(text string) (e error) { *p, e = ParseAddr(text); return e })
	case *netip.Prefix:
		err = v.Scalar(func(text string) (e error) { *p, e = ParsePrefix(text); return e })
	case encoding.TextUnmarshaler:
		err = v.Scalar(func(text string) error { return p.UnmarshalText([]byte(text)) })
	default:
		return false
	}
	if err != nil {
		v.doc.report(v.Finding(CodeValue, "%v", err))
	}
	return true
}

func (v Value) decodeKind(into reflect.Value) {
	n := resolve(v.node)
	empty := n.Kind == yaml.ScalarNode && n.Tag == "!!null"
	switch into.Kind() {
	case reflect.Pointer:
		if into.IsNil() {
			into.Set(reflect.New(into.Type().Elem()))
		}
		v.decode(into.Elem())
	case reflect.Struct:
		if !empty {
			v.decodeStruct(into)
		}
	case reflect.Slice:
		if !empty {
			v.decodeSlice(into)
		}
	case reflect.Map:
		if !empty {
			v.decodeMap(into)
		}
	default:
		if err := v.Scalar(func(text string) error { return v.setScalar(into, text) }); err != nil {
			v.doc.report(v.Finding(CodeValue, "%v", err))
		}
	}
}

// Scalar hands the value's text to set, with secrets expanded. An error never quotes an expanded secret.
func (v Value) Scalar(set func(text string) error) error {
	text, err := v.Text()
	if err != nil {
		return err
	}
	if err := set(text); err != nil {
		if v.IsSecret() {
			return fmt.Errorf("what %s stands for is not allowed here", v.Quoted())
		}
		return err
	}
	return nil
}

// Text is the text of a value that is one word or one text, with secrets expanded.
func (v Value) Text() (string, error) {
	n := resolve(v.node)
	switch {
	case n.Kind != yaml.ScalarNode:
		return "", fmt.Errorf("this is %s, and must be one value", v.Quoted())
	case n.Tag == "!!null":
		return "", fmt.Errorf("this key has no value")
	case n.Style&yaml.TaggedStyle != 0:
		return "", fmt.Errorf("the tag %s is not known here", n.Tag)
	case !v.IsSecret():
		return n.Value, nil
	case v.doc.literal:
		return "", fmt.Errorf("a secret may stand only in a zone's `zone:`")
	}
	s, err := expandSecrets(n.Value)
	return s.Text, err
}

func (v Value) setScalar(into reflect.Value, text string) error {
	n := resolve(v.node)
	number := n.Style&quoted == 0 || v.IsSecret()
	switch into.Kind() {
	case reflect.String:
		into.SetString(text)
	case reflect.Bool:
		on, ok := map[string]bool{"true": true, "on": true, "false": false, "off": false}[text]
		if !ok {
			return fmt.Errorf("%q must be true or false", text)
		}
		into.SetBool(on)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(text, 10, into.Type().Bits())
		if err != nil || !number {
			return fmt.Errorf("%q must be a whole number", text)
		}
		into.SetInt(i)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || !number || f-f != 0 {
			return fmt.Errorf("%q must be a number", text)
		}
		into.SetFloat(f)
	default:
		return fmt.Errorf("a value of this kind cannot be read (%s)", into.Kind())
	}
	return nil
}

func (v Value) decodeSlice(into reflect.Value) {
	n := resolve(v.node)
	if n.Kind != yaml.SequenceNode {
		f := v.Finding(CodeType, "this is %s, and must be a list", v.Quoted())
		if n.Kind == yaml.ScalarNode {
			f.Hint = fmt.Sprintf("write [%s]", n.Value)
		}
		v.doc.report(f)
		return
	}
	all := reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		Value{v.doc, item}.decode(all.Index(i))
	}
	into.Set(all)
}

func (v Value) decodeMap(into reflect.Value) {
	if into.IsNil() {
		into.Set(reflect.MakeMap(into.Type()))
	}
	v.EachKey(func(key, value Value, name string) {
		item := reflect.New(into.Type().Elem()).Elem()
		value.decode(item)
		into.SetMapIndex(reflect.ValueOf(name).Convert(into.Type().Key()), item)
	})
}

// EachKey calls each for the keys of a mapping, and reports those that are none or stand twice.
func (v Value) EachKey(each func(key, value Value, name string)) {
	n := resolve(v.node)
	if n.Kind != yaml.MappingNode {
		v.doc.report(v.Finding(CodeType, "this is %s, and must be a group of keys", v.Quoted()))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := Value{v.doc, n.Content[i]}, Value{v.doc, n.Content[i+1]}
		name := resolve(key.node).Value
		switch line, twice := seen[name]; {
		case resolve(key.node).Kind != yaml.ScalarNode:
			v.doc.report(key.Finding(CodeType, "a key must be one word"))
		case twice:
			v.doc.report(key.Finding(CodeTwice, "the key %s stands twice, first in line %d", key.Quoted(), line))
		default:
			seen[name] = key.node.Line
			each(key, value, name)
		}
	}
}

// decodeStruct fills the fields of a struct. A field with the tag ",inline" is a struct whose keys stand among the
// others; one with ",self" gets v.
func (v Value) decodeStruct(into reflect.Value) {
	fields := map[string]reflect.Value{}
	names := v.fieldsOf(into, fields, nil)
	v.EachKey(func(key, value Value, name string) {
		if field, known := fields[name]; known {
			value.decode(field)
			return
		}
		if len(v.doc.findings) > MaxFindings {
			return
		}
		f := key.Finding(CodeKey, "unknown key %s", key.Quoted())
		if f.Hint = DidYouMean(name, names); name == "<<" {
			f.Hint = "YAML merge keys are not read; repeat the keys"
		}
		v.doc.report(f)
		if near := Nearest(name, names); near != "" {
			group := resolve(v.node)
			v.doc.meant[group] = append(v.doc.meant[group], near)
		}
	})
}

func (v Value) fieldsOf(into reflect.Value, fields map[string]reflect.Value, names []string) []string {
	for i := range into.NumField() {
		switch tag := into.Type().Field(i).Tag.Get("yaml"); tag {
		case "", "-":
		case ",self":
			into.Field(i).Set(reflect.ValueOf(v))
		case ",inline":
			names = v.fieldsOf(into.Field(i), fields, names)
		default:
			fields[tag] = into.Field(i)
			names = append(names, tag)
		}
	}
	return names
}
