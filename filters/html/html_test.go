package html

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"weir/filters"
	"weir/filters/filtertest"
	"weir/filters/lookup"
	"weir/rules"
)

// cases are the rules of the cases in testdata.
var cases = []rules.Element{
	{Symbol: "FORM", Tags: []string{"form"}, Attr: "action", Value: regexp.MustCompile(`^https?:`), AtLeast: 1},
	{Symbol: "LINKS", Tags: []string{"a", "area"}, Attr: "href", AtLeast: 3},
	{Symbol: "HIDDEN_IMAGE", Tags: []string{"img"}, Hidden: true, AtLeast: 1},
	{Symbol: "ELSEWHERE", Differs: true, AtLeast: 1},
	{Symbol: "MEASURED", Attr: "width", Value: regexp.MustCompile(`^1$`), AtLeast: 1},
}

func TestCases(t *testing.T) {
	filtertest.Run(t, func(*lookup.Resolver) filters.Check { return New(cases) })
}

func hits(t *testing.T, m *filters.Message, own ...rules.Element) string {
	t.Helper()
	report, err := New(own).Run(t.Context(), filters.Mail{Message: m})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, h := range report.Hits {
		names = append(names, h.Symbol)
	}
	return strings.Join(names, " ")
}

func TestElements(t *testing.T) {
	for _, c := range []struct{ page, want string }{
		{`<form action="https://a.example/">`, "FORM"},
		{`<FORM ACTION='https://a.example/'>`, "FORM"},
		{`<form action="mailto:a@a.example">`, ""},
		{`<form>`, ""},
		{`<form action="x" action="https://a.example/">`, ""}, // the first of two counts
		{`<!-- <form action="https://a.example/"> -->`, ""},
		{`<a href=/x>1</a><a href=/y>2</a><area href=/z>`, "LINKS"},
		{`<a href=/x>1</a><a>2</a><area href=/z>`, ""},
		{`<div style="display:none"><img src=x></div>`, "HIDDEN_IMAGE"},
		{`<style>.n{display:none}</style><p class=n><img src=x></p>`, "HIDDEN_IMAGE"},
		{`<p class=n>x<img src=x></p><style>.n{display:none}</style>`, "HIDDEN_IMAGE"},
		{`<img src=x>`, ""},
		{`<a href="https://b.example/">https://a.example/login</a>`, "ELSEWHERE"},
		{`<a href="https://b.example/"><b>https://a.</b>example/login</a>`, "ELSEWHERE"},
		{`<a href="https://click.a.example/">https://www.a.example/login</a>`, ""},
		{`<a href="https://b.example/">a.example</a>`, ""},
		{`<a href="https://b.example/">one</a> <a href="https://b.example/">https://a.example/</a>`, "ELSEWHERE"},
		{`<td width=1>`, "MEASURED"},
		{`<td width=10>`, ""},
	} {
		if got := hits(t, Sample(c.page), cases...); got != c.want {
			t.Errorf("%s: %q, want %q", c.page, got, c.want)
		}
	}
}

func TestWhatIsReadIsBounded(t *testing.T) {
	page := strings.Repeat(`<td width="`+strings.Repeat("x", 1000)+`">`, 200)
	var own []rules.Element
	for range 100 {
		own = append(own, rules.Element{Symbol: "X", Attr: "width", Value: regexp.MustCompile(`y$`), AtLeast: 1})
	}
	own = append(own, rules.Element{Symbol: "WIDE", Attr: "width", Value: regexp.MustCompile(`^x`), AtLeast: 1})
	if got := hits(t, Sample(page), own[100:]...); got != "WIDE" {
		t.Errorf("alone: %q", got)
	}
	if got := hits(t, Sample(page), own...); got != "" {
		t.Errorf("behind a hundred others: %q", got)
	}
}

func TestACancelledRunIsAnErrorNotAMiss(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(cases).Run(ctx, filters.Mail{Message: Sample("<p>")}); err == nil {
		t.Error("no error")
	}
	if report, err := New(cases).Run(ctx, filters.Mail{}); err != nil || len(report.Hits) > 0 {
		t.Errorf("without a message: %v, %v", report, err)
	}
}

func BenchmarkRun(b *testing.B) {
	m := filters.Mail{Message: Sample(strings.Repeat(`<p><a href="https://a.example/x" style="color:red">a link</a> and words</p>`, 100))}
	check := New(cases)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := check.Run(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}
