package proxy

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"weir/filters"
	"weir/rules"
	"weir/scoring"
)

func input() HeaderInput {
	return HeaderInput{
		Hostname: "mx1.example.org", Version: "1.0.0", ID: "01JD3K7Q2W8N5T",
		Mail: filters.Mail{
			At: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
			Session: &filters.Session{
				Addr: netip.MustParseAddrPort("192.0.2.7:1234"), Hello: "mail.example.com", Proto: "ESMTPS",
				ReverseName: "mail.example.com", ReverseOK: true,
			},
		},
		Verdict: scoring.Verdict{
			Action: rules.Tag, Points: 1430, Policy: "default",
			Thresholds: rules.Thresholds{Tag: rules.Threshold{Points: 600}},
			Why:        []scoring.Line{{Rule: "ZEN_SBL"}, {Rule: "BULK_MANY"}, {Rule: "cap:dns_ip"}},
		},
	}
}

func TestHeadersSayThatAnswersAreOpen(t *testing.T) {
	in := input()
	in.Verdict.Early = &scoring.Early{Open: make([]scoring.Open, 2)}
	if want := "X-Weir-Verdict: id=01JD3K7Q2W8N5T; action=tag; policy=default; open=2\r\n"; !strings.Contains(string(Headers(in)), want) {
		t.Errorf("no %q in\n%s", want, Headers(in))
	}
}

func TestHeaders(t *testing.T) {
	in := input()
	in.Mail.Auth = &filters.Auth{
		SPF: filters.SPF{Result: "pass", Domain: "example.com"},
		DKIM: []filters.Signature{
			{Domain: "example.com", Selector: "s1", Algorithm: "rsa-sha256", Begins: "aB/d+f8w", Result: "pass"},
			{Domain: "x.example", Result: "fail"},
		},
		DMARC: filters.DMARC{Result: "pass", Domain: "example.com", Policy: "reject"},
		ARC:   filters.ARC{Result: "pass", Oldest: 2},
	}
	in.Mail.Session.ReverseKnown = true
	const want = "X-Spam-Flag: YES\r\n" +
		"X-Spam-Status: Yes, score=14.30 required=6.00 tests=ZEN_SBL,BULK_MANY\r\n" +
		"\tautolearn=no version=weir-1.0.0\r\n" +
		"X-Spam-Score: 14.30\r\n" +
		"X-Spam-Level: **************\r\n" +
		"X-Weir-Verdict: id=01JD3K7Q2W8N5T; action=tag; policy=default\r\n" +
		"Authentication-Results: mx1.example.org; spf=pass smtp.mailfrom=example.com;\r\n" +
		"\tdkim=pass header.d=example.com header.s=s1 header.a=rsa-sha256\r\n" +
		"\theader.b=\"aB/d+f8w\"; dkim=fail header.d=x.example; dmarc=pass\r\n" +
		"\theader.from=example.com policy.dmarc=reject; arc=pass\r\n" +
		"\theader.oldest-pass=2; iprev=pass policy.iprev=192.0.2.7\r\n" +
		"Received: from mail.example.com (mail.example.com [192.0.2.7])\r\n" +
		"\tby mx1.example.org with ESMTPS id 01JD3K7Q2W8N5T;\r\n" +
		"\tSun, 22 Nov 2026 10:00:00 +0000\r\n"
	if got := string(Headers(in)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestHeadersOfGoodMail(t *testing.T) {
	in := input()
	in.Verdict = scoring.Verdict{Points: -230, Policy: "vip", Thresholds: rules.Thresholds{Tag: rules.Threshold{Off: true}}}
	in.Mail.Session = &filters.Session{Addr: netip.MustParseAddrPort("[2001:db8::7]:1"), Hello: "[IPv6:2001:db8::7]", Proto: "SMTP"}
	got := string(Headers(in))
	for _, want := range []string{
		"X-Spam-Status: No, score=-2.30 required=none tests=none autolearn=no\r\n\tversion=weir-1.0.0\r\n",
		"X-Spam-Score: -2.30\r\n", "policy=vip\r\n",
		"Received: from [IPv6:2001:db8::7] (unknown [IPv6:2001:db8::7])\r\n\tby mx1.example.org with SMTP id",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, not := range []string{"X-Spam-Flag", "X-Spam-Level", "Authentication-Results"} {
		if strings.Contains(got, not) {
			t.Errorf("%s in\n%s", not, got)
		}
	}
}

func TestHeadersHaveNoLongLineAndAtMostFiftyStars(t *testing.T) {
	in := input()
	in.Verdict.Points = 100_00
	for range 60 {
		in.Verdict.Why = append(in.Verdict.Why, scoring.Line{Rule: "A_RULE_WITH_A_LONG_NAME"})
	}
	got := string(Headers(in))
	for line := range strings.SplitSeq(got, "\r\n") {
		if len(line) > 78+7 { // a tab is one byte and eight columns
			t.Errorf("%d bytes: %s", len(line), line)
		}
	}
	if strings.Count(got, "*") != maxStars {
		t.Errorf("%d stars", strings.Count(got, "*"))
	}
}

// What others have chosen must not end a value, a field or a comment, whoever reads it.
func TestAuthenticationResultsOfOddNames(t *testing.T) {
	for _, c := range []struct {
		auth filters.Auth
		from string
		want string
	}{
		{filters.Auth{}, "a@b.example", "none"},
		{filters.Auth{SPF: filters.SPF{Result: "pass", Domain: "host.example"}}, "", "spf=pass smtp.helo=host.example"},
		{filters.Auth{SPF: filters.SPF{Result: "pass", Domain: "bank.example(.evil.example"}}, "a@b", `spf=pass smtp.mailfrom="bank.example?.evil.example"`},
		{filters.Auth{SPF: filters.SPF{Result: "fail", Domain: `a"; dmarc=pass header.from=bank.example; x="`}}, "a@b",
			`spf=fail smtp.mailfrom="a???dmarc?pass?header.from?bank.example??x??"`},
		{filters.Auth{DKIM: []filters.Signature{{Domain: "bank.example'a.evil.example", Selector: "s\r\n\x00", Result: "fail"}}}, "a@b",
			`dkim=fail header.d="bank.example?a.evil.example" header.s="s???"`},
		{filters.Auth{DMARC: filters.DMARC{Result: "permerror"}, ARC: filters.ARC{Result: "fail"}}, "a@b", "dmarc=permerror; arc=fail"},
	} {
		words := authResults(filters.Mail{Auth: &c.auth, Envelope: &filters.Envelope{From: c.from}})
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("mail.example", "host.example", "d.example", "sel")
	f.Add("x\r\nX-Evil: 1", "a\nb", ";\r\n\r\n", "(")
	f.Fuzz(func(t *testing.T, hello, rdns, domain, selector string) {
		in := input()
		in.Mail.Session = &filters.Session{Hello: hello, ReverseName: rdns, ReverseOK: true, Proto: "ESMTP"}
		in.Mail.Auth = &filters.Auth{
			SPF:   filters.SPF{Result: "pass", Domain: domain},
			DKIM:  []filters.Signature{{Domain: domain, Selector: selector, Algorithm: selector, Begins: domain, Result: "pass"}},
			DMARC: filters.DMARC{Result: "fail", Domain: domain, Policy: "none"},
		}
		got := string(Headers(in))
		fields := 0
		for line := range strings.SplitSeq(strings.TrimSuffix(got, "\r\n"), "\r\n") {
			if line == "" || strings.ContainsAny(line, "\r\n\x00") || asciiText(strings.TrimPrefix(line, "\t")) != strings.TrimPrefix(line, "\t") {
				t.Fatalf("line %q in %q", line, got)
			}
			if line[0] != '\t' {
				fields++
			}
		}
		if fields != 7 {
			t.Fatalf("%d fields in %q", fields, got)
		}
	})
}

func TestForeignCopiesOfOurHeadersAreCut(t *testing.T) {
	const host = "mx.weir.example"
	for _, c := range []struct {
		in, want string
		cut      int
	}{
		{"X-Spam-Flag: NO\r\nSubject: x\r\n\r\nb\r\n", "Subject: x\r\n\r\nb\r\n", 1},
		{"Subject: x\r\nX-SPAM-score: -9\r\n\r\nX-Spam-Flag: NO\r\n", "Subject: x\r\n\r\nX-Spam-Flag: NO\r\n", 1},
		{"X-Spam-Status: No,\r\n\tscore=0\r\n more\r\nSubject: x\r\n\r\n", "Subject: x\r\n\r\n", 1},
		{"X-Spam-Level : *\r\nx-spam-flag\t: no\r\nSubject: x\r\n\r\n", "Subject: x\r\n\r\n", 2},
		{"X-Weir-Verdict: id=1\r\nX-Spam-Flag:\r\n NO\r\n", "", 2},
		{"\x01X-Spam-Flag: NO\r\nX-Weir-Verdict\v: x\r\nAuthentication-Results\xa0: mx.weir.example; spf=pass\r\n\r\n", "\r\n", 3},
		{"X-Spam-Report: theirs\r\nX-Spam: yes\r\nX-Weir-Anything: y\r\n\r\n", "\r\n", 3},
		{"X-Spammer: y\r\nX-Weird: y\r\nY-X-Spam-Flag: n\r\n\r\n", "X-Spammer: y\r\nX-Weird: y\r\nY-X-Spam-Flag: n\r\n\r\n", 0},
		{"garbage\r\nX-Spam-Flag: NO\r\n\r\n", "garbage\r\n\r\n", 1},
		{"Authentication-Results: mx.weir.example; spf=pass\r\nSubject: x\r\n\r\n", "Subject: x\r\n\r\n", 1},
		{"Authentication-Results: other.example; spf=pass\r\n\r\n", "Authentication-Results: other.example; spf=pass\r\n\r\n", 0},
		{"authentication-RESULTS:\r\n MX.weir.EXAMPLE 1; spf=pass\r\n\r\n", "\r\n", 1},
		{"Authentication-Results: (ha(ha)) \"mx.weir.example\"; dkim=pass\r\n\r\n", "\r\n", 1},
		{"Authentication-Results: mx.weir.example\r\n\t; dkim=pass\r\n\r\n", "\r\n", 1},
		{"Authentication-Results: m\\x.weir.example; dkim=pass\r\n\r\n", "\r\n", 1},
		{"Authentication-Results: mx.weir.example.; dkim=pass\r\n\r\n", "\r\n", 1},
		{"Authentication-Results: \x0bmx.weir.example; dkim=pass\r\n\r\n", "\r\n", 1},
		{"Authentication-Results: \"mx.weir.example\"1 ; dkim=pass\r\n\r\n", "\r\n", 1},
		{"Authentication-Results: \" mx.weir.example \"; dkim=pass\r\n\r\n", "\r\n", 1},
		{"Authentication-Results: (\\)mx.weir.example;)mx.weir.example\r\n\t(x)1; dkim=pass\r\n\r\n", "\r\n", 1},
		{"ARC-Authentication-Results: i=1; mx.weir.example; dkim=pass\r\n\r\n", "ARC-Authentication-Results: i=1; mx.weir.example; dkim=pass\r\n\r\n", 0},
		{"Authentication-Results: xmx.weir.example; dkim=pass\r\n\r\n", "Authentication-Results: xmx.weir.example; dkim=pass\r\n\r\n", 0},
		{"\r\nX-Spam-Flag: NO\r\n", "\r\nX-Spam-Flag: NO\r\n", 0},
		{"X-Spam-Flag: NO", "", 1},
		{"", "", 0},
	} {
		kept, cut := withoutOurs([]byte(c.in), host)
		var got strings.Builder
		for _, k := range kept {
			got.Write(k)
		}
		if got.String() != c.want || cut != c.cut {
			t.Errorf("%q: %q and %d cut, want %q and %d", c.in, got.String(), cut, c.want, c.cut)
		}
	}
}

// Whatever a reader, a lax one too, may take for our name is cut; other names that hold it are left.
func TestResultsInOurNameAreCut(t *testing.T) {
	const host, other = "mx.weir.example", "Authentication-Results:"
	for _, value := range []string{
		" mx.weir.example; spf=pass", "mx.weir.example;spf=pass", " mx.weir.example 1; spf=pass", " mx.weir.example/1; spf=pass", " MX.Weir.Example=1; spf=pass",
		" mx.weir.example(version)1; spf=pass", " mx.weir.example(a(b)c); spf=pass", "(a)(b)\r\n (c)mx.weir.example; spf=pass", " mx.weir.example (", "",
		" \"mx.weir.example\"1; spf=pass", " \"mx.weir\".example; spf=pass", " \"mx.weir.example; spf=pass", " \"m\\x.weir.example\"; spf=pass", " 'mx.weir.example'; spf=pass",
		" mx. weir. example; spf=pass", " mx(x).weir(x).example; spf=pass", " mx.weir.example..; spf=pass", " .mx.weir.example; spf=pass", " mx.weir\r\n .example; spf=pass",
		" ; mx.weir.example; spf=pass", " i=1; mx.weir.example; spf=pass", " (mx.weir.example); spf=pass", " (mx.weir.example; spf=pass", " <mx.weir.example>; spf=pass",
		" [mx.weir.example]; spf=pass", " mx.weir.example:25; spf=pass", " mx.weir.example@; spf=pass", " mx.weir.example, other.example; spf=pass", " mx.weir.example\xa0; spf=pass",
		" \xa0mx.weir.example; spf=pass", " \xc2\xa0mx.weir.example; spf=pass", " \ufeffmx.weir.example; spf=pass", " mx.we\u00adir.example; spf=pass", " mx.weir\u3002example; spf=pass",
		" \uff4d\uff58.weir.example; spf=pass", " =?utf-8?q?mx.weir.example?=; spf=pass", " =?koi8-r?B?bXgud2Vpci5leGFtcGxl?=; spf=pass", " =?us-ascii?q?mx.weir?=\r\n =?us-ascii?q?.example=3B?= spf=pass",
		" m\x01x.weir.example; spf=pass", " mx.weir.example\r\n\t1\r\n\t; spf=pass", " (" + strings.Repeat("x", maxResults) + ") mx.weir.example; spf=pass",
	} {
		want := 1
		if value == "" {
			want = 0
		}
		if _, cut := withoutOurs([]byte(other+value+"\r\n\r\n"), host); cut != want {
			t.Errorf("%.200q: %d cut", value, cut)
		}
	}
	for _, value := range []string{
		" other.example; spf=pass smtp.mailfrom=mx.weir.example", " mx.weir.example.other.example; spf=pass", " mx.weir.examples; spf=pass", " mx.weir.example-2; spf=pass",
		" amx.weir.example; spf=pass", " a.mx.weir.example; spf=pass", " weir.example; spf=pass", " other.example (mx.weir.example); spf=pass", " none", ";", " i=1; other.example; spf=pass",
		" =?utf-8?q?other.example?=; spf=pass", " mx-weir.example; spf=pass", " \"mx.weir.example.other\"; spf=pass",
	} {
		if _, cut := withoutOurs([]byte(other+value+"\r\n\r\n"), host); cut != 0 {
			t.Errorf("%.200q: cut", value)
		}
	}
	for _, name := range []string{"Authentication- Results", "AUTHENTICATION-RESULTS\r\n ", "Authentication\u00ad-Results", "\xef\xbb\xbfAuthentication-Results"} {
		if _, cut := withoutOurs([]byte(name+": mx.weir.example; spf=pass\r\n\r\n"), host); cut != 1 {
			t.Errorf("%q: %d cut", name, cut)
		}
	}
	if _, cut := withoutOurs([]byte(other+" mx.п\u0435чта.example; spf=pass\r\n"+other+" mx.\u041f\u0415ЧТА.example; spf=pass\r\n\r\n"), "mx.xn--80aj3any.example"); cut != 2 {
		t.Errorf("in its own letters: %d cut", cut)
	}
}

func FuzzStrip(f *testing.F) {
	f.Add([]byte("X-Spam-Flag: NO\r\nSubject: x\r\n\r\nb\r\n"))
	f.Add([]byte("Authentication-Results: (a\\)mx.weir.example\r\n ;\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		kept, cut := withoutOurs(raw, "mx.weir.example")
		n := 0
		var rest []byte
		for _, k := range kept {
			n += len(k)
			rest = append(rest, k...)
		}
		if cut == 0 && n != len(raw) {
			t.Fatalf("%q: nothing cut, %d of %d bytes left", raw, n, len(raw))
		}
		if _, again := withoutOurs(rest, "mx.weir.example"); again != 0 {
			t.Fatalf("%q: %d fields were left", raw, again)
		}
	})
}
