package verdictlog

import (
	"reflect"
	"slices"
	"testing"

	"weir/rules"
	"weir/scoring"
)

func TestStats(t *testing.T) {
	var s Stats
	tag, reject := rules.Points(600), rules.Points(1500)
	add := func(times int, points map[string]rules.Points, facts ...string) {
		r := Record{Verdict: Verdict{Policy: "default", Thresholds: Thresholds{Tag: &tag, Reject: &reject}}, Outcome: Outcome{Facts: &Facts{Symbols: facts}}}
		for name, p := range points {
			r.Hits = append(r.Hits, scoring.Line{Rule: name, Points: p})
		}
		for range times {
			s.Add(&r)
		}
	}
	add(30, nil, "ALL")
	add(12, map[string]rules.Points{"A": 700, "B": 100}, "A", "ALL", "B")
	add(3, map[string]rules.Points{"C": 650, "D": 620}, "ALL", "C", "D")
	add(2, map[string]rules.Points{"A": 600, "B": 900}, "A", "ALL", "B")
	add(4, map[string]rules.Points{"cap:x": 0}, "ALL", "E")
	s.Add(&Record{}) // refused before rules looked

	if s.Judged != 51 || !slices.Equal(s.Always(), []string{"ALL"}) || !slices.Equal(s.Never([]string{"E", "Z", "A"}), []string{"Z"}) {
		t.Errorf("%d judged, always %v, never %v", s.Judged, s.Always(), s.Never([]string{"E", "Z", "A"}))
	}
	got := s.Rules()
	for i := range got {
		got[i].Rate = 0
	}
	want := []RuleStats{{Rule: "A", Hits: 14, Alone: 14}, {Rule: "B", Hits: 14, Alone: 2}, {Rule: "ALL", Hits: 51}, {Rule: "E", Hits: 4}, {Rule: "C", Hits: 3}, {Rule: "D", Hits: 3}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if pairs := s.Redundant(); !reflect.DeepEqual(pairs, []Pair{{[2]string{"A", "B"}, 14, 14}}) {
		t.Errorf("pairs %+v", pairs)
	}
}
