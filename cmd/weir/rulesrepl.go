package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing/fstest"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/filters"
	"weir/filters/attachment"
	"weir/filters/html"
	"weir/filters/pattern"
	"weir/rules"
	"weir/rules/strict"
	"weir/scoring"
)

// typedSymbol is what a line that is typed reports.
const typedSymbol = "TYPED"

// maxTyped bounds a line that is typed, in bytes.
const maxTyped = 16 << 10

const replHelp = `body ~ REGEX            does the visible text match?
header NAME ~ REGEX     does a header match?
url ~ REGEX             does a link match?
host ~ REGEX            does the host of a link match?
file ~ REGEX            does the name of a file match?
attachment { type: exe, … }     as a rule says it; likewise html { tag: form, … }, url { … }, header { … } and body { … }
symbols                 what holds for the message
features                what conditions read besides, and their values
any condition           as after when: ZEN_SBL && size < 200*KiB
quit`

func (a *app) rulesReplCommand() *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Use: "repl FILE|ID", Short: "Try conditions and patterns on a message, line by line", Args: cobra.ExactArgs(1),
		Long: `Judges a message as ` + "`weir check`" + ` does, and then answers what is typed, or comes in by a pipe, a line each:

` + replHelp + `

ID is that of a verdict whose message is kept: it is judged now, with the clock, the client, the sender and the recipients of then.
It asks no DNS, unless --dns says whom to ask, or --offline=false the servers of the configuration.`,
		RunE: func(c *cobra.Command, args []string) error {
			if f.zone != "" && !c.Flags().Changed("offline") {
				f.offline = false
			}
			return a.repl(c.Context(), f, args[0])
		},
	}
	f.flags(c)
	f.offline = true
	c.Flags().Lookup("offline").DefValue = "true"
	return c
}

func (a *app) repl(ctx context.Context, f checkFlags, path string) error {
	s, err := a.submitted(f, path)
	if err != nil {
		return err
	}
	g, done, err := a.workbench(ctx, f.workbench)
	if err != nil {
		return err
	}
	defer done()
	o := judge(ctx, g, s)
	if o.Mail.Message == nil {
		a.say("it is refused at RCPT, so no symbol of the message itself is known")
	}
	b := newBench(g.Rules, o, s.raw)
	prompt := ""
	if in, ok := a.in.(*os.File); ok && isTerminal(in) && !a.quiet {
		prompt = "> "
	}
	lines := bufio.NewScanner(a.in)
	lines.Buffer(nil, maxTyped)
	for fmt.Fprint(a.err, prompt); lines.Scan(); fmt.Fprint(a.err, prompt) {
		typed := strings.TrimSpace(lines.Text())
		if typed == "quit" || typed == "exit" {
			return nil
		}
		if err := a.answer(ctx, b, typed); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return exit{exitData, fmt.Errorf("reading what is typed: %w", err)}
	}
	return nil
}

// submitted is the message in a file, in circumstances as f says them, or a kept one with its id in place of path, as it came.
func (a *app) submitted(f checkFlags, path string) (submission, error) {
	s, err := f.submission()
	if err != nil {
		return s, exit{exitUsage, err}
	}
	if kept, _ := keptAmong([]string{path}); len(kept) > 0 {
		err := a.eachKept(kept, func(_ string, recorded submission) error {
			s = recorded
			return nil
		})
		return s, err
	}
	file, err := os.Open(path)
	if err != nil {
		return s, exit{exitNoInput, err}
	}
	defer file.Close()
	s.raw, err = readMessage(path, file)
	return s, err
}

// bench is a message that has been judged, for questions.
type bench struct {
	mail     filters.Mail
	features rules.Features
	symbols  map[string]bool // those that hold
	known    []string        // all that there are
}

func newBench(set *rules.Set, o outcome, raw []byte) *bench {
	if o.Mail.Message == nil { // refused before it came
		o.Mail.Message = filters.ParseMessage(raw)
	}
	facts := scoring.FactsOf(o.Mail, o.Results)
	b := &bench{mail: o.Mail, features: facts.Features, symbols: map[string]bool{}, known: slices.Concat(checked(), slices.Collect(maps.Keys(set.Symbols)))}
	for _, h := range facts.Hits {
		b.symbols[h.Symbol] = true
	}
	for _, line := range slices.Concat(o.Why, o.Shadow) {
		if set.Symbols[line.Rule] != nil {
			b.symbols[line.Rule] = true
		}
	}
	return b
}

// replied is the answer to a line.
type replied struct {
	Typed  string `json:"typed"`
	Holds  bool   `json:"holds"`
	Detail string `json:"detail,omitempty"` // the evidence, or a value
	Error  string `json:"error,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

func (a *app) answer(ctx context.Context, b *bench, typed string) error {
	switch typed {
	case "":
		return nil
	case "help", "?":
		fmt.Fprintln(a.err, replHelp)
		return nil
	case "symbols":
		for _, name := range slices.Sorted(maps.Keys(b.symbols)) {
			fmt.Fprintln(a.out, name)
		}
		return nil
	case "features":
		return a.printFeatures(&b.features)
	}
	r := b.reply(ctx, typed)
	if a.json {
		return a.printJSON(r)
	}
	switch {
	case r.Error != "":
		fmt.Fprintln(a.out, "error: "+r.Error)
	case r.Detail != "":
		fmt.Fprintf(a.out, "%s  %s\n", yesNo(r.Holds), r.Detail)
	default:
		fmt.Fprintln(a.out, yesNo(r.Holds))
	}
	if r.Hint != "" {
		fmt.Fprintln(a.out, "  hint: "+r.Hint)
	}
	return nil
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

func (a *app) printFeatures(f *rules.Features) error {
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, name := range rules.FeatureNames() {
		value, _ := f.Value(name)
		fmt.Fprintf(table, "%s\t%#v\n", name, value)
	}
	return table.Flush()
}

// reply answers a condition or a pattern. It is read as a rule would be that says it.
func (b *bench) reply(ctx context.Context, typed string) replied {
	r := replied{Typed: typed}
	if value, ok := b.features.Value(typed); ok {
		r.Holds, r.Detail = !reflect.ValueOf(value).IsZero(), fmt.Sprintf("%#v", value)
		return r
	}
	text := "version: 1\nrules:\n  - id: " + typedSymbol + "\n    about: typed\n    score: 0\n    mode: shadow\n    " + ruleOf(typed) + "\n"
	known := rules.Known{"message": slices.DeleteFunc(slices.Clone(b.known), func(name string) bool { return name == typedSymbol })}
	set, findings := rules.Loader{FS: fstest.MapFS{"typed": {Data: []byte(text)}}, Known: known, Now: time.Now()}.Load("typed")
	if i := slices.IndexFunc(findings, func(f strict.Finding) bool { return f.Severity == strict.Error }); i >= 0 {
		r.Error, r.Hint = findings[i].Text, findings[i].Hint
		return r
	}
	if len(findings) > 0 {
		r.Hint = findings[0].Text
	}
	var err error
	if len(set.Combos) > 0 {
		r.Holds, err = set.Combos[0].When.Holds(func(name string) bool { return b.symbols[name] }, &b.features)
	} else {
		r.Holds, r.Detail, err = b.match(ctx, set)
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// match runs the pattern of set on the message.
func (b *bench) match(ctx context.Context, set *rules.Set) (holds bool, detail string, err error) {
	var check filters.Check
	switch {
	case len(set.Attachments) > 0:
		check = attachment.New(set.Attachments)
	case len(set.Elements) > 0:
		check = html.New(set.Elements)
	default:
		if check, err = pattern.New(set.Patterns); err != nil {
			return false, "", err
		}
	}
	report, err := check.Run(ctx, b.mail)
	for _, h := range report.Hits {
		if h.Symbol == typedSymbol {
			return true, h.Detail, err
		}
	}
	return false, "", err
}

// ruleOf is what a rule says in place of a line that is typed.
func ruleOf(typed string) string {
	for _, key := range []string{"attachment", "html", "url", "header", "body"} {
		if rest, ok := strings.CutPrefix(typed, key); ok && strings.HasPrefix(strings.TrimSpace(rest), "{") {
			return key + ": " + strings.TrimSpace(rest)
		}
	}
	quoted := func(text string) string { return "'" + strings.ReplaceAll(strings.TrimSpace(text), "'", "''") + "'" }
	if where, regex, ok := strings.Cut(typed, "~"); ok {
		words := strings.Fields(where)
		switch {
		case len(words) == 2 && words[0] == "header":
			return "header: { name: " + quoted(words[1]) + ", regex: " + quoted(regex) + " }"
		case len(words) == 1 && (words[0] == "body" || words[0] == "url"):
			return words[0] + ": { regex: " + quoted(regex) + " }"
		case len(words) == 1 && words[0] == "host":
			return "url: { host: " + quoted(regex) + " }"
		case len(words) == 1 && words[0] == "file":
			return "attachment: { name: " + quoted(regex) + " }"
		}
	}
	return "when: " + quoted(typed)
}
