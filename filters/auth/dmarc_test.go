package auth

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"weir/filters"
	"weir/filters/lookup"
	"weir/rules"
)

func zoneOf(t testing.TB, records map[string][]string) *lookup.Resolver {
	t.Helper()
	z, err := lookup.MapZone(records)
	if err != nil {
		t.Fatal(err)
	}
	return lookup.FromZone(z)
}

func checkDMARC(t testing.TB, r *lookup.Resolver, sealers *rules.List, m filters.Mail) filters.Report {
	t.Helper()
	report, err := NewDMARC(sealers, r).Run(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// from is a message by an author, that SPF and DKIM have looked at.
func from(author string, spf filters.SPF, signatures ...filters.Signature) filters.Mail {
	return filters.Mail{
		Message: filters.ParseMessage([]byte("From: " + author + "\r\nSubject: x\r\n\r\nbody\r\n")),
		Auth:    &filters.Auth{SPF: spf, DKIM: signatures},
	}
}

func spfOf(result, domain string) filters.SPF { return filters.SPF{Result: result, Domain: domain} }

func signature(result, domain string) filters.Signature {
	return filters.Signature{Result: result, Domain: domain}
}

func TestDMARC(t *testing.T) {
	txt := func(text string) []string { return []string{quoted(text)} }
	r := zoneOf(t, map[string][]string{
		"_dmarc.shop.test":             txt("v=DMARC1; p=reject; sp=quarantine; np=none"),
		"_dmarc.own.shop.test":         txt("v=DMARC1; p=none"),
		"here.shop.test":               {"192.0.2.1"},
		"_dmarc.strict.test":           txt("v=DMARC1; p=quarantine; adkim=s; aspf=s"),
		"_dmarc.nosub.test":            txt("v=DMARC1; p=reject"),
		"_dmarc.two.test":              {quoted("v=DMARC1; p=reject"), quoted("v=DMARC1; p=none")},
		"_dmarc.other.test":            {quoted("v=DMARC1; p=reject"), quoted("v=spf1 -all")},
		"_dmarc.trial.test":            txt("v=DMARC1; p=reject; t=y"),
		"_dmarc.nought.test":           txt("v=DMARC1;p=quarantine;pct=0"),
		"_dmarc.half.test":             txt("v=DMARC1; p=reject; pct=50"),
		"_dmarc.odd.test":              txt("v = DMARC1 ; P = REJECT ;; rua=mailto:a@odd.test; adkim=x; what=ever"),
		"_dmarc.nop.test":              txt("v=DMARC1; rua=mailto:a@nop.test"),
		"_dmarc.badp.test":             txt("v=DMARC1; p=none!"),
		"_dmarc.late.test":             txt("p=reject; v=DMARC1"),
		"_dmarc.down.test":             {"SERVFAIL"},
		"_dmarc.below.up.test":         {"SERVFAIL"},
		"_dmarc.half.up.test":          txt("v=DMARC1; p=none"),
		"_dmarc.half.down.test":        txt("v=DMARC1; p=none"),
		"_dmarc.up.test":               txt("v=DMARC1; p=reject"),
		"_dmarc.co.uk":                 txt("v=DMARC1; p=reject"), // forgets psd=y
		"_dmarc.bank":                  txt("v=DMARC1; p=reject; psd=y; np=quarantine"),
		"my.bank":                      {"192.0.2.1"},
		"_dmarc.division.big.test":     txt("v=DMARC1; p=reject; psd=n"),
		"_dmarc.big.test":              txt("v=DMARC1; p=quarantine"),
		"_dmarc.names.up.test":         txt("v=DMARC1; p=none; psd=y"),
		"_dmarc.registry.test":         txt("v=DMARC1; p=none; psd=y"),
		"_dmarc.c.d.e.f.g.h.deep.test": txt("v=DMARC1; p=reject"),
		"a.b.c.d.e.f.g.h.deep.test":    {"192.0.2.1"},
	})
	none := spfOf("none", "elsewhere.test")
	for _, c := range []struct {
		name           string
		mail           filters.Mail
		symbol         string
		domain, policy string
	}{
		{"nothing published", from("a@none.test", none), DMARCNone, "none.test", ""},
		{"SPF of the domain", from("a@shop.test", spfOf("pass", "shop.test")), DMARCPass, "shop.test", "reject"},
		{"SPF of a subdomain", from("a@shop.test", spfOf("pass", "bounce.shop.test")), DMARCPass, "shop.test", "reject"},
		{"SPF of the organisation", from("a@here.shop.test", spfOf("pass", "shop.test")), DMARCPass, "here.shop.test", "quarantine"},
		{"SPF of another", from("a@shop.test", spfOf("pass", "elsewhere.test")), DMARCReject, "shop.test", "reject"},
		{"SPF fails", from("a@shop.test", spfOf("fail", "shop.test")), DMARCReject, "shop.test", "reject"},
		{"a signature of the domain", from("a@shop.test", none, signature("pass", "shop.test")), DMARCPass, "shop.test", "reject"},
		{"a broken one before it", from("a@shop.test", none, signature("fail", "shop.test"), signature("pass", "m.shop.test")), DMARCPass, "shop.test", "reject"},
		{"a signature of another", from("a@shop.test", none, signature("pass", "notshop.test")), DMARCReject, "shop.test", "reject"},
		{"a signature of a part", from("a@shop.test", none, signature("neutral", "shop.test")), DMARCReject, "shop.test", "reject"},
		{"a subdomain", from("a@here.shop.test", none), DMARCQuarantine, "here.shop.test", "quarantine"},
		{"a subdomain that is not there", from("a@gone.shop.test", none), DMARCFailNone, "gone.shop.test", "none"},
		{"a subdomain of its own mind", from("a@own.shop.test", none), DMARCFailNone, "own.shop.test", "none"},
		{"a subdomain without sp", from("a@x.nosub.test", none), DMARCReject, "x.nosub.test", "reject"},
		{"capitals", from("a@SHOP.Test", spfOf("pass", "shop.test")), DMARCPass, "shop.test", "reject"},
		{"strict, its own", from("a@strict.test", none, signature("pass", "strict.test")), DMARCPass, "strict.test", "quarantine"},
		{"strict, a subdomain's signature", from("a@strict.test", none, signature("pass", "m.strict.test")), DMARCQuarantine, "strict.test", "quarantine"},
		{"strict, a subdomain's SPF", from("a@strict.test", spfOf("pass", "m.strict.test")), DMARCQuarantine, "strict.test", "quarantine"},
		{"two records", from("a@two.test", none), DMARCNone, "two.test", ""},
		{"a record of another kind", from("a@other.test", none), DMARCReject, "other.test", "reject"},
		{"being tested", from("a@trial.test", none), DMARCQuarantine, "trial.test", "quarantine"},
		{"for none of its mail", from("a@nought.test", none), DMARCFailNone, "nought.test", "none"},
		{"for half of its mail", from("a@half.test", none), DMARCReject, "half.test", "reject"},
		{"oddly written", from("a@odd.test", none), DMARCReject, "odd.test", "reject"},
		{"without a policy", from("a@nop.test", none), DMARCFailNone, "nop.test", "none"},
		{"an unknown policy", from("a@badp.test", none), DMARCFailNone, "badp.test", "none"},
		{"the version not first", from("a@late.test", none), DMARCNone, "late.test", ""},
		{"SPF not known", from("a@shop.test", spfOf("temperror", "shop.test")), DMARCTemperror, "shop.test", "reject"},
		{"another's SPF not known", from("a@shop.test", spfOf("temperror", "elsewhere.test")), DMARCReject, "shop.test", "reject"},
		{"a signature not known", from("a@shop.test", none, signature("temperror", "m.shop.test")), DMARCTemperror, "shop.test", "reject"},
		{"one not known, one good", from("a@shop.test", spfOf("temperror", "shop.test"), signature("pass", "shop.test")), DMARCPass, "shop.test", "reject"},
		{"under a suffix with a record", from("a@shop.co.uk", none), DMARCReject, "shop.co.uk", "reject"},
		{"strangers under a suffix with a record", from("a@shop.co.uk", spfOf("pass", "evil.co.uk")), DMARCReject, "shop.co.uk", "reject"},
		{"under a registry's record", from("a@my.bank", none), DMARCReject, "my.bank", "reject"},
		{"not even registered", from("a@your.bank", none), DMARCQuarantine, "your.bank", "quarantine"},
		{"a registry's own customers", from("a@one.registry.test", spfOf("pass", "two.registry.test")), DMARCFailNone, "one.registry.test", "none"},
		{"a registry within a house", from("a@one.names.up.test", spfOf("pass", "two.names.up.test")), DMARCFailNone, "one.names.up.test", "none"},
		{"a customer's own hosts", from("a@one.registry.test", spfOf("pass", "m.one.registry.test")), DMARCPass, "one.registry.test", "none"},
		{"a division for itself", from("a@x.division.big.test", spfOf("pass", "big.test")), DMARCReject, "x.division.big.test", "reject"},
		{"within the division", from("a@x.division.big.test", spfOf("pass", "y.division.big.test")), DMARCPass, "x.division.big.test", "reject"},
		{"the house for its division", from("a@big.test", spfOf("pass", "x.division.big.test")), DMARCQuarantine, "big.test", "quarantine"},
		{"a long name", from("a@a.b.c.d.e.f.g.h.deep.test", none), DMARCNone, "a.b.c.d.e.f.g.h.deep.test", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := checkDMARC(t, r, nil, c.mail)
			if got := symbolsOf(report); !slices.Equal(got, []string{c.symbol}) {
				t.Fatalf("%v, want %s", report.Hits, c.symbol)
			}
			if got := report.Facts.Auth.DMARC; got.Domain != c.domain || got.Policy != c.policy || len(report.Problems) > 0 {
				t.Errorf("%+v, problems %v", got, report.Problems)
			}
		})
	}
	for _, m := range []filters.Mail{
		from("a@down.test", none), from("a@below.up.test", none), from("a@half.down.test", spfOf("pass", "m.half.down.test")),
		from("a@half.up.test", spfOf("pass", "below.up.test")),
	} {
		report := checkDMARC(t, r, nil, m)
		if got := symbolsOf(report); !slices.Equal(got, []string{DMARCTemperror}) || len(report.Problems) != 1 {
			t.Errorf("%s: %v, problems %v", m.Message.FromAddress(), report.Hits, report.Problems)
		}
	}
	// What is proven does not wait for what is not known.
	report := checkDMARC(t, r, nil, from("a@half.down.test", spfOf("pass", "m.half.down.test"), signature("pass", "half.down.test")))
	if got := symbolsOf(report); !slices.Equal(got, []string{DMARCPass}) || len(report.Problems) > 0 {
		t.Errorf("proven: %v, problems %v", report.Hits, report.Problems)
	}
	report = checkDMARC(t, r, nil, from("a@half.up.test", spfOf("pass", "below.up.test"), signature("pass", "m.half.up.test")))
	if got := symbolsOf(report); !slices.Equal(got, []string{DMARCPass}) {
		t.Errorf("proven by another: %v, problems %v", report.Hits, report.Problems)
	}
}

// Whoever may be taken for the author is asked about, and nobody is proven.
func TestDMARCOfAmbiguousAuthors(t *testing.T) {
	r := zoneOf(t, map[string][]string{
		"_dmarc.bank.example": {quoted("v=DMARC1; p=reject")}, "_dmarc.soft.example": {quoted("v=DMARC1; p=none")},
		"_dmarc.evil.example": {quoted("v=DMARC1; p=none")},
	})
	for header, want := range map[string]string{
		"From: a@evil.example\r\nFrom: b@bank.example":         DMARCReject,
		"From: b@bank.example\r\nFrom : a@evil.example":        DMARCReject,
		" From: a@evil.example\r\nFrom: b@bank.example":        DMARCReject,
		"From: a@evil.example, b@bank.example, c@soft.example": DMARCReject,
		"From: c@soft.example, b@bank.example, a@evil.example": DMARCReject,
		"From: <a@evil.example>b@bank.example":                 DMARCReject,
		"From: a@evil.example, c@soft.example":                 DMARCFailNone,
		"From: a@evil.example\r\nFrom: a@evil.example":         DMARCPermerror,
		"From: a@evil.example, b@nothing.example":              DMARCPermerror,
		"Subject: nobody":   DMARCPermerror,
		"From: undisclosed": DMARCPermerror,
		"From: <@evil.example,@any.example:b@bank.example>":         DMARCReject,
		"From: \"a@bank.example\" <a@evil.example>":                 DMARCPass,
		"From: =?utf-8?q?a=40bank.example?= <a@evil.example>":       DMARCPass,
		"From: a@evil.example\r\nSender: b@bank.example":            DMARCPass,
		"From: a@evil.example (b@bank.example)":                     DMARCPass,
		"From: a@evil.example\r\nResent-From: Bob <b@bank.example>": DMARCPass,
	} {
		m := from("", spfOf("pass", "evil.example"))
		m.Message = filters.ParseMessage([]byte(header + "\r\n\r\nbody\r\n"))
		if got := symbolsOf(checkDMARC(t, r, nil, m)); !slices.Equal(got, []string{want}) {
			t.Errorf("%q: %v, want %s", header, got, want)
		}
	}
}

func listOf(t testing.TB, domains string) *rules.List {
	t.Helper()
	text := "version: 1\nthresholds: { tag: 6 }\nauth: { arc_sealers: list.sealers }\nlists:\n  sealers: { type: domain, inline: [" + domains + "] }\n"
	set, findings := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(text)}}, "r.yaml", nil)
	if set == nil {
		t.Fatal(findings)
	}
	return set.Sealers
}

func TestAFailureIsSparedForWhom(t *testing.T) {
	r := zoneOf(t, map[string][]string{"_dmarc.shop.test": {quoted("v=DMARC1; p=reject")}})
	seal := func(domain, result, author string) filters.Seal {
		return filters.Seal{Domain: domain, DMARC: result, Author: author}
	}
	sealers := listOf(t, "list.example, relay.example")
	for _, c := range []struct {
		name   string
		chain  []filters.Seal
		symbol string
		by     string
	}{
		{"no chain", nil, DMARCReject, ""},
		{"a trusted sealer", []filters.Seal{seal("list.example", "pass", "shop.test")}, DMARCSpared, "list.example"},
		{"a host of his", []filters.Seal{seal("m1.list.example", "pass", "")}, DMARCSpared, "m1.list.example"},
		{"a stranger", []filters.Seal{seal("evil.example", "pass", "shop.test")}, DMARCReject, ""},
		{"he has seen it fail", []filters.Seal{seal("list.example", "fail", "shop.test")}, DMARCReject, ""},
		{"he does not say", []filters.Seal{seal("list.example", "", "")}, DMARCReject, ""},
		{"for another author", []filters.Seal{seal("list.example", "pass", "evil.example")}, DMARCReject, ""},
		{"two trusted ones", []filters.Seal{seal("relay.example", "fail", ""), seal("list.example", "pass", "shop.test")}, DMARCSpared, "list.example"},
		{"a stranger last", []filters.Seal{seal("evil.example", "fail", ""), seal("list.example", "pass", "shop.test")}, DMARCReject, ""},
		{"a stranger first", []filters.Seal{seal("relay.example", "fail", ""), seal("evil.example", "pass", "shop.test")}, DMARCReject, ""},
	} {
		m := from("a@shop.test", spfOf("fail", "shop.test"))
		m.Auth.ARC = filters.ARC{Result: "pass", Sealed: c.chain}
		report := checkDMARC(t, r, sealers, m)
		if got := symbolsOf(report); !slices.Equal(got, []string{c.symbol}) || report.Facts.Auth.DMARC.Spared != c.by || report.Facts.Auth.DMARC.Result != "fail" {
			t.Errorf("%s: %v, %+v", c.name, report.Hits, report.Facts.Auth.DMARC)
		}
		if got := symbolsOf(checkDMARC(t, r, nil, m)); !slices.Equal(got, []string{DMARCReject}) {
			t.Errorf("%s, trusting nobody: %v", c.name, got)
		}
	}
}

func TestAMailingListThatSignsIsSpared(t *testing.T) {
	r := zoneOf(t, map[string][]string{"_dmarc.shop.test": {quoted("v=DMARC1; p=reject")}})
	for _, c := range []struct {
		list, signer, symbol string
	}{
		{"Gardeners <garden.lists.club.example>", "club.example", DMARCList},
		{"<garden.club.example>", "lists.club.example", DMARCList},
		{"<garden.club.example>", "evil.example", DMARCReject},
		{"<garden.club.example>", "!club.example", DMARCReject},
		{"garden.club.example", "club.example", DMARCReject},
		{"<>", "club.example", DMARCReject},
	} {
		result, signer := "pass", c.signer
		if s, broken := strings.CutPrefix(signer, "!"); broken {
			result, signer = "fail", s
		}
		m := from("a@shop.test\r\nList-Id: "+c.list, spfOf("pass", "club.example"), signature("fail", "shop.test"), signature(result, signer))
		if got := symbolsOf(checkDMARC(t, r, nil, m)); !slices.Equal(got, []string{c.symbol}) {
			t.Errorf("list %q signed by %s: %v, want %s", c.list, c.signer, got, c.symbol)
		}
	}
}

func TestDMARCSaysNothingOf(t *testing.T) {
	r := zoneOf(t, map[string][]string{"_dmarc.shop.test": {quoted("v=DMARC1; p=reject")}})
	user := from("a@shop.test", spfOf("", ""))
	user.Session = &filters.Session{User: "ann"}
	for name, m := range map[string]filters.Mail{"users": user, "failures without SPF": from("a@shop.test", spfOf("", "")), "nothing": {}} {
		if report := checkDMARC(t, r, nil, m); len(report.Hits)+len(report.Problems) > 0 || report.Facts.Auth != nil {
			t.Errorf("%s: %+v", name, report)
		}
	}
	if report := checkDMARC(t, lookup.Offline(), nil, from("a@shop.test", spfOf("none", ""))); len(report.Hits)+len(report.Problems) > 0 {
		t.Errorf("offline: %+v", report)
	}
	proven := filters.Mail{Message: from("a@shop.test", spfOf("", "")).Message, Auth: &filters.Auth{Domains: []string{"shop.test"}}}
	if got := symbolsOf(checkDMARC(t, r, nil, proven)); !slices.Equal(got, []string{DMARCPass}) {
		t.Errorf("given as proven: %v", got)
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add("v=DMARC1; p=reject; sp=none; np=quarantine; adkim=s; aspf=r; t=y; psd=n; pct=0")
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := policyOf(text, "a.example")
		if !ok {
			return
		}
		for _, asked := range []string{p.own, p.sub, p.absent} {
			if !slices.Contains(policies, asked) || slices.Index(policies, p.milder(asked)) > slices.Index(policies, asked) {
				t.Errorf("%q: %+v", text, p)
			}
		}
		if !strings.Contains(text, "v") || !strings.Contains(text, "DMARC1") {
			t.Errorf("%q is taken for DMARC", text)
		}
	})
}

func FuzzAuthors(f *testing.F) {
	f.Add("From: a@b.example, c@d.example\r\nFrom: <x@y.example>")
	f.Fuzz(func(t *testing.T, header string) {
		m := filters.ParseMessage([]byte(header + "\r\n\r\n"))
		all := authors(m)
		for _, a := range all {
			if a != strings.ToLower(a) || !isName(a) && len(a) < maxLabel {
				t.Errorf("%q: %q", header, all)
			}
		}
		if len(all) > maxAuthors {
			t.Errorf("%d authors", len(all))
		}
	})
}

// A message without a signature costs one lookup more, which is cached.
func BenchmarkDMARC(b *testing.B) {
	r := zoneOf(b, map[string][]string{"_dmarc.shop.test": {quoted("v=DMARC1; p=reject")}})
	m := from("a@shop.test", spfOf("pass", "shop.test"))
	b.ReportAllocs()
	for b.Loop() {
		checkDMARC(b, r, nil, m)
	}
}
