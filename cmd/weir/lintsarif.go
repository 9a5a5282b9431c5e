package main

import (
	"path/filepath"
	"slices"

	"weir/rules"
	"weir/rules/strict"
)

// The types of this file are the part of SARIF 2.1.0 (OASIS) that findings need.

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	ColumnKind string        `json:"columnKind"`
	Results    []sarifResult `json:"results"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID   string    `json:"id"`
	Text sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	RuleIndex int             `json:"ruleIndex"` // in sarifDriver.Rules
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations"`
}

type sarifLocation struct {
	Physical sarifPlace `json:"physicalLocation"`
}

type sarifPlace struct {
	Artifact struct {
		URI string `json:"uri"`
	} `json:"artifactLocation"`
	Region *sarifRegion `json:"region,omitempty"`
}

type sarifRegion struct {
	Line   int `json:"startLine"`
	Column int `json:"startColumn"`
}

// sarifOf is findings as a SARIF document, which code review tools read.
func sarifOf(findings strict.Findings) sarifLog {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "weir", Version: release, Rules: []sarifRule{}}
	for _, f := range findings {
		described := &run.Tool.Driver.Rules
		i := slices.IndexFunc(*described, func(r sarifRule) bool { return r.ID == f.Code })
		if i < 0 {
			i = len(*described)
			*described = append(*described, sarifRule{f.Code, sarifText{rules.Title(f.Code)}})
		}
		r := sarifResult{RuleID: f.Code, RuleIndex: i, Level: f.Severity.String(), Message: sarifText{f.Text}}
		if f.Hint != "" {
			r.Message.Text += "\n" + f.Hint
		}
		var place sarifPlace
		place.Artifact.URI = filepath.ToSlash(f.Src.File)
		if f.Src.Line > 0 {
			place.Region = &sarifRegion{f.Src.Line, f.Src.Col}
		}
		r.Locations = []sarifLocation{{place}}
		run.Results = append(run.Results, r)
	}
	return sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}
