package pattern

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/filters"
	"weir/filters/filtertest"
	"weir/filters/lookup"
	"weir/rules"
)

// cases are the patterns of the cases in testdata.
var cases = []rules.Pattern{
	{Symbol: "SUBJECT_PRIZE", Where: rules.InHeader, Header: "Subject", Any: []string{`(?i)\bprize\b`, `(?i)выигр`}, AtLeast: 1},
	{Symbol: "SUBJECT_ONLY_PRIZE", Where: rules.InHeader, Header: "subject", Any: []string{`^Prize$`}, AtLeast: 1},
	{Symbol: "TWO_PHRASES", Where: rules.InBody, Any: []string{`(?i)next of kin`, `(?i)barrister`, `(?i)transfer of (?:the )?fund`}, AtLeast: 2},
	{Symbol: "RAW_IP", Where: rules.InURLHost, Any: []string{`^\d+\.\d+\.\d+\.\d+$`}, AtLeast: 1},
	{Symbol: "URL_LOGIN", Where: rules.InURL, Any: []string{`(?i)/login\.php`}, AtLeast: 1},
	{Symbol: "NO_DATE", Where: rules.InHeader, Header: "Date", Missing: true},
	{Symbol: "RECEIVED_BAD", Where: rules.InHeader, Header: "Received", Any: []string{`^from bad\.example\b`}, AtLeast: 1},
}

func TestCases(t *testing.T) {
	check, err := New(cases)
	if err != nil {
		t.Fatal(err)
	}
	filtertest.Run(t, func(*lookup.Resolver) filters.Check { return check })
}

func TestNewSaysWhatItMayReport(t *testing.T) {
	check, err := New(cases)
	if err != nil || check.Name != "pattern" || check.Stage != filters.Body || len(check.Symbols) != len(cases)+1 {
		t.Errorf("%+v, %v", check, err)
	}
	if _, err := New([]rules.Pattern{{Symbol: "BAD", Any: []string{"("}, AtLeast: 1}}); err == nil {
		t.Error("a bad expression is no error")
	}
	report, err := check.Run(t.Context(), filters.Mail{})
	if err != nil || len(report.Hits) > 0 {
		t.Errorf("without a message: %v, %v", report, err)
	}
}

func TestACancelledRunIsAnErrorNotAMiss(t *testing.T) {
	check, err := New(cases)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := check.Run(ctx, filters.Mail{Message: filters.ParseMessage([]byte("Subject: prize\r\n\r\n"))}); err == nil {
		t.Error("no error")
	}
}

func TestSample(t *testing.T) {
	mixed := rules.Pattern{Where: rules.InHeader, Header: "Subject",
		Any: []string{`\p{Latin}[\p{Cyrillic}\p{Greek}]|[\p{Cyrillic}\p{Greek}]\p{Latin}`}, AtLeast: 1}
	missing := rules.Pattern{Where: rules.InHeader, Header: "Message-ID", Missing: true}
	fee := rules.Pattern{Where: rules.InBody, Any: []string{`(?i)next of kin`, `(?i)transfer of (?:the )?fund`, `(?i)barrister`}, AtLeast: 2}
	raw := rules.Pattern{Where: rules.InURLHost, Any: []string{`^\d+\.\d+\.\d+\.\d+$`}, AtLeast: 1}
	whole := rules.Pattern{Where: rules.InURL, Any: []string{`^https://[^/]+/pay\?`}, AtLeast: 1}
	for _, c := range []struct {
		pattern rules.Pattern
		text    string
		want    bool
	}{
		{mixed, "Subject: Bаnk account", true},
		{mixed, "Subject: Bank account", false},
		{mixed, "subject: Bаnk account", true},
		{mixed, "Subject: =?UTF-8?B?QtCwbms=?=", true},
		{mixed, "X-Subject: Bаnk account", false},
		{mixed, "Subject: banк\nSubject: plain", true},
		{missing, "Subject: x", true},
		{missing, "message-id: <1@a.example>", false},
		{fee, "I am barrister John, about your late next of kin", true},
		{fee, "I am a barrister. Barrister!", false},
		{fee, "Our barrister was ill", false},
		{fee, "", false},
		{raw, "see http://203.0.113.9/x", true},
		{raw, "see http://203.0.113.9:8080/x", true},
		{raw, "version 1.2.3.4", false},
		{raw, "http://203.0.113.9.example/", false},
		{whole, "go to https://a.example/pay?x=1 now", true},
		{whole, "go to http://a.example/pay?x=1 now", false},
	} {
		check, err := New([]rules.Pattern{c.pattern})
		if err != nil {
			t.Fatal(err)
		}
		said, err := check.Run(t.Context(), filters.Mail{Message: Sample(c.pattern, c.text)})
		if got := len(said.Hits) > 0; err != nil || got != c.want {
			t.Errorf("%v in %q: %v, %v", c.pattern.Any, c.text, got, err)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	patterns := []rules.Pattern{{Symbol: "S", Where: rules.InHeader, Header: "Subject", Any: []string{"p.ize"}, AtLeast: 1}}
	for _, e := range manyExpressions(100) {
		patterns = append(patterns, rules.Pattern{Symbol: e, Where: rules.InBody, Any: []string{e}, AtLeast: 1})
	}
	check, err := New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	text := "Subject: prize\r\n\r\n" + benchText(2<<10) + " claim your prize verify.....account\r\n"
	want, err := check.Run(t.Context(), filters.Mail{Message: filters.ParseMessage([]byte(text))})
	if err != nil || len(want.Hits) < 3 {
		t.Fatalf("%d hits, %v", len(want.Hits), err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				got, err := check.Run(t.Context(), filters.Mail{Message: filters.ParseMessage([]byte(text))})
				if err != nil || !slices.Equal(got.Hits, want.Hits) {
					t.Errorf("%v, %v", got.Hits, err)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkRun10KB(b *testing.B) {
	patterns := slices.Clone(cases)
	for i, e := range manyExpressions(300) {
		p := rules.Pattern{Symbol: e, Where: rules.InBody, Any: []string{e}, AtLeast: 1}
		if i%6 == 0 {
			p.Where, p.Header = rules.InHeader, []string{"Subject", "From", "To", "Received"}[i/6%4]
		}
		patterns = append(patterns, p)
	}
	check, err := New(patterns)
	if err != nil {
		b.Fatal(err)
	}
	raw := strings.ReplaceAll("Received: from a by b; Sun, 22 Nov 2026 10:00:00 +0000\nFrom: Ann <ann@a.example>\nTo: bob@b.example\n"+
		"Subject: tomorrow\nDate: Sun, 22 Nov 2026 10:00:00 +0000\n\n"+benchText(10<<10)+"\nhttp://a.example/x http://b.example/y\n", "\n", "\r\n")
	m := filters.Mail{Message: filters.ParseMessage([]byte(raw))}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := check.Run(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}
