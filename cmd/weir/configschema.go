package main

import (
	_ "embed"

	"github.com/spf13/cobra"

	"weir/rules/strict"
)

// aboutConfigKeys describes each key of weir.yaml, a line each: its path, a colon, and a sentence.
//
//go:embed configkeys.txt
var aboutConfigKeys string

// configSchema is the JSON schema of weir.yaml, for editors. What it accepts, `config test` may still find wrong.
func configSchema() strict.Schema {
	return strict.SchemaFor[config]("What runs: the configuration of weir", strict.About(aboutConfigKeys))
}

func (a *app) configSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON schema of weir.yaml, for editors", Args: cobra.NoArgs,
		Long: `Prints a JSON schema, with which an editor completes keys and shows what they mean. For editors with the YAML
language server, begin the file with the line

    # yaml-language-server: $schema=weir.schema.json`,
		RunE: func(*cobra.Command, []string) error { return a.printSchema(configSchema()) },
	}
}
