package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Check and look at the configuration"}
	c.AddCommand(a.configTestCommand(), a.configShowCommand(), a.configInitCommand(), a.configSchemaCommand())
	return c
}

func (a *app) configTestCommand() *cobra.Command {
	return &cobra.Command{
		Use: "test", Short: "Check weir.yaml and the rules it names, and print every finding", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.configFile == "" {
				return exit{exitUsage, errors.New("config test: name the file with -c")}
			}
			conf, err := a.serveConfig(serveFlags{})
			if err != nil {
				return err
			}
			resolver, err := conf.DNS.resolver()
			if err != nil {
				return err
			}
			defer resolver.Close()
			g, warnings, err := conf.loader(resolver, nil).load(c.Context(), conf.Rules)
			if err != nil {
				return err
			}
			a.warn(append(conf.warnings(), warnings...))
			a.say("configuration and rules are fine: %s, %s, %s", count(len(conf.Listen), "listener"), count(len(conf.Backend.addrs()), "backend"), count(len(g.Rules.Symbols), "symbol"))
			return nil
		},
	}
}

// setting is one value of the configuration, for `config show`.
type setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

func (a *app) configShowCommand() *cobra.Command {
	var origin, onlyDefaults bool
	c := &cobra.Command{
		Use: "show", Short: "Print the configuration in force", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			conf := defaults()
			if !onlyDefaults {
				var err error
				if conf, err = a.config(); err != nil {
					return err
				}
			}
			return a.printSettings(conf.settings(), origin)
		},
	}
	c.Flags().BoolVar(&origin, "origin", false, "say where each value comes from")
	c.Flags().BoolVar(&onlyDefaults, "defaults", false, "print the defaults in the binary instead")
	return c
}

func (a *app) printSettings(all []setting, origin bool) error {
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, s := range all {
		if a.json {
			if err := a.printJSON(s); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%s:\t%s", s.Key, s.Value)
		if origin {
			fmt.Fprintf(table, "\t# %s", s.Origin)
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}

// settings lists all values of c with the keys that weir.yaml uses for them.
func (c config) settings() []setting {
	var all []setting
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
			all = append(all, setting{key, settingText(v), c.origin(key)})
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
		return durationText(x)
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

// durationText writes d as weir.yaml does: 30d, 5m, 1500ms.
func durationText(d time.Duration) string {
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
