package auth

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"weir/filters"
	"weir/filters/lookup"
	"weir/filters/mime"
)

const passed = "spf=pass smtp.mailfrom=mail.shop.test; dmarc=pass header.from=mail.shop.test"

// sealed returns raw with one more set of a chain in front, as s passes it on.
func sealed(t testing.TB, s Signer, raw string, number int, cv, results string) string {
	t.Helper()
	sign := func(covered string) string {
		hash := sha256.Sum256([]byte(covered))
		how := crypto.SignerOpts(crypto.Hash(0))
		if _, ok := s.Key.(*rsa.PrivateKey); ok {
			how = crypto.SHA256
		}
		signature, err := s.Key.Sign(rand.Reader, hash[:], how)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(signature)
	}
	algorithm := "ed25519-sha256"
	if _, ok := s.Key.(*rsa.PrivateKey); ok {
		algorithm = "rsa-sha256"
	}
	body := bodyHash(bodyOf([]byte(raw)), true)
	results = fmt.Sprintf("ARC-Authentication-Results: i=%d; mx.%s;\r\n %s\r\n", number, s.Domain, results)
	message := fmt.Sprintf("ARC-Message-Signature: i=%d; a=%s; c=relaxed/relaxed; d=%s; s=%s;\r\n\th=from:subject:to; bh=%s; b=",
		number, algorithm, s.Domain, s.Selector, base64.StdEncoding.EncodeToString(body[:]))
	covered := ""
	for _, name := range []string{"From", "Subject", "To"} {
		fields := filters.ParseMessage([]byte(raw)).Fields()
		at := slices.IndexFunc(fields, func(f mime.Field) bool { return strings.EqualFold(f.Name, name) })
		covered += fieldForm(fields[at].Raw, true)
	}
	message += sign(covered+unsigned(message+"\r\n", true)) + "\r\n"

	covered = ""
	if links, err := chainOf(filters.ParseMessage([]byte(raw)).Fields()); err == nil {
		for _, l := range links {
			covered += fieldForm(l.results, true) + fieldForm(l.message, true) + fieldForm(l.seal, true)
		}
	}
	seal := fmt.Sprintf("ARC-Seal: i=%d; a=%s; cv=%s; d=%s; s=%s; t=1795340000;\r\n\tb=", number, algorithm, cv, s.Domain, s.Selector)
	seal += sign(covered+fieldForm(results, true)+fieldForm(message, true)+unsigned(seal+"\r\n", true)) + "\r\n"
	return seal + message + results + raw
}

func checkARC(t testing.TB, r *lookup.Resolver, raw string) filters.Report {
	t.Helper()
	m := filters.Mail{At: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), Message: filters.ParseMessage([]byte(raw))}
	report, err := NewARC(r).Run(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestChains(t *testing.T) {
	list, relay := signer(t, "list.example"), signer(t, "relay.example")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	old := Signer{Domain: "old.example", Selector: "rsa", Key: key}
	r := published(t, list, relay, old)
	one := sealed(t, list, letter, 1, "none", passed)
	two := sealed(t, relay, one, 2, "pass", "arc=pass; dmarc=fail")
	footer := strings.Replace(one, "\r\n\r\nNew", "\r\n\r\nFrom the list.\r\nNew", 1)
	many := letter
	for i := 1; i <= maxSets+1; i++ {
		many = sealed(t, list, many, i, map[bool]string{true: "none", false: "pass"}[i == 1], "dmarc=none")
	}
	for _, c := range []struct {
		name, raw, want string
		oldest          int
		sealers         []string
	}{
		{"none", letter, "none", 0, nil},
		{"one", one, "pass", 0, []string{"list.example"}},
		{"two", two, "pass", 0, []string{"relay.example", "list.example"}},
		{"RSA", sealed(t, old, letter, 1, "none", passed), "pass", 0, []string{"old.example"}},
		{"changed, then sealed", sealed(t, relay, footer, 2, "pass", "arc=pass"), "pass", 2, []string{"relay.example", "list.example"}},
		{"other white space", strings.Replace(one, "Subject: Offers", "subject:  Offers ", 1), "pass", 0, []string{"list.example"}},
		{"bare LF", strings.ReplaceAll(two, "\r\n", "\n"), "pass", 0, []string{"relay.example", "list.example"}},
		{"body changed", footer, "fail", 0, nil},
		{"signed field changed", strings.Replace(one, "Offers", "Pills", 1), "fail", 0, nil},
		{"results changed", strings.Replace(two, "dmarc=fail", "dmarc=pass", 1), "fail", 0, nil},
		{"older results changed", strings.Replace(two, "header.from=mail.shop.test", "header.from=bank.example", 1), "fail", 0, nil},
		{"seal of the first missing", two[:strings.LastIndex(two, "ARC-Seal")] + one[strings.Index(one, "ARC-Message"):], "fail", 0, nil},
		{"twice", one[:strings.Index(one, "ARC-Message")] + one, "fail", 0, nil},
		{"seal changed", strings.Replace(two, "t=1795340000", "t=1795340001", 1), "fail", 0, nil},
		{"first seal changed", sealed(t, relay, strings.Replace(one, "t=1795340000", "t=1795340001", 1), 2, "pass", "arc=pass"), "fail", 0, nil},
		{"a gap", sealed(t, relay, letter, 2, "pass", passed), "fail", 0, nil},
		{"too many", many, "fail", 0, nil},
		{"begun as passed", sealed(t, list, letter, 1, "pass", passed), "fail", 0, nil},
		{"gone on as none", sealed(t, relay, one, 2, "none", passed), "fail", 0, nil},
		{"broken by its own word", sealed(t, relay, footer, 2, "fail", "arc=fail"), "fail", 0, nil},
		{"no key", sealed(t, signer(t, "nokey.example"), letter, 1, "none", passed), "fail", 0, nil},
		{"another's key", sealed(t, signer(t, "list.example"), letter, 1, "none", passed), "fail", 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := checkARC(t, r, c.raw)
			got := report.Facts.Auth.ARC
			var sealers []string
			for _, s := range got.Sealed {
				sealers = append(sealers, s.Domain)
			}
			if got.Result != c.want || got.Oldest != c.oldest || !slices.Equal(sealers, c.sealers) {
				t.Errorf("%+v, want %s, oldest %d, by %v", got, c.want, c.oldest, c.sealers)
			}
			symbols := map[string][]string{"none": nil, "pass": {ARCValid}, "fail": {ARCInvalid}}[c.want]
			if got := symbolsOf(report); !slices.Equal(got, symbols) || len(report.Problems) > 0 {
				t.Errorf("hits %v, problems %v", report.Hits, report.Problems)
			}
		})
	}
}

func TestAChainWhoseKeyCannotBeLookedUpIsNotBroken(t *testing.T) {
	list := signer(t, "list.example")
	raw := sealed(t, list, letter, 1, "none", passed)
	z, err := lookup.MapZone(map[string][]string{list.Name(): {"SERVFAIL"}})
	if err != nil {
		t.Fatal(err)
	}
	report := checkARC(t, lookup.FromZone(z), raw)
	if got := symbolsOf(report); !slices.Equal(got, []string{ARCTemperror}) || len(report.Problems) != 1 {
		t.Errorf("hits %v, problems %v", got, report.Problems)
	}
	report = checkARC(t, lookup.Offline(), raw)
	if len(report.Hits)+len(report.Problems) > 0 || report.Facts.Auth != nil {
		t.Errorf("offline: %+v", report)
	}
}

func TestSignedFieldsArePickedFromBelow(t *testing.T) {
	fields := map[string][]string{"to": {"To: 1", "To: 2"}, "from": {"From: x"}, "arc-seal": {"ARC-Seal: y"}}
	got, err := pick(fields, []string{"TO", "cc", "from", "to", "to", "from"})
	if want := []string{"To: 2", "From: x", "To: 1"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if _, err := pick(fields, []string{"from", "ARC-Seal"}); err == nil {
		t.Error("a seal is signed")
	}
	if _, err := pick(fields, make([]string, maxSigned+1)); err == nil {
		t.Error("more fields are signed than there can be")
	}
}

func TestWhatASealerSaysOfDMARC(t *testing.T) {
	for field, want := range map[string][2]string{
		"i=1; mx.a.example; dmarc=pass header.from=b.example":                           {"pass", "b.example"},
		"i=1; mx.a.example; spf=fail smtp.mailfrom=c;\r\n DMARC = Fail (p=none)":        {"fail", ""},
		"i=1; mx.a.example; dmarc/1=pass (a;b (c)) header.from=\"B.Example\"; arc=none": {"pass", "b.example"},
		"i=1; mx.a.example; dkim=pass reason=\"; dmarc=pass\"":                          {"", ""},
		"i=1; mx.a.example; dkim=pass (; dmarc=pass)":                                   {"", ""},
		"i=1; mx.a.example; dmarc=fail; dmarc=pass":                                     {"", ""},
		"i=1; dmarc=pass":                     {"", ""},
		"i=1; mx.a.example; xdmarc=pass":      {"", ""},
		"i=1; mx.a.example; dmarc=passed/1":   {"", ""},
		"i=1; mx.a.example; dmarc=pass \\(;x": {"pass", ""},
	} {
		result, author := dmarcIn("ARC-Authentication-Results: " + field + "\r\n")
		if got := [2]string{result, author}; got != want {
			t.Errorf("%q: %q, want %q", field, got, want)
		}
	}
}

// Our forms of header and body must be those of the library that verifies DKIM, whatever the white space.
func TestFormsAgreeWithTheLibrary(t *testing.T) {
	key := signer(t, "a.example").Key
	for _, body := range []string{"", "\r\n", "\r\n\r\n", "x", "x\r\n", "a  b\t\tc \t\r\n\r\n\r\n", " a\r\n \r\n\t\r\nb \r\n\r\n", "\r\n\r\na", "a\nb\n"} {
		for _, relaxed := range []bool{false, true} {
			form := dkim.Canonicalization(dkim.CanonicalizationSimple)
			if relaxed {
				form = dkim.CanonicalizationRelaxed
			}
			raw := "From: a@a.example\r\nSUBJECT :  two \r\n\tlines  \r\nX:\r\n\r\n" + body
			var signed bytes.Buffer
			err := dkim.Sign(&signed, strings.NewReader(raw), &dkim.SignOptions{
				Domain: "a.example", Selector: "s", Signer: key, HeaderCanonicalization: form, BodyCanonicalization: form,
				HeaderKeys: []string{"From", "Subject", "X", "Absent"},
			})
			if err != nil {
				t.Fatal(err)
			}
			fields := filters.ParseMessage(signed.Bytes()).Fields()
			_, value, _ := strings.Cut(fields[0].Raw, ":")
			tags, err := tagsOf(value)
			if err != nil {
				t.Fatal(err)
			}
			if hash := bodyHash(bodyOf(signed.Bytes()), relaxed); base64.StdEncoding.EncodeToString(hash[:]) != unspaced(tags["bh"]) {
				t.Errorf("relaxed %v, body %q: the hashes differ", relaxed, body)
			}
			covered := ""
			for i := range fields[1:] {
				covered += fieldForm(fields[1+i].Raw, relaxed)
			}
			hash := sha256.Sum256([]byte(covered + unsigned(fields[0].Raw, relaxed)))
			signature, err := base64.StdEncoding.DecodeString(unspaced(tags["b"]))
			if err != nil {
				t.Fatal(err)
			}
			s := Signer{Domain: "a.example", Selector: "s", Key: key}
			n := &names{resolver: published(t, s)}
			if err := n.verifyHash(t.Context(), signedBy{"a.example", "s", "ed25519-sha256"}, hash[:], signature); err != nil {
				t.Errorf("relaxed %v: %v", relaxed, err)
			}
		}
	}
}

func TestKeys(t *testing.T) {
	good := signer(t, "a.example").Record()
	for text, want := range map[string]bool{
		good: true, good + ";": true, good + "; n=note": true, good + "; s=email": true, good + "; s=*:x; h=sha1:sha256": true,
		"": false, "v=DKIM1; p=": false, "v=DKIM1": false, strings.Replace(good, "DKIM1", "DKIM2", 1): false, good + "; s=tlsrpt": false, good + "; h=sha1": false,
		strings.Replace(good, "ed25519", "rsa", 1): false, strings.Replace(good, "ed25519", "x", 1): false, good + "; p=AAAA": false, "v=DKIM1; k=ed25519; p=AAAA": false,
	} {
		if _, err := keyOf(text); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	short := rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(3), 510), E: 65537}
	if _, err := rsaKey(x509.MarshalPKCS1PublicKey(&short)); err == nil || !strings.Contains(err.Error(), "512 bits") {
		t.Errorf("a key of 512 bits: %v", err)
	}
}

func FuzzChain(f *testing.F) {
	f.Add("ARC-Seal: i=1; a=rsa-sha256; cv=none; d=a.example; s=x; b=AAAA\r\nARC-Message-Signature: i=1; a=rsa-sha256; d=a.example; s=x; h=from; bh=AAAA; b=AAAA\r\nARC-Authentication-Results: i=1; a.example; dmarc=pass\r\nFrom: a@a.example\r\n\r\nb")
	f.Add("ARC-Message-Signature: i=1\r\nARC-Message-Signature: i=1\r\nARC-Authentication-Results: i=1;\r\n\r\n")
	f.Fuzz(func(t *testing.T, raw string) {
		m := filters.ParseMessage([]byte(raw))
		links, err := chainOf(m.Fields())
		if err != nil && links != nil || len(links) > maxSets {
			t.Fatalf("%d sets, %v", len(links), err)
		}
		for _, l := range links {
			if l.results == "" || l.message == "" || l.seal == "" {
				t.Fatalf("a set is not whole: %+v", l)
			}
			if result, _ := dmarcIn(l.results); strings.ContainsAny(result, " ;=()") {
				t.Fatalf("the result is %q", result)
			}
		}
		if found, err := arcOf(t.Context(), &names{resolver: lookup.Offline()}, m, time.Time{}); err != nil || found.Result == resultPass {
			t.Fatalf("%+v, %v", found, err)
		}
	})
}

func BenchmarkARC(b *testing.B) {
	list, relay := signer(b, "list.example"), signer(b, "relay.example")
	raw := letter + strings.Repeat("ordinary text of a letter, not very long lines\r\n", 200)
	r := published(b, list, relay)
	for name, raw := range map[string]string{
		"none": raw, "two": sealed(b, relay, sealed(b, list, raw, 1, "none", passed), 2, "pass", passed),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			m := filters.Mail{Message: filters.ParseMessage([]byte(raw))}
			check := NewARC(r)
			for b.Loop() {
				if _, err := check.Run(b.Context(), m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
