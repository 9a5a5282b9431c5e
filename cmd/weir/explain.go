package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

func (a *app) explainCommand() *cobra.Command {
	var q workbench
	var dir string
	c := &cobra.Command{
		Use:   "explain ID|FILE|-",
		Short: "Show how a verdict came about: each symbol, the sum, the reply, what would change it",
		Long: `Prints the waterfall of a verdict. ID is looked up in the verdict log; its first ten letters are enough if they are
unique. If its message is kept, it says where in it the evidence stands. FILE holds records as --json prints them, a line
each, or a message, which is judged now under the rules.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.explain(c.Context(), args[0], dir, q)
		},
	}
	q.flags(c)
	c.Flags().BoolVar(&a.html, "html", false, "print a page that stands by itself")
	c.Flags().StringVar(&dir, "dir", "", "read the verdict log in `DIR` instead of the configured one")
	return c
}

// explain explains what is named: a record of the log, the records in a file, or a message.
func (a *app) explain(ctx context.Context, name, dir string, q workbench) error {
	if name == "-" {
		return a.explainFile(ctx, "-", a.in, q)
	}
	file, err := os.Open(name)
	if err == nil {
		defer file.Close()
		return a.explainFile(ctx, name, file, q)
	}
	if !errors.Is(err, fs.ErrNotExist) || strings.ContainsAny(name, "./") {
		return exit{exitNoInput, err}
	}
	folder, err := a.verdictDir(dir)
	if err != nil {
		return err
	}
	r, err := verdictlog.Find(folder, name)
	if err != nil {
		return exit{exitNoInput, err}
	}
	kept, err := a.shelf(folder)
	if err != nil {
		return err
	}
	defer kept.Close()
	if raw, err := kept.Get(r.ID); err == nil {
		r.Kept = true
		return a.printExplained(r, locate(r, raw)...)
	}
	return a.printExplained(r)
}

// explainFile explains the records in a file, or the verdict on the message that it is.
func (a *app) explainFile(ctx context.Context, name string, file io.Reader, q workbench) error {
	in := bufio.NewReaderSize(file, 64<<10)
	if start, _ := in.Peek(1); !bytes.Equal(start, []byte("{")) {
		return a.explainMessage(ctx, name, in, q)
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 4<<20)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		r, err := verdictlog.ReadRecord(lines.Bytes())
		if err != nil {
			return exit{exitData, fmt.Errorf("%s:%d: %w", name, n, err)}
		}
		if err := a.printExplained(r); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return exit{exitIO, fmt.Errorf("reading %s: %w", name, err)}
	}
	return nil
}

// explainMessage judges a message now, as `weir check` does.
func (a *app) explainMessage(ctx context.Context, name string, in io.Reader, q workbench) error {
	s, err := checkFlags{}.submission()
	if err != nil {
		return err
	}
	g, done, err := a.workbench(ctx, q)
	if err != nil {
		return err
	}
	defer done()
	return splitMessages(name, in, func(path string, raw []byte) error {
		s.raw = raw
		r := judge(ctx, g, s).record(g)
		r.Path = path
		return a.printExplained(&r)
	})
}

// explanation is what `explain --json` prints.
type explanation struct {
	ID      string             `json:"id"`
	Time    time.Time          `json:"time"`
	Path    string             `json:"path,omitempty"`
	Verdict verdictlog.Verdict `json:"verdict"`
	Hits    []scoring.Step     `json:"hits"`
	Shadow  []scoring.Line     `json:"shadow"`
	Errors  any                `json:"errors"`
	Change  *scoring.Change    `json:"change"` // null if no set of symbols would change it
	Margins []scoring.Margin   `json:"margins"`
	Edits   []scoring.Edit     `json:"edits"`
	Found   []located          `json:"found,omitempty"` // in the message, if it is kept
}

func (a *app) printExplained(r *verdictlog.Record, found ...located) error {
	switch {
	case a.html:
		return a.printPage(r)
	case !a.json:
		return errors.Join(a.printWaterfall(r), a.printFound(found))
	}
	return a.printJSON(explanation{
		ID: r.ID, Time: r.Time, Path: r.Path, Verdict: r.Verdict, Hits: scoring.Waterfall(r.Hits),
		Shadow: r.Shadow, Errors: r.Errors, Change: changeOf(r),
		Margins: marginsOf(r), Edits: editsOf(r), Found: found,
	})
}

// printFound says where in the message the evidence stands.
func (a *app) printFound(found []located) error {
	var all facts
	for _, f := range found {
		all.add("found", "%s in its message: %s", f.Rule, f.Where)
	}
	if len(all) == 0 {
		return nil
	}
	var b bytes.Buffer
	all.write(&b)
	if _, err := fmt.Fprintln(a.out, b.String()); err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	return nil
}

// changeOf is the smallest set of symbols without which the action would differ; nil if there is none, or if another
// server decided.
func changeOf(r *verdictlog.Record) *scoring.Change {
	if r.Verdict.By == scoring.ByBackend {
		return nil
	}
	change, ok := scoring.SmallestChange(r.Hits, r.Verdict.Thresholds.Rules())
	if !ok {
		return nil
	}
	return &change
}

// marginsOf is how near the sum was to another action; nothing if it did not decide.
func marginsOf(r *verdictlog.Record) []scoring.Margin {
	if r.Verdict.By != scoring.ByScore {
		return []scoring.Margin{}
	}
	return scoring.Margins(r.Verdict.Score, r.Verdict.Thresholds.Rules())
}

// editsOf are the smallest changes of one number of the rules that would have made a difference; nothing if the sum did
// not decide.
func editsOf(r *verdictlog.Record) []scoring.Edit {
	if r.Verdict.By != scoring.ByScore {
		return []scoring.Edit{}
	}
	return scoring.SmallestEdits(r.Hits, r.Verdict.Thresholds.Rules())
}

// printWaterfall prints how the verdict in r came about.
func (a *app) printWaterfall(r *verdictlog.Record) error {
	colored := a.colored(a.out)
	out := bufio.NewWriter(a.out)
	fmt.Fprintf(out, "%s  %s %s at %s\n", r.ID, paint(colored, actionColor(r.Verdict.Action), actionWord(r)), r.Verdict.Score,
		cmp.Or(r.Verdict.At, verdictlog.AtData))
	circumstances(r).write(out)
	fmt.Fprintln(out)
	writeSteps(out, r, colored)
	fmt.Fprintln(out)
	consequences(r).write(out)
	fmt.Fprintln(out)
	if err := out.Flush(); err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	return nil
}

// fact is something said of a verdict.
type fact struct{ Name, Text string }

// facts are what is said, in order.
type facts []fact

func (all *facts) add(name, format string, args ...any) {
	if text := fmt.Sprintf(format, args...); text != "" {
		*all = append(*all, fact{name, printable(text)})
	}
}

func (all facts) write(w io.Writer) {
	for _, f := range all {
		fmt.Fprintf(w, "  %-10s %s\n", f.Name, f.Text)
	}
}

// circumstances are what was judged.
func circumstances(r *verdictlog.Record) facts {
	var all facts
	all.add("file", "%s", r.Path)
	all.add("time", "%s", r.Time.UTC().Format(time.RFC3339))
	all.add("client", "%s", clientText(r.Session))
	all.add("user", "%s", r.Session.User)
	if r.Envelope.From != "" || len(r.Envelope.To) > 0 {
		all.add("envelope", "%s -> %s", mailbox(r.Envelope.From), recipientsText(r.Envelope))
	}
	if m := r.Message; m != nil {
		all.add("from", "%s", m.HeaderFrom)
		all.add("subject", "%s", shorten(m.Subject, 100))
	}
	if auth := r.Auth; auth != nil {
		all.add("auth", "%s", authText(auth))
		all.add("proven", "%s", strings.Join(auth.Domains, ", "))
	}
	if b := r.Bulk; b != nil && b.Campaign != "" {
		all.add("campaign", "%s: %d alike from %d networks", b.Campaign, b.Alike, b.Networks)
	}
	return all
}

// authText is what was found out about who has sent it, "" if nothing was.
func authText(a *verdictlog.Auth) string {
	var found []string
	add := func(method, result, detail string) {
		if result == "" || result == "none" && method == "ARC" {
			return
		}
		if detail != "" {
			result += " (" + detail + ")"
		}
		found = append(found, method+" "+result)
	}
	add("SPF", a.SPF, "")
	for _, s := range a.DKIM {
		add("DKIM", s.Result, s.Domain)
	}
	policy := a.Policy
	if a.Spared != "" {
		policy += ", spared by the word of " + a.Spared
	}
	add("DMARC", a.DMARC, policy)
	add("ARC", a.ARC, strings.Join(a.Sealers, ", "))
	return strings.Join(found, ", ")
}

func clientText(s verdictlog.Session) string {
	text := s.Client.IP
	if s.Client.RDNS != "" {
		text += " (" + s.Client.RDNS + ")"
	}
	if s.Helo != "" {
		text += ", HELO " + s.Helo
	}
	return text
}

// writeSteps writes the waterfall: for each line its points, the sum so far, a bar from the sum before to it, the
// symbol, where in the rules it is, and the evidence.
func writeSteps(w io.Writer, r *verdictlog.Record, colored bool) {
	steps := scoring.Waterfall(r.Hits)
	if len(steps) == 0 {
		fmt.Fprintln(w, "  no symbol of any worth")
		return
	}
	bars := scaleFor(steps, r.Verdict.Thresholds)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	before := rules.Points(0)
	for _, s := range steps {
		points := fmt.Sprintf("%7s", s.Points)
		if s.Points > 0 {
			points = fmt.Sprintf("%7s", "+"+s.Points.String())
		}
		fmt.Fprintf(table, "%s  %7s  %s\t%s\t%s\t%s\n", points, s.Sum, bars.bar(before, s.Sum), printable(s.Rule), s.Src,
			printable(shorten(s.Detail, 120)))
		before = s.Sum
	}
	_ = table.Flush() // w keeps the error
	fmt.Fprintf(w, "         %7s  %s\n", paint(colored, actionColor(r.Verdict.Action), fmt.Sprintf("%7s", r.Verdict.Score)), "the sum")
}

// scale maps points to columns of a bar.
type scale struct{ low, high rules.Points }

const barWidth = 24

// scaleFor makes the scale on which all sums and thresholds fit.
func scaleFor(steps []scoring.Step, t verdictlog.Thresholds) scale {
	s := scale{}
	for _, step := range steps {
		s.low, s.high = min(s.low, step.Sum), max(s.high, step.Sum)
	}
	for _, p := range []*rules.Points{t.Tag, t.Subject, t.Defer, t.Reject} {
		if p != nil {
			s.high = max(s.high, *p)
		}
	}
	s.high = max(s.high, s.low+1)
	return s
}

func (s scale) column(p rules.Points) int {
	return int((int64(p-s.low)*barWidth + int64(s.high-s.low)/2) / int64(s.high-s.low))
}

// bar draws a step: "#" for points against the sender, "-" for points in favour.
func (s scale) bar(from, to rules.Points) string {
	mark, left, right := "#", s.column(from), s.column(to)
	if to < from {
		mark, left, right = "-", right, left
	}
	if left == right && from != to {
		left = min(left, barWidth-1)
		right = left + 1
	}
	return strings.Repeat(" ", left) + strings.Repeat(mark, right-left) + strings.Repeat(" ", barWidth-right)
}

// consequences are what followed and what would have changed it.
func consequences(r *verdictlog.Record) facts {
	var all facts
	v := r.Verdict
	all.add("policy", "%s: %s", v.Policy, thresholdText(v.Thresholds.Rules()))
	all.add("decided", "%s", decidedText(r))
	if v.Reply.Code != 0 {
		all.add("reply", "%d %s %s", v.Reply.Code, v.Reply.Enhanced, v.Reply.Text)
	}
	if b := r.Backend; b != nil {
		all.add("backend", "%s: %s", b.Addr, b.Reply)
	}
	for _, l := range r.Shadow {
		all.add("on trial", "%s would have counted %s  %s", l.Rule, l.Points, l.Detail)
	}
	for _, e := range r.Errors {
		all.add("unknown", "%s %s: %s", strings.TrimSpace(e.Check+" "+e.Rule), e.Kind, shorten(e.Detail, 120))
	}
	all.add("early", "%s", earlyText(v))
	all.add("learned", "%s", r.Learned)
	all.add("candidate", "%s", candidateText(r.Candidate))
	if v.By != scoring.ByBackend && len(r.Hits) > 0 {
		all.add("change", "%s", changeText(r))
	}
	all.add("margin", "%s", marginText(r))
	all.add("edit", "%s", editText(r))
	return all
}

func pointsText(p *rules.Points) string {
	if p == nil {
		return "off"
	}
	return p.String()
}
