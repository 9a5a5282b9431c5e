package main

import (
	"fmt"
	"strings"

	"weir/scoring"
	"weir/scoring/verdictlog"
)

// This file says who decided, and what would have made a verdict another one.

// earlyText says which answers the verdict did not wait for, and what they could have changed.
func earlyText(v verdictlog.Verdict) string {
	if v.Early == nil {
		return ""
	}
	var open []string
	for _, o := range v.Early.Open {
		open = append(open, strings.TrimSpace(o.Check+" "+o.Rule))
	}
	text := fmt.Sprintf("%s had not answered; with all answers the sum would be from %s to %s", strings.Join(open, ", "), v.Early.Low, v.Early.High)
	if v.At == verdictlog.AtData {
		text += ", the action the same"
	}
	return text
}

// candidateText says what the rules on trial would have done otherwise.
func candidateText(c *verdictlog.Candidate) string {
	switch {
	case c == nil:
		return ""
	case c.Differs():
		return fmt.Sprintf("under the rules on trial it would have been %s at %s", c.Action, c.Score)
	}
	return "what the rules on trial would have done depends on what nobody has looked for: " + strings.Join(c.Unknown, ", ")
}

// marginText says how much of a weight or a threshold would have made the difference.
func marginText(r *verdictlog.Record) string {
	var all []string
	for _, m := range marginsOf(r) {
		word := "more"
		if m.Points < 0 {
			word = "fewer"
		}
		all = append(all, fmt.Sprintf("%s with %s points %s", m.Action, max(m.Points, -m.Points), word))
	}
	return strings.Join(all, ", ")
}

// editText says which one number of the rules would have made the difference.
func editText(r *verdictlog.Record) string {
	var all []string
	for _, e := range editsOf(r) {
		what := e.Rule + " at"
		if kind, action, ok := strings.Cut(e.Rule, ":"); ok && kind == "threshold" {
			what = action + " from"
		}
		all = append(all, fmt.Sprintf("%s with %s %s instead of %s", e.Action, what, e.Is, e.Was))
	}
	return strings.Join(all, ", ")
}

func changeText(r *verdictlog.Record) string {
	c := changeOf(r)
	if c == nil {
		return "whichever of these symbols were absent, the action would be the same"
	}
	text := fmt.Sprintf("without %s it would have been %s at %s", strings.Join(c.Without, " and "), c.Action, c.Points)
	if !c.Least {
		text += " (fewer may do)"
	}
	return text
}

// decidedText says who decided.
func decidedText(r *verdictlog.Record) string {
	text := "by the proxy, for a limit or the protocol"
	switch r.Verdict.By {
	case scoring.ByScore:
		text = "by the score"
		if len(forcing(r, "greylist")) > 0 {
			text = "by greylisting: strangers wait"
		}
	case scoring.ByHard:
		text = "by a symbol that refuses alone: " + strings.Join(forcing(r, "hard"), ", ")
	case scoring.ByAllow:
		text = "by a symbol that lets mail pass: " + strings.Join(forcing(r, "allow"), ", ")
	case scoring.ByBackend:
		text = "by the server behind"
	}
	if r.Verdict.Shadow {
		text += "; not carried out, the proxy was only watching"
	}
	return text
}

// forcing are the symbols that forced the action, by the lines that say so.
func forcing(r *verdictlog.Record, kind string) []string {
	var all []string
	for _, l := range r.Hits {
		if name, ok := strings.CutPrefix(l.Rule, kind+":"); ok {
			all = append(all, name)
		}
	}
	return all
}
