package reverse

import (
	"net/netip"
	"strings"
	"testing"

	"weir/filters"
	"weir/filters/filtertest"
	"weir/filters/lookup"
)

func TestCases(t *testing.T) { filtertest.Run(t, New) }

// Whichever lookup fails: the fact is unknown, unless another name is confirmed.
func TestAFailureLeavesItUnknown(t *testing.T) {
	const address = "7.2.0.192.in-addr.arpa"
	for _, c := range []struct {
		about   string
		records map[string][]string
		kind    string // of the problem
		name    string // if it is known all the same
	}{
		{"the address", map[string][]string{address: {"SERVFAIL"}}, filters.KindServfail, ""},
		{"the address, refused", map[string][]string{address: {"REFUSED"}}, filters.KindRefused, ""},
		{"the name", map[string][]string{address: {"PTR a.example."}, "a.example": {"SERVFAIL"}}, filters.KindServfail, ""},
		{"one of the names", map[string][]string{address: {"PTR a.example.", "PTR b.example."}, "a.example": {"192.0.2.8"}, "b.example": {"SERVFAIL"}}, filters.KindServfail, ""},
		{"another than the confirmed", map[string][]string{address: {"PTR a.example.", "PTR b.example."}, "a.example": {"SERVFAIL"}, "b.example": {"192.0.2.7"}}, "", "b.example"},
	} {
		z, err := lookup.MapZone(c.records)
		if err != nil {
			t.Fatal(err)
		}
		session := &filters.Session{Addr: netip.MustParseAddrPort("192.0.2.7:40000")}
		report, err := New(lookup.FromZone(z)).Run(t.Context(), filters.Mail{Session: session})
		if err != nil {
			t.Fatal(err)
		}
		fact := report.Facts.Reverse
		if c.name != "" {
			if fact == nil || *fact != (filters.Reverse{Name: c.name, OK: true}) || report.Problems != nil {
				t.Errorf("%s: reported %+v", c.about, report)
			}
			continue
		}
		if fact != nil || len(report.Problems) != 1 || report.Problems[0].Kind != c.kind {
			t.Errorf("%s: reported %+v", c.about, report)
		}
	}
}

func TestHostNames(t *testing.T) {
	for name, want := range map[string]bool{
		"mail.example": true, "a_b-1.x.example": true, "xn--e1afmkfd.example": true, strings.Repeat("a", 63) + ".example": true,
		"": false, "localhost": false, "a..example": false, ".example": false, "example.": false, "192.0.2.7": false,
		"a b.example": false, "a\nb.example": false, "a;b.example": false, `a\013.example`: false, "\u00e4.example": false, "A.example": false,
		strings.Repeat("a", 64) + ".example": false, strings.Repeat("a.", 130) + "example": false,
	} {
		if isHost(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
