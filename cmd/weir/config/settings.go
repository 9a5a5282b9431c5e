package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Setting is one value of the configuration, for `config show`.
type Setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// Settings lists all values of c with the keys that weir.yaml uses for them.
func (c Config) Settings() []Setting {
	var all []Setting
	var walk func(v reflect.Value, key string)
	walk = func(v reflect.Value, key string) {
		switch {
		case v.Kind() == reflect.Struct && !isScalar(v):
			for i := range v.NumField() {
				switch name := v.Type().Field(i).Tag.Get("yaml"); name {
				case "":
				case ",inline": // its keys stand among the others
					walk(v.Field(i), key)
				default:
					walk(v.Field(i), strings.TrimPrefix(key+"."+name, "."))
				}
			}
		case v.Kind() == reflect.Slice && v.Len() > 0 && v.Type().Elem().Kind() == reflect.Struct && !isScalar(v.Index(0)):
			for i := range v.Len() {
				walk(v.Index(i), fmt.Sprintf("%s[%d]", key, i))
			}
		default:
			all = append(all, Setting{key, settingText(v), c.origin(key)})
		}
	}
	walk(reflect.ValueOf(c), "")
	return all
}

// isScalar reports whether v is written as one word in YAML although it is a struct.
func isScalar(v reflect.Value) bool {
	return v.Type().Implements(reflect.TypeFor[fmt.Stringer]())
}

func settingText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return DurationText(x)
	case fmt.Stringer:
		return x.String()
	case string:
		if x == "" {
			return `""`
		}
		return x
	}
	if v.Kind() == reflect.Slice {
		var items []string
		for i := range v.Len() {
			items = append(items, settingText(v.Index(i)))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return fmt.Sprint(v.Interface())
}

// DurationText writes d as weir.yaml does: 30d, 5m, 1500ms.
func DurationText(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return "0s"
	case d >= day && d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d >= time.Second && d%time.Second == 0:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}
