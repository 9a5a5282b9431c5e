package filtertest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/filters"
	"weir/filters/lookup"
)

// mirror reports what it is shown, so that the harness can be seen at work.
func mirror(r *lookup.Resolver) filters.Check {
	return filters.Check{
		Name: "mirror", Stage: filters.Body, Symbols: []string{"SUBJECT", "RESOLVED"},
		Run: func(ctx context.Context, m filters.Mail) (filters.Report, error) {
			var report filters.Report
			if m.Message != nil {
				report.Hits = append(report.Hits, filters.Hit{Symbol: "SUBJECT", Detail: m.Message.Subject()})
			}
			answer, err := r.Lookup(ctx, m.Session.Hello, lookup.A)
			if err != nil {
				report.Problems = append(report.Problems, filters.Problem{Kind: filters.KindFailed, Rule: "RESOLVED"})
			}
			if answer.Found {
				report.Hits = append(report.Hits, filters.Hit{Symbol: "RESOLVED", Detail: answer.Addrs[0].String()})
			}
			if m.Session.ReverseKnown {
				report.Facts.Reverse = &filters.Reverse{Name: m.Session.ReverseName, OK: m.Session.ReverseOK}
			}
			return report, nil
		},
	}
}

func TestRun(t *testing.T) { Run(t, mirror) }

func TestCircumstances(t *testing.T) {
	m, err := parseMail([]byte("@ip 2001:db8::1\n@helo h.example\n@rdns r.example\n@user ann\n@tls TLS1.3\n" +
		"@from a@b.example\n@to c@d.example\n@to e@f.example\n@auth b.example\n@at 2020-01-02T03:04:05Z\nSubject: x\n\ny\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := m.Session
	if s.Addr.Addr().String() != "2001:db8::1" || s.Hello != "h.example" || s.User != "ann" || s.TLS != "TLS1.3" {
		t.Errorf("session %+v", s)
	}
	if s.ReverseName != "r.example" || !s.ReverseOK || !s.ReverseKnown {
		t.Errorf("reverse %+v", s)
	}
	if m.Envelope.From != "a@b.example" || !slices.Equal(m.Envelope.To, []string{"c@d.example", "e@f.example"}) {
		t.Errorf("envelope %+v", m.Envelope)
	}
	if !m.Auth.Proves("b.example") || !m.At.Equal(time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("auth %+v at %v", m.Auth, m.At)
	}
	if got := string(m.Message.Raw()); got != "Subject: x\r\n\r\ny\r\n" {
		t.Errorf("message %q", got)
	}
}

func TestBytesWithCRAreKept(t *testing.T) {
	m, err := parseMail([]byte("@helo h\nSubject: x\r\n\r\nbare\nline\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(m.Message.Raw()); got != "Subject: x\r\n\r\nbare\nline\r\n" {
		t.Errorf("message %q", got)
	}
}

func TestBadCircumstances(t *testing.T) {
	for _, text := range []string{"@ip x\n", "@rdns a b\n", "@rdns\n", "@at noon\n", "@help x\n"} {
		if _, err := parseMail([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), "line 1: ") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func TestCompareAndRewrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "01.hits")
	got := []string{"A one", "B"}
	if compare(file, got) == nil {
		t.Error("a missing file is not an error")
	}
	if err := os.WriteFile(file, []byte("# why\nA two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if compare(file, got) == nil {
		t.Error("a difference is not an error")
	}
	if err := rewrite(file, got); err != nil {
		t.Fatal(err)
	}
	if err := compare(file, got); err != nil {
		t.Error(err)
	}
	if data, _ := os.ReadFile(file); string(data) != "# why\nA one\nB\n" {
		t.Errorf("rewrote to %q", data)
	}
}
