package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/filters"
	"weir/filters/bulk"
	"weir/filters/store"
	"weir/scoring/verdictlog"
)

func (a *app) bulkCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "bulk", Short: "Look at campaigns: what was counted as alike",
		Long: `Looks at campaigns where they are remembered: in Redis, if store.redis of weir.yaml names one; or in the weir that runs
by the configuration, asked at its admin.addr; or in its snapshot, store.memory.snapshot, which it writes every five minutes
and when it ends.`,
	}
	c.AddCommand(a.bulkListCommand(), a.bulkShowCommand(), a.bulkCompareCommand(), a.bulkForgetCommand(), a.bulkExemptCommand())
	return c
}

func (a *app) bulkListCommand() *cobra.Command {
	var snapshot string
	var last int
	var least int64
	c := &cobra.Command{
		Use: "list", Short: "List the campaigns seen, the largest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if last < 0 {
				return exit{exitUsage, errors.New("-n: a number of campaigns cannot be negative")}
			}
			all, err := a.campaigns(c.Context(), snapshot, least, last)
			if err != nil {
				return err
			}
			return a.printCampaigns(all)
		},
	}
	snapshotFlag(c, &snapshot)
	c.Flags().IntVarP(&last, "last", "n", 50, "at most `N`")
	c.Flags().Int64Var(&least, "alike", 2, "those of at least `N` messages")
	return c
}

func (a *app) bulkShowCommand() *cobra.Command {
	var snapshot string
	c := &cobra.Command{
		Use: "show ID", Short: "Show a campaign: its counts by window; in the verdict log, what of it stays and varies, when it came, and its last messages", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.bulkShow(c.Context(), snapshot, args[0]) },
	}
	snapshotFlag(c, &snapshot)
	return c
}

func (a *app) bulkCompareCommand() *cobra.Command {
	return &cobra.Command{
		Use: "compare A B", Short: "Say how alike two messages are, and by what", Args: cobra.ExactArgs(2),
		Long: `Says how alike the messages in two files are: which share of each the other has, the grade by which B would be counted
with A, and the fingerprints they share, in the letters by which they are compared: what looks alike is one of them, l is i.
It looks at the messages alone, not at who sent them.`,
		RunE: func(c *cobra.Command, args []string) error { return a.bulkCompare(c.Context(), args[0], args[1]) },
	}
}

func (a *app) bulkForgetCommand() *cobra.Command {
	var snapshot string
	c := &cobra.Command{
		Use: "forget ID", Short: "Forget a campaign, as if it had never been seen", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.bulkForget(c.Context(), snapshot, args[0]) },
	}
	snapshotFlag(c, &snapshot)
	return c
}

func snapshotFlag(c *cobra.Command, path *string) {
	c.Flags().StringVar(path, "snapshot", "", "read the snapshot `FILE` instead of the configured one")
}

// remembered opens the snapshot named, or the configuration's, and returns its path as well.
func (a *app) remembered(path string) (*store.Memory, string, error) {
	if path == "" {
		c, err := a.config()
		if err != nil {
			return nil, "", err
		}
		if path = c.Store.Memory.Snapshot; path == "" {
			return nil, "", exit{exitUsage, errors.New("no snapshot is configured\n  name it with --snapshot, or the configuration with -c")}
		}
	}
	m, err := store.Open(path, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", exit{exitNoInput, err}
	case errors.Is(err, store.ErrBroken):
		return nil, "", exit{exitData, err}
	case err != nil:
		return nil, "", exit{exitIO, err}
	}
	return m, path, nil
}

// printCampaigns prints a table, or a JSON object a line.
func (a *app) printCampaigns(all []bulk.Campaign) error {
	if a.json {
		for _, c := range all {
			if err := a.printJSON(c); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CAMPAIGN\tALIKE\tSTRICT\tNETWORKS\tSENDERS\tRECIPIENTS\tFIRST SEEN\tLAST SEEN")
	for _, c := range all {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", c.ID, c.Alike, c.AlikeStrict, c.Networks, c.Senders, c.Recipients,
			c.FirstSeen.Format(time.DateTime), c.LastSeen.Format(time.DateTime))
	}
	return t.Flush()
}

// shownWindows are those that a campaign is shown by, the last being all that is remembered.
var shownWindows = [...]time.Duration{10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

// shownCampaign is a campaign in all windows.
type shownCampaign struct {
	bulk.Campaign
	Windows  []shownWindow        `json:"windows"`
	Logged   logged               `json:"logged"`   // what the verdict log says of them
	Messages []*verdictlog.Record `json:"messages"` // the last ones in the verdict log
}

type shownWindow struct {
	Over string `json:"over"`
	bulk.Campaign
}

func (a *app) bulkShow(ctx context.Context, snapshot, name string) error {
	if _, err := bulk.Owner(name); err != nil {
		return exit{exitUsage, err}
	}
	windows, err := a.campaign(ctx, snapshot, name)
	if err != nil {
		return err
	}
	shown := shownCampaign{Campaign: windows[len(windows)-1].Campaign, Windows: windows}
	if shown.Alike == 0 {
		return exit{exitNoInput, fmt.Errorf(errUnknownCampaign, name)}
	}
	if name != shown.ID && !a.json {
		fmt.Fprintf(a.out, "%s has become %s\n", name, shown.ID)
	}
	all, err := a.lastOf(ctx, shown.ID)
	if err != nil {
		return err
	}
	shown.Logged, shown.Messages = loggedOf(all), all[max(0, len(all)-lastShown):]
	if a.json {
		return a.printJSON(shown)
	}
	return a.printCampaign(shown)
}

// lastOf returns the last messages of a campaign in the verdict log, none if there is no log.
func (a *app) lastOf(ctx context.Context, name string) ([]*verdictlog.Record, error) {
	c, err := a.config()
	if err != nil || c.Verdicts.Dir == "" {
		return nil, err
	}
	q, err := verdictlog.ParseQuery([]string{"campaign:" + name})
	if err != nil {
		return nil, err
	}
	q.Last = mostLogged
	var all []*verdictlog.Record
	err = verdictlog.Search(ctx, c.Verdicts.Dir, q, func(r *verdictlog.Record) error {
		all = append(all, r)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return all, err
}

func (a *app) printCampaign(c shownCampaign) error {
	fmt.Fprintf(a.out, "campaign %s, first seen %s, last seen %s\n\n", c.ID, c.FirstSeen.Format(time.DateTime), c.LastSeen.Format(time.DateTime))
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "WITHIN\tALIKE\tSTRICT\tNETWORKS\tSENDERS\tFROM\tSIGNERS\tRECIPIENTS\tSUBJECTS\tTRAPS\tSPAM\tPASS\tTAG\tDEFER\tREJECT")
	for _, w := range c.Windows {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", w.Over, w.Alike, w.AlikeStrict, w.Networks, w.Senders,
			w.HeaderDomains, w.Signers, w.Recipients, w.Subjects, w.Traps, w.Complaints, sharesOf(w.Verdicts))
	}
	if err := t.Flush(); err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	if len(c.Messages) > 0 {
		if err := c.Logged.print(a.out); err != nil {
			return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
		}
		fmt.Fprintln(a.out)
	}
	for _, r := range c.Messages {
		if err := a.printLogged(a.out, r, a.colored(a.out)); err != nil {
			return err
		}
	}
	return nil
}

// sharesOf is which part of a campaign was dealt with in which way.
func sharesOf(v bulk.Verdicts) string {
	all := v.Pass + v.Tag + v.Defer + v.Reject
	var cells []string
	for _, n := range []int64{v.Pass, v.Tag, v.Defer, v.Reject} {
		cells = append(cells, fmt.Sprintf("%.0f%%", 100*float64(n)/float64(max(all, 1))))
	}
	if all == 0 {
		cells = []string{"-", "-", "-", "-"}
	}
	return strings.Join(cells, "\t")
}

func (a *app) bulkCompare(ctx context.Context, first, second string) error {
	var mails [2]filters.Mail
	for i, path := range []string{first, second} {
		raw, err := os.ReadFile(path)
		if err != nil {
			return exit{exitNoInput, fmt.Errorf("reading a message: %w", err)}
		}
		mails[i] = filters.Mail{At: time.Now(), Message: filters.ParseMessage(raw)}
	}
	l, err := bulk.Compare(ctx, mails[0], mails[1])
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(l)
	}
	fmt.Fprintf(a.out, "%s: %.0f%% of %s, %.0f%% of %s\n", l.Grade, 100*l.OfFirst, printable(first), 100*l.OfSecond, printable(second))
	if l.Exact {
		fmt.Fprintln(a.out, "the texts are equal")
	}
	if l.Skeleton != nil {
		fmt.Fprintf(a.out, "skeleton of HTML: %.0f%% of %s\n", 100**l.Skeleton, printable(second))
	}
	if l.Picture != nil {
		fmt.Fprintf(a.out, "pictures: %d of 255 signs differ\n", *l.Picture)
	}
	for _, shared := range []struct {
		what string
		all  []string
	}{{"word pairs", l.Pairs}, {"words", l.Words}, {"rows of letters", l.Letters}, {"addresses", l.Addresses}} {
		if len(shared.all) > 0 {
			fmt.Fprintf(a.out, "%s: %s\n", shared.what, printable(strings.Join(shared.all, ", ")))
		}
	}
	return nil
}

func (a *app) bulkForget(ctx context.Context, snapshot, name string) error {
	if _, err := bulk.Owner(name); err != nil {
		return exit{exitUsage, err}
	}
	if snapshot == "" {
		c, err := a.config()
		if err != nil {
			return err
		}
		var was bulk.Campaign
		if len(c.Store.Redis.Addrs) > 0 {
			was.Alike, err = forgetShared(ctx, c.Store, name)
		} else {
			var asked bool
			if asked, err = operatorAt(c.Admin.Addr).campaigns(ctx, http.MethodPost, "/bulk/"+name+"/forget", &was); !asked {
				return a.forgetSnapshot(ctx, "", name)
			}
		}
		if err == nil {
			a.say("forgot %s, of %s", name, count(int(was.Alike), "message"))
		}
		return err
	}
	return a.forgetSnapshot(ctx, snapshot, name)
}

// forgetSnapshot takes a campaign out of a snapshot that no weir keeps.
func (a *app) forgetSnapshot(ctx context.Context, snapshot, name string) error {
	memory, path, err := a.remembered(snapshot)
	if err != nil {
		return err
	}
	release, err := store.Hold(path)
	if errors.Is(err, store.ErrHeld) {
		return exit{exitTemporary, fmt.Errorf("%w\n  it would write what it remembers over this: give it an admin.addr, where it can be asked, or stop it first", err)}
	}
	if err != nil {
		return exit{exitIO, err}
	}
	defer release()
	c, err := bulk.Within(ctx, memory, time.Now(), shownWindows[len(shownWindows)-1], name)
	if err != nil {
		return exit{exitUsage, err}
	}
	if c.Alike == 0 {
		return exit{exitNoInput, fmt.Errorf(errUnknownCampaign, name)}
	}
	if err := bulk.Forget(ctx, memory, time.Now(), name); err != nil {
		return err
	}
	if err := memory.SaveFile(path); err != nil {
		return exit{exitIO, err}
	}
	a.say("forgot %s, of %s", name, count(int(c.Alike), "message"))
	return nil
}
