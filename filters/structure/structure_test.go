package structure

import (
	"strings"
	"testing"
	"time"

	"weir/filters"
	"weir/filters/filtertest"
	"weir/filters/lookup"
)

func TestCases(t *testing.T) {
	filtertest.Run(t, func(*lookup.Resolver) filters.Check { return New() })
}

func TestReadmeNamesEverySymbol(t *testing.T) {
	for _, symbol := range New().Symbols {
		if !strings.Contains(Readme, symbol) && !strings.HasPrefix(symbol, "MIME_") {
			t.Errorf("%s is not in README.md", symbol)
		}
	}
}

func TestMixedWords(t *testing.T) {
	for _, c := range []struct {
		text  string
		mixed bool
	}{
		{"Bаnk", true},   // Latin with Cyrillic а
		{"Бaнк", true},   // Cyrillic with Latin a
		{"Pаypаl", true}, // twice
		{"Αmazon", true}, // Greek capital alpha
		{"заказ", false}, // Cyrillic
		{"order", false}, // Latin
		{"order заказ", false},
		{"SMSка", false},     // an acronym with its ending
		{"COVIDа", false},    // likewise, and the ending looks alike
		{"IT-отдел", false},  // two words
		{"iPhoneами", false}, // letters of both that do not look alike
		{"5 μm", false},      // a unit
		{"5 μsec", false},    // likewise, and the letters look alike
		{"хx", false},        // too short to tell
		{"αβγδx", true},      // Greek with a letter that looks like chi
		{"e\u0301а\u0301o", true},
		{strings.Repeat("aа", 40), false}, // no word
	} {
		if got := len(mixedWords(c.text, 1)) > 0; got != c.mixed {
			t.Errorf("%q: mixed %v, want %v", c.text, got, c.mixed)
		}
	}
	if got := mixedWords("Bаnk and Бaнк and Bаnk", 2); len(got) != 2 {
		t.Errorf("with a limit of 2: %q", got)
	}
}

func TestFreemail(t *testing.T) {
	for domain, want := range map[string]bool{"gmail.com": true, "yahoo.co.uk": true, "hotmail.fr": true, "outlook.example.com.br": false,
		"example.org": false, "live.example.org.uk.net": false, "": false, "yahoo": false} {
		if got := isFreemail(domain); got != want {
			t.Errorf("%q: %v", domain, got)
		}
	}
}

func TestWithoutClockOrSession(t *testing.T) {
	m := filters.Mail{Message: filters.ParseMessage([]byte("Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nFrom: a@b.example\r\nTo: c@d.example\r\n\r\nx\r\n"))}
	report, err := New().Run(t.Context(), m)
	if err != nil || len(report.Hits) > 0 {
		t.Errorf("%v, %v", report.Hits, err)
	}
	m.At = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	if report, _ := New().Run(t.Context(), m); len(report.Hits) != 1 || report.Hits[0].Symbol != dateFuture {
		t.Errorf("%v", report.Hits)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("From: =?utf-8?q?B=D0=B0nk?= <a@b.example>, <\r\nDate: x\r\nReply-To: a@gmail.com\r\n\r\n")
	f.Add("Subject: \xff@\r\nTo: a@b.example\r\nContent-Type: text/html\r\n\r\n<a href=http://x.example>http://y.example</a>")
	f.Add("Content-Disposition: attachment; filename=\"..pdf .\u202eexe\"\r\n\r\nx")
	check := New()
	declared := map[string]bool{}
	for _, s := range check.Symbols {
		declared[s] = true
	}
	f.Fuzz(func(t *testing.T, raw string) {
		report, err := check.Run(t.Context(), filters.Mail{At: time.Unix(0, 0), Message: filters.ParseMessage([]byte(raw))})
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range report.Hits {
			if !declared[h.Symbol] || strings.ContainsAny(h.Detail, "\r\n") {
				t.Errorf("%s: %q", h.Symbol, h.Detail)
			}
		}
	})
}

func BenchmarkRun10KB(b *testing.B) {
	raw := "From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: lunch\r\nDate: Sun, 22 Nov 2026 09:59:00 +0000\r\n" +
		"Message-ID: <1@example.org>\r\n\r\n" + strings.Repeat("The quick brown fox jumps over the lazy dog. ", 230)
	m := filters.Mail{At: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Message: filters.ParseMessage([]byte(raw))}
	check := New()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := check.Run(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}
