// Package scoring turns what filters saw into a verdict, by the rules.
//
// Judge is a pure function: no clock, no network, no state. The same facts under the same rules always give the
// same verdict, so a recorded one can be explained as a sum and judged again under other rules.
package scoring

import (
	"weir/rules"
)

// By says what decided a verdict.
type By string

// The deciders.
const (
	ByScore   By = "score"   // the sum reached a threshold, or none
	ByHard    By = "hard"    // a hard symbol refused alone
	ByBackend By = "backend" // the server behind refused
)

// Line is one addend of a verdict. Caps and forced actions are lines of their own, so that lines always sum.
type Line struct {
	Rule   string       `json:"rule"`
	Points rules.Points `json:"score"`
	Detail string       `json:"detail,omitempty"`
	Src    string       `json:"src,omitempty"`
}

// Verdict is the outcome for one policy.
type Verdict struct {
	Action     rules.Action
	Points     rules.Points // the sum of Why
	Why        []Line
	Shadow     []Line // what would have counted, were it not on trial
	Thresholds rules.Thresholds
	Policy     string
	By         By
	Reasons    []string // public texts of the heaviest symbols, at most three, for the reply
}
