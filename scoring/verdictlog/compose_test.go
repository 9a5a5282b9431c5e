package verdictlog

import (
	"maps"
	"testing"
	"time"

	"weir/filters"
	"weir/scoring"
)

// Several checks may have one name, and several may ask one list: of either the longest time stands.
func TestComposeKeepsTheLongestTimes(t *testing.T) {
	asked := func(zone string, took time.Duration) filters.Result {
		return filters.Result{Check: "dnsbl", Took: took, Report: filters.Report{Facts: filters.Facts{Asked: &filters.Asked{Zone: zone, Took: took}}}}
	}
	got := Compose(filters.Mail{}, []filters.Result{asked("A", 5*time.Millisecond), asked("B", 0), {Check: "other"}, asked("A", time.Millisecond)}, scoring.Verdict{}).Timing
	if want := map[string]int64{"A": 5000, "B": 0}; !maps.Equal(got.Zones, want) {
		t.Errorf("zones %v, want %v", got.Zones, want)
	}
	if want := map[string]int64{"dnsbl": 5000, "other": 0}; !maps.Equal(got.Checks, want) {
		t.Errorf("checks %v, want %v", got.Checks, want)
	}
	if none := Compose(filters.Mail{}, nil, scoring.Verdict{}).Timing.Zones; none != nil {
		t.Errorf("nobody was asked: %v", none)
	}
}
