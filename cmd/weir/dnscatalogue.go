package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"weir/rules"
	"weir/rules/strict"
)

func (a *app) dnsCatalogueCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "catalogue [NAME]",
		Short: "Print the DNS lists that rules can name by `use:`",
		Long: `Prints the lists that are built in, or one of them with its terms of use and the meaning of its answers. None is
asked unless the rules name it.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			lists := rules.Catalogue()
			if len(args) == 0 {
				return a.printCatalogue(lists)
			}
			i := slices.IndexFunc(lists, func(l rules.Listing) bool { return l.Name == args[0] })
			if i < 0 {
				return exit{exitNoInput, noListing(lists, args[0])}
			}
			return a.printListing(lists[i])
		},
	}
}

func noListing(lists []rules.Listing, name string) error {
	var names []string
	for _, l := range lists {
		names = append(names, l.Name)
	}
	text := fmt.Sprintf("the catalogue has no list %q", name)
	if near := strict.Nearest(name, names); near != "" {
		text += fmt.Sprintf("\n  did you mean %q?", near)
	}
	return errors.New(text)
}

func (a *app) printCatalogue(lists []rules.Listing) error {
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, l := range lists {
		if a.json {
			if err := a.printJSON(l); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", l.Name, cmp.Or(l.Zone, "KEY."+l.Keyed), strings.Join(l.Ask, " "), l.About)
	}
	if err := table.Flush(); err != nil {
		return exit{exitIO, fmt.Errorf("writing the catalogue: %w", err)}
	}
	return nil
}

func (a *app) printListing(l rules.Listing) error {
	if a.json {
		return a.printJSON(l)
	}
	fmt.Fprintf(a.out, "%s: %s\n  terms    %s\n  asked    %s\n  of       %s\n  rules    zones: [{ use: %s%s }]\n\n",
		l.Name, l.About, l.Terms, strings.Join(l.Ask, ", "), zonesOf(l), l.Name, map[bool]string{true: ", key: \"${file:/path/of/the/key}\""}[l.Zone == ""])
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, c := range l.Answers {
		fmt.Fprintf(table, "  %s_%s\t%s\t%s\t%s\n", l.ID, c.ID, c.Is, c.Score, c.About)
	}
	if err := table.Flush(); err != nil {
		return exit{exitIO, fmt.Errorf("writing the catalogue: %w", err)}
	}
	return nil
}

// zonesOf are the names of a list's zones.
func zonesOf(l rules.Listing) string {
	var all []string
	if l.Zone != "" {
		all = append(all, l.Zone)
	}
	if l.Keyed != "" {
		all = append(all, "KEY."+l.Keyed)
	}
	return strings.Join(all, " or ")
}
