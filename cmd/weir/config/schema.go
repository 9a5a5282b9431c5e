package config

import (
	_ "embed"

	"weir/rules/strict"
)

// aboutKeys describes each key of weir.yaml, a line each: its path, a colon, and a sentence.
//
//go:embed keys.txt
var aboutKeys string

// Schema is the JSON schema of weir.yaml, for editors. What it accepts, `config test` may still find wrong.
func Schema() strict.Schema {
	return strict.SchemaFor[Config]("What runs: the configuration of weir", strict.About(aboutKeys))
}
