//go:build !race

package pattern

import (
	"math/rand/v2"
	"slices"
	"testing"
	"weir/filters"
	"weir/rules"
)

// The race detector makes all texts slow, so this is a test of its own in the Makefile.
func TestASlowTextIsSaidToBeSo(t *testing.T) {
	patterns := []rules.Pattern{{Symbol: "KIN", Where: rules.InBody, Any: []string{`next of kin`}, AtLeast: 1},
		{Symbol: "PRIZE", Where: rules.InHeader, Header: "subject", Any: []string{`prize`}, AtLeast: 1}}
	for _, e := range manyExpressions(300) {
		patterns = append(patterns, rules.Pattern{Symbol: e, Where: rules.InBody, Any: []string{e}, AtLeast: 1000})
	}
	check, err := New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	ordinary := benchText(480 << 10)
	for i, text := range []string{ordinary, ordinary, ordinary, hostile(rand.New(rand.NewPCG(7, 8)), 480<<10)} { // the sets are warm then
		m := filters.Mail{Message: filters.ParseMessage([]byte("Subject: prize\r\n\r\nnext of kin " + text + "\r\n"))}
		report, err := check.Run(t.Context(), m)
		var symbols []string
		for _, h := range report.Hits {
			symbols = append(symbols, h.Symbol)
		}
		slow := i == 3
		if slices.Contains(symbols, Slow) != slow || (len(report.Problems) == 1) != slow || err != nil {
			t.Errorf("text %d: %v, %v, %v", i, symbols, report.Problems, err)
		}
		if !slices.Contains(symbols, "KIN") || !slices.Contains(symbols, "PRIZE") {
			t.Errorf("text %d: %v", i, symbols)
		}
	}
}
