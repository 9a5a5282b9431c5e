package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"weir/scoring/verdictlog"
)

// privacyConfig says what is kept of people in verdicts, wherever they are written or shown.
type privacyConfig struct {
	LocalPart string `yaml:"local_part"` // of addresses
	Subject   string `yaml:"subject"`
}

func defaultPrivacy() privacyConfig {
	return privacyConfig{LocalPart: string(verdictlog.Keep), Subject: string(verdictlog.Keep)}
}

func (p privacyConfig) findings(f *finder) {
	known := []string{string(verdictlog.Keep), string(verdictlog.Hash), string(verdictlog.Drop)}
	f.want(slices.Contains(known, p.LocalPart), "privacy.local_part", "want keep, hash or drop")
	f.want(slices.Contains(known, p.Subject), "privacy.subject", "want keep, hash or drop")
}

// redactor makes records so before they are written to the log in dir, or to none.
func (p privacyConfig) redactor(dir string) (*verdictlog.Redactor, error) {
	return verdictlog.Privacy{LocalPart: verdictlog.Kept(p.LocalPart), Subject: verdictlog.Kept(p.Subject)}.Redactor(dir)
}

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
