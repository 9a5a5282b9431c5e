package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weir/rules"
	"weir/rules/strict"
)

// lintFormats are how findings can be printed.
var lintFormats = []string{"text", "json", "github", "sarif"}

func (a *app) rulesLintCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "lint [FILE]", Short: "Print every finding in a rules file, with its place", Args: cobra.MaximumNArgs(1),
		Long: `Prints every finding in a rules file, with its place. ` + "`weir help CODE`" + ` tells what a finding's code means.
For machines, --format json prints one object a line, github the annotations of GitHub Actions, sarif one document.`,
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := a.rulesFile(args)
			if err != nil {
				return err
			}
			_, findings, err := loadRules(path)
			if err != nil {
				return err
			}
			if a.json {
				format = "json"
			}
			if err := a.printFindings(findings, format); err != nil {
				return err
			}
			if findings.Err() != nil {
				return exit{code: exitConfig}
			}
			a.say("%s: no errors, %s", cmp.Or(path, "the rules in the binary"), count(len(findings), "warning"))
			return nil
		},
	}
	c.Flags().StringVar(&format, "format", "text", "print `FORMAT`: "+strings.Join(lintFormats, ", "))
	return c
}

func (a *app) printFindings(findings strict.Findings, format string) error {
	var err error
	switch format {
	case "text":
		for _, f := range findings {
			fmt.Fprintln(a.out, f)
		}
		a.nameCodes(findings)
	case "json":
		for _, f := range findings {
			err = errors.Join(err, a.printJSON(f))
		}
	case "github":
		for _, f := range findings {
			fmt.Fprintln(a.out, githubAnnotation(f))
		}
	case "sarif":
		e := json.NewEncoder(a.out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		err = e.Encode(sarifOf(findings))
	default:
		hint := "it is one of " + strings.Join(lintFormats, ", ")
		if near := strict.Nearest(format, lintFormats); near != "" {
			hint = "did you mean " + near + "?"
		}
		return exit{exitUsage, fmt.Errorf("--format %s is not known\n  %s", format, hint)}
	}
	return err
}

// nameCodes says where to read more.
func (a *app) nameCodes(findings strict.Findings) {
	var codes []string
	for _, f := range findings {
		codes = append(codes, f.Code)
	}
	slices.Sort(codes)
	if codes = slices.Compact(codes); len(codes) > 0 {
		a.say("weir help %s tells more", strings.Join(codes, ", weir help "))
	}
}

// githubAnnotation is a workflow command of GitHub Actions, which shows a finding beside its line.
func githubAnnotation(f strict.Finding) string {
	text := f.Text
	if f.Hint != "" {
		text += "\n" + f.Hint
	}
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	place := "file=" + property.Replace(f.Src.File)
	if f.Src.Line > 0 {
		place += fmt.Sprintf(",line=%d,col=%d", f.Src.Line, f.Src.Col)
	}
	return fmt.Sprintf("::%s %s,title=%s::%s", f.Severity, place, property.Replace(f.Code+" "+rules.Title(f.Code)), data.Replace(text))
}
