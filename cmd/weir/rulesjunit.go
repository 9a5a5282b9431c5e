package main

import (
	"encoding/xml"
	"fmt"
	"os"

	"weir/rules"
	"weir/rules/strict"
)

// junitSuite is the part of JUnit's XML that build servers read.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class    string         `xml:"classname,attr"`
	Name     string         `xml:"name,attr"`
	Failures []junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Place   string `xml:",chardata"`
}

// junitOf is the outcome of the tests in set, a case each. A rule without a test, where that is a failure, is a case too.
func junitOf(set *rules.Set, r testReport) junitSuite {
	suite := junitSuite{Name: "weir rules", Failures: len(r.Failures)}
	failures := map[strict.Src][]junitFailure{}
	for _, f := range r.Failures {
		failures[f.Src] = append(failures[f.Src], junitFailure{f.Text, f.At})
	}
	add := func(class, name string, src strict.Src) {
		suite.Cases = append(suite.Cases, junitCase{class, name, failures[src]})
		delete(failures, src)
	}
	for _, p := range set.Proofs {
		add(p.Rule, fmt.Sprintf("%s at line %d", hitOrMiss(p.Hit), p.Src.Line), p.Src)
	}
	for _, t := range set.Tests {
		add("messages", t.Name, t.Src)
	}
	for _, f := range r.Failures {
		if _, left := failures[f.Src]; left {
			add(f.Name, "has a test", f.Src)
		}
	}
	suite.Tests = len(suite.Cases)
	return suite
}

func writeJUnit(file string, set *rules.Set, r testReport) error {
	text, err := xml.MarshalIndent(junitOf(set, r), "", "  ")
	if err == nil {
		err = os.WriteFile(file, append([]byte(xml.Header), append(text, '\n')...), 0o644)
	}
	if err != nil {
		return exit{exitIO, fmt.Errorf("writing the outcome of the tests: %w", err)}
	}
	return nil
}
