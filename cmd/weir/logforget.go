package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"weir/scoring/verdictlog"
)

func (a *app) logForgetCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "forget ADDRESS", Short: "Take an address out of all verdicts", Args: cobra.ExactArgs(1),
		Long: `Takes the local part of the address out of all verdicts that name it, wherever it stands in them; also where it is
hashed. The verdicts stay, and so does the domain. Kept messages that name it are erased as a whole. weir may run
meanwhile. Mail to come is written down as before: see privacy in weir.yaml. The program's own log (the journal) is not
ours to change.`,
		Example: "  weir log forget ann@example.org",
		RunE:    func(c *cobra.Command, args []string) error { return a.logForget(c.Context(), dir, args[0]) },
	}
	c.Flags().StringVar(&dir, "dir", "", "the verdict log in `DIR` instead of the configured one")
	return c
}

func (a *app) logForget(ctx context.Context, dir, address string) error {
	dir, err := a.verdictDir(dir)
	if err != nil {
		return err
	}
	n, messages, err := verdictlog.Forget(ctx, dir, address)
	switch {
	case errors.Is(err, verdictlog.ErrNoAddress):
		return exit{exitUsage, err}
	case err != nil:
		return exit{exitIO, err}
	case a.json:
		return a.printJSON(forgotten{n, messages})
	}
	text := "forgotten in " + count(n, "verdict")
	if messages > 0 {
		text += ", and " + count(messages, "kept message") + " erased"
	}
	if _, err := fmt.Fprintln(a.out, text); err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	return nil
}

// forgotten is what was forgotten, as JSON.
type forgotten struct {
	Verdicts int `json:"verdicts"`
	Messages int `json:"messages,omitempty"`
}
