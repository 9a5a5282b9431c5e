package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
	"weir/scoring/verdictlog"
)

// keepRecords writes records to a verdict log and returns its folder.
func keepRecords(t *testing.T, records []verdictlog.Record) string {
	t.Helper()
	dir := t.TempDir()
	l, err := verdictlog.Open(verdictlog.Options{Dir: dir, Keep: 24 * time.Hour, MaxSize: 1 << 24})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		now := time.Now()
		r.Schema, r.Time, r.ID = verdictlog.Schema, now.UTC(), verdictlog.NewID(now)
		l.Put(r)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// judgedRecord is a record of symbols, each worth 9 points, under tag 6 and reject 15.
func judgedRecord(symbols ...string) verdictlog.Record {
	tag, reject := rules.Points(600), rules.Points(1500)
	r := verdictlog.Record{Message: &verdictlog.Message{Subject: "hello"}}
	r.Facts = &verdictlog.Facts{Symbols: symbols}
	r.Envelope.To = []string{"bob@example.org"}
	r.Verdict.Policy, r.Verdict.Thresholds = "default", verdictlog.Thresholds{Tag: &tag, Reject: &reject}
	for _, s := range symbols {
		r.Hits = append(r.Hits, scoring.Line{Rule: s, Points: 900})
		r.Verdict.Score += 900
	}
	r.Verdict.Action, r.Verdict.By = scoring.ActionFor(r.Verdict.Thresholds.Rules(), r.Verdict.Score), scoring.ByScore
	return r
}

// silentOn adds to r that lists gave no answer.
func silentOn(r verdictlog.Record, kind string, lists ...string) verdictlog.Record {
	for _, id := range lists {
		r.Errors = append(r.Errors, filters.Problem{Check: "dnsbl", Rule: id, Kind: kind, Detail: strings.ToLower(id) + ".test: no answer"})
	}
	return r
}

// times repeats a record.
func times(n int, r verdictlog.Record) []verdictlog.Record {
	all := make([]verdictlog.Record, n)
	for i := range all {
		all[i] = r
	}
	return all
}

// golden compares what was printed with a file of testdata, or writes the file if UPDATE is set.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		write(t, file, got)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

const overlapRules = `version: 1
thresholds: { tag: 6, reject: 15 }
zones:
  - { id: BIG, zone: big.test, ask: client_ip, answers: [{ id: BAD, is: 127.0.0.2, score: 9 }, { id: WORSE, is: 127.0.0.3, score: 9 }] }
  - { id: SMALL, zone: small.test, ask: client_ip, answers: [{ id: BAD, is: 127.0.0.2, score: 9 }] }
  - { id: OTHER, zone: other.test, ask: client_ip, answers: [{ id: BAD, is: 127.0.0.2, score: 9 }] }
  - { id: GOOD, zone: good.test, ask: client_ip, answers: [{ id: HI, is: 127.0.0.2, score: -9 }] }
`

// overlapLog is mail that lists have seen: SMALL nearly always with BIG, OTHER mostly for itself, and where BIG is silent
// SMALL alone.
func overlapLog() []verdictlog.Record {
	var all []verdictlog.Record
	all = append(all, times(36, judgedRecord("BIG_BAD", "SMALL_BAD"))...)
	all = append(all, judgedRecord("SMALL_BAD"), judgedRecord("BIG_BAD", "BIG_WORSE", "OTHER_BAD", "SUBJECT"))
	all = append(all, times(60, judgedRecord("BIG_WORSE"))...)
	all = append(all, times(25, judgedRecord("OTHER_BAD"))...)
	all = append(all, times(9, silentOn(judgedRecord("SMALL_BAD"), filters.KindTimeout, "BIG"))...)
	all = append(all, times(7, judgedRecord("SUBJECT"))...)
	return append(all, verdictlog.Record{})
}

func TestDNSOverlap(t *testing.T) {
	dir := keepRecords(t, overlapLog())
	rulesFile := filepath.Join(t.TempDir(), "rules.yaml")
	write(t, rulesFile, overlapRules)
	for _, c := range []struct{ file, args string }{
		{"overlap.golden", ""}, {"overlap.json.golden", "--json"}, {"overlap_short.golden", "--show 1"}, {"overlap_query.golden", "rule:OTHER_BAD"},
	} {
		var out, errs strings.Builder
		args := append([]string{"dns", "overlap", "--dir", dir, "--rules", rulesFile}, strings.Fields(c.args)...)
		if code := run(t.Context(), args, streams{strings.NewReader(""), &out, &errs}); code != exitOK {
			t.Fatalf("%s: exit %d\n%s", c.args, code, errs.String())
		}
		golden(t, c.file, out.String())
	}
	for args, want := range map[string]int{"--since tomorrow": exitUsage, "action:": exitUsage, "--dir nowhere": exitNoInput, "--help": exitOK} {
		var out, errs strings.Builder
		if code := run(t.Context(), append([]string{"dns", "overlap", "--rules", rulesFile}, strings.Fields(args)...), streams{strings.NewReader(""), &out, &errs}); code != want {
			t.Errorf("%s: exit %d, want %d\n%s", args, code, want, errs.String())
		}
	}
}
