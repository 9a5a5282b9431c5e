package main

import (
	_ "embed"
	"fmt"
	"html/template"

	"weir/scoring"
	"weir/scoring/verdictlog"
)

//go:embed explain.html
var explainPage string

// pageStep is a line of the waterfall with its bar, in hundredths of the width.
type pageStep struct {
	scoring.Step
	Left, Width float64
}

// printPage prints how the verdict in r came about as a page of HTML that needs nothing else and loads nothing.
func (a *app) printPage(r *verdictlog.Record) error {
	page, err := template.New("explain").Parse(explainPage)
	if err != nil {
		return fmt.Errorf("reading the template of explanations: %w", err)
	}
	steps := scoring.Waterfall(r.Hits)
	s := scaleFor(steps, r.Verdict.Thresholds)
	bars := make([]pageStep, len(steps))
	for i, step := range steps {
		from, to := step.Sum-step.Points, step.Sum
		width := float64(max(1, s.high-s.low))
		bars[i] = pageStep{step, float64(min(from, to)-s.low) / width * 100, float64(max(from, to)-min(from, to)) / width * 100}
		bars[i].Detail = printable(step.Detail)
	}
	err = page.Execute(a.out, map[string]any{
		"Record": r, "Word": actionWord(r), "Circumstances": circumstances(r), "Steps": bars, "Outcome": consequences(r),
	})
	if err != nil {
		return exit{exitIO, fmt.Errorf("writing the page: %w", err)}
	}
	return nil
}
