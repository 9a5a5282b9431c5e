package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	pages "weir/docs/rules"
	"weir/filters/attachment"
	"weir/filters/auth"
	"weir/filters/bulk"
	"weir/filters/dnsbl"
	"weir/filters/greylist"
	"weir/filters/hello"
	"weir/filters/html"
	"weir/filters/manners"
	"weir/filters/outgoing"
	"weir/filters/pattern"
	"weir/filters/reverse"
	"weir/filters/structure"
	"weir/filters/who"
	"weir/rules/strict"
)

func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [VERB]... | filter NAME | CODE", Short: "Help about a verb, the manual of a filter, or what a finding's code means",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 && args[0] == "filter" {
				return a.helpFilter(args[1:])
			}
			if len(args) == 1 && findingCode.MatchString(args[0]) {
				return a.helpCode(args[0])
			}
			verb, rest, err := c.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return unknownVerb(verb, rest[0])
			}
			return verb.Help()
		},
	}
}

// findingCode is the form of codes of findings.
var findingCode = regexp.MustCompile(`^[A-Za-z]\d{3}$`)

// helpCode prints the page of a code of a finding.
func (a *app) helpCode(code string) error {
	page, ok := pages.Page(code)
	if !ok {
		return exit{exitUsage, fmt.Errorf("there is no code %s", strings.ToUpper(code))}
	}
	fmt.Fprint(a.out, page)
	return nil
}

// manuals are the filters' manuals, by the names that users read.
func manuals() map[string]string {
	return map[string]string{
		"auth": auth.Readme, "spf": auth.Readme, "dkim": auth.Readme, "dmarc": auth.Readme, "arc": auth.Readme, "bulk": bulk.Readme, "dnsbl": dnsbl.Readme,
		"attachment": attachment.Readme, "html": html.Readme, "greylist": greylist.Readme, "hello": hello.Readme, "manners": manners.Readme, "outgoing": outgoing.Readme, "pattern": pattern.Readme, "reverse": reverse.Readme, "structure": structure.Readme, "who": who.Readme,
	}
}

// helpFilter prints the manual of the filter named, or the names of all.
func (a *app) helpFilter(args []string) error {
	all := manuals()
	names := slices.Sorted(maps.Keys(all))
	if len(args) == 0 {
		fmt.Fprintln(a.out, strings.Join(names, "\n"))
		return nil
	}
	text, ok := all[args[0]]
	if !ok {
		hint := "there are: " + strings.Join(names, ", ")
		if near := strict.Nearest(args[0], names); near != "" {
			hint = "did you mean " + near + "?"
		}
		return exit{exitUsage, fmt.Errorf("there is no filter %q\n  %s", args[0], hint)}
	}
	fmt.Fprint(a.out, text)
	return nil
}
