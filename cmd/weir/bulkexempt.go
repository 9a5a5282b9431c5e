package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/rules"
	"weir/scoring/verdictlog"
)

// exemption is whose bulk mail is to be wanted, and why.
type exemption struct {
	dir      string // of the verdict log
	rules    string // "" for those of the configuration
	why      string
	campaign string // where the domain was found; "" if it was named
	domain   string
}

func (a *app) bulkExemptCommand() *cobra.Command {
	var e exemption
	c := &cobra.Command{
		Use: "exempt ID|DOMAIN", Short: "Spare the bulk mail that a domain is proven to have sent", Args: cobra.ExactArgs(1),
		Long: `Adds a domain to the file of the list that bulk.exempt names: mail that it is proven to have sent, by DKIM or SPF aligned with
the From header, is counted and capped from then on. A running weir reads the list when it changes. ID is a campaign: then
it is the domain that the verdict log knows as proven for its messages. Where no list of bulk.exempt is in a file, the lines
for rules.yaml are printed and nothing is changed.`,
		Example: "  weir -c weir.yaml bulk exempt news.example --why \"the parish letter\"\n  weir -c weir.yaml bulk exempt c41d09aa7",
		RunE:    func(c *cobra.Command, args []string) error { return a.bulkExempt(c.Context(), e, args[0]) },
	}
	c.Flags().StringVar(&e.why, "why", "", "a `TEXT` kept beside the domain")
	c.Flags().StringVar(&e.rules, "rules", "", "the rules are in `FILE` instead of the configured one")
	c.Flags().StringVar(&e.dir, "dir", "", "the verdict log is in `DIR` instead of the configured folder")
	return c
}

// isListable matches what can stand in a list of domains.
var isListable = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)+$`)

func (a *app) bulkExempt(ctx context.Context, e exemption, name string) error {
	e.domain = strings.TrimSuffix(strings.ToLower(name), ".")
	if strings.ContainsAny(e.why, "\r\n") {
		return exit{exitUsage, errors.New("bulk exempt: --why is one line")}
	}
	if !strings.Contains(name, ".") {
		e.campaign = name
		var err error
		if e.domain, err = a.signerOf(ctx, e); err != nil {
			return err
		}
	}
	if !isListable.MatchString(e.domain) {
		return exit{exitUsage, fmt.Errorf("bulk exempt: %q is neither a domain like news.example nor a campaign like c41d09aa7", printable(name))}
	}
	var named []string
	if e.rules != "" {
		named = []string{e.rules}
	}
	path, err := a.rulesFile(named)
	if err != nil {
		return err
	}
	set, err := loadForReading(path)
	if err != nil {
		return err
	}
	for _, x := range set.Bulk.Exempt {
		if x.Signers.HasDomain(e.domain) {
			a.say("%s is spared already: list %s, %s", e.domain, x.Signers.Name, placed(x.Signers.Src, path))
			return nil
		}
	}
	for _, x := range set.Bulk.Exempt {
		if x.Signers.File != "" {
			return a.addExempt(e, x.Signers, filepath.Join(filepath.Dir(path), x.Signers.File))
		}
	}
	return a.printExempt(e, set, path)
}

// signerOf finds in the verdict log the domain that is proven to have sent a campaign.
func (a *app) signerOf(ctx context.Context, e exemption) (string, error) {
	dir, err := a.verdictDir(e.dir)
	if err != nil {
		return "", err
	}
	q, err := verdictlog.ParseQuery([]string{"campaign:" + e.campaign})
	if err != nil {
		return "", exit{exitUsage, err}
	}
	proven, messages := map[string]int{}, 0
	err = verdictlog.Search(ctx, dir, q, func(r *verdictlog.Record) error {
		messages++
		if r.Auth != nil && len(r.Auth.Domains) > 0 {
			proven[r.Auth.Domains[0]]++
		}
		return nil
	})
	switch domains := slices.Sorted(maps.Keys(proven)); {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	case messages == 0:
		return "", exit{exitNoInput, fmt.Errorf("bulk exempt: the verdict log has no message of campaign %s", printable(e.campaign))}
	case len(domains) == 0:
		return "", exit{exitData, fmt.Errorf("bulk exempt: nobody is proven to have sent any of the %s of campaign %s\n"+
			"  an exemption without proof would spare whoever forges the sender", count(messages, "message"), e.campaign)}
	case len(domains) > 1:
		return "", exit{exitData, fmt.Errorf("bulk exempt: several are proven to have sent campaign %s: %s\n  name the one to be spared: weir bulk exempt DOMAIN",
			e.campaign, strings.Join(domains[:min(len(domains), 10)], ", "))}
	default:
		return domains[0], nil
	}
}

// line is the entry in the file of a list.
func (e exemption) line(now time.Time) string {
	said := now.UTC().Format(time.DateOnly)
	if e.campaign != "" {
		said += ", campaign " + e.campaign
	}
	if e.why != "" {
		said += ": " + e.why
	}
	return e.domain + "  # " + said + "\n"
}

// addExempt puts the domain at the end of a list's file, and leaves all that is there as it is.
func (a *app) addExempt(e exemption, list *rules.List, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return exit{exitNoInput, err}
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	if err := rewrite(path, append(text, e.line(time.Now())...)); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(struct {
			Domain string `json:"domain"`
			List   string `json:"list"`
			File   string `json:"file"`
		}{e.domain, list.Name, path})
	}
	a.say("%s is spared from now on: list %s, %s", e.domain, list.Name, path)
	return nil
}

// printExempt prints what to write where no list of bulk.exempt is in a file.
func (a *app) printExempt(e exemption, set *rules.Set, path string) error {
	name := "newsletters"
	fmt.Fprintf(a.err, "weir: no list of bulk.exempt is in a file, so nothing is changed; what is to be in %s:\n", printable(path))
	if len(set.Bulk.Exempt) > 0 {
		name = set.Bulk.Exempt[0].Signers.Name
	} else {
		fmt.Fprintf(a.out, "bulk:\n  exempt:\n    - { id: BULK_WANTED, signer: list.%s, cap: 0 }\n", name)
	}
	entries := e.domain
	if len(set.Bulk.Exempt) > 0 {
		entries = "…, " + e.domain
	}
	_, err := fmt.Fprintf(a.out, "lists:\n  %s: { type: domain, inline: [%s] }\n", name, entries)
	if err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	return nil
}
