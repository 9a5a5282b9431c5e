package pattern_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/fstest"

	"weir/filters"
	"weir/filters/attachment"
	"weir/filters/auth"
	"weir/filters/hello"
	"weir/filters/lookup"
	"weir/filters/manners"
	"weir/filters/pattern"
	"weir/filters/structure"
	"weir/rules"
)

// defaults loads the rules in the binary.
func defaults(t testing.TB) *rules.Set {
	t.Helper()
	known := rules.Known{"pattern": {pattern.Slow}}
	offline := lookup.Offline()
	for _, c := range []filters.Check{hello.New(), structure.New(), attachment.New(nil), manners.New(), auth.NewSPF(offline), auth.NewDKIM(offline), auth.NewARC(offline), auth.NewDMARC(nil, offline)} {
		known[c.Name] = c.Symbols
	}
	file := "version: 1\ninclude: [builtin:defaults]\nthresholds: { tag: 6, reject: 15 }\n"
	set, findings := rules.Load(fstest.MapFS{"rules.yaml": {Data: []byte(file)}}, "rules.yaml", known)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	for _, symbols := range known {
		for _, s := range symbols {
			if set.Symbols[s] == nil {
				t.Errorf("%s has no worth in the default rules", s)
			}
		}
	}
	return set
}

func TestDefaultRulesProveThemselves(t *testing.T) {
	set := defaults(t)
	check, err := pattern.New(set.Patterns)
	if err != nil {
		t.Fatal(err)
	}
	patterns := map[string]rules.Pattern{}
	for _, p := range set.Patterns {
		patterns[p.Symbol] = p
	}
	shown := map[string]map[bool]bool{}
	for _, proof := range set.Proofs {
		p, ok := patterns[proof.Rule]
		if !ok {
			continue
		}
		said, err := check.Run(t.Context(), filters.Mail{Message: pattern.Sample(p, proof.Text)})
		got := slices.ContainsFunc(said.Hits, func(h filters.Hit) bool { return h.Symbol == proof.Rule })
		if err != nil || got != proof.Hit {
			t.Errorf("%s: %s on %q: %v, %v", proof.Src, proof.Rule, proof.Text, got, err)
		}
		if shown[proof.Rule] == nil {
			shown[proof.Rule] = map[bool]bool{}
		}
		shown[proof.Rule][proof.Hit] = true
	}
	for name := range patterns {
		if !shown[name][true] || !shown[name][false] {
			t.Errorf("%s does not show both a hit and a miss", name)
		}
	}
}

// BenchmarkDefaults is the cost of the default patterns on an ordinary letter of 10 KB.
func BenchmarkDefaults(b *testing.B) {
	check, err := pattern.New(defaults(b).Patterns)
	if err != nil {
		b.Fatal(err)
	}
	raw := "Received: from mail.example.org by mx.example.net; Sun, 22 Nov 2026 10:00:00 +0000\r\nFrom: Ann <ann@example.org>\r\n" +
		"To: bob@example.net\r\nSubject: Minutes of the meeting\r\nDate: Sun, 22 Nov 2026 09:59:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\n"
	for i := 0; len(raw) < 10<<10; i++ {
		raw += fmt.Sprintf("Point %d: we looked at the plan for the new year and agreed on the next steps; see https://example.org/plan/%d.\r\n", i, i%5)
	}
	m := filters.Mail{Message: filters.ParseMessage([]byte(raw))}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := check.Run(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}
