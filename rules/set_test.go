package rules

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/rules/strict"
)

// The example means what its comments say.
func TestExample(t *testing.T) {
	set, findings := loadFrom(os.DirFS("testdata"), "example.good.yaml")
	if findings != nil {
		t.Fatal(findings)
	}
	for name, want := range map[string]Symbol{
		"ZEN_SBL":             {Points: 400, Family: "dns_ip", Zone: "ZEN", Public: "listed at zen.dnsbl.test"},
		"ZEN_DROP":            {Points: 700, Family: "dns_ip", Zone: "ZEN", Public: "listed at zen.dnsbl.test", Mode: Hard},
		"DNSWL_MED":           {Points: -230, Family: "dns_ip", Zone: "DNSWL"},
		"MASK_STRONG":         {Points: 300, Family: "dns_ip", Zone: "MASK"},
		"BULK_MANY":           {Points: 500, Family: "bulk"},
		"BULK_WANTED":         {CapAt: &Cap{Family: "bulk"}},
		"SUBJ_MIXED_SCRIPT":   {Points: 180, Public: "mixed alphabets in the subject"},
		"TRIAL_EMOJI_SUBJECT": {Points: 100, Mode: Shadow, Until: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)},
	} {
		got := *set.Symbols[name]
		if got.About == "" || got.Src.File != "example.good.yaml" || got.Src.Line == 0 {
			t.Errorf("%s: about %q, at %s", name, got.About, got.Src)
		}
		got.Name, got.About, got.Src = "", "", strict.Src{}
		if got.CapAt != nil {
			got.CapAt.Src = strict.Src{}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if !set.Zones[0].Hard || set.Zones[1].Hard || set.Zones[2].Hard {
		t.Error("only ZEN can refuse alone")
	}
	thresholds := func(p *Policy) string {
		return fmt.Sprintf("%s %v %v %v", p.ID, p.Thresholds.Tag, p.Thresholds.Defer, p.Thresholds.Reject)
	}
	for rcpt, want := range map[string]string{
		"bob@example.org":         "default {6.00 false} {0.00 true} {15.00 false}",
		"boss@example.org":        "vip {6.00 false} {0.00 true} {20.00 false}",
		"BOSS@EXAMPLE.ORG":        "vip {6.00 false} {0.00 true} {20.00 false}",
		"Postmaster@any.example":  "abuse-desk {6.00 false} {0.00 true} {0.00 true}",
		"postmaster":              "abuse-desk {6.00 false} {0.00 true} {0.00 true}",
		"xabuse@example.org":      "default {6.00 false} {0.00 true} {15.00 false}",
		"postmaster@x@example.de": "abuse-desk {6.00 false} {0.00 true} {0.00 true}",
	} {
		if got := thresholds(set.PolicyFor(Whose{Rcpt: rcpt})); got != want {
			t.Errorf("PolicyFor(%q) = %s, want %s", rcpt, got, want)
		}
	}
	if mode := set.PolicyFor(Whose{Rcpt: "abuse@example.org"}).ZoneMode; mode == nil || *mode != Weighted {
		t.Errorf("zones of abuse-desk count as %v", mode)
	}
}

func TestZoneAnswers(t *testing.T) {
	set, findings := loadFrom(os.DirFS("testdata"), "language.good.yaml")
	if findings != nil {
		t.Fatal(findings)
	}
	z := set.Zones[0]
	for address, want := range map[string]string{
		"127.0.0.2": "BEST_1 BEST_TRY?", "127.0.1.2": "BEST_1 BEST_TRY?", "127.0.1.3": "BEST_TRY?", "127.0.0.4": "BEST_TWO",
		"127.0.0.6": "BEST_TRY", "127.9.9.7": "BEST_TRY", "128.0.0.6": "", "10.1.2.3": "somebody rewrites answers", "::7f00:6": "",
	} {
		var got []string
		for _, a := range z.Answers {
			if a.Match.Matches(netip.MustParseAddr(address)) {
				got = append(got, a.Symbol)
			}
		}
		for _, e := range z.Errors {
			if e.Match.Matches(netip.MustParseAddr(address)) {
				got = append(got, e.Means)
			}
		}
		bits := netip.MustParseAddr(address).As16()[15]&6 == 6
		want = strings.TrimSpace(strings.ReplaceAll(want, "BEST_TRY?", map[bool]string{true: "BEST_TRY", false: ""}[bits]))
		if strings.Join(got, " ") != want {
			t.Errorf("%s means %v, want %s", address, got, want)
		}
	}
	for name, want := range map[string]string{
		"BEST_1": "the first 2.00 hard no best.list.test zone BEST", "BEST_TWO": "best.list.test lists it as TWO 3.00 weighted  zone BEST",
		"BEST_TRY": "best.list.test lists it as TRY 0.00 shadow  zone BEST",
	} {
		s := set.Symbols[name]
		if got := fmt.Sprintf("%s %s %s %s %s", s.About, s.Points, s.Mode, s.Public, s.OneOf); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if s := set.Symbols["INCLUDED"]; s.Points != 250 || len(s.Changed) != 1 || s.Changed[0].Was != 900 || s.Changed[0].Why == "" {
		t.Errorf("the override left %v", s)
	}
	if b := set.Bulk; b.Windows[0].Over != 90*time.Minute || b.Windows[0].Senders != 3 || !b.Exempt[0].Signers.HasDomain("magazine.xn--80aairftm.test") && !b.Exempt[0].Signers.HasDomain("магазин.test") {
		t.Errorf("bulk: %+v", b)
	}
	if s := set.Symbols["FLOOD"]; s.For(&Features{Bulk: BulkFeatures{AlikeStrict: 20}}).Points != 228 || s.Points != 300 {
		t.Errorf("the flood does not grow: %+v", s)
	}
	if mode := set.PolicyFor(Whose{Rcpt: "info@shop.test"}).ZoneMode; mode == nil || *mode != Shadow {
		t.Error("a list of domains does not choose the policy of their addresses")
	}
	for rcpt, want := range map[string]string{
		"x@a.example.org": "ours", "x@example.org": "default", "sales-eu@example.net": "ours", "ann@example.org": "team", "any@team.example": "team", "@": "default", "": "default",
	} {
		if got := set.PolicyFor(Whose{Rcpt: rcpt}).ID; got != want {
			t.Errorf("PolicyFor(%q) = %s, want %s", rcpt, got, want)
		}
	}
}

func TestReplyTexts(t *testing.T) {
	set := loadText(t, "version: 1\nreject: { text: 'No, {{ if .reasons }}as {{ .reasons }}{{ else }}thanks{{ end }} {{ .id }}' }\n")
	for want, reasons := range map[string][]string{"No, as a, b ID": {"a", "b"}, "No, thanks ID": nil} {
		if got := set.RejectMessage(reasons, "ID"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	set = loadText(t, "version: 1\ndefer: { text: 'Later{{ if .reasons }}, {{ .reasons }}{{ end }}: {{ .id }}' }\n")
	if got := set.DeferMessage([]string{"a"}, "ID") + "; " + set.DeferMessage(nil, "ID"); got != "Later, a: ID; Later: ID" {
		t.Errorf("got %q", got)
	}
	if got, want := (&Set{}).DeferMessage([]string{"a"}, "ID"), "Message deferred, try again later. Reference ID"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (&Set{}).RejectMessage(nil, "ID"), "Message refused as likely spam. Reference ID."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLists(t *testing.T) {
	domains := &List{Type: Domains, names: map[string]struct{}{}}
	addresses := &List{Type: Addresses, names: map[string]struct{}{}}
	networks := &List{Type: Networks, networks: map[netip.Prefix]struct{}{}}
	for l, entries := range map[*List][]string{
		domains: {"Example.org.", ".dot.test", "пример.test"}, addresses: {"Ann@Example.org", "*@team.test"},
		networks: {"192.0.2.0/24", "198.51.100.7", "2001:db8::/33", "0.0.0.0/32"},
	} {
		for _, e := range entries {
			if err := l.add(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	for d, want := range map[string]bool{
		"example.org": true, "a.b.EXAMPLE.org.": true, "notexample.org": false, "org": false, "": false, "dot.test": true,
		"xn--e1afmkfd.test": true, "www.ПРИМЕР.test": true, ".": false,
	} {
		if domains.HasDomain(d) != want {
			t.Errorf("HasDomain(%q) = %v", d, !want)
		}
	}
	for a, want := range map[string]bool{
		"ann@example.org": true, "ANN@EXAMPLE.ORG": true, "bob@example.org": false, "any@team.test": true, "any@sub.team.test": false, "team.test": false, "@": false, "": false,
	} {
		if addresses.HasAddress(a) != want {
			t.Errorf("HasAddress(%q) = %v", a, !want)
		}
	}
	for a, want := range map[string]bool{
		"192.0.2.255": true, "192.0.3.0": false, "::ffff:192.0.2.1": true, "198.51.100.7": true, "198.51.100.8": false, "2001:db8::1": true, "2001:db9::1": false, "0.0.0.1": false,
	} {
		if networks.HasIP(netip.MustParseAddr(a)) != want {
			t.Errorf("HasIP(%s) = %v", a, !want)
		}
	}
	if networks.HasIP(netip.Addr{}) || domains.HasAddress("x@other.test") || !domains.HasAddress("x@example.org") || addresses.HasDomain("team.test") {
		t.Error("a list of one type answers for another")
	}
	if domains.Len() != 3 || networks.Len() != 4 {
		t.Error("entries got lost")
	}
}

// A list of expressions is what `any:` looks for, each of them once.
func TestExpressionList(t *testing.T) {
	set, findings := loadFrom(os.DirFS("testdata"), "expressions.good.yaml")
	if findings != nil {
		t.Fatal(findings)
	}
	want := Pattern{Symbol: "PHRASES", Where: InBody, Any: []string{`(?i)teapots?`, `(?i)free kettles`, `order #\d+`}, AtLeast: 2}
	if diff := cmp.Diff(want, set.Patterns[0]); diff != "" {
		t.Errorf("the pattern (-want +got):\n%s", diff)
	}
	if l := set.Lists["phrases"]; l.Len() != 3 || l.HasDomain("teapots") || l.File != "inc/phrases.txt" {
		t.Errorf("the list: %+v", l)
	}
	full := &List{Type: Expressions, names: map[string]struct{}{}, expressions: make([]string, maxExpressions)}
	if err := full.add("x"); err == nil {
		t.Error("a list grows without bound")
	}
}

// Overrides hold until their day, and the day is the loader's.
func TestUntil(t *testing.T) {
	const text = "version: 1\nrules: [{ id: A, about: a, body: { regex: a }, score: 1 }]\noverride: [{ id: A, score: 2, until: 2027-01-31 }]\n"
	for day, want := range map[string]Points{"2027-01-30": 200, "2027-01-31": 100} {
		at, _ := time.Parse(time.DateOnly, day)
		set, findings := Loader{FS: fstest.MapFS{"r.yaml": {Data: []byte(text)}}, Now: at}.Load("r.yaml")
		if got := set.Symbols["A"].Points; got != want || len(findings) != 2-int(want/100) {
			t.Errorf("on %s: %s points, findings %v", day, got, findings)
		}
	}
}

// The digest is of all files in their order, so that two sets with one digest are one set.
func TestDigest(t *testing.T) {
	files := func(list string) fstest.MapFS {
		return fstest.MapFS{
			"a.yaml": {Data: []byte("version: 1\ninclude: [b.yaml]\nlists: { l: { type: domain, file: list } }\npolicies: [{ id: p, rcpt: list.l }]\n")},
			"b.yaml": {Data: []byte("version: 1\n")},
			"list":   {Data: []byte(list)},
		}
	}
	load := func(list string) *Set {
		set, findings := Load(files(list), "a.yaml", nil)
		if findings != nil {
			t.Fatal(findings)
		}
		return set
	}
	one, same, other := load("x.test\n"), load("x.test\n"), load("y.test\n")
	if one.Digest != same.Digest || one.Digest == other.Digest || !strings.HasPrefix(one.Digest, "sha256:") {
		t.Errorf("digests %s, %s, %s", one.Digest, same.Digest, other.Digest)
	}
	if diff := cmp.Diff([]string{"a.yaml", "b.yaml", "list"}, one.Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestUnreadable(t *testing.T) {
	set, findings := Load(fstest.MapFS{}, "none.yaml", nil)
	if set != nil || findings.Err() == nil || len(findings) != 1 || findings[0].Src.File != "none.yaml" {
		t.Errorf("set %v, findings %v", set, findings)
	}
}

// Looking up costs the same however long the list is.
func BenchmarkListDomain(b *testing.B) {
	for _, n := range []int{30, 30_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := &List{Type: Domains, names: map[string]struct{}{}}
			for i := range n {
				if err := l.add(fmt.Sprintf("d%d.example", i)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if !l.HasDomain("mail.d29.example") || l.HasDomain("mail.other.example") {
					b.Fatal("wrong answer")
				}
			}
		})
	}
}

func BenchmarkPolicyFor(b *testing.B) {
	set, findings := loadFrom(os.DirFS("testdata"), "example.good.yaml")
	if findings != nil {
		b.Fatal(findings)
	}
	b.ReportAllocs()
	for b.Loop() {
		if set.PolicyFor(Whose{Rcpt: "bob@example.org"}).ID != "default" {
			b.Fatal("wrong policy")
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, findings := loadFrom(os.DirFS("testdata"), "example.good.yaml"); findings != nil {
			b.Fatal(findings)
		}
	}
}

func BenchmarkRejectMessage(b *testing.B) {
	set, _ := Load(fstest.MapFS{"r.yaml": {Data: []byte("version: 1\n")}}, "r.yaml", nil)
	reasons := []string{"listed at zen.dnsbl.test"}
	b.ReportAllocs()
	for b.Loop() {
		set.RejectMessage(reasons, "01JD3K7Q2W8N5T")
	}
}
