package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"weir/rules"
	"weir/rules/strict"
)

func (a *app) rulesSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON schema of rules files, for editors", Args: cobra.NoArgs,
		Long: `Prints a JSON schema, with which an editor completes keys and shows what they mean. For editors with the YAML
language server, begin the file with the line

    # yaml-language-server: $schema=rules.schema.json`,
		RunE: func(*cobra.Command, []string) error { return a.printSchema(rules.Schema()) },
	}
}

func (a *app) printSchema(s strict.Schema) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the schema: %w", err)
	}
	_, err = fmt.Fprintf(a.out, "%s\n", text)
	return err
}
