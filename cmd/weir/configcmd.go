package main

import (
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"weir/cmd/weir/config"
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
			resolver, err := conf.DNS.Resolver()
			if err != nil {
				return err
			}
			defer resolver.Close()
			g, warnings, err := newLoader(conf, resolver, nil).load(c.Context(), conf.Rules)
			if err != nil {
				return err
			}
			a.warn(append(conf.Warnings(), warnings...))
			a.say("configuration and rules are fine: %s, %s, %s", count(len(conf.Listen), "listener"), count(len(conf.Backend.AllAddrs()), "backend"), count(len(g.Rules.Symbols), "symbol"))
			return nil
		},
	}
}

func (a *app) configShowCommand() *cobra.Command {
	var origin, onlyDefaults bool
	c := &cobra.Command{
		Use: "show", Short: "Print the configuration in force", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			conf := config.Defaults()
			if !onlyDefaults {
				var err error
				if conf, err = a.config(); err != nil {
					return err
				}
			}
			return a.printSettings(conf.Settings(), origin)
		},
	}
	c.Flags().BoolVar(&origin, "origin", false, "say where each value comes from")
	c.Flags().BoolVar(&onlyDefaults, "defaults", false, "print the defaults in the binary instead")
	return c
}

func (a *app) printSettings(all []config.Setting, origin bool) error {
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

func (a *app) configSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON schema of weir.yaml, for editors", Args: cobra.NoArgs,
		Long: `Prints a JSON schema, with which an editor completes keys and shows what they mean. For editors with the YAML
language server, begin the file with the line

    # yaml-language-server: $schema=weir.schema.json`,
		RunE: func(*cobra.Command, []string) error { return a.printSchema(config.Schema()) },
	}
}

// config reads the file of -c, or gives the defaults without one.
func (a *app) config() (config.Config, error) {
	if a.configFile == "" {
		return config.Defaults(), nil
	}
	data, err := os.ReadFile(a.configFile)
	if err != nil {
		return config.Defaults(), exit{exitNoInput, fmt.Errorf("reading the configuration: %w", err)}
	}
	return config.Parse(data, a.configFile)
}
