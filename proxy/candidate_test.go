package proxy

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"weir/filters"
	"weir/rules"
	"weir/scoring/verdictlog"
)

// reports is a check that reports its symbol for every message, unless err.
func reports(symbol string, stage filters.Stage, err error) filters.Check {
	return filters.Check{Name: symbol, Stage: stage, Symbols: []string{symbol}, Run: func(context.Context, filters.Mail) (filters.Report, error) {
		if err != nil {
			return filters.Report{}, err
		}
		return filters.Report{Hits: []filters.Hit{{Symbol: symbol}}}, nil
	}}
}

// weighing are rules by which the symbols have these points, and 10 refuse.
func weighing(points map[string]rules.Points, hard ...string) *rules.Set {
	set := &rules.Set{Digest: "sha256:other", Symbols: map[string]*rules.Symbol{}, Policies: []*rules.Policy{{
		ID: "default", Thresholds: rules.Thresholds{Tag: rules.Threshold{Points: 5}, Subject: rules.Threshold{Off: true}, Defer: rules.Threshold{Off: true}, Reject: rules.Threshold{Points: 10}},
	}}}
	for name, p := range points {
		set.Symbols[name] = &rules.Symbol{Name: name, Points: p}
		if slices.Contains(hard, name) {
			set.Symbols[name].Mode = rules.Hard
		}
	}
	return set
}

// allowing are rules like those of weighing, by which mail for a recipient passes.
func allowing(t *testing.T, rcpt string, set *rules.Set) *rules.Set {
	t.Helper()
	text := "version: 1\nrules: [{ id: FRIEND, about: x, who: { rcpt: " + rcpt + " }, mode: allow }]\n"
	with, findings := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml", nil)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	set.Who, set.Symbols["FRIEND"] = with.Who, with.Symbols["FRIEND"]
	return set
}

// A hard list refuses at RCPT only when it is known that nothing lets the message pass that could be known there.
func TestWhoMayLetPassIsWaitedForAtRcpt(t *testing.T) {
	for _, c := range []struct {
		stage  filters.Stage
		err    error
		action rules.Action
	}{
		{filters.Connect, nil, rules.Pass},
		{filters.Addressed, nil, rules.Pass},
		{filters.Connect, errors.New("it failed"), rules.Reject},
		{filters.Proven, nil, rules.Reject}, // too late
	} {
		synctest.Test(t, func(t *testing.T) {
			friend := reports("FRIEND", c.stage, c.err)
			run := friend.Run
			friend.Run = func(ctx context.Context, m filters.Mail) (filters.Report, error) {
				time.Sleep(time.Second) // of the fake clock
				return run(ctx, m)
			}
			set := weighing(map[string]rules.Points{"LIST": 6, "FRIEND": 0}, "LIST")
			set.Symbols["FRIEND"].Mode = rules.Allow
			if j := tried(t, &Generation{Rules: set, Checks: pipelineOf(reports("LIST", filters.Connect, nil), friend)}); j.Action != c.action {
				t.Errorf("known at %s (%v): %s, want %s", c.stage, c.err, j.Action, c.action)
			}
		})
	}
}

func TestCandidate(t *testing.T) {
	type points = map[string]rules.Points
	failed := errors.New("it failed")
	for name, c := range map[string]struct {
		candidate *Candidate
		want      *verdictlog.Candidate
	}{
		"none":             {nil, nil},
		"the same":         {&Candidate{Rules: weighing(points{"LIST": 6})}, nil},
		"heavier":          {&Candidate{Rules: weighing(points{"LIST": 12})}, &verdictlog.Candidate{Action: rules.Reject, Score: 12}},
		"lighter":          {&Candidate{Rules: weighing(points{"LIST": 2})}, &verdictlog.Candidate{Action: rules.Pass, Score: 2}},
		"a new pattern":    {&Candidate{Rules: weighing(points{"LIST": 6, "NEW": 5}), Checks: pipelineOf(reports("NEW", filters.Body, nil)), Patterns: []string{"NEW"}}, &verdictlog.Candidate{Action: rules.Reject, Score: 11}},
		"one that changed": {&Candidate{Rules: weighing(points{"LIST": 6}), Patterns: []string{"LIST"}}, &verdictlog.Candidate{Action: rules.Pass}},
		"one that failed": {&Candidate{Rules: weighing(points{"LIST": 6, "NEW": 5}), Checks: pipelineOf(reports("NEW", filters.Body, failed)), Patterns: []string{"NEW"}},
			&verdictlog.Candidate{Action: rules.Tag, Score: 6, Unknown: []string{"NEW"}}},
		"a list that nobody asks":       {&Candidate{Rules: weighing(points{"LIST": 6, "OTHER": 5}), Unasked: []string{"OTHER"}}, &verdictlog.Candidate{Action: rules.Tag, Score: 6, Unknown: []string{"OTHER"}}},
		"one that makes no difference":  {&Candidate{Rules: weighing(points{"LIST": 6, "OTHER": 3}), Unasked: []string{"OTHER"}}, nil},
		"one asked in another way":      {&Candidate{Rules: weighing(points{"LIST": 12}), Unasked: []string{"LIST"}}, &verdictlog.Candidate{Unknown: []string{"LIST"}}},
		"one that lets bob's mail pass": {&Candidate{Rules: allowing(t, "bob@example.org", weighing(points{"LIST": 6}))}, &verdictlog.Candidate{Score: 6}},
		"one that lets ann's mail pass": {&Candidate{Rules: allowing(t, "ann@example.org", weighing(points{"LIST": 6}))}, nil},
		"one that refuses alone by now": {&Candidate{Rules: weighing(points{"LIST": 6}, "LIST")}, &verdictlog.Candidate{Action: rules.Reject, Score: 6}},
	} {
		if c.candidate != nil && c.candidate.Checks == nil {
			c.candidate.Checks = pipelineOf()
		}
		g := &Generation{Rules: weighing(points{"LIST": 6}), Checks: pipelineOf(reports("LIST", filters.Sender, nil)), Candidate: c.candidate}
		j := tried(t, g)
		if j.Action != rules.Tag || j.Points != 6 || len(j.Record().Hits) != 1 {
			t.Errorf("%s: the verdict is %s at %s", name, j.Action, j.Points)
		}
		wantCandidate(t, name, j.Record().Candidate, c.want)
	}
}

// A message that was refused before it came is not known to the rules on trial.
func TestCandidateAtRcpt(t *testing.T) {
	type points = map[string]rules.Points
	for name, c := range map[string]struct {
		rules *rules.Set
		want  *verdictlog.Candidate
	}{
		"refuses alone as well": {weighing(points{"LIST": 1}, "LIST"), nil},
		"would have waited":     {weighing(points{"LIST": 1}), &verdictlog.Candidate{Score: 1, Unknown: []string{verdictlog.UnknownMessage}}},
	} {
		g := &Generation{Rules: weighing(points{"LIST": 6}, "LIST"), Checks: pipelineOf(reports("LIST", filters.Sender, nil)), Candidate: &Candidate{Rules: c.rules, Checks: pipelineOf()}}
		wantCandidate(t, name, tried(t, g).Candidate, c.want)
	}
}

func pipelineOf(checks ...filters.Check) *filters.Pipeline {
	return filters.NewPipeline(time.Minute, checks...)
}

// tried is the final verdict of g on some message.
func tried(t *testing.T, g *Generation) Judged {
	t.Helper()
	conn := g.BeginConnection(t.Context(), filters.Mail{Session: &filters.Session{}})
	defer conn.End()
	trial := NewTrial(g, conn, filters.Mail{Session: &filters.Session{}, Envelope: &filters.Envelope{}})
	defer trial.Wait()
	defer trial.End()
	trial.Accepts("bob@example.org")
	if j := trial.AtRcpt(); j.Final {
		return j
	}
	return trial.AtData(filters.ParseMessage([]byte("Subject: x\r\n\r\ny\r\n")), nil)
}

func wantCandidate(t *testing.T, name string, got, want *verdictlog.Candidate) {
	t.Helper()
	switch {
	case got == nil || want == nil:
		if (got == nil) != (want == nil) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	case got.Action != want.Action || got.Score != want.Score || !slices.Equal(got.Unknown, want.Unknown) || got.Rules != "sha256:other":
		t.Errorf("%s: got %+v, want %+v", name, got, want)
	}
}
