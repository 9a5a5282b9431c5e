package rules

import (
	"strings"
	"testing"
	"testing/fstest"
)

const conditionRules = `version: 1
rules:
  - { id: A, about: a, body: { regex: a }, score: 1 }
  - { id: B, about: b, body: { regex: b }, score: 1 }
  - { id: C, about: c, body: { regex: c }, score: 1 }
  - { id: T, about: t, score: 1, when: 'WHEN' }
`

// condition loads one condition over the symbols A, B and C.
func condition(t testing.TB, when string) *Condition {
	t.Helper()
	text := strings.Replace(conditionRules, "WHEN", strings.ReplaceAll(when, "'", "''"), 1)
	set, findings := loadFrom(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml")
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return set.Combos[0].When
}

func TestConditions(t *testing.T) {
	f := &Features{
		Size: 300 << 10, URLs: 3, User: "ann", Helo: "Почта.example", RDNS: "host-1-2-3.isp.example", TLS: true,
		FromDomain: "example.org", Bulk: BulkFeatures{Alike: 42, Networks: 9},
		SenderFeatures: SenderFeatures{SPF: "softfail", DMARC: "fail", Auth: AuthFeatures{Aligned: true, ARC: "pass", Sealer: "list.example"}},
	}
	for when, want := range map[string]bool{
		"A":                                    true,
		"B":                                    false,
		"A && !B":                              true,
		"not (A and B) or C":                   true,
		"A && B || C":                          false,
		"A == true && B == false":              true,
		"size < 200*KiB":                       false,
		"size > 200*KiB":                       true,
		"size >= 1*MiB":                        false,
		"bulk.alike >= 42 && A":                true,
		"bulk.networks + 1 > 10":               false,
		"tls && user != ''":                    true,
		"user == \"ann\"":                      true,
		"urls in [1, 2, 3]":                    true,
		"not (urls in [1, 2])":                 true,
		"urls not in [1, 2]":                   true,
		"from_domain in [\"a\"]":               false,
		"helo startsWith \"Почта\"":            true,
		"helo contains 'xam'":                  true,
		"rdns matches \"^[a-z]+(-\\\\d+){3}\"": true,
		"rdns matches \"^(?i)MAIL\"":           false,
		"A ? urls == 3 : urls == 4":            true,
		"urls % 2 == 1":                        true,
		"size / 1024 == 300":                   true,
		"recipients == 0 and hops < 1":         true,
		"dmarc == 'fail' && auth.aligned":      true,
		"spf in ['pass', 'neutral']":           false,
		"auth.sealer endsWith '.example'":      true,
		"auth.policy == '' && auth.arc == spf": false,
	} {
		got, err := condition(t, when).Holds(func(s string) bool { return s == "A" }, f)
		if err != nil || got != want {
			t.Errorf("%s = %v, %v, want %v", when, got, err, want)
		}
	}
}

// What cannot be computed is an error of one line, not a hit and not a panic.
func TestConditionError(t *testing.T) {
	c := condition(t, "urls % hops == 1")
	holds, err := c.Holds(func(string) bool { return false }, &Features{URLs: 3})
	if holds || err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("Holds = %v, %v", holds, err)
	}
	if holds, err := c.Holds(func(string) bool { return false }, &Features{URLs: 3, Hops: 2}); !holds || err != nil {
		t.Errorf("after an error: Holds = %v, %v", holds, err)
	}
}

// A condition may be evaluated by many goroutines; what one message has does not reach another.
func TestConditionsAtOnce(t *testing.T) {
	c := condition(t, "A && size == 7 && !B")
	t.Run("group", func(t *testing.T) {
		for i := range 8 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for range 500 {
					holds, err := c.Holds(func(s string) bool { return s == "A" && i%2 == 0 }, &Features{Size: 7})
					if err != nil || holds != (i%2 == 0) {
						t.Fatalf("Holds = %v, %v", holds, err)
					}
				}
			})
		}
	})
}

// Conditions come in an order in which each can read those it names, wherever they stand in the file.
func TestComboOrder(t *testing.T) {
	set := loadText(t, `version: 1
rules:
  - { id: LAST, about: x, when: MIDDLE && SPF_FAIL, score: 1, tests: [{ hit: [SPF_FAIL, SPF_PASS] }, { miss: [SPF_PASS] }, { hit: [SPF_FAIL, FIRST] }] }
  - { id: MIDDLE, about: x, when: FIRST, score: 1, tests: [{ hit: SPF_PASS }] }
  - { id: FIRST, about: x, when: SPF_PASS, score: 1, tests: [{ miss: SPF_FAIL }] }
`)
	var order []string
	for _, c := range set.Combos {
		order = append(order, c.Symbol)
	}
	if got := strings.Join(order, " "); got != "FIRST MIDDLE LAST" {
		t.Errorf("order %s", got)
	}
	if failed := set.CheckCombos(); failed != nil {
		t.Errorf("proofs fail: %v", failed)
	}
}

func TestCheckCombosFails(t *testing.T) {
	set := loadText(t, `version: 1
rules:
  - { id: ONE, about: x, when: SPF_PASS, score: 1, tests: [{ hit: [SPF_FAIL] }, { miss: [SPF_PASS] }] }
  - { id: TWO, about: x, when: urls % hops == 1, score: 1, tests: [{ miss: [] }, { miss: SPF_FAIL }] }
`)
	compareFindings(t, "combos.want", set.CheckCombos())
}

var sinkBool bool

func BenchmarkConditionSymbols(b *testing.B) { benchmarkCondition(b, "(A || B) && C") }

func BenchmarkConditionTypical(b *testing.B) {
	benchmarkCondition(b, "(A || B) && C && !(bulk.alike > 3) && size < 200*KiB")
}

func BenchmarkConditionRegex(b *testing.B) {
	benchmarkCondition(b, `C && helo matches "^[a-z]+-\\d+"`)
}

func benchmarkCondition(b *testing.B, when string) {
	c := condition(b, when)
	present := map[string]string{"B": "", "C": "", "OTHER": ""}
	has := func(name string) bool { _, ok := present[name]; return ok }
	f := &Features{Size: 100 << 10, Helo: "host-12.example"}
	b.ReportAllocs()
	for b.Loop() {
		holds, err := c.Holds(has, f)
		if err != nil || !holds {
			b.Fatalf("%v, %v", holds, err)
		}
		sinkBool = holds
	}
}
