package main

import (
	"fmt"
	"strings"

	"weir/scoring/verdictlog"
)

// This file says what would have made a verdict another one.

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
