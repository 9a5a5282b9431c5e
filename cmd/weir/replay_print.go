package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"weir/rules"
	"weir/scoring/replay"
	"weir/scoring/verdictlog"
)

// replayPrinter prints flips as they are found, and at the end what they come to.
type replayPrinter struct {
	app   *app
	out   *bufio.Writer
	later bytes.Buffer // flips, after those of what people said is ham
	show  int
	shown map[replay.Change]int
}

// flipJSON is a flip as `replay --json` prints it.
type flipJSON struct {
	ID      string         `json:"id"`
	Time    time.Time      `json:"time"`
	From    string         `json:"from"`
	To      []string       `json:"to"`
	Subject string         `json:"subject"`
	Learned string         `json:"learned,omitempty"`
	Was     judgedJSON     `json:"was"`
	Is      judgedJSON     `json:"is"`
	Causes  []replay.Cause `json:"causes"`
}

type judgedJSON struct {
	Action rules.Action `json:"action"`
	Score  rules.Points `json:"score"`
}

func (p *replayPrinter) flip(f replay.Flip) error {
	r := f.Record
	subject := ""
	if r.Message != nil {
		subject = r.Message.Subject
	}
	if p.app.json {
		return writeJSON(p.out, flipJSON{
			ID: r.ID, Time: r.Time, From: r.Envelope.From, To: r.Envelope.To, Subject: subject, Learned: r.Learned, Causes: f.Causes,
			Was: judgedJSON{f.Was, r.Verdict.Score}, Is: judgedJSON{f.Is, f.Score},
		})
	}
	var out io.Writer = p.out
	if r.Learned != verdictlog.Ham || f.Is < f.Was {
		change := replay.Change{From: f.Was, To: f.Is}
		if p.shown[change]++; p.shown[change] > p.show {
			return nil
		}
		out = &p.later
	}
	colored := p.app.colored(p.app.out)
	fmt.Fprintf(out, "%s  %s %s -> %s %s  %s -> %s", r.ID,
		paint(colored, actionColor(f.Was), f.Was.String()), r.Verdict.Score,
		paint(colored, actionColor(f.Is), f.Is.String()), f.Score, mailbox(r.Envelope.From), recipientsText(r.Envelope))
	if subject != "" {
		fmt.Fprintf(out, `  "%s"`, printable(shorten(subject, 60)))
	}
	if r.Learned != "" {
		fmt.Fprintf(out, "  learned: %s", r.Learned)
	}
	_, err := fmt.Fprintf(out, "\n    %s\n", causesText(f.Causes))
	return err
}

// causesText says why a verdict flips.
func causesText(causes []replay.Cause) string {
	if len(causes) == 0 {
		return "it was decided so, but not done"
	}
	var all []string
	for _, c := range causes {
		kind, of, special := strings.Cut(c.Rule, ":")
		was, is := pointsText(c.Was), pointsText(c.Is)
		switch {
		case special && kind == "threshold":
			all = append(all, fmt.Sprintf("%s from %s instead of %s", of, is, was))
		case special && kind == "hard" && c.Was == nil:
			all = append(all, printable(of)+" refuses alone")
		case special && kind == "hard":
			all = append(all, printable(of)+" no longer refuses alone")
		case special && kind == "allow" && c.Was == nil:
			all = append(all, printable(of)+" lets it pass")
		case special && kind == "allow":
			all = append(all, printable(of)+" no longer lets it pass")
		case c.Open:
			all = append(all, fmt.Sprintf("%s counted %s, and is sought in another way now", printable(c.Rule), was))
		case c.Was == nil:
			all = append(all, fmt.Sprintf("%s counts %s", printable(c.Rule), is))
		case c.Is == nil:
			all = append(all, fmt.Sprintf("%s no longer counts %s", printable(c.Rule), was))
		default:
			all = append(all, fmt.Sprintf("%s %s instead of %s", printable(c.Rule), is, was))
		}
	}
	return strings.Join(all, ", ")
}

// summaryJSON is the last line of `replay --json`.
type summaryJSON struct {
	Verdicts int                     `json:"verdicts"`
	Reread   int                     `json:"reread,omitempty"` // by their messages
	Actions  map[string]actionCounts `json:"actions"`
	Flips    map[string]int          `json:"flips"`
	Undone   map[string]int          `json:"undone"`
	Missing  map[string]int          `json:"missing"`
	Wrong    int                     `json:"wrong,omitempty"`
	Missed   int                     `json:"missed,omitempty"`
}

type actionCounts struct {
	Was int `json:"was"`
	Is  int `json:"is"`
}

func (p *replayPrinter) summary(r replay.Report) error {
	if p.app.json {
		s := summaryJSON{Verdicts: r.Verdicts, Reread: r.Reread, Actions: map[string]actionCounts{}, Flips: map[string]int{}, Undone: r.Undone, Missing: r.Missing, Wrong: r.Wrong, Missed: r.Missed}
		for a := rules.Pass; a <= rules.Reject; a++ {
			s.Actions[a.String()] = actionCounts{r.Was[a], r.Is[a]}
		}
		for c, n := range r.Flips {
			s.Flips[c.From.String()+"->"+c.To.String()] = n
		}
		if err := writeJSON(p.out, s); err != nil {
			return err
		}
		return p.flush()
	}
	p.out.Write(p.later.Bytes())
	for _, c := range changes(r) {
		if more := p.shown[c] - p.show; more > 0 {
			fmt.Fprintf(p.out, "… and %d more %s -> %s\n", more, c.From, c.To)
		}
	}
	if len(r.Flips) > 0 {
		fmt.Fprintln(p.out)
	}
	p.table(r)
	p.undone(r)
	return p.flush()
}

func (p *replayPrinter) flush() error {
	if err := p.out.Flush(); err != nil {
		return exit{exitIO, fmt.Errorf("writing the answer: %w", err)}
	}
	return nil
}

// table prints how many of each action there were and would be.
func (p *replayPrinter) table(r replay.Report) {
	redone := 0
	for _, n := range r.Was {
		redone += n
	}
	fmt.Fprintf(p.out, "%s, %d judged again, %s\n", count(r.Verdicts, "verdict"), redone, count(numbers(r)["flips"], "flip"))
	if r.Reread > 0 {
		fmt.Fprintf(p.out, "%d of them by the messages themselves\n", r.Reread)
	}
	fmt.Fprintf(p.out, "%8s %8s %8s\n", "", "now", "new")
	for a := rules.Pass; a <= rules.Reject; a++ {
		if a == rules.Subject && r.Was[a]+r.Is[a] == 0 {
			continue // few ask for it
		}
		fmt.Fprintf(p.out, "%8s %8d %8d", a, r.Was[a], r.Is[a])
		if d := r.Is[a] - r.Was[a]; d != 0 {
			fmt.Fprintf(p.out, " %+8d", d)
		}
		fmt.Fprintln(p.out)
	}
	for _, c := range changes(r) {
		fmt.Fprintf(p.out, "%s -> %s: %d\n", c.From, c.To, r.Flips[c])
	}
	if r.Wrong > 0 {
		fmt.Fprintf(p.out, "worse, although people said ham: %d\n", r.Wrong)
	}
	if r.Missed > 0 {
		fmt.Fprintf(p.out, "better, although people said spam: %d\n", r.Missed)
	}
}

// undone says what could not be judged again, and why.
func (p *replayPrinter) undone(r replay.Report) {
	for _, why := range []struct{ reason, text string }{
		{replay.Unjudged, "never judged by rules"},
		{replay.NoFacts, "from a version that kept no facts"},
		{replay.NoBody, "refused before the message was sent, and now it would be asked for"},
		{replay.NotKept, "it depends on what could be looked for in the message, which is not kept"},
		{replay.Unknown, "the action depends on what was not looked for then, or not waited for"},
	} {
		if n := r.Undone[why.reason]; n > 0 {
			fmt.Fprintf(p.out, "not redone: %d (%s)\n", n, why.text)
		}
	}
	missing := slices.SortedFunc(maps.Keys(r.Missing), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Missing[b], r.Missing[a]), cmp.Compare(a, b))
	})
	for _, name := range missing {
		what := "new or changed"
		if unicode.IsLower(rune(name[0])) { // a feature
			what = "not recorded"
		}
		fmt.Fprintf(p.out, "    %s: %s, %d\n", printable(name), what, r.Missing[name])
	}
}

// changes are the kinds of flips, the gravest first.
func changes(r replay.Report) []replay.Change {
	return slices.SortedFunc(maps.Keys(r.Flips), func(a, b replay.Change) int {
		return cmp.Or(cmp.Compare(b.To, a.To), cmp.Compare(b.From, a.From))
	})
}
