package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

// logFlags say which records are looked for, besides the words of the query.
type logFlags struct {
	dir          string
	follow       bool
	count        bool
	last         int
	since, until string
}

func (a *app) logCommand() *cobra.Command {
	var f logFlags
	c := &cobra.Command{
		Use:   "log [QUERY]...",
		Short: "Search the verdict log, and follow it",
		Long: `Prints the verdicts that the query finds, a line each, the newest last: when (UTC), id, action, score, client,
sender -> recipients, subject, the heaviest symbols. All words of a query must hold:

  action:reject  rule:ZEN_SBL  rule:ZEN_*  shadow:TRIAL_1  error:timeout  policy:vip  score>9  score<=2.5
  from:ann@example.org  from:@example.org  from:<>  to:bob  subject:lottery  ip:192.0.2.7  net:192.0.2.0/24
  candidate:differs  candidate:reject  learned:spam  learned:ham  id:01JD3K7Q2W  campaign:4f1c  lottery  "two words"  -rule:BULK_SOME  -"not this text"

A word without a key is looked for in subject, addresses, HELO and reverse name, ids. A minus in front excludes.`,
		Example:            "  weir log action:reject from:@example.org --since 1h\n  weir log -f score\\>9 -rule:BULK_MANY",
		DisableFlagParsing: true, // words may begin with a minus: they are told from flags in logArgs
		RunE:               withWords(func(ctx context.Context, words []string) error { return a.log(ctx, f, words) }),
	}
	flags := c.Flags()
	f.bind(c)
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on with the verdicts to come")
	flags.BoolVar(&f.count, "count", false, "print only how many there are")
	c.AddCommand(a.logForgetCommand(), a.logShowCommand())
	flags.IntVarP(&f.last, "last", "n", 0, "print the last `N` only (with -f, 10 unless said)")
	return c
}

// bind makes the flags of every verb that reads the log: where it is, and of which time.
func (f *logFlags) bind(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.dir, "dir", "", "read the verdict log in `DIR` instead of the configured one")
	flags.StringVar(&f.since, "since", "", "not before `TIME`: 90s, 15m, 2h, 7d ago, or 2026-11-24, or 2026-11-24T10:30:00Z")
	flags.StringVar(&f.until, "until", "", "before `TIME`")
}

// withWords runs a verb whose arguments are the words of a query, among which flags stand.
func withWords(run func(ctx context.Context, words []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		words, err := logArgs(c, args)
		if err != nil {
			return err
		}
		if help, _ := c.Flags().GetBool("help"); help {
			return c.Help()
		}
		return run(c.Context(), words)
	}
}

// logArgs parses the flags among args and returns the words of the query. A word such as -rule:X or -lottery excludes;
// what begins with a minus and a flag's letter is a flag, unless it has a colon, a comparison or a quote.
func logArgs(c *cobra.Command, args []string) ([]string, error) {
	inherited := c.InheritedFlags()
	excludes := func(word string) bool {
		if len(word) < 2 || word[0] != '-' || word[1] == '-' {
			return false
		}
		letter := word[1:2]
		return strings.ContainsAny(word, `:<>"`) || letter[0] >= 0x80 ||
			c.Flags().ShorthandLookup(letter) == nil && inherited.ShorthandLookup(letter) == nil
	}
	var flags, words []string
	for i, arg := range args {
		if arg == "--" {
			words = append(words, args[i+1:]...)
			break
		}
		if excludes(arg) {
			words = append(words, arg)
		} else {
			flags = append(flags, arg)
		}
	}
	c.DisableFlagParsing = false
	if err := c.ParseFlags(append(append(flags, "--"), words...)); err != nil {
		return nil, c.FlagErrorFunc()(c, fmt.Errorf("%w\n  words to exclude may need -- before them", err))
	}
	return c.Flags().Args(), c.Root().PersistentPreRunE(c, nil)
}

func (a *app) log(ctx context.Context, f logFlags, words []string) error {
	q, err := f.query(words, time.Now())
	if err != nil {
		return exit{exitUsage, err}
	}
	dir, err := a.verdictDir(f.dir)
	if err != nil {
		return err
	}
	if f.count {
		return a.logCount(ctx, dir, q)
	}
	colored := a.colored(a.out)
	if f.follow {
		err := verdictlog.Follow(ctx, dir, q, func(r *verdictlog.Record) error { return a.printLogged(a.out, r, colored) })
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	kept, err := a.shelf(dir)
	if err != nil {
		return err
	}
	defer kept.Close()
	out := bufio.NewWriter(a.out)
	err = verdictlog.Search(ctx, dir, q, func(r *verdictlog.Record) error {
		r.Kept = kept.Has(r.ID)
		return a.printLogged(out, r, colored)
	})
	if flushErr := out.Flush(); err == nil && flushErr != nil {
		err = exit{exitIO, fmt.Errorf("writing the answer: %w", flushErr)}
	}
	return err
}

func (a *app) logCount(ctx context.Context, dir string, q verdictlog.Query) error {
	n, err := verdictlog.Count(ctx, dir, q)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(verdictCount{n})
	}
	if _, err := fmt.Fprintln(a.out, n); err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	return nil
}

// verdictCount is a number of verdicts as JSON.
type verdictCount struct {
	Verdicts int `json:"verdicts"`
}

func (f logFlags) query(words []string, now time.Time) (verdictlog.Query, error) {
	q, err := verdictlog.ParseQuery(words)
	if err != nil {
		return q, err
	}
	const followed = 10
	if q.Last = f.last; f.follow && q.Last == 0 {
		q.Last = followed
	}
	if f.count && (f.follow || q.Last > 0) {
		return q, errors.New("--count counts all that the query finds; it takes neither -f nor -n")
	}
	if q.Last < 0 {
		return q, errors.New("-n: a number of verdicts cannot be negative")
	}
	for _, bound := range []struct {
		flag, text string
		at         *time.Time
	}{{"--since", f.since, &q.Since}, {"--until", f.until, &q.Until}} {
		if bound.text == "" {
			continue
		}
		if *bound.at, err = verdictlog.ParseTime(bound.text, now); err != nil {
			return q, fmt.Errorf("%s: %w", bound.flag, err)
		}
	}
	return q, nil
}

// verdictDir is the folder of the verdict log: the one named, or the configuration's.
func (a *app) verdictDir(named string) (string, error) {
	if named == "" {
		c, err := a.config()
		if err != nil {
			return "", err
		}
		if c.Verdicts.Dir == "" {
			return "", exit{exitUsage, errors.New("no verdict log is configured\n  name its folder with --dir, or the configuration with -c")}
		}
		named = c.Verdicts.Dir
	}
	if _, err := os.ReadDir(named); err != nil {
		return "", exit{exitNoInput, fmt.Errorf("the verdict log: %w", err)}
	}
	return named, nil
}

// printLogged prints one record: a line for people, or as JSON.
func (a *app) printLogged(w io.Writer, r *verdictlog.Record, colored bool) error {
	if a.json {
		return writeJSON(w, r)
	}
	if _, err := fmt.Fprintln(w, logLine(r, colored)); err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	return nil
}

func logLine(r *verdictlog.Record, colored bool) string {
	const topSymbols = 4
	var b strings.Builder
	action := actionWord(r)
	fmt.Fprintf(&b, "%s %s %s %6s  %-15s %s -> %s", r.Time.UTC().Format(time.DateTime), r.ID,
		paint(colored, actionColor(r.Verdict.Action), fmt.Sprintf("%-7s", action)), r.Verdict.Score,
		printable(r.Session.Client.IP), mailbox(r.Envelope.From), recipientsText(r.Envelope))
	if r.Message != nil {
		fmt.Fprintf(&b, `  "%s"`, printable(shorten(r.Message.Subject, 60)))
	}
	shown := 0
	for _, h := range r.Hits {
		if h.Points != 0 && !isCorrection(h) && shown < topSymbols {
			fmt.Fprintf(&b, "  %s %s", printable(h.Rule), h.Points)
			shown++
		}
	}
	if r.Learned != "" {
		fmt.Fprintf(&b, "  learned: %s", r.Learned)
	}
	if c := r.Candidate; c.Differs() {
		fmt.Fprintf(&b, "  candidate: %s %s", paint(colored, actionColor(c.Action), c.Action.String()), c.Score)
	}
	for _, e := range r.Errors {
		fmt.Fprintf(&b, "  %s", paint(colored, colorError, printable("!"+e.Check+":"+e.Kind)))
	}
	return b.String()
}

// actionWord is the action, with a mark if it was not carried out.
func actionWord(r *verdictlog.Record) string {
	switch {
	case r.Verdict.By == scoring.ByBackend:
		return "backend"
	case r.Verdict.Shadow:
		return r.Verdict.Action.String() + "?"
	}
	return r.Verdict.Action.String()
}

func mailbox(address string) string {
	if address == "" {
		return "<>"
	}
	return printable(shorten(address, 80))
}

func recipientsText(e verdictlog.Envelope) string {
	const most = 2
	to := e.To
	for _, r := range e.RcptRejected {
		to = append(to[:len(to):len(to)], r.To)
	}
	if len(to) == 0 {
		return "nobody"
	}
	var shown []string
	for _, t := range to[:min(len(to), most)] {
		shown = append(shown, mailbox(t))
	}
	text := strings.Join(shown, ", ")
	if more := len(to) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// isCorrection reports whether a line of a verdict corrects others: a cap, or what a group takes back.
func isCorrection(l scoring.Line) bool { return strings.Contains(l.Rule, ":") }

// Colours of a terminal (ECMA-48 SGR).
const (
	colorPass   = 32
	colorTag    = 33
	colorReject = 31
	colorError  = 35
)

func actionColor(a rules.Action) int {
	switch a {
	case rules.Pass:
		return colorPass
	case rules.Reject:
		return colorReject
	}
	return colorTag
}

func paint(colored bool, color int, text string) string {
	if !colored {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", color, text)
}

// printable makes a text of strangers safe to show: what is no visible character is written as an escape, so that it
// cannot move the cursor, turn the text around or speak to the terminal.
func printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == unicode.ReplacementChar && !strings.HasPrefix(s[i:], string(r)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// shorten cuts s after so many characters.
func shorten(s string, most int) string {
	n := 0
	for i := range s {
		if n++; n > most {
			return s[:i] + "…"
		}
	}
	return s
}
