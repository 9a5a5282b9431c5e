package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"weir/scoring/verdictlog"
)

func (a *app) logShowCommand() *cobra.Command {
	var dir string
	var body bool
	c := &cobra.Command{
		Use: "show ID", Short: "Print a record, or the message that it is of", Args: cobra.ExactArgs(1),
		Long: `Prints the record of a verdict as JSON; the first ten letters of ID are enough if they are unique. With --body it prints
the message itself as it was judged, byte for byte, if it is kept: verdicts.bodies in weir.yaml says which are.`,
		Example: "  weir log show 01M86G0SV0 --body > message.eml",
		RunE: func(_ *cobra.Command, args []string) error {
			folder, err := a.verdictDir(dir)
			if err != nil {
				return err
			}
			if body {
				return a.showMessage(folder, args[0])
			}
			r, err := verdictlog.Find(folder, args[0])
			if err != nil {
				return exit{exitNoInput, err}
			}
			s, err := a.shelf(folder)
			if err != nil {
				return err
			}
			defer s.Close()
			r.Kept = s.Has(r.ID)
			return a.printJSON(r)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the verdict log in `DIR` instead of the configured one")
	c.Flags().BoolVar(&body, "body", false, "print the message")
	return c
}

func (a *app) showMessage(dir, id string) error {
	_, raw, err := a.keptMessage(dir, id)
	if err != nil {
		return err
	}
	if _, err := a.out.Write(raw); err != nil {
		return exit{exitIO, fmt.Errorf("writing the message: %w", err)}
	}
	return nil
}
