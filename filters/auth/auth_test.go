package auth

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/filters"
	"weir/filters/filtertest"
	"weir/filters/lookup"
	"weir/filters/lookup/lookuptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestCases runs all checks as the pipeline does: each knows what those of the stages before have found.
func TestCases(t *testing.T) {
	filtertest.Run(t, func(r *lookup.Resolver) filters.Check {
		stages := [][]filters.Check{{NewSPF(r)}, {NewDKIM(r), NewARC(r)}, {NewDMARC(nil, r)}}
		all := filters.Check{Name: "auth"}
		for _, check := range slices.Concat(stages...) {
			all.Symbols = append(all.Symbols, check.Symbols...)
		}
		all.Run = func(ctx context.Context, m filters.Mail) (filters.Report, error) {
			var sum filters.Report
			var results []filters.Result
			for _, checks := range stages {
				for _, check := range checks {
					report, err := check.Run(ctx, m)
					if err != nil {
						return sum, err
					}
					results = append(results, filters.Result{Check: check.Name, Report: report})
					sum.Hits, sum.Problems = append(sum.Hits, report.Hits...), append(sum.Problems, report.Problems...)
				}
				sum.Facts = filters.Gather(results)
				m.Auth = sum.Facts.Auth
			}
			return sum, nil
		}
		return all
	})
}

const letter = "From: The Shop <news@mail.shop.test>\r\nTo: bob@example.org\r\nSubject: Offers\r\n" +
	"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n\r\nNew shoes have come in.  \r\n\r\n\r\n"

func signer(t testing.TB, domain string) Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Signer{Domain: domain, Selector: "s1", Key: key}
}

func sign(t testing.TB, s Signer, raw string) string {
	t.Helper()
	signed, err := s.Sign([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

func quoted(text string) string { return `TXT "` + text + `"` }

// published makes a resolver of a zone that holds the keys of signers.
func published(t testing.TB, signers ...Signer) *lookup.Resolver {
	t.Helper()
	z, err := lookup.MapZone(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range signers {
		if err := z.Set(s.Name(), quoted(s.Record())); err != nil {
			t.Fatal(err)
		}
	}
	return lookup.FromZone(z)
}

func checkDKIM(t testing.TB, r *lookup.Resolver, raw string, auth *filters.Auth) filters.Report {
	t.Helper()
	report, err := NewDKIM(r).Run(t.Context(), filters.Mail{Message: filters.ParseMessage([]byte(raw)), Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func symbolsOf(r filters.Report) []string {
	var all []string
	for _, h := range r.Hits {
		all = append(all, h.Symbol)
	}
	return all
}

func TestSignatures(t *testing.T) {
	shop, stranger, parent := signer(t, "mail.shop.test"), signer(t, "sender.example"), signer(t, "shop.test")
	r := published(t, shop, stranger, parent)
	signed := sign(t, shop, letter)
	cases := []struct {
		name    string
		raw     string
		symbols []string
		proven  []string
	}{
		{"none", letter, []string{DKIMNone}, nil},
		{"the author's own", signed, []string{DKIMValid, Aligned}, []string{"mail.shop.test"}},
		{"bare LF", strings.ReplaceAll(signed, "\r\n", "\n"), []string{DKIMValid, Aligned}, []string{"mail.shop.test"}},
		{"the author's organisation", sign(t, parent, letter), []string{DKIMValid, Aligned}, []string{"shop.test"}},
		{"a stranger's", sign(t, stranger, letter), []string{DKIMValid}, nil},
		{"two, both valid", sign(t, stranger, signed), []string{DKIMValid, Aligned}, []string{"mail.shop.test"}},
		{"one of two broken", sign(t, shop, letter+"x") + "y", []string{DKIMInvalid}, nil},
		{"body changed", strings.Replace(signed, "shoes", "pills", 1), []string{DKIMInvalid}, nil},
		{"header changed", strings.Replace(signed, "Offers", "Pills", 1), []string{DKIMInvalid}, nil},
		{"no header end", strings.TrimSuffix(sign(t, shop, "From: a@shop.test\r\n\r\n"), "\r\n"), []string{DKIMValid, Aligned}, []string{"mail.shop.test"}},
		{"another From in front", "From: ceo@bank.example\r\n" + signed, []string{DKIMValid}, nil},
		{"another From of the same author in front", "From: news@mail.shop.test\r\n" + signed, []string{DKIMValid}, nil},
		{"another From, oddly written", " From: ceo@bank.example\r\n" + signed, []string{DKIMValid}, nil},
		{"two authors", sign(t, shop, strings.Replace(letter, "shop.test>", "shop.test>, ceo@bank.example", 1)), []string{DKIMValid}, nil},
		{"garbage", "DKIM-Signature: v=1; a=rsa-sha256; d=shop.test\r\n" + letter, []string{DKIMInvalid}, nil},
		{"a part signed", strings.Replace(signed, "; s=s1", "; l=3; s=s1", 1), []string{DKIMNone}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			report := checkDKIM(t, r, c.raw, nil)
			if got := symbolsOf(report); !slices.Equal(got, c.symbols) {
				t.Errorf("symbols %v, want %v: %v", got, c.symbols, report.Hits)
			}
			if got := report.Facts.Auth.Domains; !slices.Equal(got, c.proven) {
				t.Errorf("proven %v, want %v", got, c.proven)
			}
			if len(report.Problems) > 0 {
				t.Errorf("problems %v", report.Problems)
			}
		})
	}
}

// A domain may be written in its own letters, in the signature and in the From header (RFC 8616).
func TestInternationalDomains(t *testing.T) {
	shop := signer(t, "xn--80a1acny.example")
	r := published(t, shop)
	for _, d := range []string{"почта.example", "xn--80a1acny.example"} {
		shop.Domain = d
		for _, author := range []string{"почта.example", "xn--80a1acny.example"} {
			raw := sign(t, shop, strings.Replace(letter, "mail.shop.test", author, 1))
			if report := checkDKIM(t, r, raw, nil); !report.Facts.Auth.Proves("xn--80a1acny.example") {
				t.Errorf("d=%s for %s: %v", d, author, report.Hits)
			}
		}
	}
}

func TestRSASignature(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	s := Signer{Domain: "shop.test", Selector: "rsa", Key: key}
	report := checkDKIM(t, published(t, s), sign(t, s, letter), nil)
	want := filters.Signature{Domain: "shop.test", Selector: "rsa", Algorithm: "rsa-sha256", Result: "pass"}
	got := report.Facts.Auth.DKIM
	if len(got) == 1 && len(got[0].Begins) == maxBegins {
		want.Begins = got[0].Begins
	}
	if len(got) != 1 || got[0] != want {
		t.Errorf("signatures %+v, want %+v", got, want)
	}
}

func TestAMissingKeyIsInvalidAndAFailedLookupIsNot(t *testing.T) {
	shop := signer(t, "mail.shop.test")
	signed := sign(t, shop, letter)
	z, err := lookup.MapZone(nil)
	if err != nil {
		t.Fatal(err)
	}
	report := checkDKIM(t, lookup.FromZone(z), signed, nil)
	if got := symbolsOf(report); !slices.Equal(got, []string{DKIMInvalid}) || len(report.Problems) > 0 {
		t.Errorf("without a key: %v, problems %v", got, report.Problems)
	}
	if err := z.Set(shop.Name(), "SERVFAIL"); err != nil {
		t.Fatal(err)
	}
	report = checkDKIM(t, lookup.FromZone(z), signed, nil)
	if got := symbolsOf(report); !slices.Equal(got, []string{DKIMTemperror}) {
		t.Errorf("the list fails: %v", got)
	}
	if len(report.Problems) != 1 || report.Problems[0].Kind != filters.KindServfail {
		t.Errorf("the lookup fails: problems %v", report.Problems)
	}
	report = checkDKIM(t, lookup.Offline(), signed, nil)
	if len(report.Hits)+len(report.Problems)+len(report.Facts.Auth.DKIM) > 0 {
		t.Errorf("offline: %+v", report)
	}
}

// A name that ends early for who reads it as a C string must not be asked for.
func TestASelectorWithNULIsNoName(t *testing.T) {
	evil := signer(t, "attack.example")
	evil.Selector = "s1._domainkey.attack.example.\x00.any"
	victim := evil
	victim.Domain = "bank.example"
	raw := sign(t, victim, strings.Replace(letter, "mail.shop.test", "bank.example", 1))
	report := checkDKIM(t, published(t, signer(t, "attack.example")), raw, nil)
	if got := symbolsOf(report); !slices.Equal(got, []string{DKIMInvalid}) || len(report.Facts.Auth.Domains) > 0 {
		t.Errorf("%v, proven %v", got, report.Facts.Auth.Domains)
	}
}

func TestSPFCountsTowardsTheAuthor(t *testing.T) {
	r := published(t)
	for _, c := range []struct {
		result, domain string
		proven         []string
	}{
		{"pass", "bounce.shop.test", []string{"bounce.shop.test"}},
		{"pass", "shop.test", []string{"shop.test"}},
		{"pass", "notshop.test", nil},
		{"pass", "test", nil},
		{"pass", "", nil},
		{"fail", "shop.test", nil},
		{"temperror", "shop.test", nil},
	} {
		report := checkDKIM(t, r, letter, &filters.Auth{SPF: filters.SPF{Result: c.result, Domain: c.domain}})
		if got := report.Facts.Auth.Domains; !slices.Equal(got, c.proven) {
			t.Errorf("SPF %s for %s proves %v, want %v", c.result, c.domain, got, c.proven)
		}
	}
}

func TestCostlyMessagesAreNotVerified(t *testing.T) {
	shop := signer(t, "mail.shop.test")
	r := published(t, shop)
	head, body, _ := strings.Cut(letter, "\r\n\r\n")
	many := strings.Repeat("a:", 20_000)
	for name, raw := range map[string]string{
		"a long header":        sign(t, shop, head+"\r\nX: "+strings.Repeat("x", maxHeader)+"\r\n\r\n"+body),
		"a field of lines":     sign(t, shop, head+"\r\nX: "+strings.Repeat("\r\n x", 8_000)+"\r\n\r\n"+body),
		"many signed fields":   strings.Replace(sign(t, shop, head+strings.Repeat("\r\na: b", 500)+"\r\n\r\n"+body), " h=", " h="+many, 1),
		"a run of empty lines": sign(t, shop, letter+strings.Repeat("\r\n", maxEmpty)+"x\r\n"),
	} {
		before := cpu(t)
		report := checkDKIM(t, r, raw, nil)
		if got := symbolsOf(report); !slices.Equal(got, []string{DKIMNone}) {
			t.Errorf("%s: %v", name, report.Hits)
		}
		if took := cpu(t) - before; took > 2*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// cpu is the CPU time of this process so far: other work on the machine does not count.
func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestOnlyTheFirstSignaturesAreVerified(t *testing.T) {
	s := signer(t, "sender.example")
	raw := letter
	for range maxSignatures + 3 {
		raw = sign(t, s, raw)
	}
	report := checkDKIM(t, published(t, s), raw, nil)
	if n := len(report.Facts.Auth.DKIM); n != maxSignatures {
		t.Errorf("%d signatures, want %d", n, maxSignatures)
	}
}

func TestAnEndedContextIsAnErrorAndLeavesNothingBehind(t *testing.T) {
	s := signer(t, "sender.example")
	raw := sign(t, s, sign(t, s, letter+strings.Repeat("text and more text\r\n", 200_000)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := NewDKIM(published(t, s)).Run(ctx, filters.Mail{Message: filters.ParseMessage([]byte(raw))})
	if err == nil {
		t.Error("no error")
	}
}

// The source must not change what is signed, in whatever pieces it is read.
func TestSource(t *testing.T) {
	in := &source{rest: []byte("abc")}
	var out bytes.Buffer
	p := make([]byte, 2)
	for {
		n, err := in.Read(p)
		out.Write(p[:n])
		if err != nil {
			break
		}
	}
	if got := out.String(); got != "abc"+ending {
		t.Errorf("read %q", got)
	}
}

func client(ip, hello, from string) filters.Mail {
	return filters.Mail{
		Session:  &filters.Session{Addr: netip.AddrPortFrom(netip.MustParseAddr(ip), 25), Hello: hello},
		Envelope: &filters.Envelope{From: from},
	}
}

func checkOne(t *testing.T, r *lookup.Resolver, m filters.Mail) filters.Report {
	t.Helper()
	report, err := NewSPF(r).Run(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestSPF(t *testing.T) {
	z, err := lookup.MapZone(map[string][]string{
		"good.example":                 {quoted("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all")},
		"soft.example":                 {quoted("v=spf1 ~all")},
		"open.example":                 {quoted("v=spf1 ?all")},
		"two.example":                  {quoted("v=spf1 -all"), quoted("v=spf1 +all")},
		"host.example":                 {quoted("v=spf1 a mx -all"), "192.0.2.9", "MX 10 mx.host.example"},
		"mx.host.example":              {"192.0.2.10", "2001:db8::10"},
		"exists.example":               {quoted("v=spf1 exists:%{i}.x.exists.example -all")},
		"*.x.exists.example":           {"127.0.0.2"},
		"ptr.example":                  {quoted("v=spf1 ptr -all")},
		"mail.ptr.example":             {"198.51.100.7"},
		"7.100.51.198.in-addr.arpa":    {"PTR mail.ptr.example."},
		"8.100.51.198.in-addr.arpa":    {"SERVFAIL"},
		"9.100.51.198.in-addr.arpa":    {"PTR alias.ptr.example."},
		"alias.ptr.example":            {"CNAME alias.ptr.example."},
		"10.100.51.198.in-addr.arpa":   {"PTR other.example.", "PTR liar.named.example.", "PTR a.b.named.example."},
		"other.example":                {"198.51.100.10"},
		"liar.named.example":           {"198.51.100.77"},
		"a.b.named.example":            {"198.51.100.10"},
		"named.example":                {quoted("v=spf1 exists:%{p}.ok.example ?exists:%{P2r}.ok.example ~exists:%{pr.}.ok.example -all")},
		"a.b.named.example.ok.example": {"127.0.0.2"},
		"named2.example":               {quoted("v=spf1 exists:%{p2r}.ok.example -all")},
		"example.other.ok.example":     {"127.0.0.2"},
		"unknown.example":              {quoted("v=spf1 exists:%{p}.ok.example -all")},
		"unknown.ok.example":           {"127.0.0.2"},
		"xn--80a1acny.example":         {quoted("v=spf1 ip4:192.0.2.7 -all")},
		"slash.example":                {quoted("v=spf1 a:x/y.slash.example/24 -all")},
		"x/y.slash.example":            {"192.0.2.200"},
		"space.example":                {quoted("v=spf1 a:x%_y%%.space.example -all")},
		`x\ y%.space.example`:          {"192.0.2.7"},
		"down.example":                 {"SERVFAIL"},
		"needs.example":                {quoted("v=spf1 include:down.example -all")},
		"rest.example":                 {quoted("v=spf1 ip4:192.0.2.1 include:down.example -all")},
		"broken.example":               {quoted("v=spf1 ip4:192.0.2.7 -all a:")},
		"loop.example":                 {quoted("v=spf1 include:loop.example -all")},
		"helo.example":                 {quoted("v=spf1 ip4:192.0.2.7 -all")},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := lookup.FromZone(z)
	for _, c := range []struct {
		ip, from, symbol, domain string
		problem                  string
	}{
		{"192.0.2.7", "a@good.example", SPFPass, "good.example", ""},
		{"192.0.2.7", "a@GOOD.Example.", SPFPass, "good.example", ""},
		{"::ffff:192.0.2.7", "a@good.example", SPFPass, "good.example", ""},
		{"2001:db8::7", "a@good.example", SPFPass, "good.example", ""},
		{"198.51.100.7", "a@good.example", SPFFail, "good.example", ""},
		{"192.0.2.7", "a@soft.example", SPFSoftfail, "soft.example", ""},
		{"192.0.2.7", "a@open.example", SPFNeutral, "open.example", ""},
		{"192.0.2.7", "a@nobody.example", SPFNone, "nobody.example", ""},
		{"192.0.2.7", "a@two.example", SPFPermerror, "two.example", ""},
		{"192.0.2.7", "a@loop.example", SPFPermerror, "loop.example", ""},
		{"192.0.2.7", "a@broken.example", SPFPermerror, "broken.example", ""},
		{"192.0.2.9", "a@host.example", SPFPass, "host.example", ""},
		{"192.0.2.10", "a@host.example", SPFPass, "host.example", ""},
		{"2001:db8::10", "a@host.example", SPFPass, "host.example", ""},
		{"2001:db8::11", "a@host.example", SPFFail, "host.example", ""},
		{"2001:db8::11", "a@exists.example", SPFPass, "exists.example", ""},
		{"198.51.100.7", "a@ptr.example", SPFPass, "ptr.example", ""},
		{"198.51.100.8", "a@ptr.example", SPFTemperror, "ptr.example", filters.KindServfail},
		{"198.51.100.9", "a@ptr.example", SPFFail, "ptr.example", ""},
		{"198.51.100.10", "a@named.example", SPFPass, "named.example", ""},
		{"198.51.100.10", "a@named2.example", SPFPass, "named2.example", ""},
		{"198.51.100.11", "a@unknown.example", SPFPass, "unknown.example", ""},
		{"192.0.2.7", "a@Почта.example", SPFPass, "xn--80a1acny.example", ""},
		{"192.0.2.7", "a@slash.example", SPFPass, "slash.example", ""},
		{"192.0.3.7", "a@slash.example", SPFFail, "slash.example", ""},
		{"192.0.2.7", "a@space.example", SPFPass, "space.example", ""},
		{"192.0.2.7", "a@down.example", SPFTemperror, "down.example", filters.KindServfail},
		{"192.0.2.7", "a@needs.example", SPFTemperror, "needs.example", filters.KindServfail},
		{"192.0.2.1", "a@rest.example", SPFPass, "rest.example", ""},
		{"192.0.2.7", "", SPFPass, "helo.example", ""},
		{"192.0.2.8", "", SPFFail, "helo.example", ""},
		{"192.0.2.7", "a@...", SPFNone, "..", ""},
		{"192.0.2.7", "a@" + strings.Repeat("x", 64) + ".example", SPFNone, strings.Repeat("x", 64) + ".example", ""},
		{"192.0.2.7", `"x@nobody.example"@good.example`, SPFPass, "good.example", ""},
	} {
		report := checkOne(t, r, client(c.ip, "helo.example", c.from))
		name := fmt.Sprintf("%s from %s", c.ip, c.from)
		if got := symbolsOf(report); !slices.Equal(got, []string{c.symbol}) {
			t.Errorf("%s: %v, want %s", name, report.Hits, c.symbol)
			continue
		}
		if auth := report.Facts.Auth; auth.SPF.Domain != c.domain || "SPF_"+strings.ToUpper(auth.SPF.Result) != c.symbol {
			t.Errorf("%s: %+v", name, auth.SPF)
		}
		kind := ""
		if len(report.Problems) > 0 {
			kind = report.Problems[0].Kind
		}
		if kind != c.problem {
			t.Errorf("%s: problems %v, want %q", name, report.Problems, c.problem)
		}
	}
}

func TestSPFRecordsAreReadToTheEnd(t *testing.T) {
	for _, record := range []string{
		"v=spf1", "v=spf1 ", "V=SPF1 -ALL", "v=spf1  a mx:b.example/24//64 ?ptr ~all", "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ip6:::1",
		"v=spf1 a:%{d1r-}.x.example exists:%{ir}.%{v}._spf.%{d2} include:%{d}", "v=spf1 redirect=_spf.example.org exp=why.%{d}", "v=spf1 moo= new-tag=%{h} -all",
		"v=spf1 a//0 mx/0 a:x-y.example2.c-d", "v=spf1 exists:%%.%_.%-.x.test",
	} {
		if !isRecord(record) || !isSound(record) {
			t.Errorf("%q is refused", record)
		}
	}
	for _, record := range []string{
		"v=spf1 all. ", "v=spf1 -all=", "v=spf1 +-all", "v=spf1 a:", "v=spf1 a:example", "v=spf1 a:x.123", "v=spf1 a/33", "v=spf1 a/032", "v=spf1 a//129", "v=spf1 mx/",
		"v=spf1 ip4:192.0.2", "v=spf1 ip4:192.0.2.1/032", "v=spf1 ip4:2001:db8::1", "v=spf1 ip6:192.0.2.1", "v=spf1 ip6", "v=spf1 ip6:fe80::1%eth0",
		"v=spf1 exists:%{x}.a", "v=spf1 exists:%{d0}.a", "v=spf1 exists:%{d.a", "v=spf1 exists:%a.b", "v=spf1 include", "v=spf1 redirect=", "v=spf1 redirect=a.b redirect=a.b",
		"v=spf1 exp=a.b EXP=a.b", "v=spf1 exp=%{c}.a", "v=spf1 -all ip5:1", "v=spf1\tall", "v=spf1 a\x00", "v=spf1 a:ж.example", "v=spf1 ?moo=1", "v=spf1 -all foo",
	} {
		if isRecord(record) && isSound(record) {
			t.Errorf("%q is taken", record)
		}
	}
	for _, text := range []string{"", "v=spf", "v=spf10 -all", "v=DKIM1; p=", " v=spf1 -all"} {
		if isRecord(text) {
			t.Errorf("%q is taken for SPF", text)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add("v=spf1 a:%{d1r-}.x.example mx/24//64 ip4:192.0.2.0/24 redirect=_spf.example.org")
	f.Fuzz(func(t *testing.T, record string) {
		if !isRecord(record) {
			return
		}
		// White space at the end means nothing (RFC 7208 §4.5), nor does case.
		if isSound(record) != isSound(record+"  ") || isSound(record) && !isSound(strings.ToUpper(record)) {
			t.Errorf("%q", record)
		}
	})
}

func TestSPFSaysNothingOf(t *testing.T) {
	r := lookup.Offline()
	user := client("192.0.2.7", "h.example", "a@b.example")
	user.Session.User = "ann"
	unknown := client("0.0.0.0", "h.example", "a@b.example")
	offline := client("192.0.2.7", "h.example", "a@b.example")
	for name, m := range map[string]filters.Mail{"users": user, "unknown clients": unknown, "offline": offline, "nothing": {}} {
		report := checkOne(t, r, m)
		if len(report.Hits)+len(report.Problems) > 0 || report.Facts.Auth != nil {
			t.Errorf("%s: %+v", name, report)
		}
	}
}

// A server that is silent, or too slow for the context, makes the result unknown, within the time.
func TestADeadServerIsTemperror(t *testing.T) {
	z, err := lookup.MapZone(map[string][]string{"good.example": {quoted("v=spf1 -all")}})
	if err != nil {
		t.Fatal(err)
	}
	server, err := lookup.Serve("127.0.0.1:0", z)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	server.Twist(lookuptest.Silent)
	r, err := lookup.New(lookup.Options{Servers: []string{server.Addr()}, Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	report := checkOne(t, r, client("192.0.2.7", "h.example", "a@good.example"))
	if got := symbolsOf(report); !slices.Equal(got, []string{SPFTemperror}) {
		t.Errorf("hits %v", report.Hits)
	}
	if len(report.Problems) != 1 || report.Problems[0].Kind != filters.KindTimeout {
		t.Errorf("problems %v", report.Problems)
	}
}

func TestProves(t *testing.T) {
	a := &filters.Auth{Domains: []string{"shop.test"}}
	for domain, want := range map[string]bool{"shop.test": true, "mail.shop.test": true, "notshop.test": false, "test": false, "": false} {
		if a.Proves(domain) != want {
			t.Errorf("%q: %v", domain, !want)
		}
	}
}

func BenchmarkDKIM(b *testing.B) {
	s := signer(b, "mail.shop.test")
	raw := sign(b, s, letter+strings.Repeat("ordinary text of a letter, not very long lines\r\n", 200))
	r := published(b, s)
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		checkDKIM(b, r, raw, nil)
	}
}

func FuzzClaim(f *testing.F) {
	f.Add("DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=x; h=from:to; bh=; b=\r\n")
	f.Fuzz(func(t *testing.T, field string) {
		c := claimOf(field)
		if c.signed > len(field) || strings.ContainsAny(c.domain+c.selector, " \t\r\n") {
			t.Errorf("%q: %+v", field, c)
		}
	})
}
